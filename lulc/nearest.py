"""The nearest pixel of a raster on another grid, whatever the window that is asked for.

Coordinates are exact at the nodes of a lattice and interpolated in between. The lattice lies on
the target grid, not on the window, so a pixel gets the same source pixel in every window, which
GDAL's approximate transformer does not give; its exact one does, at a tenth of the speed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from rasterio.windows import Window

#: Side of the squares of the target grid that are looked up at once, and of the lattice's cells.
TILE, CELL = 512, 16

#: Largest error of interpolated coordinates, in pixels of the source. Between projections of
#: the earth it is 1e-5 at pixels of ten metres and grows with them: second derivatives are about
#: those of a sphere. Where it is larger, at the antimeridian or a pole, nothing is interpolated.
TOLERANCE = 0.01

#: Added before rounding down: pixels that meet on an edge fall to one side everywhere.
TIE = 1e-6

#: Pixels of the source held at once; a tile that needs more is divided.
SOURCE_PIXELS = 1 << 24


def nearest(
    file: rasterio.DatasetReader, band: int, grid: GeoBox, window: Window, outside: float
) -> NDArray[Any] | None:
    """Values (y, x) of a band in a window of a grid: those of the pixel that holds the centre.

    Args:
        file: the raster, with a CRS.
        outside: the value where the raster has no pixel.

    Returns:
        An array of the band's type; None where the coordinates cannot be interpolated.
    """
    top, left = int(window.row_off), int(window.col_off)
    bottom, right = top + int(window.height), left + int(window.width)
    own, theirs = CRS.from_user_input(str(grid.crs)), CRS.from_user_input(file.crs)
    there = None if own == theirs else Transformer.from_crs(own, theirs, always_xy=True)
    out = np.empty((bottom - top, right - left), file.dtypes[band - 1])
    for tile_top in range(top // TILE * TILE, bottom, TILE):
        for tile_left in range(left // TILE * TILE, right, TILE):
            places = _places(file, grid, there, tile_top, tile_left)
            if places is None:
                return None
            rows = slice(max(top - tile_top, 0), min(bottom - tile_top, TILE))
            columns = slice(max(left - tile_left, 0), min(right - tile_left, TILE))
            target = out[
                rows.start + tile_top - top : rows.stop + tile_top - top,
                columns.start + tile_left - left : columns.stop + tile_left - left,
            ]
            _look_up(file, band, places[:, rows, columns], outside, target)
    return out


def _places(
    file: rasterio.DatasetReader, grid: GeoBox, there: Transformer | None, top: int, left: int
) -> NDArray[np.int32] | None:
    """Row and column in the source of every pixel of a tile, (2, TILE, TILE)."""
    half = np.arange(0, TILE + 1, CELL / 2)  # nodes, and the middles by which they are judged
    xs, ys = grid.affine @ tuple(np.meshgrid(half + left, half + top))
    if there is not None:
        xs, ys = there.transform(xs, ys)
    exact = np.stack((~file.transform @ (xs, ys))[::-1])
    nodes = exact[:, ::2, ::2]
    if not np.isfinite(nodes).all():
        return None
    middles = (nodes[:, :-1, :-1] + nodes[:, 1:, :-1] + nodes[:, :-1, 1:] + nodes[:, 1:, 1:]) / 4
    if not np.abs(middles - exact[:, 1::2, 1::2]).max() <= TOLERANCE:
        return None
    places = _between(_between(nodes.swapaxes(1, 2)).swapaxes(1, 2))
    # What is far outside is outside all the same, and fits the type.
    limit = np.array([file.height, file.width])[:, None, None]
    return np.floor(np.clip(places + TIE, -1, limit)).astype(np.int32)


def _between(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values at the centres of the pixels between nodes, along the last axis."""
    share = (np.arange(CELL) + 0.5) / CELL
    steps = np.diff(nodes)[..., None] * share
    return (nodes[..., :-1, None] + steps).reshape(*nodes.shape[:-1], -1)


def _look_up(
    file: rasterio.DatasetReader,
    band: int,
    places: NDArray[np.int32],
    outside: float,
    out: NDArray[Any],
) -> None:
    """Fill `out` (y, x) with the source's values at the places (2, y, x)."""
    rows, columns = places
    inside = (rows >= 0) & (rows < file.height) & (columns >= 0) & (columns < file.width)
    if not inside.any():
        out[:] = outside
        return
    everywhere = bool(inside.all())
    seen = places if everywhere else places[:, inside]
    top, left = (int(part.min()) for part in seen)
    bottom, right = (int(part.max()) + 1 for part in seen)
    if (bottom - top) * (right - left) > SOURCE_PIXELS and out.size > 1:
        height, width = (side // 2 for side in out.shape)
        tall = height >= width
        first, second = slice(height if tall else width), slice(height if tall else width, None)
        for half in (first, second):
            part = (half,) if tall else (slice(None), half)
            _look_up(file, band, places[:, *part], outside, out[part])
        return
    source = file.read(band, window=Window(left, top, right - left, bottom - top))
    index = rows - top
    index *= right - left
    index += columns - left
    if everywhere:
        np.take(source.ravel(), index, out=out, mode="clip")
    else:
        out[:] = outside
        out[inside] = source.ravel()[index[inside]]
