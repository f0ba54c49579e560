"""A raster stack as named, calibrated bands on one grid, read by window.

Opening looks at headers only. Every read opens the files it needs and closes them again:
a rasterio handle shared by threads crashes, and a scene without handles can be sent to a
worker process as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import MaskFlags, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from lulc import bandfiles, indices
from lulc.bandfiles import BandFile
from lulc.errors import SceneError

__all__ = ["Scene"]


@dataclass(frozen=True)
class Scene:
    """Named bands on one grid. Open one with `Scene.open`."""

    name: str
    """What the scene is called in lists and in run identifiers."""
    files: tuple[BandFile, ...]
    """Where each band lies, one entry a band."""
    grid: GeoBox
    """The grid that every band is read on: the finest of the files'."""
    patch: Scene | None = None
    """Another scene to fill this one's nodata from."""

    @classmethod
    def open(
        cls,
        paths: str | Path | Sequence[str | Path],
        *,
        bands: Sequence[str] | None = None,
        scale: float | None = None,
        offset: float | None = None,
        nodata: float | None = None,
        patch: str | Path | Sequence[str | Path] | None = None,
        name: str | None = None,
    ) -> Scene:
        """Open rasters (anything GDAL reads), one or several stacked, as one scene.

        `bands` names the bands in the order of the files where these do not name them;
        `scale` and `offset` give reflectance = DN * scale + offset where the files do not
        say. `patch` takes the same kinds of files. Raises SceneError.
        """
        if isinstance(paths, str | Path):
            paths = [paths]
        files = bandfiles.find(paths, names=bands, scale=scale, offset=offset, nodata=nodata)
        finest = min(files, key=lambda file: abs(file.grid.resolution.x))
        if finest.grid.crs is None:
            raise SceneError(
                f"{finest.path} has no coordinate reference system; expected one "
                "(gdal_edit.py -a_srs EPSG:... sets it)"
            )
        for file in files:
            if file.grid != finest.grid and file.grid.crs is None:
                raise SceneError(f"{file.path} has no coordinate reference system; expected one")
            if file.grid != finest.grid and not _overlap(file.grid, finest.grid):
                raise SceneError(f"{file.path} does not overlap {finest.path}: not one scene")
        patch_scene = None
        if patch is not None:
            patch_scene = cls.open(
                patch, bands=bands, scale=scale, offset=offset, nodata=nodata, name="patch"
            )
            absent = [f.name for f in files if f.name not in patch_scene.bands]
            if absent:
                raise SceneError(
                    f"the patch lacks the bands {', '.join(absent)} of the scene; it has "
                    f"{', '.join(patch_scene.bands)}"
                )
            if not _overlap(patch_scene.grid, finest.grid):
                raise SceneError(
                    f"the patch {patch_scene.files[0].path} does not overlap the scene"
                )
        return cls(name or bandfiles.stem(paths), tuple(files), finest.grid, patch_scene)

    @property
    def bands(self) -> tuple[str, ...]:
        """The names of the bands, in the order of the files."""
        return tuple(file.name for file in self.files)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grid.shape.y, self.grid.shape.x

    @property
    def pixel_size(self) -> float:
        """The pixel's side in metres; for a grid in degrees, at the scene's middle."""
        return _pixel_metres(self.grid)

    @cached_property
    def simulated(self) -> bool:
        """Whether the files say that they are simulated."""
        return any(file.simulated for file in self.files)

    @cached_property
    def footprint(self) -> BaseGeometry:
        """The scene's outline in longitude and latitude."""
        return self.grid.extent.to_crs("EPSG:4326", resolution=self.pixel_size * 64).geom

    def whole(self) -> Window:
        """The window of the whole scene."""
        return Window(0, 0, self.shape[1], self.shape[0])

    def select(self, names: Sequence[str]) -> Scene:
        """The same scene with the named bands only, in that order."""
        by_name = {file.name: file for file in self.files}
        absent = [name for name in names if name not in by_name]
        if absent:
            raise SceneError(
                f"the scene lacks the bands {', '.join(absent)}; it has {', '.join(self.bands)}"
            )
        patch = self.patch.select(names) if self.patch else None
        return replace(self, files=tuple(by_name[name] for name in names), patch=patch)

    def read(
        self, window: Window | None = None, *, shape: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read a window, on the scene's grid or decimated to `shape` (rows, columns).

        Returns the bands as float32 (band, y, x), reflectance 0..1 (an index as it is
        stored), and the valid mask as bool (y, x). A pixel is valid where no band is
        nodata, NaN or infinite; the values of an invalid one are 0.
        """
        window = window or self.whole()
        if (
            min(window.col_off, window.row_off) < 0
            or window.col_off + window.width > self.shape[1]
            or window.row_off + window.height > self.shape[0]
        ):
            raise SceneError(f"the window {window} leaves the scene of {self.shape} pixels")
        shape = shape or (int(window.height), int(window.width))
        values = np.empty((len(self.files), *shape), np.float32)
        valid = np.ones(shape, bool)
        dark = np.ones(shape, bool)
        # Bands of one file may have nodata values of their own (a VRT's, or a NaN in some).
        for (path, _), group in groupby(enumerate(self.files), key=_one_reading):
            numbers, files = zip(*group, strict=True)
            raw, mask = _read_file(path, files, self.grid, window, shape)
            valid &= mask
            for number, file, band in zip(numbers, files, raw, strict=True):
                dark &= (band == 0) if file.zero_may_be_nodata else False
                with np.errstate(over="ignore", invalid="ignore"):  # becomes inf or NaN: invalid
                    values[number] = band.astype(np.float32) * np.float32(file.scale)
                    values[number] += np.float32(file.offset)
        valid &= ~dark & np.isfinite(values).all(axis=0)
        if self.patch is not None and not valid.all():
            filled, there = self.patch._onto(self.grid, self.bands).read(window, shape=shape)
            take = ~valid & there
            values[:, take] = filled[:, take]
            valid |= take
        np.copyto(values, 0, where=~valid)
        return values, valid

    def with_indices(self, names: Sequence[str]) -> tuple[str, ...]:
        """Which of the named bands are indices that have to be computed."""
        return tuple(n for n in names if n not in self.bands and indices.is_index(n))

    def _onto(self, grid: GeoBox, names: Sequence[str]) -> Scene:
        return replace(self.select(names), grid=grid)


def _one_reading(item: tuple[int, BandFile]) -> tuple[str, str]:
    """What bands that can be read together have in common; repr, as NaN is not equal to NaN."""
    return item[1].path, repr(item[1].nodata)


def _read_file(
    path: str, files: Sequence[BandFile], grid: GeoBox, window: Window, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Read bands of one file on `grid`: the raw values and where all of them are valid."""
    numbers = [file.number for file in files]
    nodata = files[0].nodata
    with ExitStack() as stack:
        source = stack.enter_context(bandfiles.open_raster(path))
        if files[0].grid != grid:
            # GDAL approximates the transform between the ends of a row, so its error depends
            # on where a window begins: kept far below what float32 reflectance shows.
            source = stack.enter_context(
                WarpedVRT(
                    source,
                    crs=str(grid.crs),
                    transform=Affine(*grid.affine[:6]),
                    width=grid.shape.x,
                    height=grid.shape.y,
                    resampling=Resampling.bilinear,
                    tolerance=0.001,
                    nodata=nodata,
                    add_alpha=nodata is None,
                )
            )
        # GDAL leaves nodata out of an average only where the file itself declares it.
        declared = repr(source.nodatavals[numbers[0] - 1]) == repr(nodata)
        average = shape != _size(window) and declared
        resampling = Resampling.average if average else Resampling.nearest
        try:
            raw = source.read(numbers, window=window, out_shape=shape, resampling=resampling)
            if nodata is None and isinstance(source, WarpedVRT):
                mask = source.read(
                    source.count, window=window, out_shape=shape, resampling=Resampling.nearest
                ).astype(bool)
            elif nodata is None and MaskFlags.per_dataset in source.mask_flag_enums[0]:
                mask = source.read_masks(1, window=window, out_shape=shape).astype(bool)
            else:
                mask = np.ones(shape, bool)
        except rasterio.errors.RasterioIOError as error:
            raise SceneError(f"{path} cannot be read: {_one_line(error)}") from error
    if nodata is not None and not np.isnan(nodata):
        mask &= (raw != nodata).all(axis=0)
    return raw, mask


def _size(window: Window) -> tuple[int, int]:
    return int(window.height), int(window.width)


def _one_line(error: Exception) -> str:
    return " ".join(str(error.__cause__ or error).split())


def _overlap(a: GeoBox, b: GeoBox) -> bool:
    return not (a.extent.to_crs("EPSG:4326") & b.extent.to_crs("EPSG:4326")).is_empty


def _pixel_metres(grid: GeoBox) -> float:
    side = float((abs(grid.resolution.x) * abs(grid.resolution.y)) ** 0.5)
    assert grid.crs is not None
    if not grid.crs.geographic:
        return side * float(grid.crs.proj.axis_info[0].unit_conversion_factor)
    middle = grid.extent.centroid.points[0][1]
    return side * 111_320.0 * float(np.cos(np.radians(middle))) ** 0.5
