"""How much of each class a map holds, in pixels and hectares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer

from lulc.reference import LabelMap

#: Where the area of a pixel on the ellipsoid differs by more from that on the grid, the
#: ellipsoid's counts. UTM and its like stay far below, degrees and Mercator far above.
DISTORTION = 0.01

_HECTARE = 1e4


@dataclass(frozen=True)
class Stratum:
    """A part of the map that points are drawn in."""

    id: int
    """Class id; 0 is the whole map."""
    name: str
    """What it is called."""
    pixels: int
    """Its pixels."""
    area: float
    """Its area in hectares."""


def census(labels: LabelMap) -> tuple[Stratum, ...]:
    """The classes that occur on a map with their pixels and areas, strip by strip."""
    rows = pixel_areas(labels.grid)
    even = (rows == rows[0]).all()
    pixels, areas = np.zeros(labels.legend.nodata + 1, np.int64), np.zeros(labels.legend.nodata + 1)
    for window in labels.strips():
        ids = labels.read(window)
        found = np.bincount(ids.ravel(), minlength=len(pixels))
        pixels += found
        if even:
            areas += found * rows[0]
        else:
            for row, line in zip(rows[window.row_off :], ids, strict=False):
                areas += np.bincount(line, minlength=len(areas)) * row
    named = labels.legend.by_id
    present = [i for i in labels.legend.ids if pixels[i]]
    return tuple(Stratum(i, named[i].name, int(pixels[i]), float(areas[i])) for i in present)


def pixel_areas(grid: GeoBox) -> NDArray[np.float64]:
    """Area in hectares of a pixel in each row of a grid, (y,)."""
    height = grid.shape.y
    assert grid.crs is not None
    axis = grid.crs.proj.axis_info[0]
    flat = abs(grid.affine.determinant) * axis.unit_conversion_factor**2 / _HECTARE
    if not grid.crs.geographic:
        true = _on_ellipsoid(grid, np.array([height // 2]))[0]
        if abs(true - flat) <= DISTORTION * flat:
            return np.full(height, flat)
    return _on_ellipsoid(grid, np.arange(height))


def _on_ellipsoid(grid: GeoBox, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Hectares on WGS 84 of the middle pixel of rows."""
    geod = Geod(ellps="WGS84")
    change = degrees(str(grid.crs))
    # Several pixels at once: the area of a single one is at the limit of the arithmetic.
    n = min(64, grid.shape.x)
    left = (grid.shape.x - n) // 2
    areas = []
    for row in rows.tolist():
        columns = np.array([left, left + n, left + n, left])
        x, y = grid.affine @ (columns, np.array([row, row, row + 1, row + 1]))  # type: ignore[operator]
        areas.append(abs(geod.polygon_area_perimeter(*change.transform(x, y))[0]) / n)
    return np.array(areas) / _HECTARE


@lru_cache(maxsize=8)
def degrees(crs: str) -> Transformer:
    """From a CRS to longitude and latitude; kept, since to make one takes longer than to use it."""
    return Transformer.from_crs(crs, 4326, always_xy=True)
