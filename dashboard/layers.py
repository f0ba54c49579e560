"""What the map shows: images of a view, and the legend that explains them. No Panel here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from dashboard import warp
from dashboard.composites import composite, composites
from dashboard.labels import NO_LABEL, label_ids, reference_labels
from dashboard.ramps import Ramp, ramp
from dashboard.warp import View
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.mapfile import ACTIVATION_SCALE
from lulc.runs import Run
from lulc.scene import Scene

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
    """What to know first."""


def paint(order: Order, view: View) -> Picture:
    """Paint an order on a view. Raises LulcError and rasterio's errors."""
    picture = Picture(view)
    bands = composites(order.scene).get(order.base)
    if order.scene is not None and bands:
        picture = replace(picture, base=composite(order.scene, bands, view))
    if order.run is None:
        if order.overlay == "Reference" and order.reference and order.scene:
            return _labelled(_with_reference(picture, order, view, order.scene.grid, ()))
        return picture
    run = order.run
    picture = _with_classes(picture, order, view)
    if order.reference is not None:
        picture = _with_reference(picture, order, view, run.grid, (run.legend,))
    if order.overlay == "Classes":
        return _classes(picture, run)
    if order.overlay in ("Activation", "Confidence"):
        return _activation(picture, order)
    if order.overlay == "Reference":
        return _labelled(picture)
    return _disagreement(picture, order) if order.overlay == "Disagreement" else picture


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
    ids = label_ids(labels, order.reference.stat().st_mtime_ns, view)
    codes = labels.legend.ids if labels.legend.dtype != np.uint8 else ()
    names = tuple((c.id, f"{c.id} " * (c.id in codes) + c.name) for c in labels.legend.classes)
    return replace(
        picture,
        labels=ids,
        label_names=names,
        title=f"{order.reference.stem} ({labels.legend.title})",
        entries=_entries(ids, labels.legend),
    )


def _entries(ids: NDArray, legend: Legend, only_present: bool = True) -> tuple[Entry, ...]:
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
        entries=_entries(picture.classes, run.legend, False),
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
    colors = {entry.name: entry for entry in picture.entries}
    table = np.zeros((NO_LABEL + 1, 4), np.uint8)
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
    there = (picture.classes != NOTHING) & (picture.labels != NO_LABEL)
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
