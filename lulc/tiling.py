"""Exact tiles: which pixels to read so that a block equals the whole image's result.

A network of stride s computes the same for a pixel wherever a tile begins, as long as it
begins at a multiple of s and shows the network `halo` pixels around. At the edge of the
scene a tile ends where the scene does, so that the network's own padding falls where it
falls for the whole scene. All arithmetic is on whole numbers along one axis at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from rasterio.windows import Window


@dataclass(frozen=True)
class Span:
    """Along one axis: the pixels a block writes, and those it reads for that."""

    start: int
    """First pixel written, in the scene."""
    stop: int
    """One past the last pixel written."""
    read_start: int
    """First pixel read: a multiple of the stride."""
    read_stop: int
    """One past the last pixel shown to the network; may pass the scene's end by less than a
    stride, where there is nothing to read and the network sees padding."""


@dataclass(frozen=True)
class Block:
    """One block of a region: rows and columns."""

    row: int
    """The block's row among the region's blocks."""
    column: int
    """The block's column among the region's blocks."""
    y: Span
    """Its rows."""
    x: Span
    """Its columns."""

    @property
    def name(self) -> str:
        """A name unique within the region."""
        return f"{self.row:05d}-{self.column:05d}"

    @property
    def core(self) -> Window:
        """What the block writes, in the scene."""
        return Window(
            self.x.start, self.y.start, self.x.stop - self.x.start, self.y.stop - self.y.start
        )

    def readable(self, shape: tuple[int, int]) -> Window:
        """What there is to read of a scene of that shape."""
        return Window(
            self.x.read_start,
            self.y.read_start,
            min(self.x.read_stop, shape[1]) - self.x.read_start,
            min(self.y.read_stop, shape[0]) - self.y.read_start,
        )

    def pad(self, array: np.ndarray) -> np.ndarray:
        """Fill what was readable, (..., y, x), up to what the network is shown, with zeros."""
        rows = self.y.read_stop - self.y.read_start - array.shape[-2]
        columns = self.x.read_stop - self.x.read_start - array.shape[-1]
        before = [(0, 0)] * (array.ndim - 2)
        return np.pad(array, [*before, (0, rows), (0, columns)]) if rows or columns else array

    @property
    def inner(self) -> tuple[slice, slice]:
        """The rows and columns that the block writes, of those the network is shown."""
        y, x = self.y, self.x
        return (
            slice(y.start - y.read_start, y.stop - y.read_start),
            slice(x.start - x.read_start, x.stop - x.read_start),
        )

    def crop(self, array: np.ndarray) -> np.ndarray:
        """Cut what has the size of what the network is shown, (..., y, x), to what is written."""
        return array[(..., *self.inner)]


def spans(length: int, start: int, stop: int, *, tile: int, halo: int, stride: int) -> list[Span]:
    """Divide the pixels start..stop of an axis of `length` into blocks of `tile` pixels.

    `tile` and `halo` are multiples of `stride`. Blocks begin at multiples of the stride, so
    the first and the last may be smaller.
    """
    if not 0 <= start < stop <= length:
        raise ValueError(f"expected 0 <= {start} < {stop} <= {length}")
    if tile <= 0 or tile % stride or halo % stride:
        raise ValueError(f"expected multiples of the stride {stride}; got {tile} and {halo}")
    padded = -(-length // stride) * stride
    origin = start // stride * stride
    found = []
    for begin in range(origin, stop, tile):
        first, last = max(begin, start), min(begin + tile, stop)
        read_stop = -(-last // stride) * stride + halo
        found.append(Span(first, last, max(0, begin - halo), min(padded, read_stop)))
    return found


def blocks(
    shape: tuple[int, int], region: Window, *, tile: int, halo: int, stride: int
) -> list[Block]:
    """The blocks of a region of a scene of that shape (rows, columns), row by row."""

    def along(length: int, start: float, size: float) -> list[Span]:
        first, last = int(start), int(start + size)
        return spans(length, first, last, tile=tile, halo=halo, stride=stride)

    rows = along(shape[0], region.row_off, region.height)
    columns = along(shape[1], region.col_off, region.width)
    return [Block(r, c, y, x) for r, y in enumerate(rows) for c, x in enumerate(columns)]


def fit_tile(region: Window, *, halo: int, stride: int, pixels: int, largest: int = 896) -> int:
    """A tile size for a region: as large as the memory allows, so that the halo costs little.

    `pixels` is how many the network may be shown at once. `largest` bounds what is held beside
    the network, and the time between two signs of progress. A region smaller than two such
    tiles is halved, for the same reasons.
    """
    side = min(isqrt(pixels) - 2 * halo, largest)
    longer = int(max(region.width, region.height))
    if longer < 2 * side:
        half = -(-longer // (2 * stride)) * stride
        side = min(side, max(half, 4 * halo))
    return max(stride, side // stride * stride)
