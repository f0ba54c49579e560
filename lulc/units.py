"""Blocks of ground as units of what scores are computed from: scores of draws, standard errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from lulc.counts import RATIOS, Floats, ratio

#: The level of every interval.
LEVEL = 0.95

#: Standard errors to either side that hold as much of a normal distribution.
NORMAL = float(ndtri(1 - (1 - LEVEL) / 2))

#: What is left of a standard error of 0 by rounding.
NOTHING = 1e-9

#: Degrees of freedom at least, of Student's distribution: its quantile then is 1e25.
_LEAST_FREEDOM = 0.05


@dataclass(frozen=True, eq=False)
class Units:
    """Counts of blocks of ground, as the scores of them need them."""

    matrices: NDArray[np.integer]
    """(block, n, n) pixel counts; rows are the reference, columns the prediction."""

    @property
    def groups(self) -> int:
        """Groups told apart."""
        return self.matrices.shape[1]

    @cached_property
    def above(self) -> Floats:
        """(block, score): numerators of every group's ratios in the order of `RATIOS`, then
        that of the accuracy."""
        hits = np.einsum("bii->bi", self.matrices).astype(float)
        return np.hstack([hits, hits, 2 * hits, hits, hits.sum(axis=1, keepdims=True)])

    @cached_property
    def below(self) -> Floats:
        """(block, score): their denominators."""
        hits = np.einsum("bii->bi", self.matrices)
        support, predicted = self.matrices.sum(axis=2), self.matrices.sum(axis=1)
        either = support + predicted
        total = support.sum(axis=1, keepdims=True)
        return np.hstack([predicted, support, either, either - hits, total]).astype(float)

    @cached_property
    def effective(self) -> Floats:
        """(score,): blocks that each score rests on, as Kish counts.

        A macro average rests on the harmonic mean of its groups', since their variances add
        up; a weighted one, in which large groups weigh most, on those of the accuracy.
        """
        ratios = kish(self.below)
        averages = []
        for part in self.parts:
            there = ratios[part][ratios[part] > 0]
            mean = there.size / (1 / there).sum() if there.size else np.nan
            averages += [mean, ratios[self.accuracy]]
        return np.concatenate([ratios, averages])

    @property
    def rarest(self) -> Floats:
        """(ratio,): blocks that the group of the fewest rests on, in the order of `RATIOS`: a macro
        average is as sure as that group is."""
        return np.array([rarest(self.effective[part]) for part in self.parts])

    @property
    def widening(self) -> Floats:
        """(score,): what Student's distribution has an interval wider by than the normal one,
        with one degree of freedom less than there are blocks that the score rests on. Without
        end as these become one."""
        return widening(self.effective)

    @property
    def wrong(self) -> Floats:
        """(block, score): pixels that keep each ratio from being 1."""
        return self.below - self.above

    @property
    def erring(self) -> Floats:
        """(score,): blocks in which the errors of each score lie, as Kish counts, or its hits
        where these lie in fewer; 1 where there are none. For averages, the accuracy's."""
        return self.averaged(fewest(self.wrong, self.above))

    def averaged(self, values: Floats) -> Floats:
        """(score,): values of the ratios and the accuracy, and the accuracy's for averages."""
        return np.append(values, np.full(2 * len(RATIOS), values[self.accuracy]))

    @cached_property
    def whole(self) -> Scores:
        """The scores of the ground as it is: one draw, every block once."""
        return self.scores(np.ones((1, len(self.matrices))))

    @property
    def values(self) -> Floats:
        """(score,): the scores; NaN where undefined."""
        return self.whole.values[0]

    @cached_property
    def errors(self) -> Floats:
        """(score,): their standard errors."""
        return standard_errors(self.whole.draws, self.whole.terms, self.whole.pulls())[0]

    @property
    def macros(self) -> NDArray[np.intp]:
        """Where the macro average of each ratio of `RATIOS` is among the scores."""
        return self.accuracy + 1 + np.arange(0, 2 * len(RATIOS), 2)

    @property
    def support(self) -> slice:
        """Where `below` has the pixels of each group in the reference: under its recall."""
        return self.parts[RATIOS.index("recall")]

    @property
    def accuracy(self) -> int:
        """Where the accuracy is among the scores."""
        return len(RATIOS) * self.groups

    def scores(self, draws: Floats) -> Scores:
        """Every score of draws (draw, block): how often each block was drawn."""
        return Scores(self, draws)

    @property
    def parts(self) -> list[slice]:
        """Where each ratio of `RATIOS` is among the scores."""
        return [slice(i * self.groups, (i + 1) * self.groups) for i in range(len(RATIOS))]


class Scores:
    """The scores of draws, and what their standard errors are made of.

    Scores are the ratios of every group in the order of `RATIOS`, the accuracy, and the macro
    and the weighted average of each ratio. A standard error is the root of the sum of squares
    of the blocks' pulls: the derivative of the score by the weight of a block (the
    infinitesimal jackknife, Efron 1982).
    """

    def __init__(self, blocks: Units, draws: Floats) -> None:
        self.blocks, self.draws = blocks, draws
        self.totals = draws @ blocks.below
        self.inverse = _inverse(self.totals)
        self.ratios = (draws @ blocks.above) * self.inverse
        averages = []
        for part in blocks.parts:
            known = ~np.isnan(self.ratios[:, part])
            values = np.where(known, self.ratios[:, part], 0)
            weights = self.totals[:, blocks.support] * known
            averages += [
                ratio(values.sum(axis=1), known.sum(axis=1)),
                ratio((values * weights).sum(axis=1), weights.sum(axis=1)),
            ]
        self.values = np.column_stack([self.ratios, *averages])
        """(draw, score); NaN where undefined."""

    @property
    def terms(self) -> list[tuple[Floats, Floats]]:
        """Pulls on the ratios and the accuracy: a sum over terms of (draw, score) times
        (block, score), which is never multiplied out over draws and blocks."""
        return [
            (self.inverse, self.blocks.above),
            (-self.ratios * self.inverse, self.blocks.below),
        ]

    def pulls(self) -> Iterator[Floats]:
        """Pulls on each average in turn, (draw, block)."""
        above, below = self.blocks.above, self.blocks.below
        averages = iter(self.values.T[above.shape[1] :, :, None])
        for part in self.blocks.parts:
            known = ~np.isnan(self.ratios[:, part])
            values = np.where(known, self.ratios[:, part], 0)
            scale = np.where(known, self.inverse[:, part], 0)
            next(averages)
            share = scale * _inverse(known.sum(axis=1, keepdims=True))
            yield share @ above[:, part].T - (share * values) @ below[:, part].T
            weights = self.totals[:, self.blocks.support] * known
            total = _inverse(weights.sum(axis=1, keepdims=True))
            share = scale * weights * total
            own = share @ above[:, part].T - (share * values) @ below[:, part].T
            moved = known * (values - next(averages)) * total
            yield own + moved @ below[:, self.blocks.support].T


def kish(counts: Floats) -> Floats:
    """(score,): over how many blocks counts (block, score) are spread, as Kish (1965) counts
    unequal weights: (sum of weights)^2 / sum of squares. NaN where there are none."""
    return ratio(counts.sum(axis=0) ** 2, (counts**2).sum(axis=0))


def fewest(*sides: Floats) -> Floats:
    """(score,): over how many blocks the counts are spread, of those spread over fewest; 1 where
    there are none."""
    return np.min([np.nan_to_num(kish(counts), nan=1) for counts in sides], axis=0)


def rarest(effective: Floats) -> float:
    """The fewest blocks that one of some scores rests on, of those that are defined."""
    return float(np.min(effective, where=effective > 0, initial=np.inf))


def widening(effective: Floats) -> Floats:
    """What Student's distribution has an interval wider by than the normal one, for so many
    blocks that a score rests on."""
    freedom = np.fmax(effective - 1, _LEAST_FREEDOM)
    return stdtrit(freedom, 1 - (1 - LEVEL) / 2) / NORMAL


def standard_errors(
    draws: Floats, terms: list[tuple[Floats, Floats]], pulls: Iterator[Floats]
) -> Floats:
    """Standard errors, (draw, score), of scores or their differences.

    Args:
        draws: (draw, block): how often each block was drawn.
        terms, pulls: as `Scores` has them.
    """
    number = draws.shape[1]
    ratios = np.zeros_like(terms[0][0])
    for i, (weight, column) in enumerate(terms):
        for j, (other_weight, other_column) in enumerate(terms[i:]):
            product = weight * other_weight * (draws @ (column * other_column))
            ratios += product if j == 0 else 2 * product
    averages = [np.einsum("rb,rb->r", draws * pull, pull) for pull in pulls]
    squares = np.column_stack([np.maximum(ratios, 0), *averages])
    return np.sqrt(squares * (number / max(number - 1, 1)))


def _inverse(values: Floats) -> Floats:
    return ratio(np.ones_like(values, float), values)
