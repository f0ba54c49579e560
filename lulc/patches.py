"""Patches of a reference and what a model's activations say of their labels.

Confident learning (Northcutt et al. 2021, Confident learning: estimating uncertainty in
dataset labels, JAIR 70, https://arxiv.org/abs/1911.00068), with patches for examples: labels
are given to areas and are wrong by areas, and the mean over an area is surer than a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from lulc.counts import ratio
from lulc.levels import ROUNDING

#: Side in pixels of the cells that patches are cut along. A wrong label may hide in a large
#: area of its class; the cell is about as large as what is labelled at once.
CELL = 64

#: Pixels below which a patch is not listed: what is that small is mostly a shifted edge.
SMALLEST = 16


def connected(groups: NDArray[np.int16], cell: int = CELL) -> tuple[NDArray[np.int32], int]:
    """Number the 4-connected pixels of one group, cut along the lines of a lattice.

    As no patch reaches over a line, windows that begin and end on lines have the same patches
    as the whole.

    Args:
        groups: index of the group, (y, x); -1 is of none.

    Returns:
        The number of each pixel's patch from 0, (y, x), -1 for none; and how many there are.
    """
    height, width = groups.shape
    there = groups >= 0
    # Pixels, and the links between them, on a grid twice as fine: one pass labels all groups.
    linked = np.zeros((2 * height - 1, 2 * width - 1), bool)
    linked[::2, ::2] = there
    down = there[1:] & (groups[1:] == groups[:-1])
    right = there[:, 1:] & (groups[:, 1:] == groups[:, :-1])
    down[cell - 1 :: cell], right[:, cell - 1 :: cell] = False, False
    linked[1::2, ::2], linked[::2, 1::2] = down, right
    numbers, count = ndimage.label(linked)
    return numbers[::2, ::2].astype(np.int32) - 1, int(count)


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches with the activations in them, in the order of their numbers."""

    given: NDArray[np.int64]
    """Index of the group that each is labelled as, (n,)."""
    pixels: NDArray[np.int64]
    """Pixels of each, (n,)."""
    mean: NDArray[np.float32]
    """Mean activation of each group, (n, group)."""
    logs: NDArray[np.float32]
    """Mean logarithm of the activation of each group, (n, group)."""

    @classmethod
    def joined(cls, parts: Sequence[Patches]) -> Patches:
        """Those of several windows, one after the other."""
        return cls(
            np.concatenate([part.given for part in parts]),
            np.concatenate([part.pixels for part in parts]),
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.logs for part in parts]),
        )

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean activation over the pixels labelled as each group, (label, group); NaN for none."""
        n = self.mean.shape[1]
        totals = np.zeros((n, n))
        np.add.at(totals, self.given, self.mean * self.pixels[:, None])
        labelled = np.bincount(self.given, weights=self.pixels, minlength=n)
        return ratio(totals, np.broadcast_to(labelled[:, None], totals.shape))

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """Mean activation of each group over the pixels labelled as it, (group,); NaN for none.

        Equation 2 of Northcutt et al.
        """
        return np.diagonal(self.means)

    @property
    def unknown(self) -> NDArray[np.int64]:
        """Groups on whose labels the activations of another group are larger on average.

        Either the model does not know them, and contradicts them whatever they are, or most
        of their labels are wrong.
        """
        means = np.nan_to_num(self.means, nan=-1.0)
        return np.flatnonzero((means.argmax(axis=1) != np.arange(len(means))) & (means[:, 0] >= 0))

    @property
    def contradicted(self) -> NDArray[np.bool_]:
        """Which are confidently of another group than they are labelled as, (n,).

        Of the groups whose mean activation reaches their threshold the largest is another
        one: off the diagonal of the confident joint, equation 1 of Northcutt et al.
        """
        confident = np.where(self.mean >= self.thresholds, self.mean, np.float32(-1))
        return (confident.max(axis=1) >= 0) & (confident.argmax(axis=1) != self.given)

    @property
    def suggested(self) -> NDArray[np.int64]:
        """Index of the other group that the activations speak for most, (n,)."""
        return self._others.argmax(axis=1)

    @property
    def score(self) -> NDArray[np.float64]:
        """0..1, above 0.5 where the suggested group is likelier than the given one, (n,).

        The margin of the best other group over the given one is the mean over the pixels of
        log(activation of the one / activation of the other); the score is the share of the
        one in both that this makes. It ranks better than the mean difference of activations:
        see docs/benchmarks.md.
        """
        own = np.take_along_axis(self.logs, self.given[:, None], axis=1)[:, 0]
        return expit((self._others.max(axis=1) - own).astype(float))

    def suspicious(self, smallest: int = SMALLEST) -> NDArray[np.int64]:
        """Numbers of the suspicious patches, the most suspicious first.

        They are as many as are contradicted, picked by their score (pruning by count).
        """
        large = self.pixels >= smallest
        ranked = np.argsort(np.where(large, -self.score, np.inf), kind="stable")
        wanted = int((self.contradicted & large).sum())
        likelier = int((large & (self.score > 0.5)).sum())
        return ranked[: min(wanted, likelier)]

    @property
    def _others(self) -> NDArray[np.float32]:
        """Mean logarithms (n, group), those of the given groups put out of the way."""
        others = self.logs.copy()
        np.put_along_axis(others, self.given[:, None], -np.inf, axis=1)
        return others


def measured(
    numbers: NDArray[np.int32],
    count: int,
    groups: NDArray[np.int16],
    activations: NDArray[np.float32],
) -> Patches:
    """The patches of a window.

    Args:
        numbers: of `connected`, (y, x).
        count: how many there are.
        groups: as given to `connected`, (y, x).
        activations: (group, y, x) of 0..1, where there is a patch.
    """
    places = np.flatnonzero(numbers.ravel() >= 0)
    patch = numbers.ravel()[places]
    pixels = np.bincount(patch, minlength=count)
    given = np.zeros(count, np.int64)
    given[patch] = groups.ravel()[places]
    mean = np.empty((count, len(activations)), np.float32)
    logs = np.empty_like(mean)
    for g, band in enumerate(activations):
        values = band.ravel()[places]
        mean[:, g] = np.bincount(patch, weights=values, minlength=count) / pixels
        # Half a step is added, since a rounded 0 has no logarithm.
        rounded = np.log(values + np.float32(ROUNDING))
        logs[:, g] = np.bincount(patch, weights=rounded, minlength=count) / pixels
    return Patches(given, pixels, mean, logs)
