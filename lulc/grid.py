"""Grids: that of a raster, and that of a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Geod
from rasterio.windows import Window


def grid_of(source: rasterio.DatasetReader) -> GeoBox:
    """The grid of an open raster, its CRS named by its EPSG code where GDAL knows one.

    GDAL and pyproj each bring a database of their own; by its code both mean the same CRS,
    by its text they may differ in the name of a datum and seem to be two.
    """
    code = source.crs.to_epsg() if source.crs else None
    crs = f"EPSG:{code}" if code else (source.crs.to_wkt() if source.crs else None)
    return GeoBox((source.height, source.width), source.transform, crs)


def cut(grid: GeoBox, window: Window) -> GeoBox:
    """The grid of a window."""
    rows, columns = (slice(int(s.start), int(s.stop)) for s in window.toslices())
    return grid[rows, columns]


def grid_to_dict(grid: GeoBox) -> dict[str, Any]:
    """A grid as JSON: shape, transform and CRS."""
    crs = None if grid.crs is None else str(grid.crs)
    return {"shape": list(grid.shape), "transform": list(grid.affine)[:6], "crs": crs}


def grid_from_dict(data: Mapping[str, Any]) -> GeoBox:
    """The inverse of `grid_to_dict`. Raises KeyError, TypeError or ValueError."""
    return GeoBox(tuple(data["shape"]), Affine(*data["transform"]), data["crs"])


def pixel_metres(grid: GeoBox) -> tuple[float, float]:
    """Height and width of a pixel in metres; for a grid in degrees, at its middle."""
    height, width = abs(float(grid.resolution.y)), abs(float(grid.resolution.x))
    assert grid.crs is not None
    if not grid.crs.geographic:
        unit = float(grid.crs.proj.axis_info[0].unit_conversion_factor)
        return height * unit, width * unit
    x, y = grid.extent.centroid.points[0]
    geod = Geod(ellps="WGS84")
    tall = geod.inv(x, y - height / 2, x, y + height / 2)[2]
    return tall, geod.inv(x - width / 2, y, x + width / 2, y)[2]
