"""Whether an activation of 0.8 is right in 80 % of cases: reliability, ECE, Brier score.

All of it is a function of counts and sums that add up over blocks. The bins are
`lulc.levels.BINS` of equal width, cut by the level that an activation rounds to: so a uint8
map puts every pixel in the same bin as the float32 map of the same activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.counts import defined, ratio
from lulc.levels import BIN, BINS, LEVELS, ROUNDING, by_bin


@dataclass(frozen=True, eq=False)
class Reliability:
    """Activations of something against how often it was so."""

    counts: NDArray[np.int64]
    """(2, LEVELS): pixels where it was not so, and where it was, by level."""
    sums: NDArray[np.float64]
    """(2, BINS): their activations, added up."""

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Pixels of each bin, (BINS,)."""
        return by_bin(self.counts.sum(axis=0))

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Mean activation of each bin, (BINS,); NaN for an empty one."""
        return ratio(self.sums.sum(axis=0), self.pixels)

    @property
    def observed(self) -> NDArray[np.float64]:
        """Share of each bin where it was so, (BINS,); NaN for an empty one."""
        return ratio(by_bin(self.counts[1]), self.pixels)

    @property
    def ece(self) -> float:
        """Expected calibration error: |observed - confidence|, weighted by the bins' pixels.

        Guo et al. 2017, equation 3: https://arxiv.org/abs/1706.04599
        """
        gaps = abs(by_bin(self.counts[1]) - self.sums.sum(axis=0))
        return float(ratio(gaps.sum(), self.counts.sum()))

    @property
    def overconfidence(self) -> float:
        """Mean activation minus the share where it was so; below 0 it is too modest."""
        return float(ratio(self.sums.sum() - self.counts[1].sum(), self.counts.sum()))

    def ece_loss(self, members: int) -> float:
        """By how much rounding each of so many added activations can have changed the ECE.

        Every sum moves by half a step at most, times the members. A single activation never
        changes its bin; a sum can where it lies that near to an edge, and then moves up to 1
        out of one bin's gap and into another's.
        """
        reach = (members + 1) // 2 if members > 1 else 0
        edges = np.flatnonzero(np.diff(BIN)) + 1
        near = np.zeros(LEVELS, bool)
        for offset in range(-reach, reach):
            near[np.clip(edges + offset, 0, LEVELS - 1)] = True
        crossing = self.counts.sum(axis=0)[near].sum()
        return float(members * ROUNDING + 2 * ratio(crossing, self.counts.sum()))

    def to_dict(self) -> dict[str, Any]:
        """The curve, bin by bin, and its figures; undefined ratios are None."""
        columns = zip(self.pixels, self.confidence, self.observed, strict=True)
        return {
            "ece": defined(self.ece),
            "overconfidence": defined(self.overconfidence),
            "curve": [
                {
                    "from": i / BINS,
                    "to": (i + 1) / BINS,
                    "pixels": int(pixels),
                    "confidence": defined(confidence),
                    "observed": defined(observed),
                }
                for i, (pixels, confidence, observed) in enumerate(columns)
            ],
        }


def brier_loss(deviations: NDArray[np.float64], pixels: int, members: NDArray[np.int64]) -> float:
    """By how much rounding can have changed the multi-class Brier score.

    With q = p + e and |e| of half a step, |(q - y)^2 - (p - y)^2| <= |e| (2 |q - y| + |e|).

    Args:
        deviations: for each group, |activation - truth| added up over the pixels.
        members: for each group, the activations that were added for its own.
    """
    error = members * ROUNDING
    return float((error * (2 * ratio(deviations, np.full(len(error), pixels)) + error)).sum())
