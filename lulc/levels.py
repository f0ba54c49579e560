"""The levels that activations are counted by: those of a uint8 map, whatever the map's type.

A level is a step of `lulc.mapfile.ACTIVATION_SCALE`. Counts by level add up over blocks, are
exact for a uint8 map, and hold all that calibration and ranking need.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.mapfile import ACTIVATION_SCALE

#: Levels of an activation, 0 to 1.
LEVELS = round(1 / ACTIVATION_SCALE) + 1

#: The activation that each level stands for, float64 (LEVELS,).
VALUES = np.arange(LEVELS) / (LEVELS - 1)

#: The largest difference of an activation to that of its level.
ROUNDING = ACTIVATION_SCALE / 2

#: Bins of equal width that a reliability curve has; each but the first holds 25 levels.
BINS = 10

#: The bin of each level, int64 (LEVELS,); an activation on an edge is of the bin below, as in
#: Guo et al. 2017 (https://arxiv.org/abs/1706.04599) and in scikit-learn.
BIN = np.maximum(-(-np.arange(LEVELS) * BINS // (LEVELS - 1)) - 1, 0)


def levels(activations: NDArray[np.floating]) -> NDArray[np.intp]:
    """The nearest level of each activation, of any shape.

    A sum of rounded activations can exceed 1 by some steps; it is of the highest level.
    """
    steps = np.rint(activations * np.float32(LEVELS - 1)).astype(np.intp)
    return np.minimum(steps, LEVELS - 1)


def by_bin(by_level: NDArray[Any]) -> NDArray[Any]:
    """Counts or sums (..., LEVELS) added up by bin: (..., BINS)."""
    return np.add.reduceat(by_level, np.searchsorted(BIN, np.arange(BINS)), axis=-1)
