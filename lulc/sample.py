"""The simulated sample region, with its truth: images and labels to try everything on.

Every seed is an endless lakeland (see `lulc.lakeland`) with a place of its own in south-east
Finland; a region is its upper-left part, of any size. Any window of it can be asked for and is
always the same.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import config, indices
from lulc.errors import RegionError
from lulc.lakeland import generalise, landscape, reflectance
from lulc.lakeland.layers import CRS, PIXEL, SCALE, layers
from lulc.lakeland.reflectance import BANDS

__all__ = ["BANDS", "CRS", "PIXEL", "Landscape", "place", "write"]

#: The middle of the spiral that the regions are laid along (easting, northing).
CENTRE = (560_000, 6_770_000)
#: Each region has a square cell of this many pixels, or the next power of two that holds it.
CELL = 4096
MAX_SEED = 9999
SIZES = (64, 65_536)

BLOCK = 512  # pixels a side written at a time


def _check(seed: int, size: int) -> None:
    if not 0 <= seed <= MAX_SEED:
        raise RegionError(f"a sample's seed is 0..{MAX_SEED}, not {seed}: choose another")
    if not SIZES[0] <= size <= SIZES[1]:
        raise RegionError(f"a sample's size is {SIZES[0]}..{SIZES[1]} pixels, not {size}")


def _spiral(n: int) -> tuple[int, int]:
    """Step `n` of a square spiral around (0, 0): (right, up)."""
    if n == 0:
        return 0, 0
    ring = (math.isqrt(n) + 1) // 2
    side, along = divmod(n - (2 * ring - 1) ** 2, 2 * ring)
    along += 1
    return (
        (ring, along - ring),
        (ring - along, ring),
        (-ring, ring - along),
        (along - ring, -ring),
    )[side]


def place(seed: int, size: int = 1024) -> GeoBox:
    """The grid of the region of `seed`, `size` pixels a side.

    Regions of different seeds lie in different cells of a square spiral. Cells are 4096 pixels
    wide; regions larger than that lie in a coarser spiral of cells that hold them, so only
    regions of the same cell size are promised not to overlap.

    Raises
    ------
    RegionError
        The seed or the size is out of range.
    """
    _check(seed, size)
    cell = CELL
    while cell < size:
        cell *= 2
    right, up = _spiral(seed)
    left = CENTRE[0] + right * cell * PIXEL
    top = CENTRE[1] + up * cell * PIXEL
    return GeoBox((size, size), Affine(PIXEL, 0, left, 0, -PIXEL, top), CRS)


def _extent(window: Window) -> tuple[int, int, int, int]:
    """Top, left, height and width of a window as whole numbers."""
    return int(window.row_off), int(window.col_off), int(window.height), int(window.width)


@dataclass(frozen=True)
class Landscape:
    """The lakeland of a seed; windows are in pixels from its upper-left corner."""

    seed: int
    """0..9999: which landscape."""

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """The class 1..13 of every pixel, (y, x)."""
        return landscape.survey(self.seed, *_extent(window)).truth

    def bands(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Reflectance (9, y, x) and where it is valid (y, x): clouds leave gaps."""
        return reflectance.observe(self.seed, *_extent(window))

    def reference(self, window: Window) -> NDArray[np.uint8]:
        """The CORINE-like labels: Finnish level-4 codes (y, x), `window` in pixels of 20 m."""
        return generalise.codes(self.seed, *_extent(window))

    def wrong(self, window: Window) -> NDArray[np.bool_]:
        """Where the reference was made wrong on purpose (y, x), `window` in pixels of 20 m."""
        return generalise.wrong(self.seed, *_extent(window))


def _indices(bands: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The five indices (5, y, x), coded as the Finnish mosaics are; 255 is left for nodata."""
    named = dict(zip(BANDS, bands, strict=True))
    coded = indices.compute(named, indices.INDICES, "percent")
    return np.minimum(coded, 254).astype(np.uint8)


def _windows(size: int) -> Iterator[Window]:
    for row in range(0, size, BLOCK):
        for column in range(0, size, BLOCK):
            yield Window(column, row, min(BLOCK, size - column), min(BLOCK, size - row))


def _halved(window: Window) -> Window:
    """The same window in pixels of 20 m; its offsets are even."""
    row, column, height, width = _extent(window)
    return Window(column // 2, row // 2, -(-width // 2), -(-height // 2))


def write(
    directory: str | os.PathLike[str],
    size: int = 1024,
    seed: int = 7,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Write the region of `seed` as bands.tif, indices.tif, corine.tif and truth.tif.

    Parameters
    ----------
    directory
        Created where it is missing; files of these names in it are replaced.
    size
        Pixels a side, from 64 up.
    seed
        Which region, 0..9999.
    progress
        Called as `progress(done, total)` after every block.

    Returns
    -------
    dict
        The path of each file by its name without `.tif`.

    Raises
    ------
    RegionError
        The seed or the size is out of range.
    """
    grid = place(seed, size)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    makers = layers(grid, BANDS)
    paths = {name: directory / f"{name}.tif" for name in makers}
    parts = {
        name: path.with_name(f".{path.name}.{os.getpid()}.part") for name, path in paths.items()
    }
    land = Landscape(seed)

    def block(window: Window) -> tuple[Window, dict[str, NDArray]]:
        bands, valid = land.bands(window)
        digits = np.clip(np.rint(bands / SCALE), 1, 65535).astype(np.uint16)
        coded = _indices(digits * np.float32(SCALE))
        return window, {
            "bands": np.where(valid, digits, np.uint16(0)),
            "indices": np.where(valid, coded, np.uint8(255)),
            "truth": land.truth(window)[None],
            "corine": land.reference(_halved(window))[None],
        }

    windows = list(_windows(size))
    try:
        with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE):
            files = {name: maker.create(parts[name], seed) for name, maker in makers.items()}
            try:
                with ThreadPoolExecutor(2) as pool:
                    for done, (window, blocks) in enumerate(_ordered(pool, block, windows), 1):
                        for name, values in blocks.items():
                            at = _halved(window) if name == "corine" else window
                            files[name].write(values, window=at)
                        if progress:
                            progress(done, len(windows))
            finally:
                for file in files.values():
                    file.close()
            for name, maker in makers.items():
                maker.finish(parts[name])
            for name, part in parts.items():
                part.replace(paths[name])
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return paths


def _ordered(pool: ThreadPoolExecutor, work: Callable, items: list) -> Iterator:
    """Like `pool.map`, with no more than a few results waiting: memory stays flat."""
    ahead: list = []
    for item in items:
        ahead.append(pool.submit(work, item))
        if len(ahead) > 3:
            yield ahead.pop(0).result()
    for future in ahead:
        yield future.result()
