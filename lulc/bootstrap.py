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
draws the same blocks for both. Scores of which the draws do not tell get a cautious interval
(`lulc.cautious`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

from lulc import cautious
from lulc.bounds import Bounds
from lulc.counts import Floats
from lulc.units import LEVEL, NOTHING, Units, standard_errors, widening

#: How often the blocks are drawn.
RESAMPLES = 1000

#: The generator's seed, so that one evaluation has one interval.
SEED = 0

#: Blocks that a score must rest on for the draws to tell, as `lulc.units.kish` counts them.
LEAST_BLOCKS = 8

#: Blocks that all pixels must rest on for the draws to tell of any score. How far errors are alike
#: is known within a share of 1 / (2 sqrt(blocks)), measured: a region of fewer blocks that seems to
#: have enough is one where they are alike over more than it seems (docs/benchmarks.md).
ENOUGH_BLOCKS = 20

#: Blocks in which one map is right and the other wrong (`lulc.cautious.differing`) that the
#: difference of a ratio must rest on. Two precisions of 0.999 may differ by a pixel; most regions
#: then have no trace of what now and then makes the difference.
LEAST_DIFFERING = 4

#: An interval that many times as wide as the cautious one is of draws that do not tell: some of
#: them have next to no standard error of their own, in units of which deviations are endless.
TOO_WIDE = 1.5

#: Share of the draws in which a score must be defined for its interval to be.
_DEFINED = 0.9


#: Runs a function with one thread for its products of matrices. They are many and small: where
#: others are at work, threads that wait for each other at every one take several times as long.
alone = ThreadpoolController().wrap(limits=1, user_api="blas")


@alone
def intervals(
    matrices: NDArray[np.integer],
    stretch: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Bounds:
    """The interval of every score, within 0..1; cautious where the draws do not tell.

    Args:
        matrices: (block, n, n) pixel counts; blocks without a pixel do not count.
        stretch: what standard errors from these blocks are too small by.
    """
    blocks = Units(matrices[matrices.any(axis=(1, 2))])
    draws = drawn_anew(len(blocks.matrices), resamples, seed)
    scores = blocks.scores(draws)
    errors = standard_errors(draws, scores.terms, scores.pulls())
    ground = blocks.effective[blocks.accuracy]
    bounds = drawn(scores.values, errors, blocks.effective, ground, stretch)
    bounds[blocks.macros[blocks.rarest < LEAST_BLOCKS]] = np.nan
    return _completed(bounds, cautious.single(blocks, stretch), blocks.groups)


@alone
def differences(
    a: NDArray[np.integer],
    b: NDArray[np.integer],
    stretch: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Bounds:
    """The interval of every score's difference, B minus A, of two maps of the same ground; within
    -1..1, and cautious where the draws do not tell.

    Args:
        a, b: (block, n, n) pixel counts of the same blocks, groups and pixels.
        stretch: what standard errors from these blocks are too small by.
    """
    filled = a.any(axis=(1, 2)) | b.any(axis=(1, 2))
    first, second = Units(a[filled]), Units(b[filled])
    draws = drawn_anew(len(first.matrices), resamples, seed)
    old, new = first.scores(draws), second.scores(draws)
    terms = [*new.terms, *((-weight, column) for weight, column in old.terms)]
    pulls = (one - other for one, other in zip(new.pulls(), old.pulls(), strict=True))
    errors = standard_errors(draws, terms, pulls)
    effective = np.minimum(first.effective, second.effective)
    ground = effective[first.accuracy]
    bounds = drawn(new.values - old.values, errors, effective, ground, stretch, (-1, 1))
    ratios = first.accuracy + 1
    bounds[:ratios][cautious.differing(first, second)[:ratios] < LEAST_DIFFERING] = np.nan
    return _completed(bounds, cautious.paired(first, second, errors[0], stretch), first.groups)


def drawn(
    values: Floats,
    errors: Floats,
    effective: Floats,
    ground: float,
    stretch: float,
    within: tuple[float, float] = (0, 1),
) -> Floats:
    """Intervals (score, 2) from draws; NaN where these do not tell.

    Args:
        values, errors: (draw, score): scores and their standard errors; first those of the
            ground as it is.
        effective: blocks that each score rests on, (score,).
        ground: blocks that all of the pixels rest on.
        stretch: what standard errors from these blocks are too small by.
        within: the least and the largest that scores can be.
    """
    bounds = np.clip(_studentised(values, errors, stretch * widening(effective)), *within)
    bounds[~((effective >= LEAST_BLOCKS) & (ground >= ENOUGH_BLOCKS))] = np.nan
    return bounds


def chosen(bounds: Floats, careful: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Intervals (score, 2), cautious ones where there is none or where it is `TOO_WIDE`; and which
    are cautious, (score,)."""
    widths = [np.diff(each)[:, 0] for each in (bounds, careful)]
    none = ~(widths[0] <= TOO_WIDE * widths[1])
    return np.where(none[:, None], careful, bounds), none & ~np.isnan(careful[:, 0])


def _completed(bounds: Floats, careful: Floats, groups: int) -> Bounds:
    return Bounds.of(*chosen(bounds, careful), groups)


def drawn_anew(number: int, resamples: int, seed: int) -> Floats:
    """How often each block is drawn, (1 + resamples, block): first each once, as it is."""
    if not number:
        return np.ones((1, 0))
    random = np.random.default_rng(seed)
    drawn = random.multinomial(number, np.full(number, 1 / number), resamples)
    return np.vstack([np.ones(number), drawn])


def _studentised(values: Floats, errors: Floats, stretch: ArrayLike) -> Floats:
    """Intervals (score, 2) of the first draw's values; NaN where the draws do not tell."""
    told = (errors > NOTHING) & ~np.isnan(values)
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
