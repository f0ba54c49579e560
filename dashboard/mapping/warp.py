"""Reading any raster on a window of the map, at the resolution of the screen.

The map is in Web Mercator. A file is read on its own grid, decimated to about the screen's
resolution, where its overviews make that cheap; then every pixel of the screen looks its
value up. Places are looked up once a view, whatever is read for it (`benchmarks/map.py`).
Files are kept open, each with a lock: a rasterio handle shared by threads crashes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds

from dashboard.mapping.positions import lookup
from lulc import config
from lulc.grid import grid_of

#: The projection of the map.
MERCATOR = "EPSG:3857"

#: Bytes of decoded blocks kept, so that panning decodes only what comes into view.
_CACHE = max(config.GDAL_CACHE, 256 * 2**20)

#: Pixels of an overview for one of the screen up to which it is taken as it is: that, of two
#: whose sides are doubled, the coarser one is not far coarser than the screen, nor the finer finer.
_NEAR = 1.7

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
        # Not snapped to whole pixels from 0: the image is drawn at the bounds.
        return GeoBox.from_bbox(self.bounds, MERCATOR, shape=self.shape, tight=True)

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

    def near(self, x: float, y: float) -> View:
        """The pixels around a point of the map: a quarter of the view each way."""
        across, down = (self.east - self.west) / self.width, (self.north - self.south) / self.height
        width, height = max(1, self.width // 4), max(1, self.height // 4)
        # Whole pixels from the corner, so that they are those on the screen.
        column = round((x - self.west) / across - width / 2)
        row = round((self.north - y) / down - height / 2)
        west, north = self.west + column * across, self.north - row * down
        east, south = west + width * across, north - height * down
        return View(west, south, east, north, width, height)


def mercator_bounds(grid: GeoBox) -> tuple[float, float, float, float]:
    """West, south, east, north of a grid in metres of Web Mercator."""
    return transform_bounds(_wkt(grid), MERCATOR, *grid.boundingbox)


def degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a point of the map."""
    return _to_degrees.transform(x, y)


def mercator(lon: float, lat: float) -> tuple[float, float]:
    """The point of the map at a longitude and latitude."""
    return _to_mercator.transform(lon, lat)


@dataclass(frozen=True, eq=False)
class Sampled:
    """Bands of a file as read for a view, and where each of the view's pixels finds its own.

    What is computed from the bands is computed before it is looked up: a file has fewer
    pixels than the screen, and often less than a class has bands.
    """

    raw: NDArray
    """(band, rows, columns) as stored, at about the screen's resolution."""
    nodata: float | None
    """The stored number that means no data."""
    places: NDArray[np.intp]
    """(y, x) place in the flattened rows and columns; behind the last one outside the file."""

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(rows, columns) where no band is nodata."""
        if self.nodata is None:
            return np.ones(self.raw.shape[1:], bool)
        missing = np.isnan(self.raw) if np.isnan(self.nodata) else self.raw == self.nodata
        return ~missing.any(axis=0)

    def onto(self, values: NDArray, outside: float = 0) -> NDArray:
        """Look up (..., rows, columns) for every pixel of the view: (..., y, x)."""
        ahead = values.shape[:-2]
        last = np.full((*ahead, 1), outside, values.dtype)
        flat = np.concatenate([values.reshape(*ahead, -1), last], axis=-1)
        return flat.take(self.places, axis=-1)


def fetch(
    path: str | Path,
    bands: Sequence[int],
    view: View,
    *,
    nodata: float | None = None,
    resampling: Resampling = Resampling.nearest,
) -> Sampled:
    """Bands of a file for a view. `nodata` stands in where the file declares none.

    Raises rasterio.errors.RasterioError for what cannot be read.
    """
    return _handle(str(path)).fetch(bands, view, nodata, resampling)


def read(
    path: str | Path,
    bands: Sequence[int],
    view: View,
    *,
    nodata: float | None = None,
    resampling: Resampling = Resampling.nearest,
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Bands of a file on a view: values (band, y, x) and where there are any, bool (y, x).

    Values are 0 where there are none. Raises as `fetch` does.
    """
    got = fetch(path, bands, view, nodata=nodata, resampling=resampling)
    valid = got.valid
    return got.onto(np.where(valid, got.raw, 0)), got.onto(valid, False)


def close(path: str | Path) -> None:
    """Let go of a file, before it is deleted or after it was replaced."""
    with _lock:
        for key in [key for key in _handles if key[0] == str(path)]:
            _handles.pop(key).close()


class _Handle:
    """An open file; every use holds its lock."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        with rasterio.Env(GDAL_CACHEMAX=_CACHE):
            self._file = rasterio.open(path)
            self._grid = grid_of(self._file)

    def fetch(
        self, bands: Sequence[int], view: View, nodata: float | None, resampling: Resampling
    ) -> Sampled:
        declared = self._file.nodatavals[bands[0] - 1]
        nodata = nodata if declared is None else declared
        window, shape, places = lookup(view.grid, self._grid)
        if window is None:
            raw = np.zeros((len(bands), 0, 0), self._file.dtypes[bands[0] - 1])
            return Sampled(raw, nodata, places)
        with self._lock, rasterio.Env(GDAL_CACHEMAX=_CACHE):
            if self._fits(bands[0], window.width / shape[1]):
                resampling = Resampling.nearest
            raw = self._file.read(
                list(bands), window=window, out_shape=shape, resampling=resampling
            )
        return Sampled(raw, nodata, places)

    def _fits(self, band: int, step: float) -> bool:
        """Whether the file or an overview has about one pixel for `step` of the file's.

        To resample what was averaged before costs more than all the rest of a view.
        """
        return any(0.8 < step / factor < _NEAR for factor in (1, *self._file.overviews(band)))

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


def _wkt(grid: GeoBox) -> str:
    assert grid.crs is not None  # a scene or run without one cannot be opened
    return grid.crs.to_wkt()
