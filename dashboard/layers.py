"""What the map shows: images of a view, and the legend that explains them. No Panel here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window

from dashboard import warp
from dashboard.ramps import Ramp, ramp
from dashboard.warp import View
from lulc.bandfiles import BandFile
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.mapfile import ACTIVATION_SCALE
from lulc.reference import LabelMap, WarpedRaster, open_reference
from lulc.runs import Run
from lulc.scene import Scene

#: Bands shown as red, green and blue, by the name of the composite.
COMPOSITES = {
    "True colour": ("B04", "B03", "B02"),
    "Colour infrared": ("B08", "B04", "B03"),
    "Short-wave infrared": ("B12", "B08", "B04"),
}
NO_BASE = "None"

#: What can lie over the image.
OVERLAYS = ("None", "Classes", "Activation", "Confidence", "Reference", "Disagreement")

#: No class, in the arrays that are read out under the pointer.
NOTHING = 255

#: Red for a disagreement, grey where the legends share no class: told apart by lightness too.
DIFFERS = "#d7301f"
UNSCORED = "#9e9e9e"


@dataclass(frozen=True)
class Order:
    """What is wanted on the map; equal orders give equal pictures."""

    scene: Scene | None = None
    """The image below."""
    base: str = "True colour"
    """One of `composites(scene)`, or none."""
    run: Run | None = None
    """The run whose map lies above."""
    overlay: str = "Classes"
    """One of `OVERLAYS`."""
    class_id: int = 0
    """The class of the activation."""
    reference: Path | None = None
    """Labels to show or to compare with."""
    codes: str | None = None
    """Code system of the reference; None finds it out."""


@dataclass(frozen=True)
class Entry:
    """A line of the legend."""

    name: str
    """The class."""
    color: str
    """`#rrggbb`."""
    share: float
    """Share of the pixels in view that have a value, 0..1."""


@dataclass(frozen=True)
class Picture:
    """A view, painted."""

    view: View
    """The window of the map."""
    base: NDArray[np.uint8] | None = None
    """(y, x, 4), red green blue alpha."""
    overlay: NDArray[np.uint8] | None = None
    """(y, x, 4), red green blue alpha."""
    classes: NDArray[np.uint8] | None = None
    """(y, x) class ids of the run, 255 where there is none."""
    values: NDArray[np.uint8] | None = None
    """(y, x) activation in per cent, 255 where there is none."""
    labels: NDArray[np.uint16] | None = None
    """(y, x) codes of the reference, its legend's nodata where there is none."""
    class_names: tuple[tuple[int, str], ...] = ()
    """Names for `classes`."""
    label_names: tuple[tuple[int, str], ...] = ()
    """Names for `labels`."""
    title: str = ""
    """What the overlay is, with its source."""
    entries: tuple[Entry, ...] = ()
    """The legend of an overlay of classes."""
    scale: Ramp | None = None
    """The legend of an overlay of numbers."""
    notes: tuple[str, ...] = ()
    """What to know before reading it."""


def composites(scene: Scene | None) -> dict[str, tuple[str, ...]]:
    """The composites that a scene has the bands for; its first bands if it has none of them."""
    if scene is None:
        return {}
    found: dict[str, tuple[str, ...]] = {
        name: c for name, c in COMPOSITES.items() if set(c) <= set(scene.bands)
    }
    first = (scene.bands * 3)[:3] if len(scene.bands) < 3 else scene.bands[:3]
    return found or {f"Bands {', '.join(dict.fromkeys(first))}": first}


def paint(order: Order, view: View) -> Picture:
    """Paint an order on a view. Raises LulcError and rasterio's errors."""
    picture = Picture(view)
    bands = composites(order.scene).get(order.base)
    if order.scene is not None and bands:
        picture = replace(picture, base=composite(order.scene, bands, view))
    if order.run is None:
        if order.overlay == "Reference" and order.reference and order.scene:
            picture = _with_reference(picture, order, view, order.scene.grid, ())
            picture = _labelled(picture)
        return picture
    run = order.run
    picture = _with_classes(picture, order, view)
    if order.reference is not None and _covers(order.reference, run, order.codes):
        picture = _with_reference(picture, order, view, run.grid, (run.legend,))
    if order.overlay == "Classes":
        return _classes(picture, run)
    if order.overlay in ("Activation", "Confidence"):
        return _activation(picture, order)
    if order.overlay == "Reference":
        return _labelled(picture)
    if order.overlay == "Disagreement":
        return _disagreement(picture, order)
    return picture


@lru_cache(maxsize=8)
def composite(scene: Scene, bands: tuple[str, ...], view: View) -> NDArray[np.uint8]:
    """Three bands as an image (y, x, 4), stretched alike wherever the view is."""
    chosen = scene.select(bands)
    limits = stretch(chosen)
    image = np.zeros((*view.shape, 4), np.uint8)
    valid = np.ones(view.shape, bool)
    dark = np.ones(view.shape, bool)
    for number, (file, (low, high)) in enumerate(zip(chosen.files, limits, strict=True)):
        raw, there = _band(file, view)
        valid &= there
        dark &= (raw == 0) if file.zero_may_be_nodata else False
        values = raw.astype(np.float32) * np.float32(file.scale) + np.float32(file.offset)
        image[..., number] = np.clip((values - low) * (255 / (high - low)), 0, 255)
    image[..., 3] = (valid & ~dark) * np.uint8(255)
    return image


def _band(file: BandFile, view: View) -> tuple[NDArray, NDArray[np.bool_]]:
    values, there = warp.read(
        file.path, (file.number,), view, nodata=file.nodata, resampling=Resampling.average
    )
    there = there & np.isfinite(values[0])
    return np.where(there, values[0], 0), there


@lru_cache(maxsize=32)
def stretch(scene: Scene) -> tuple[tuple[float, float], ...]:
    """Lowest and highest reflectance shown of each band: 2nd and 98th percentile.

    Of the whole scene, from at most 512 x 512 pixels: colours mean the same in every view.
    """
    side = max(scene.shape)
    factor = min(1.0, 512 / side)
    shape = (max(1, int(scene.shape[0] * factor)), max(1, int(scene.shape[1] * factor)))
    values, valid = scene.read(shape=shape)
    if not valid.any():
        return tuple((0.0, 1.0) for _ in scene.bands)
    low, high = np.percentile(values[:, valid], (2, 98), axis=1)
    return tuple((float(a), float(max(b, a + 1e-6))) for a, b in zip(low, high, strict=True))


def reference_labels(
    path: Path, grid: GeoBox, codes: str | None, known: tuple[Legend, ...]
) -> LabelMap:
    """The labels of a reference, looked at once for each file. Raises ReferenceDataError."""
    return _reference_labels(path, path.stat().st_mtime_ns, grid, codes, known)


@lru_cache(maxsize=16)
def _reference_labels(
    path: Path,
    stamp: int,  # noqa: ARG001 (a changed file is another key)
    grid: GeoBox,
    codes: str | None,
    known: tuple[Legend, ...],
) -> LabelMap:
    return open_reference(path, grid, codes, known=known)


@lru_cache(maxsize=8)
def _label_ids(labels: LabelMap, stamp: int, view: View) -> NDArray[np.uint16]:  # noqa: ARG001
    """Codes of a reference on a view, 65535 where there is none."""
    source = labels.source
    if isinstance(source, WarpedRaster):
        source = OnView(source.path, source.band, view)
    ids = replace(labels, grid=view.grid, source=source).read()
    return np.where(ids == labels.legend.nodata, 65535, ids).astype(np.uint16)


@dataclass(frozen=True)
class OnView:
    """A raster as the source of a label map on a view: twenty times as fast as warping it."""

    path: Path
    band: int
    view: View

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray, float | None]:  # noqa: ARG002
        """The whole view, 0 where the raster has nothing."""
        return warp.read(self.path, (self.band,), self.view)[0][0], 0


def _covers(path: Path, run: Run, codes: str | None) -> bool:
    reference_labels(path, run.grid, codes, (run.legend,))
    return True


def _with_classes(picture: Picture, order: Order, view: View) -> Picture:
    assert order.run is not None
    run = order.run
    which = order.class_id if order.overlay == "Activation" else None
    stamp = run.map_path.stat().st_mtime_ns
    classes = _class_ids(run.map_path, stamp, view)
    values = _activations(run, stamp, which, view)
    names = tuple(zip(run.legend.ids, run.legend.names, strict=True))
    return replace(picture, classes=classes, values=values, class_names=names)


@lru_cache(maxsize=8)
def _class_ids(path: Path, stamp: int, view: View) -> NDArray[np.uint8]:  # noqa: ARG001
    bands, there = warp.read(path, (1,), view)
    return np.where(there, bands[0], NOTHING).astype(np.uint8)


@lru_cache(maxsize=16)
def _activations(
    run: Run,
    stamp: int,  # noqa: ARG001 (a changed file is another key)
    class_id: int | None,
    view: View,
) -> NDArray[np.uint8]:
    """The activation of a class, or the largest of all, in per cent."""
    ids = run.legend.ids
    numbers = (2 + ids.index(class_id),) if class_id in ids else tuple(range(2, 2 + len(ids)))
    raw, there = warp.read(run.map_path, numbers, view)
    largest = raw.max(axis=0).astype(np.float32)
    if run.properties.get("lulc:dtype", "uint8") == "uint8":
        largest *= ACTIVATION_SCALE
    return np.where(there, np.rint(largest * 100), NOTHING).astype(np.uint8)


def _with_reference(
    picture: Picture, order: Order, view: View, grid: GeoBox, known: tuple[Legend, ...]
) -> Picture:
    assert order.reference is not None
    labels = reference_labels(order.reference, grid, order.codes, known)
    ids = _label_ids(labels, order.reference.stat().st_mtime_ns, view)
    codes = labels.legend.ids if labels.legend.dtype != np.uint8 else ()
    prefix = {i: f"{i} " for i in codes}
    names = tuple((c.id, prefix.get(c.id, "") + c.name) for c in labels.legend.classes)
    return replace(
        picture,
        labels=ids,
        label_names=names,
        title=f"{order.reference.stem} ({labels.legend.title})",
        entries=_entries(ids, labels.legend),
    )


def _entries(ids: NDArray, legend: Legend, *, only_present: bool = True) -> tuple[Entry, ...]:
    counts = np.bincount(ids.ravel(), minlength=max(legend.ids) + 1)
    total = max(1, int(sum(counts[c.id] for c in legend.classes)))
    return tuple(
        Entry(c.name, c.color, float(counts[c.id] / total))
        for c in legend.classes
        if counts[c.id] or not only_present
    )


def _classes(picture: Picture, run: Run) -> Picture:
    assert picture.classes is not None
    return replace(
        picture,
        overlay=_painted(picture.classes, run.legend),
        entries=_entries(picture.classes, run.legend, only_present=False),
        title=f"Classes of {run.id}",
    )


def _activation(picture: Picture, order: Order) -> Picture:
    assert picture.values is not None and order.run is not None
    if order.overlay == "Confidence":
        said = "Confidence: the largest activation"
    else:
        said = f"Activation of {order.run.legend.by_id[order.class_id].name}"
    scale = ramp("0", "0.5", "1")
    overlay = scale.colors[np.minimum(picture.values, 100)]
    overlay[picture.values == NOTHING] = 0
    return replace(picture, overlay=overlay, entries=(), scale=scale, title=said)


def _labelled(picture: Picture) -> Picture:
    """The reference in its own colours."""
    if picture.labels is None:
        return picture
    colors = dict(zip([e.name for e in picture.entries], picture.entries, strict=True))
    table = np.zeros((65536, 4), np.uint8)
    for code, name in picture.label_names:
        entry = colors.get(name) or colors.get(name.partition(" ")[2])
        if entry:
            table[code] = (*bytes.fromhex(entry.color[1:]), 255)
    return replace(picture, overlay=table[picture.labels])


def _disagreement(picture: Picture, order: Order) -> Picture:
    assert order.run is not None and picture.classes is not None
    if picture.labels is None or order.reference is None:
        return picture
    labels = reference_labels(order.reference, order.run.grid, order.codes, (order.run.legend,))
    grouping = common_grouping(order.run.legend, labels.legend)
    mapped = grouping.prediction_lut[picture.classes]
    ids = np.minimum(picture.labels, len(grouping.reference_lut) - 1)
    expected = grouping.reference_lut[ids]
    there = (picture.classes != NOTHING) & (picture.labels != 65535)
    scored = there & (mapped >= 0) & (expected >= 0)
    wrong = scored & (mapped != expected)
    overlay = np.zeros((*picture.view.shape, 4), np.uint8)
    overlay[wrong] = (*bytes.fromhex(DIFFERS[1:]), 255)
    overlay[there & ~scored] = (*bytes.fromhex(UNSCORED[1:]), 255)
    total = max(1, int(there.sum()))
    entries = (
        Entry("Map and reference differ", DIFFERS, float(wrong.sum() / total)),
        Entry("They agree (not painted)", "", float((scored & ~wrong).sum() / total)),
        Entry("Not scored", UNSCORED, float((there & ~scored).sum() / total)),
    )
    return replace(
        picture,
        overlay=overlay,
        entries=entries,
        title=f"Disagreement of {order.run.id} with {order.reference.stem}",
        notes=tuple(grouping.notes()),
    )


def _painted(ids: NDArray[np.uint8], legend: Legend) -> NDArray[np.uint8]:
    table = np.zeros((256, 4), np.uint8)
    for c in legend.classes:
        table[c.id] = (*c.rgb, 255)
    return table[ids]
