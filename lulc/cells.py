"""Cells of levels: what the blocks of ground are counted by, for intervals of activations' scores.

A histogram of all levels for every square of ground would be long. Cells are cut where the
reliability curve has its bins and the curve of thresholds its points, so these are exact. Within a
cell, the pixels of a block are taken to be spread over the levels as those of the whole ground
are, apart for those that are of the group and the others: so of all blocks together every score is
exactly that of the levels, and only what differs from block to block is known by cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.counts import Floats, ratio
from lulc.levels import BIN, BINS, LEVELS, VALUES, by_bin
from lulc.ranking import CURVE_STEP

#: The first level of each bin of the reliability curve, (BINS,).
_BIN_CUTS = np.searchsorted(BIN, np.arange(BINS))

#: The first level of each cell, ascending, int64 (CELLS,).
CUTS = np.union1d(np.arange(0, LEVELS, CURVE_STEP), _BIN_CUTS)

#: Cells of levels.
CELLS = len(CUTS)

#: The cell of each level, int64 (LEVELS,).
CELL = np.searchsorted(CUTS, np.arange(LEVELS), side="right") - 1


def by_cell(by_level: NDArray[Any]) -> NDArray[Any]:
    """Counts or sums (..., LEVELS) added up by cell: (..., CELLS)."""
    return np.add.reduceat(by_level, CUTS, axis=-1)


@dataclass(frozen=True, eq=False)
class Cells:
    """Pixels of blocks by cell, and those of the whole ground by level.

    Maps are the activation map of every group, and after them that of the mapped group.
    """

    blocks: NDArray[np.integer]
    """(block, map, 2, CELLS): pixels where it was not so, and where it was."""
    counts: NDArray[np.int64]
    """(map, 2, LEVELS): those of the whole ground by level."""
    sums: Floats
    """(map, 2, BINS): their activations, added up."""
    squares: float
    """(activation - truth)^2, added up over groups and pixels."""

    @property
    def maps(self) -> int:
        """Activation maps: groups, and that of the mapped group."""
        return len(self.counts)

    @cached_property
    def within(self) -> Floats:
        """(map, 2, LEVELS): of the pixels of a level's cell, the share that is of the level."""
        return np.nan_to_num(ratio(self.counts, by_cell(self.counts)[..., CELL]))

    @cached_property
    def values(self) -> Floats:
        """(map, 2, LEVELS): mean activation of the pixels of each level. A level's own, and what
        a bin's activations add up to beside that, alike for all of its pixels."""
        beside = self.sums - by_bin(self.counts * VALUES)
        return VALUES + np.nan_to_num(ratio(beside, by_bin(self.counts)))[..., BIN]

    @cached_property
    def deviations(self) -> Floats:
        """(map, 2, LEVELS): mean activation of the pixels minus whether it was so."""
        return self.values - np.array([0.0, 1.0])[:, None]

    @cached_property
    def losses(self) -> Floats:
        """(group, 2, LEVELS): mean square of that, so scaled that the whole ground's is exact."""
        found = self.deviations[:-1] ** 2
        return found * np.nan_to_num(ratio(self.squares, (found * self.counts[:-1]).sum()))

    def weighed(self, weights: NDArray[Any]) -> Floats:
        """Pixels of blocks, each counted by a weight of its level: (block, map, ...).

        Args:
            weights: (map, ..., 2, LEVELS); of fewer maps, of the first ones.
        """
        maps, between = len(weights), weights.shape[1:-2]
        spread = self.within[:maps].reshape(maps, *(1,) * len(between), 2, LEVELS)
        folded = by_cell(weights * spread).reshape(maps, -1, 2 * CELLS)
        found = self.flat[:maps] @ folded.swapaxes(1, 2)
        return found.swapaxes(0, 1).reshape(-1, maps, *between)

    @cached_property
    def flat(self) -> Floats:
        """(map, block, 2 * CELLS): the blocks' pixels of each map in a row."""
        flat = self.blocks.reshape(len(self.blocks), self.maps, 2 * CELLS)
        return np.ascontiguousarray(flat.swapaxes(0, 1), float)
