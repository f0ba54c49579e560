"""Labels on a grid: a prediction, a CORINE raster and CORINE polygons are the same type.

`LabelMap` reads class ids by window; where they come from is a small source object that
holds paths and no handles, so a label map can be pickled and read by any thread. Which
codes a file holds is `lulc.codes`' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from lulc import codes as code_systems
from lulc import config
from lulc.errors import ReferenceDataError
from lulc.grid import grid_of
from lulc.legend import Legend
from lulc.nearest import nearest

#: Pixels read at once when a whole map is gone through; 4 Mpx keep the memory under 100 MB.
BLOCK_PIXELS = 1 << 22

#: Error of GDAL's interpolated coordinates, in pixels of the reference. Its default of 0.125 lets
#: the size of the window change single pixels; this does not, at a fifth of the speed.
WARP_TOLERANCE = 1e-6


class Source(Protocol):
    """Where the values of a label map come from."""

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[Any], float | None]:
        """Raw values (y, x) of any type in a window of the grid, and the file's own nodata."""


@dataclass(frozen=True)
class LabelMap:
    """Class ids on a grid, read when asked for."""

    grid: GeoBox
    """Where the pixels are."""
    legend: Legend
    """What the ids mean; decides the type (uint8, or uint16 for 3-digit codes) and nodata."""
    source: Source
    """Where the values come from."""

    @classmethod
    def open(cls, path: str | Path, legend: Legend | str | None = None, band: int = 1) -> LabelMap:
        """A band of a raster on its own grid.

        Args:
            legend: what the values mean; None finds it out as `lulc.codes.detect_codes` does.

        Raises:
            ReferenceDataError: no such raster or band, no CRS, or codes that nothing tells.
        """
        path = Path(path)
        with code_systems.open_raster(path) as file:
            if not 1 <= band <= file.count:
                raise ReferenceDataError(f"{path} has {file.count} bands, not a band {band}")
            grid = grid_of(file)
        if not isinstance(legend, Legend):
            legend = Legend.load(legend or code_systems.detect_codes(path))
        return cls(grid, legend, RasterFile(path, band))

    @classmethod
    def from_array(cls, ids: NDArray[Any], grid: GeoBox, legend: Legend) -> LabelMap:
        """Ids (y, x) held in memory."""
        if ids.shape != tuple(grid.shape):
            raise ReferenceDataError(f"expected labels of shape {grid.shape}, got {ids.shape}")
        return cls(grid, legend, Array(ids))

    def read(self, window: Window | None = None) -> NDArray[Any]:
        """Ids (y, x) in a window, or of the whole; `legend.nodata` where there is no class."""
        if window is None:
            window = Window(0, 0, self.grid.shape.x, self.grid.shape.y)
        raw, nodata = self.source.values(self.grid, window)
        return _as_ids(raw, self.legend, nodata)

    def crop(self, window: Window) -> LabelMap:
        """The part in a window, as a label map of its own."""
        rows, cols = window.toslices()
        return LabelMap(self.grid[rows, cols], self.legend, Part(self, window))

    def strips(self) -> Iterator[Window]:
        """Windows of whole rows that cover the grid, each of about `BLOCK_PIXELS`."""
        height, width = self.grid.shape
        # 512 is the block size of the rasters written here: no block is decoded twice.
        rows = max(512, BLOCK_PIXELS // width // 512 * 512)
        for top in range(0, height, rows):
            yield Window(0, top, width, min(rows, height - top))

    @property
    def path(self) -> Path | None:
        """The file behind it, if there is one."""
        return self.source.path


@dataclass(frozen=True)
class RasterFile:
    """A band of a raster, on the raster's own grid."""

    path: Path
    band: int = 1

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[Any], float | None]:  # noqa: ARG002
        with _environment(), rasterio.open(self.path) as file:
            return file.read(self.band, window=window), file.nodatavals[self.band - 1]


@dataclass(frozen=True)
class WarpedRaster:
    """A band of a raster of any CRS and pixel size, its nearest pixel on another grid."""

    path: Path
    band: int = 1
    shift: int = 0
    """Added to every value: see `lulc.codes.shift`."""

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[Any], float | None]:
        with _environment(), rasterio.open(self.path) as file:
            nodata = file.nodatavals[self.band - 1]
            # 0 is an id in no legend, so it can stand for "outside" where no nodata is declared;
            # in a file that counts from 0, 255 does.
            outside = (255 if self.shift else 0) if nodata is None else nodata
            raw = nearest(file, self.band, grid, window, outside)
            if raw is None:
                raw = _exact(file, self.band, grid, window, outside)
        if not self.shift:
            return raw, outside
        # Without data is 0 as well, which is an id in no legend.
        there = (raw != outside) & (raw == raw)
        shifted = np.where(there, raw, 0).astype(np.int32)
        shifted[there] += self.shift
        return shifted, 0


@dataclass(frozen=True)
class Polygons:
    """Polygons with a code, burnt where they hold the centre of a pixel."""

    path: Path
    layer: str
    field: str

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[Any], float | None]:
        import geopandas  # late: it takes half a second, and rasters need none of it

        crs = crs_of(grid)
        transform = window_transform(window, grid.affine)
        shape = (int(window.height), int(window.width))
        bounds = rasterio.transform.array_bounds(*shape, transform)
        own = geopandas.read_file(self.path, layer=self.layer, rows=0).crs
        box = transform_bounds(crs, CRS.from_user_input(own), *bounds)
        found = geopandas.read_file(self.path, layer=self.layer, bbox=box, columns=[self.field])
        found = found[found.geometry.notna() & ~found.geometry.is_empty].to_crs(crs)
        ids = code_systems.numbers(found[self.field])
        shapes = [(g, int(i)) for g, i in zip(found.geometry, ids, strict=True) if i == i]
        if not shapes:
            return np.zeros(shape, np.uint16), 0
        return rasterize(shapes, shape, fill=0, transform=transform, dtype="uint16"), 0


@dataclass(frozen=True)
class Array:
    """Ids in memory."""

    ids: NDArray[Any]
    path: None = None

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[Any], float | None]:  # noqa: ARG002
        return self.ids[window.toslices()], None


@dataclass(frozen=True)
class Part:
    """A window of another label map."""

    whole: LabelMap
    window: Window

    @property
    def path(self) -> Path | None:
        return self.whole.path

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[Any], float | None]:  # noqa: ARG002
        moved = Window(
            window.col_off + self.window.col_off,
            window.row_off + self.window.row_off,
            window.width,
            window.height,
        )
        return self.whole.source.values(self.whole.grid, moved)


def open_reference(
    path: str | Path,
    grid: GeoBox,
    codes: str | None = None,
    layer: str | None = None,
    known: Sequence[Legend] = (),
) -> LabelMap:
    """Labels of any CRS and pixel size, raster or polygons, on a grid by nearest neighbour.

    Args:
        path: a raster, or a vector file with a field such as `Code_18`.
        grid: the grid of the map they are to be compared with.
        codes: name of the code system or legend; None finds it out.
        layer: of a vector file with several.
        known: further legends that the codes may be of, such as the map's own.

    Raises:
        ReferenceDataError: no such file, no CRS, ambiguous or foreign codes, no overlap.
    """
    path = Path(path)
    if not path.exists():
        raise ReferenceDataError(f"no such file: {path}")
    if code_systems.is_vector(path):
        name, field, crs, bounds = code_systems.polygon_layer(path, layer)
        source: Source = Polygons(path, name, field)
        legend = code_systems.check_field(path, name, field, codes, known)
    else:
        with code_systems.open_raster(path) as file:
            crs, bounds = file.crs, tuple(file.bounds)
        legend = code_systems.check_raster(path, codes, known)
        source = WarpedRaster(path, shift=code_systems.shift(path, legend))
    _check_overlap(path, crs, bounds, grid)
    return LabelMap(grid, legend, source)


def crs_of(grid: GeoBox) -> CRS:
    """The grid's CRS as rasterio writes it."""
    if grid.crs is None:
        raise ReferenceDataError("the map to be scored has no CRS")
    # By its code where it has one: see `lulc.grid.grid_of`.
    return CRS.from_string(str(grid.crs))


def _check_overlap(path: Path, crs: Any, bounds: tuple[float, ...], grid: GeoBox) -> None:
    # The map's bounds go to the reference's CRS: continental bounds may not exist in a UTM zone.
    asked = transform_bounds(crs_of(grid), crs, *grid.boundingbox)
    west, south, east, north = bounds
    if asked[0] >= east or asked[2] <= west or asked[1] >= north or asked[3] <= south:
        raise ReferenceDataError(
            f"{path} covers {_rounded(bounds)} and the map {_rounded(asked)} (west, south, east, "
            f"north in the reference's CRS): they do not overlap"
        )


def _rounded(bounds: Sequence[float]) -> str:
    return "(" + ", ".join(f"{b:.6g}" for b in bounds) + ")"


def _as_ids(raw: NDArray[Any], legend: Legend, nodata: float | None) -> NDArray[Any]:
    """Values of any type as ids; whatever is no class of the legend becomes nodata."""
    n = len(legend.ids)
    counted = legend.dtype == np.uint8 and legend.ids == (*range(1, n + 1),)
    if counted and raw.dtype == np.uint8 and not (nodata and 1 <= nodata <= n):
        # The usual map, in whole-array arithmetic: five times as fast as the table below.
        foreign = (raw - np.uint8(1) >= n).view(np.uint8)
        return raw | np.negative(foreign)  # 0 - 1 is 255, which is nodata
    top = max(legend.ids) + 2
    table = np.full(top, legend.nodata, legend.dtype)
    table[list(legend.ids)] = legend.ids
    if nodata is not None and 0 <= nodata < top:
        table[int(nodata)] = legend.nodata
    # 0 is a class in no legend: what is out of the table (NaN too) goes there.
    return table[np.where((raw > 0) & (raw < top), raw, 0).astype(np.uint16)]


def _exact(
    file: rasterio.DatasetReader, band: int, grid: GeoBox, window: Window, outside: float
) -> NDArray[Any]:
    """As `lulc.nearest.nearest`, with GDAL's coordinates of every pixel: a tenth of the speed."""
    with WarpedVRT(
        file,
        crs=crs_of(grid),
        transform=grid.affine,
        width=grid.shape.x,
        height=grid.shape.y,
        src_nodata=outside,
        nodata=outside,
        resampling=Resampling.nearest,
        tolerance=WARP_TOLERANCE,
    ) as warped:
        return warped.read(band, window=window)


def _environment() -> rasterio.Env:
    return rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE)
