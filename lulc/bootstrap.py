"""How sure a score is: intervals from blocks of ground drawn anew.

Errors of neighbouring pixels are alike, so pixels are no independent draws, and an interval that
takes them for such is far too narrow. Blocks of ground that are longer than the errors are alike
are nearly independent: they are drawn with replacement (Efron 1979; in space Hall 1985), and
every score is computed from each draw. What is estimated is the score on endless ground of the
same kind, of which the region is a part.

The interval is the studentised one (Efron and Tibshirani 1993, chapter 12.5): each draw's deviation
in units of its own standard error, which for a ratio of sums is in closed form (the delta method).
It holds its level with fewer blocks than percentiles do (docs/benchmarks.md), and is widened as
Student's distribution is, by the blocks that a score rests on. The paired difference of two maps
draws the same blocks for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from lulc.counts import RATIOS, ratio

#: How often the blocks are drawn.
RESAMPLES = 1000

#: The level of every interval.
LEVEL = 0.95

#: The generator's seed, so that one evaluation has one interval.
SEED = 0

#: Blocks that a score must rest on to get an interval, and that it should rest on. Blocks are
#: counted as Kish (1965) counts unequal weights: (sum of weights)^2 / sum of squares.
LEAST_BLOCKS, FEW_BLOCKS = 8, 20

#: Pixels, and blocks as Kish counts them, that one map has wrong and the other right, which the
#: difference of a ratio must rest on to get an interval. Two precisions of 0.999 may differ by
#: a pixel; most regions then have no trace of what now and then makes the difference.
LEAST_DIFFERING, LEAST_DIFFERING_BLOCKS = 30, 4

#: Share of the draws in which a score must be defined for its interval to be.
_DEFINED = 0.9

#: What is left of a standard error of 0 by rounding.
_NOTHING = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bounds:
    """Intervals of every score, each (..., 2): from, to. NaN where too few blocks tell."""

    ratios: dict[str, Floats]
    """By `RATIOS`: (group, 2)."""
    averages: dict[str, Floats]
    """By 'accuracy', 'macro_f1', 'weighted_f1' and so on: (2,)."""
    alike: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Of differences, by `RATIOS`: (group,), where the maps differ in too few pixels or blocks
    for an interval."""

    def of_group(self, index: int) -> dict[str, list[float] | None]:
        """By `precision_ci` and so on, from and to as JSON; None where undefined."""
        return {f"{name}_ci": _json(bounds[index]) for name, bounds in self.ratios.items()}

    def of_all(self) -> dict[str, list[float] | None]:
        """By `accuracy_ci`, `macro_f1_ci` and so on, from and to as JSON; None where undefined."""
        found = {f"{name}_ci": _json(bounds) for name, bounds in self.averages.items()}
        # Every scored pixel has one group on both sides: these three are the accuracy.
        same = {f"micro_{name}_ci": found["accuracy_ci"] for name in ("precision", "recall", "f1")}
        return {**found, **same}


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
        squares = (self.below**2).sum(axis=0)
        ratios = ratio(self.below.sum(axis=0) ** 2, squares)
        averages = []
        for part in self.parts:
            there = ratios[part][ratios[part] > 0]
            mean = there.size / (1 / there).sum() if there.size else np.nan
            averages += [mean, ratios[self.accuracy]]
        return np.concatenate([ratios, averages])

    @property
    def widening(self) -> Floats:
        """(score,): what Student's distribution has an interval wider by than the normal one,
        with one degree of freedom less than there are blocks that the score rests on."""
        upper = 1 - (1 - LEVEL) / 2
        return stdtrit(np.fmax(self.effective - 1, 1), upper) / ndtri(upper)

    @property
    def wrong(self) -> Floats:
        """(block, score): pixels that keep each ratio from being 1."""
        return self.below - self.above

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


def intervals(
    matrices: NDArray[np.integer],
    stretch: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Bounds:
    """The interval of every score, within 0..1.

    Args:
        matrices: (block, n, n) pixel counts; blocks without a pixel do not count.
        stretch: what standard errors from these blocks are too small by.
    """
    blocks = Units(matrices[matrices.any(axis=(1, 2))])
    draws = _draws(len(blocks.matrices), resamples, seed)
    scores = blocks.scores(draws)
    errors = _errors(draws, scores.terms, scores.pulls())
    bounds = _studentised(scores.values, errors, stretch * blocks.widening)
    bounds = np.clip(bounds, 0, 1)
    bounds[~(blocks.effective >= LEAST_BLOCKS)] = np.nan
    return _named(bounds, blocks.groups)


def differences(
    a: NDArray[np.integer],
    b: NDArray[np.integer],
    stretch: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Bounds:
    """The interval of every score's difference, B minus A, of two maps of the same ground.

    Args:
        a, b: (block, n, n) pixel counts of the same blocks, groups and pixels.
        stretch: what standard errors from these blocks are too small by.
    """
    filled = a.any(axis=(1, 2)) | b.any(axis=(1, 2))
    first, second = Units(a[filled]), Units(b[filled])
    draws = _draws(len(first.matrices), resamples, seed)
    old, new = first.scores(draws), second.scores(draws)
    terms = [*new.terms, *((-weight, column) for weight, column in old.terms)]
    pulls = (one - other for one, other in zip(new.pulls(), old.pulls(), strict=True))
    wider = stretch * np.fmax(first.widening, second.widening)
    bounds = _studentised(new.values - old.values, _errors(draws, terms, pulls), wider)
    bounds = np.clip(bounds, -1, 1)
    few = np.minimum(first.effective, second.effective)
    alike = _alike(abs(second.wrong - first.wrong)) & (few[: first.wrong.shape[1]] >= LEAST_BLOCKS)
    bounds[~(few >= LEAST_BLOCKS)] = np.nan
    bounds[: len(alike)][alike] = np.nan
    named = {name: alike[part] for name, part in zip(RATIOS, first.parts, strict=True)}
    return replace(_named(bounds, first.groups), alike=named)


def _alike(differing: Floats) -> NDArray[np.bool_]:
    """(score,): whether pixels that differ, (block, score), are too few or in too few blocks."""
    pixels = differing.sum(axis=0)
    blocks = ratio(pixels**2, (differing**2).sum(axis=0))
    return ~((pixels >= LEAST_DIFFERING) & (blocks >= LEAST_DIFFERING_BLOCKS))


def _draws(number: int, resamples: int, seed: int) -> Floats:
    """How often each block is drawn, (1 + resamples, block): first each once, as it is."""
    if not number:
        return np.ones((1, 0))
    random = np.random.default_rng(seed)
    drawn = random.multinomial(number, np.full(number, 1 / number), resamples)
    return np.vstack([np.ones(number), drawn])


def _errors(draws: Floats, terms: list[tuple[Floats, Floats]], pulls: Iterator[Floats]) -> Floats:
    """Standard errors, (draw, score)."""
    number = draws.shape[1]
    ratios = np.zeros_like(terms[0][0])
    for i, (weight, column) in enumerate(terms):
        for j, (other_weight, other_column) in enumerate(terms[i:]):
            product = weight * other_weight * (draws @ (column * other_column))
            ratios += product if j == 0 else 2 * product
    averages = [np.einsum("rb,rb->r", draws * pull, pull) for pull in pulls]
    squares = np.column_stack([np.maximum(ratios, 0), *averages])
    return np.sqrt(squares * (number / max(number - 1, 1)))


def _studentised(values: Floats, errors: Floats, stretch: ArrayLike) -> Floats:
    """Intervals (score, 2) of the first draw's values; NaN where the draws do not tell."""
    told = (errors > _NOTHING) & ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        deviations = np.where(told, (values - values[0]) / np.where(told, errors, 1), np.nan)[1:]
    usable = told[0] & (told[1:].sum(axis=0) > _DEFINED * len(deviations))
    bounds = np.full((values.shape[1], 2), np.nan)
    tail = (1 - LEVEL) / 2
    if usable.any():
        low, high = np.nanquantile(deviations[:, usable], [tail, 1 - tail], axis=0)
        middle, error = values[0, usable], (errors[0] * stretch)[usable]
        bounds[usable] = np.column_stack([middle - high * error, middle - low * error])
    return bounds


def _inverse(values: Floats) -> Floats:
    return ratio(np.ones_like(values, float), values)


def _json(bounds: Floats) -> list[float] | None:
    return None if np.isnan(bounds).any() else [float(bound) for bound in bounds]


def _named(bounds: Floats, groups: int) -> Bounds:
    ratios = {name: bounds[i * groups : (i + 1) * groups] for i, name in enumerate(RATIOS)}
    rest = bounds[len(RATIOS) * groups :]
    names = ["accuracy", *(f"{how}_{name}" for name in RATIOS for how in ("macro", "weighted"))]
    return Bounds(ratios, dict(zip(names, rest, strict=True)))
