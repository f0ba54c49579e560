"""Cautious intervals of scores: for those of which too few blocks of ground tell.

A bootstrap draws what was seen. Of a class in a handful of blocks, or one without an error, that
is too little: its intervals are too narrow, or none. A cautious interval is that of Clopper and
Pearson (1934) for a proportion of as many draws as give the score the variance it has among the
blocks, divided by the square of what Student's distribution has it wider by (Korn and Graubard
1998, Survey Methodology 24, 193-201, by which the US National Center for Health Statistics judges
proportions: Parker et al. 2017). Their number has a limit beside: K blocks, of which W have the
errors, are worth no more than K W^2 draws. That many they are if in a block that has errors a
share of 1 / W^2 is wrong: one block with errors, or none, says nothing of how wrong a block
may be, and two or three say a little. It ends in 0..1 as the blocks become one.

A macro average is as sure as its least sure group, so its interval follows from those of all
groups, taken for independent (MOVER, Zou and Donner 2008).

A difference of two maps has the variance of its own, of which the blocks tell the better the more
of them differ; the rest of the trust is in the two scores, taken for independent likewise,
which for maps of the same ground is too wide.

What was measured is in docs/benchmarks.md. Scores are in the order of `lulc.units.Scores`.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from lulc.counts import Floats
from lulc.units import LEVEL, NORMAL, NOTHING, Units, kish, widening

#: Pixels that differ which a block must have to count as one that differs.
DIFFERING_PIXELS = 8

#: How fast trust in the variance of a difference grows with the blocks that differ: what remains
#: for the two scores alone is that number to this power. Measured: -4 holds too little of macro F1.
_DISTRUST = -3.0


def single(units: Units, stretch: float = 1.0) -> Floats:
    """The interval of every score, (score, 2) within 0..1; NaN where undefined.

    That of a macro average is no narrower than the average's own variance has it, too.

    Args:
        stretch: what standard errors from these blocks are too small by.
    """
    values, errors = units.values, stretch * units.errors
    bounds = limits(values, errors, units.effective, units.erring)
    student = NORMAL * units.widening[units.accuracy] * errors
    for part, macro in zip(units.parts, units.macros, strict=True):
        bounds[macro] = average(values[part], bounds[part], student[macro])
    return bounds


def average(values: Floats, bounds: Floats, least: float) -> Floats:
    """The interval of the mean of those scores that are defined, (2,) within 0..1.

    Args:
        values, bounds: (score,) and (score, 2): the scores and their intervals.
        least: how far it reaches at least, to either side.
    """
    reach = np.abs(bounds - values[:, None])[~np.isnan(values)]
    if not len(reach):
        return np.full(2, np.nan)
    wider = np.maximum(np.sqrt((reach**2).sum(axis=0)) / len(reach), least)
    return np.clip(np.nanmean(values) + wider * (-1, 1), 0, 1)


def limits(values: Floats, errors: Floats, effective: Floats, erring: Floats) -> Floats:
    """The interval of each proportion, (score, 2); NaN where undefined.

    Args:
        values, errors: the proportions and their standard errors, (score,).
        effective: blocks that each rests on, at least 1.
        erring: blocks in which its errors lie, or its hits where these lie in fewer.
    """
    known = ~np.isnan(values)
    shares, sure = np.clip(values[known], 0, 1), errors[known]
    varying = sure > NOTHING
    draws = np.where(varying, shares * (1 - shares) / np.where(varying, sure, 1) ** 2, np.inf)
    draws = np.minimum(draws, (effective * erring**2)[known])
    draws /= widening(effective[known]) ** 2
    hits, misses = shares * draws, (1 - shares) * draws
    bounds = np.full((len(known), 2), np.nan)
    bounds[known] = np.column_stack([_least(hits, misses), 1 - _least(misses, hits)])
    return bounds


def paired(first: Units, second: Units, errors: Floats, stretch: float = 1.0) -> Floats:
    """The interval of every score's difference, second minus first, (score, 2) within -1..1.

    Args:
        first, second: the same blocks in two maps.
        errors: (score,): standard errors of the differences.
        stretch: what standard errors from these blocks are too small by.
    """
    old, new = (
        np.abs(single(units, stretch) - units.values[:, None]).T for units in (first, second)
    )
    apart = np.stack([np.hypot(new[0], old[1]), np.hypot(new[1], old[0])], axis=1)
    student = NORMAL * np.fmax(first.widening, second.widening) * stretch * errors
    alone = differing(first, second)[:, None] ** _DISTRUST
    reach = np.sqrt((1 - alone) * student[:, None] ** 2 + alone * apart**2)
    middle = (second.values - first.values)[:, None]
    return np.clip(middle + reach * (-1, 1), -1, 1)


def differing(first: Units, second: Units) -> Floats:
    """(score,): blocks in which one map is right and the other wrong, as Kish counts them; no
    more than there are for `DIFFERING_PIXELS` each, and 1 at least. For averages, the accuracy's.
    """
    pixels = np.abs(second.wrong - first.wrong)
    blocks = np.fmin(kish(pixels), pixels.sum(axis=0) / DIFFERING_PIXELS)
    return first.averaged(np.fmax(blocks, 1))


def _least(hits: Floats, misses: Floats) -> Floats:
    """The lower limit of Clopper and Pearson of a proportion; 0 where nothing hits."""
    tail = (1 - LEVEL) / 2
    return np.where(hits > 0, betaincinv(np.maximum(hits, 1e-300), misses + 1, tail), 0)
