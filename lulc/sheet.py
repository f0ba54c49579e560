"""A region's confusion matrices by squares, and how far apart its errors are alike.

Errors on a regular subsample of the pixels say how far apart two pixels must be for their errors
to be unlike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lulc.counts import ratio
from lulc.grid import pixel_metres
from lulc.leakage import ZONES
from lulc.squares import Squares, SquareTally
from lulc.strips import Strip, Strips

#: Pixels of the subsample, about.
SAMPLE = 1 << 18

#: Correlation below which errors count as unlike.
UNLIKE = 0.05


@dataclass(frozen=True, eq=False)
class Sheet:
    """A region counted in squares, and pairs of pixels of its subsample."""

    squares: Squares
    """(row, column, n, n) confusion matrices."""
    side: float
    """Of a square, in metres."""
    pairs: NDArray[np.int64]
    """(lag,): pairs of scored pixels about so far apart."""
    both: NDArray[np.int64]
    """(lag,): those of which both are wrong."""
    step: float
    """Metres from lag to lag; the first lag is a pixel with itself."""

    @property
    def correlation(self) -> NDArray[np.float64]:
        """(lag,): how alike errors are at a distance; NaN where all or none are wrong."""
        shares = ratio(self.both, self.pairs)
        variance = shares[0] * (1 - shares[0])
        found = ratio(shares - shares[0] ** 2, np.full(len(shares), variance))
        return np.clip(found, -1, 1)  # rounding may leave a little more

    @property
    def length(self) -> float:
        """Correlation length of the errors in metres: the side of a square of like errors.

        Its area is the integral range (Lantuejoul 1991): the correlation summed over the
        plane, here up to where it falls below `UNLIKE`. 0 where there are no errors.
        """
        return float(np.sqrt(self._rings.sum()))

    def captured(self, side: float) -> float:
        """Share of what neighbouring errors add to a score's variance that blocks of a side hold.

        The rest is between neighbouring blocks, which are drawn as if they were independent. Of
        the pairs of pixels at a distance h, a square holds 1 - 4 h / (pi L) + h^2 / (pi L^2)
        on average over all directions (the set covariance of a square, Matheron 1975).
        """
        share = np.arange(len(self._rings)) * self.step / side
        held = np.where(share < 1, 1 - (4 * share - share**2) / np.pi, 0)
        return float((self._rings * held).sum() / self._rings.sum()) if self.length else 1.0

    @cached_property
    def _rings(self) -> NDArray[np.float64]:
        """(lag,): correlation times the area at that distance, as far as errors are alike."""
        known = self.correlation
        unlike = np.flatnonzero(~(known >= UNLIKE))
        reached = known[: unlike[0]] if unlike.size else known
        lags = np.arange(len(reached))
        areas = np.pi * ((lags + 0.5) ** 2 - np.maximum(lags - 0.5, 0) ** 2)
        return reached * areas * self.step**2

    def times(self, side: float) -> int:
        """How many squares a side of a block of at least a side in metres has."""
        return max(1, ceil(side / self.side - 1e-9))

    def joined(self, side: float) -> NDArray[np.int64]:
        """(block, n, n): squares joined to blocks of at least a side in metres."""
        return self.squares.joined(self.times(side))

    def to_dict(self) -> dict[str, Any]:
        """As JSON; the squares' matrices are text, as those of `Squares` are."""
        found = self.squares.to_dict()
        matrices = found.pop("counts")
        return {
            "side": self.side,
            **found,
            "matrices": matrices,
            "step": self.step,
            "pairs": self.pairs.tolist(),
            "both": self.both.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], groups: int) -> Self:
        """The inverse of `to_dict`. Raises KeyError, ValueError."""
        matrices = Squares.from_dict({**data, "counts": data["matrices"]}, (groups, groups))
        pairs, both = (np.array(data[key], np.int64) for key in ("pairs", "both"))
        return cls(matrices, data["side"], pairs, both, data["step"])


class SheetTally:
    """Counts a `Sheet` strip by strip, on the pixels that are scored."""

    margin = 0

    def __init__(self, strips: Strips) -> None:
        grid = strips.prediction.grid
        height, width = grid.shape
        tall, wide = pixel_metres(grid)
        self.groups = strips.grouping.groups
        self.squares = SquareTally(grid, (len(self.groups),) * 2)
        self.side = max(self.squares.rows * tall, self.squares.columns * wide)
        self.step = max(1, ceil((height * width / SAMPLE) ** 0.5))
        self.lag = self.step * (tall * wide) ** 0.5
        self.spacing = self.step * tall, self.step * wide
        self.wrong = np.zeros((ceil(height / self.step), ceil(width / self.step)), bool)
        self.scored = np.zeros_like(self.wrong)

    def add(self, strip: Strip) -> None:
        """Count a strip."""
        top, left, kept = int(strip.window.row_off), int(strip.window.col_off), strip.kept
        self.squares.add(strip.window, strip.pairs, kept)
        sampled = np.s_[-top % self.step :: self.step, -left % self.step :: self.step]
        right = (strip.reference == strip.prediction)[sampled]
        row, column = -(-top // self.step), -(-left // self.step)
        there = np.s_[row : row + right.shape[0], column : column + right.shape[1]]
        self.scored[there], self.wrong[there] = kept[sampled], kept[sampled] & ~right

    def sheet(self) -> Sheet:
        """What was counted."""
        pairs, both = _pairs(self.scored, self.wrong, self.spacing, self.lag)
        return Sheet(self.squares.result(), self.side, pairs, both, self.lag)


class ZoneTally:
    """Counts the matrices of every zone by squares; of all ground, if there are no zones."""

    margin = 0

    def __init__(self, strips: Strips) -> None:
        self.zones = len(ZONES) if strips.zones else 1
        self.n = len(strips.grouping.groups)
        self.squares = SquareTally(strips.prediction.grid, (self.zones, self.n, self.n))

    def add(self, strip: Strip) -> None:
        """Count a strip, whatever its zone."""
        places = strip.pairs
        if strip.zone is not None:
            places = places + strip.zone * np.int32(self.n**2)
        self.squares.add(strip.window, places, strip.known)

    def result(self) -> Squares:
        """What was counted, (row, column, zone, n, n)."""
        return self.squares.result()


def _pairs(
    scored: NDArray[np.bool_], wrong: NDArray[np.bool_], spacing: tuple[float, float], lag: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of scored pixels by distance, and those of which both are wrong: (lag,) each.

    Distances are those up to half the shorter side, in multiples of `lag` metres.
    """
    shape = [fft.next_fast_len(2 * side, real=True) for side in scored.shape]
    steps = [fft.fftfreq(size, 1 / size) * gap for size, gap in zip(shape, spacing, strict=True)]
    lags = np.rint(np.hypot(steps[0][:, None], steps[1][None, :]) / lag).astype(np.int64)
    reach = int(min(side * gap for side, gap in zip(scored.shape, spacing, strict=True)) / 2 / lag)
    near = lags <= reach
    found = []
    for field in (scored, wrong):
        spectrum = np.abs(fft.rfft2(field.astype(float), shape)) ** 2
        pairs = np.rint(fft.irfft2(spectrum, shape))
        counts = np.bincount(lags[near], pairs[near], minlength=reach + 1)
        found.append(counts.astype(np.int64))
    return found[0], found[1]
