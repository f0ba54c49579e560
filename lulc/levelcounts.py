"""Activations counted by level: of an area, and by cells of levels of every square of it.

What is counted of a pixel is in one number, where the square, whether it was so, and the
activation's level each have their place: so one count gives the histogram and all squares'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.activations import summed
from lulc.cells import CELLS, by_cell
from lulc.levels import BIN, BINS, LEVELS, levels
from lulc.mapfile import ACTIVATION_SCALE
from lulc.squares import SquareTally
from lulc.strips import Strip, Strips

#: Pixels counted at once, small enough for the processor's cache.
CHUNK = 1 << 16


@dataclass(eq=False)
class LevelCounts:
    """Pixels by level; maps are those of `lulc.cells.Cells`."""

    counts: NDArray[np.int64]
    """(map, 2, LEVELS): pixels where it was not so, and where it was."""
    sums: NDArray[np.float64]
    """(map, 2, BINS): their activations, added up."""
    squares: float
    """(activation - truth)^2, added up over groups and pixels."""
    cells: NDArray[np.int64]
    """(column, map, 2, CELLS): pixels of each column of squares."""

    @classmethod
    def nothing(cls, groups: int, columns: int = 1) -> LevelCounts:
        """Those of no pixel."""
        maps = groups + 1
        return cls(
            np.zeros((maps, 2, LEVELS), np.int64),
            np.zeros((maps, 2, BINS)),
            0.0,
            np.zeros((columns, maps, 2, CELLS), np.int64),
        )

    def add(self, other: LevelCounts) -> None:
        """Add another area's; columns of squares are not."""
        self.counts += other.counts
        self.sums += other.sums
        self.squares += other.squares


class LevelTally:
    """Counts activations strip by strip, on the pixels that are scored."""

    margin = 0

    def __init__(self, strips: Strips) -> None:
        self.groups = strips.grouping.groups
        self.rounded = False
        self.total = LevelCounts.nothing(len(self.groups))
        self.squares = SquareTally(strips.prediction.grid, (len(self.groups) + 1, 2, CELLS))

    def add(self, strip: Strip) -> None:
        """Count a strip."""
        if strip.stored.dtype == np.uint8:
            self.rounded = True
            self.add_values(strip, summed(strip.stored, strip.strips.bands), count_steps)
        else:
            self.add_values(strip, strip.activations(), count_values)

    def add_values(
        self, strip: Strip, values: NDArray[Any], count: Callable[..., LevelCounts]
    ) -> None:
        """Count values (group, y, x) of a strip, a row of squares at a time.

        Args:
            count: what they are counted by, `count_steps` or `count_values`.
        """
        members = [len(group.members) for group in self.groups]
        reference = np.where(strip.kept, strip.reference, np.int16(-1))
        left, right = strip.window.toranges()[1]
        across = np.arange(left, right) // self.squares.columns
        begin, end = int(across[0]), int(across[-1]) + 1
        for line, rows in self.squares.lines(strip.window):
            found = count(
                members, values[:, rows], reference[rows], strip.prediction[rows], across - begin
            )
            self.total.add(found)
            line[begin:end] += found.cells.reshape(end - begin, -1).astype(line.dtype)


def count_steps(
    members: Sequence[int],
    steps: NDArray[np.uint16],
    reference: NDArray[np.int16],
    mapped: NDArray[np.int16],
    squares: NDArray[np.intp],
) -> LevelCounts:
    """Count a `uint8` map's activations: all follows from how often a sum of steps occurs.

    Args:
        members: for each group, the activations that were added for its own.
        steps: (group, y, x) activations in steps of `ACTIVATION_SCALE`, summed into the groups;
            anything where nothing is counted.
        reference: index of the group, (y, x); what is below 0 is not counted.
        mapped: index of the group on the map, (y, x), on every pixel that is counted.
        squares: the column of squares of each column of pixels, (x,), ascending from 0.
    """
    sizes = [number * (LEVELS - 1) + 1 for number in (*members, max(members, default=1))]
    columns = int(squares.max(initial=0)) + 1
    occurs = [np.zeros((columns, 2, size), np.int64) for size in sizes]
    for rows in _pieces(reference.shape):
        here, chosen, part = (each[..., rows, :] for each in (reference, mapped, steps))
        kept = here >= 0
        if kept.any():
            # Pixels that are not counted fall into a column of squares beyond the others.
            column = np.where(kept, squares, columns) * 2
            winners = np.take_along_axis(part, chosen[None].astype(np.intp), axis=0)
            right = [here == group for group in range(len(members))]
            for found, values, there in zip(
                occurs, [*part, *winners], [*right, chosen == here], strict=True
            ):
                keys = (column + there) * found.shape[2] + values
                number = np.bincount(keys.ravel(), minlength=found.size)[: found.size]
                found += number.reshape(found.shape)
    total = LevelCounts.nothing(len(members), columns)
    for place, found in enumerate(occurs):
        whole, values = found.sum(axis=0), np.arange(found.shape[2]) * ACTIVATION_SCALE
        total.counts[place] = whole[:, :LEVELS]
        total.counts[place, :, -1] += whole[:, LEVELS:].sum(axis=1)
        bins = BIN[np.minimum(np.arange(found.shape[2]), LEVELS - 1)]
        first = np.searchsorted(bins, np.arange(BINS))
        total.sums[place] = np.add.reduceat(whole * values, first, axis=-1)
        total.cells[:, place] = by_cell(found)
        if place < len(members):
            total.squares += float((whole * [values**2, (1 - values) ** 2]).sum())
    return total


def count_values(
    members: Sequence[int],
    activations: NDArray[np.float32],
    reference: NDArray[np.int16],
    mapped: NDArray[np.int16],
    squares: NDArray[np.intp],
) -> LevelCounts:
    """Count activations of any kind, slower than `count_steps`.

    Args:
        members, reference, mapped, squares: as of `count_steps`.
        activations: (group, y, x) of 0..1; may be NaN where nothing is counted.
    """
    groups = len(members)
    columns = int(squares.max(initial=0)) + 1
    total = LevelCounts.nothing(groups, columns)
    found = np.zeros((groups + 1, columns, 2, LEVELS), np.int64)
    for rows in _pieces(reference.shape):
        kept = reference[rows] >= 0
        here, chosen = reference[rows][kept], mapped[rows][kept]
        part = activations[:, rows][:, kept]
        column = np.broadcast_to(squares, kept.shape)[kept]
        winners = np.take_along_axis(part, chosen[None].astype(np.intp), axis=0)
        right = [here == group for group in range(groups)]
        maps = zip([*part, *winners], [*right, chosen == here], strict=True)
        for place, (values, there) in enumerate(maps):
            level = levels(values)
            keys = (column * 2 + there) * LEVELS + level
            number = np.bincount(keys, minlength=found[place].size)
            found[place] += number.reshape(found[place].shape)
            sums = total.sums[place]
            keys = BIN[level] + BINS * there
            sums += np.bincount(keys, weights=values, minlength=sums.size).reshape(sums.shape)
            if place < groups:
                total.squares += float(np.square(values - there).sum(dtype=float))
    total.counts += found.sum(axis=1)
    total.cells += by_cell(found).swapaxes(0, 1)
    return total


def _pieces(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows that are counted at once."""
    height, width = shape
    rows = max(1, CHUNK // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, top + rows)
