"""The pixels in view by two bands or indices, coloured by their class: no Panel here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.mapping import warp
from dashboard.mapping.warp import View
from dashboard.painting import certainty
from dashboard.painting.picture import NOTHING, Order
from dashboard.painting.schemes import recolored
from lulc.indices import is_index
from lulc.legend import Legend
from lulc.scene import Scene

#: Cells of the plot each way.
CELLS = 220

#: Share of the pixels left out at each end of an axis, in per cent.
_TAIL = 0.2


@dataclass(frozen=True, eq=False)
class Cloud:
    """An image of the pixels, and what its axes are."""

    image: NDArray[np.uint8]
    """(y, x, 4), red green blue alpha; the first row is at the top."""
    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top in the units of the axes."""
    pixels: int
    """How many pixels of the view it shows."""


def cloud(order: Order, view: View, x: str, y: str) -> Cloud | None:
    """The pixels of a view by the bands x and y; None where there are none.

    Raises SceneError for a band that the scene lacks, and rasterio's errors.
    """
    scene, run = order.scene, order.run
    if scene is None:
        return None
    across, up = (_values(scene, band, view) for band in (x, y))
    there = np.isfinite(across) & np.isfinite(up)
    classes, legend = np.ones(view.shape, np.uint8), None
    if run is not None:
        classes = certainty.class_ids(run, view)
        legend, _ = recolored(run.legend, order.scheme)
        names = [c.id for c in legend.classes if c.name not in order.hidden]
        there &= (classes != NOTHING) & np.isin(classes, names)
    if there.sum() < 2:
        return None
    return scatter(across[there], up[there], classes[there], legend)


def scatter(
    x: NDArray[np.floating], y: NDArray[np.floating], classes: NDArray, legend: Legend | None
) -> Cloud:
    """Pixels (n,) counted by class in cells; a cell's colour mixes those of its classes.

    How opaque a cell is follows the rank of its count (datashader's histogram equalisation), so
    that thin clouds are seen beside dense ones.
    """
    import datashader.transfer_functions as shading  # late: it loads a compiler
    import xarray

    (left, right), (bottom, top) = (_limits(part) for part in (x, y))
    column = ((x - left) * (CELLS / (right - left))).astype(int)
    row = ((y - bottom) * (CELLS / (top - bottom))).astype(int)
    inside = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
    ids = legend.ids if legend else (1,)
    place = np.zeros(max(ids) + 1, int)
    place[list(ids)] = np.arange(len(ids))
    cell = (row * CELLS + column)[inside] * len(ids) + place[classes[inside]]
    counts = np.bincount(cell, minlength=CELLS * CELLS * len(ids))
    counts = counts.reshape(CELLS, CELLS, len(ids)).astype(np.uint32)
    colors = [c.color for c in legend.classes] if legend else ["#0072b2"]
    names = [str(number) for number in ids]
    table = xarray.DataArray(
        counts,
        dims=("y", "x", "class"),
        coords={"y": np.arange(CELLS), "x": np.arange(CELLS), "class": names},
    )
    shaded = shading.shade(table, color_key=dict(zip(names, colors, strict=True)), min_alpha=70)
    pixels = np.ascontiguousarray(shaded.to_numpy()).view(np.uint8).reshape(CELLS, CELLS, 4)
    return Cloud(pixels[::-1].copy(), (left, bottom, right, top), int(inside.sum()))


def axis(band: str, unit: str) -> str:
    """What is written at an axis: the band and its unit, `Order.unit` but for an index."""
    return f"{band} ({'index, as stored' if is_index(band) else unit})"


def _values(scene: Scene, band: str, view: View) -> NDArray[np.float32]:
    """A band on a view, NaN where there is none."""
    file = scene.select((band,)).files[0]
    got = warp.fetch(file.path, (file.number,), view, nodata=file.nodata)
    raw = got.raw[0].astype(np.float32)
    there = got.valid & np.isfinite(raw)
    there &= (raw != 0) if file.zero_may_be_nodata else True
    values = np.where(there, raw * np.float32(file.scale) + np.float32(file.offset), np.nan)
    return got.onto(values.astype(np.float32), np.nan)


def _limits(values: NDArray[np.floating]) -> tuple[float, float]:
    low, high = np.percentile(values, (_TAIL, 100 - _TAIL))
    room = max(1e-6, 0.02 * float(high - low))
    return float(low) - room, float(high) + room
