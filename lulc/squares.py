"""A region counted in small squares of ground, about `BASE_BLOCKS`, whatever is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc.grid import pixel_metres

#: Squares that a region is counted in, about: what each has is kept.
BASE_BLOCKS = 1024


@dataclass(frozen=True, eq=False)
class Squares:
    """What is counted in each square of a region."""

    counts: NDArray[np.integer]
    """(row, column, ...) pixel counts."""

    def joined(self, times: int) -> NDArray[np.int64]:
        """(block, ...): squares joined to blocks of so many a side, row by row."""
        rows, columns, *shape = self.counts.shape
        down = np.add.reduceat(self.counts, np.arange(0, rows, times), axis=0, dtype=np.int64)
        both = np.add.reduceat(down, np.arange(0, columns, times), axis=1)
        return both.reshape(-1, *shape)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what a square has is text, `place:pixels`, places counted row by row."""
        rows, columns, *shape = self.counts.shape
        flat = self.counts.reshape(rows * columns, prod(shape))
        return {
            "rows": rows,
            "columns": columns,
            "counts": [_sparse(counts) for counts in flat],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shape: tuple[int, ...]) -> Self:
        """The inverse of `to_dict`, with the shape of what a square has.

        Raises KeyError, ValueError, IndexError.
        """
        texts = data["counts"]
        counts = np.zeros((len(texts), prod(shape)), np.int64)
        places, pixels = _numbers(" ".join(filter(None, texts))).reshape(-1, 2).T
        squares = np.repeat(np.arange(len(texts)), [text.count(":") for text in texts])
        counts[squares, places] = pixels
        return cls(counts.reshape(data["rows"], data["columns"], *shape))


def _numbers(text: str) -> NDArray[np.int64]:
    """The whole numbers of a text of digits, colons and spaces; all squares' at once, many times as
    fast as each by itself. Raises ValueError."""
    if text.encode().translate(None, b"0123456789: "):
        raise ValueError("expected pixels by place, digits with a colon between")
    return np.fromstring(text.replace(":", " "), np.int64, sep=" ")


def _sparse(counts: NDArray[np.integer]) -> str:
    places = np.flatnonzero(counts)
    pairs = zip(places.tolist(), counts[places].tolist(), strict=True)
    return " ".join(f"{place}:{pixels}" for place, pixels in pairs)


def together(these: tuple[Squares, ...], others: tuple[Squares, ...]) -> tuple[Squares, ...]:
    """The squares of regions that are added; none if some of them were not counted by squares."""
    return (*these, *others) if these and others else ()


def listed(data: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[Squares, ...]:
    """The squares under `by_square` of a JSON object, none in one of before there were any.

    Raises KeyError, ValueError, IndexError.
    """
    return tuple(Squares.from_dict(each, shape) for each in data.get("by_square", ()))


class SquareTally:
    """Counts `Squares` strip by strip."""

    def __init__(self, grid: GeoBox, shape: tuple[int, ...]) -> None:
        height, width = grid.shape
        self.rows, self.columns = squares(grid)
        self.shape = shape
        there = ceil(height / self.rows), ceil(width / self.columns), prod(shape)
        self.counts = np.zeros(there, np.int32)

    def add(self, window: Window, places: NDArray[np.integer], kept: NDArray[np.bool_]) -> None:
        """Count the pixels of a window.

        Args:
            places: (y, x), where in what a square has a pixel is counted, row by row.
            kept: (y, x), which pixels are.
        """
        left, right = window.toranges()[1]
        across = np.arange(left, right, dtype=np.int32) // self.columns * prod(self.shape)
        keys = places + across
        for line, inside in self.lines(window):
            found = np.bincount(keys[inside][kept[inside]], minlength=line.size)
            line += found.reshape(line.shape)

    def lines(self, window: Window) -> Iterator[tuple[NDArray[np.int32], slice]]:
        """The counts of each row of squares in a window, (column, ...), and its rows of pixels."""
        top, bottom = window.toranges()[0]
        cuts = [top, *range(top + -top % self.rows, bottom, self.rows), bottom]
        for start, stop in pairwise(cuts):
            if stop > start:
                yield self.counts[start // self.rows], slice(start - top, stop - top)

    def result(self) -> Squares:
        """What was counted."""
        return Squares(self.counts.reshape(*self.counts.shape[:2], *self.shape))


def squares(grid: GeoBox) -> tuple[int, int]:
    """Rows and columns of pixels of the squares that a map on this grid is counted in."""
    height, width = grid.shape
    tall, wide = pixel_metres(grid)
    side = (height * tall * width * wide / BASE_BLOCKS) ** 0.5
    return max(1, ceil(side / tall)), max(1, ceil(side / wide))
