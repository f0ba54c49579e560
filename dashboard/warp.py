"""Reading any raster on a window of the map, at the resolution of the screen.

The map is in Web Mercator. A file is read on its own grid, decimated to about the screen's
resolution, where its overviews make that cheap; then every pixel of the screen looks its
value up. That is as fast as a warped virtual raster for one band, and several times as fast
for all of a map of 14 (35 to 90 ms against 480), since places are looked up once a view.
Files are kept open, each with a lock: a rasterio handle shared by threads crashes.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from lulc import config
from lulc.grid import grid_of

#: The projection of the map.
MERCATOR = "EPSG:3857"

#: Handles kept open, for all sessions together.
_KEPT = 48

_to_degrees = Transformer.from_crs(MERCATOR, "EPSG:4326", always_xy=True)
_to_mercator = Transformer.from_crs("EPSG:4326", MERCATOR, always_xy=True)


@dataclass(frozen=True)
class View:
    """A window of the map and the pixels it is shown with."""

    west: float
    """Metres of Web Mercator, as the three below."""
    south: float
    east: float
    north: float
    width: int
    """Pixels of the screen."""
    height: int
    """Pixels of the screen."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return self.west, self.south, self.east, self.north

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def grid(self) -> GeoBox:
        """The pixels of the view."""
        return GeoBox.from_bbox(self.bounds, MERCATOR, shape=self.shape)

    @classmethod
    def of(cls, grid: GeoBox, width: int = 800, height: int = 600) -> View:
        """The view that shows all of a grid, with square pixels and a small margin."""
        return cls.around(mercator_bounds(grid), width, height)

    @classmethod
    def around(cls, bounds: Sequence[float], width: int, height: int) -> View:
        """The view that shows a box of Web Mercator, with square pixels and a small margin."""
        west, south, east, north = bounds
        pixel = 1.04 * max((east - west) / width, (north - south) / height, 1e-3)
        x, y = (west + east) / 2, (south + north) / 2
        half_x, half_y = pixel * width / 2, pixel * height / 2
        return cls(x - half_x, y - half_y, x + half_x, y + half_y, width, height)


def mercator_bounds(grid: GeoBox) -> tuple[float, float, float, float]:
    """West, south, east, north of a grid in metres of Web Mercator."""
    return transform_bounds(_wkt(grid), MERCATOR, *grid.boundingbox)


def degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a point of the map."""
    return _to_degrees.transform(x, y)


def mercator(lon: float, lat: float) -> tuple[float, float]:
    """The point of the map at a longitude and latitude."""
    return _to_mercator.transform(lon, lat)


def read(
    path: str | Path,
    bands: Sequence[int],
    view: View,
    *,
    nodata: float | None = None,
    resampling: Resampling = Resampling.nearest,
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Bands of a file on a view: values (band, y, x) and where there are any, bool (y, x).

    Values are 0 outside the file. `nodata` stands in where the file declares none. Raises
    rasterio.errors.RasterioError for what cannot be read.
    """
    return _handle(str(path)).read(bands, view, nodata, resampling)


def close(path: str | Path) -> None:
    """Let go of a file, before it is deleted or after it was replaced."""
    with _lock:
        for key in [key for key in _handles if key[0] == str(path)]:
            _handles.pop(key).close()


class _Handle:
    """An open file; every use holds its lock."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE):
            self._file = rasterio.open(path)
            self._grid = grid_of(self._file)

    def read(
        self, bands: Sequence[int], view: View, nodata: float | None, resampling: Resampling
    ) -> tuple[NDArray, NDArray[np.bool_]]:
        declared = self._file.nodatavals[bands[0] - 1]
        nodata = nodata if declared is None else declared
        columns, rows = places(view, self._grid)
        height, width = self._grid.shape
        there = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        if not there.any():
            return np.zeros((len(bands), *view.shape), self._file.dtypes[bands[0] - 1]), there
        window = _around(columns[there], rows[there])
        # About a pixel of the file's for each of the screen's, and never more than there are.
        step = max(1.0, float(np.ptp(columns)) / view.width, float(np.ptp(rows)) / view.height)
        shape = (math.ceil(window.height / step), math.ceil(window.width / step))
        with self._lock, rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE):
            got = self._file.read(
                list(bands), window=window, out_shape=shape, resampling=resampling
            )
        x = ((columns - window.col_off) * (shape[1] / window.width)).astype(np.int32)
        y = ((rows - window.row_off) * (shape[0] / window.height)).astype(np.int32)
        flat = np.where(there, y * shape[1] + x, 0)
        values = got.reshape(len(bands), -1)[:, flat]
        if nodata is not None:
            missing = np.isnan(values) if np.isnan(nodata) else values == nodata
            there = there & ~missing.any(axis=0)
        values[:, ~there] = 0
        return values, there

    def close(self) -> None:
        with self._lock:
            self._file.close()


_lock = threading.Lock()
_handles: OrderedDict[tuple[str, int], _Handle] = OrderedDict()


def _handle(path: str) -> _Handle:
    file = Path(path)
    key = (path, file.stat().st_mtime_ns if file.exists() else 0)
    with _lock:
        if key not in _handles:
            _handles[key] = _Handle(path)
        _handles.move_to_end(key)
        while len(_handles) > _KEPT:
            _handles.popitem(last=False)[1].close()
        return _handles[key]


@lru_cache(maxsize=12)
def places(view: View, grid: GeoBox) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the centres of a view's pixels lie in a grid: columns and rows, each (y, x).

    Exact at the knots of a net and interpolated between, which is off by far less than a
    pixel of the screen.
    """
    knots_x, knots_y = (np.linspace(0, n - 1, _KNOTS) for n in (view.width, view.height))
    at = view.grid.affine
    x, y = np.meshgrid(at.c + at.a * (knots_x + 0.5), at.f + at.e * (knots_y + 0.5))
    to_grid = Transformer.from_crs(MERCATOR, _wkt(grid), always_xy=True)
    columns, rows = ~grid.affine * to_grid.transform(x, y)
    return _spread(columns, view.shape), _spread(rows, view.shape)


#: Knots a side of the net in `places`.
_KNOTS = 33


def _spread(net: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Bilinear interpolation of a square net onto all the pixels it spans."""
    for axis, n in enumerate(shape):
        position = np.linspace(0, len(net) - 1, n) if axis == 0 else np.linspace(0, _KNOTS - 1, n)
        low = np.minimum(position.astype(int), _KNOTS - 2)
        share = position - low
        share = share[:, None] if axis == 0 else share
        a, b = np.take(net, low, axis), np.take(net, low + 1, axis)
        net = a * (1 - share) + b * share
    return net.astype(np.float32)


def _around(columns: NDArray, rows: NDArray) -> Window:
    left, top = int(columns.min()), int(rows.min())
    return Window(left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)


def _wkt(grid: GeoBox) -> str:
    assert grid.crs is not None  # a scene or run without one cannot be opened
    return grid.crs.to_wkt()
