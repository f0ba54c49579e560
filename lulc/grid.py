"""Grids: that of a raster, and that of a window."""

from __future__ import annotations

import rasterio
from odc.geo.geobox import GeoBox
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
