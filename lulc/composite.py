"""A cloud-free scene from several dates: the median of each pixel's clear values.

Computed block by block, a band at a time, so memory depends on the number of dates and not on
the area.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lulc import files
from lulc.bandfiles import open_raster
from lulc.scene import Scene

#: How the composite is stored: reflectance = number * SCALE, and 0 is nodata.
SCALE, BLOCK = 1e-4, 512

#: Classes of Sentinel-2's scene classification (ESA, Sen2Cor) that show the ground: dark areas,
#: vegetation, bare soil, water, unclassified, snow. The others are nodata (0), saturated (1),
#: cloud shadow (3), cloud of medium and of high probability (8, 9) and cirrus (10).
CLEAR = (2, 4, 5, 6, 7, 11)

#: GDAL waits for no server for ever, and does not list a folder that it opens one file of.
REMOTE = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}

#: Files read at once: the wait is for the network.
READERS = 8


@dataclass(frozen=True)
class Dated:
    """One date's image."""

    scene: Scene
    """Its bands, on the composite's grid."""
    classification: str
    """The scene classification (SCL), as GDAL opens it."""

    def clear(self, window: Window) -> np.ndarray:
        """Where the ground shows, bool (y, x)."""
        grid = self.scene.grid
        with (
            rasterio.Env(**REMOTE),
            open_raster(self.classification) as source,
            WarpedVRT(
                source,
                crs=str(grid.crs),
                transform=grid.affine,
                width=grid.shape.x,
                height=grid.shape.y,
                resampling=Resampling.nearest,
            ) as warped,
        ):
            return np.isin(warped.read(1, window=window), CLEAR)

    def read(self, band: str, window: Window, clear: np.ndarray) -> np.ndarray:
        """A band's reflectance, float32 (y, x), NaN where it is not clear."""
        if not clear.any():
            return np.full(clear.shape, np.nan, np.float32)
        with rasterio.Env(**REMOTE):
            values, valid = self.scene.select([band]).read(window)
        return np.where(valid & clear, values[0], np.float32(np.nan))


def median(stack: np.ndarray) -> np.ndarray:
    """The median of what is not NaN along the first axis: (date, y, x) -> (y, x).

    NaN where nothing is. Sorts `stack` in place.
    """
    stack.sort(axis=0)  # NaN last
    count = np.isfinite(stack).sum(axis=0)
    lower, upper = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(stack) - 1)
    pair = np.take_along_axis(stack, np.stack([lower, upper]), axis=0)
    return pair.mean(axis=0)


def write(
    path: Path,
    grid: GeoBox,
    dates: Sequence[Dated],
    bands: Sequence[str],
    tags: Mapping[str, str],
    progress: Callable[[int, int], object] | None = None,
) -> float:
    """Write the composite as a tiled GeoTIFF (uint16, scale 0.0001, nodata 0, overviews).

    Returns the share of pixels with a value. Calls `progress(done, total)` after every block.
    Raises SceneError for what cannot be read, OSError when the disk has no room.
    """
    # Without compression, and a third for the overviews.
    files.check_room(path.parent, grid.shape.y * grid.shape.x * len(bands) * 2 * 4 / 3)
    windows = list(_windows(grid))
    filled = 0
    with (
        ThreadPoolExecutor(READERS) as pool,
        rasterio.open(
            path, "w", driver="GTiff", height=grid.shape.y, width=grid.shape.x,
            count=len(bands), dtype="uint16", nodata=0, crs=str(grid.crs),
            transform=grid.affine, tiled=True, blockxsize=256, blockysize=256,
            compress="deflate", predictor=2, interleave="band", bigtiff="if_safer",
        ) as target,
    ):  # fmt: skip
        target.descriptions = tuple(bands)
        target.scales = [SCALE] * len(bands)
        target.update_tags(**tags)
        for done, window in enumerate(windows, 1):
            clear = list(pool.map(Dated.clear, dates, [window] * len(dates)))
            some = [(date, mask) for date, mask in zip(dates, clear, strict=True) if mask.any()]
            for number, band in enumerate(bands, 1):
                if not some:
                    break
                stack = np.stack(
                    list(pool.map(lambda one, b=band, w=window: one[0].read(b, w, one[1]), some))
                )
                middle = median(stack)
                found = np.isfinite(middle)
                # 0 is nodata, so the darkest there is is 1.
                digits = np.clip(np.rint(np.where(found, middle, 0) / SCALE), 1, 65535)
                target.write(np.where(found, digits, 0).astype(np.uint16), number, window=window)
                filled += int(found.sum()) if number == 1 else 0
            if progress:
                progress(done, len(windows))
    levels = [2**i for i in range(1, 10) if max(grid.shape) // 2**i >= 128]
    if levels:
        with rasterio.open(path, "r+") as target:
            target.build_overviews(levels, Resampling.average)
    return filled / (grid.shape.y * grid.shape.x)


def _windows(grid: GeoBox) -> Iterator[Window]:
    height, width = grid.shape.y, grid.shape.x
    for row in range(0, height, BLOCK):
        for column in range(0, width, BLOCK):
            yield Window(column, row, min(BLOCK, width - column), min(BLOCK, height - row))
