"""Limits of totals and ratios from stratified points that hold their level for rare classes too.

The normal interval of a total, 1.96 standard errors to either side, knows of no error where the
sample has none: a class of 1 % whose omissions no point met gets an interval that misses the
truth more often than it holds it. These limits ask instead which totals the points do not
contradict, with the spread as it would be if the total were that: the score interval (Wilson 1927
for one proportion; Miettinen and Nurminen 1985, Statistics in Medicine 4, 213-226, for two; for
weighted sums of them Martin Andres et al. 2012, doi:10.1080/00949655.2010.530601), together with
that of the likelihood ratio. Ratios combine the limits of their two sides (Donner and Zou 2012,
Statistical Methods in Medical Research 21, 347-359).

What was measured is in docs/areas.md. Arrays are (..., h), h strata last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from lulc.counts import Floats

#: Standard errors to either side that hold 95 % of a normal distribution.
Z = 1.96

#: Halvings of the range of the multiplier, on a logarithmic scale from the first to the last.
_STEPS, _RANGE = 48, (-60.0, 30.0)


def intervals(split: ArrayLike, sizes: ArrayLike, on_map: ArrayLike) -> dict[str, Floats]:
    """Intervals of the areas of k classes and of their accuracies.

    Args:
        split: (h, k, k) points of each stratum, at least one each; rows are the map, columns the
            reference.
        sizes: (h,) areas of the strata, above 0.
        on_map: (h, k) classes that a stratum may have on the map.

    Returns:
        `area`, `users_accuracy` and `producers_accuracy`, (k, 2) from and to, NaN where the
        accuracy is undefined, and `overall_accuracy`, (2,).
    """
    table, areas, own = np.asarray(split, float), np.asarray(sizes, float), np.asarray(on_map, bool)
    points, elsewhere = table.sum(axis=(1, 2)), own.sum(axis=1, keepdims=True) > own
    right = np.einsum("hkk->hk", table).T
    called, truly = table.sum(axis=2).T, table.sum(axis=1).T
    here, there, everywhere = areas * own.T, areas * elsewhere.T, areas + 0 * right
    hits = [right.sum(axis=0)[None], truly, right, called - right, truly - right]
    weights = [areas[None], everywhere, here, here, there]
    low, high = total(np.concatenate(hits), points, np.concatenate(weights))
    cuts = np.cumsum([len(part) for part in hits])[:-1]
    overall, area, own_right, *rests = zip(np.split(low, cuts), np.split(high, cuts), strict=True)
    found = {
        "overall_accuracy": np.concatenate(overall) / areas.sum(),
        "area": np.stack(area, axis=-1),
    }
    above = (here * right / points).sum(axis=-1)
    for i, name in enumerate(("users_accuracy", "producers_accuracy")):
        rest, weight = hits[3 + i], weights[3 + i]
        below = (weight * rest / points).sum(axis=-1)
        likeness = _likeness(right, rest, points, here, weight, 1.0 * elsewhere.T)
        found[name] = np.stack(ratio(above, own_right, below, rests[i], likeness), axis=-1)
    return found


def total(hits: ArrayLike, points: ArrayLike, weights: ArrayLike) -> tuple[Floats, Floats]:
    """Limits of the sum over strata of weight times proportion, from and to, (...).

    Of all proportions with a given sum, those are taken under which the points are likeliest. The
    sum is within the limits if the estimated one lies no more than `Z` standard errors, as these
    proportions have them, away, or if the likelihood ratio of the two does not tell them apart
    (2 log <= `Z`^2): the first alone holds too little where one or two points make a class's
    error, the second where none does.

    Args:
        hits: (..., h) points with an indicator.
        points: (..., h) all points, above 0.
        weights: (..., h) from 0 up; 0 where the indicator is impossible.
    """
    y, n, w = np.broadcast_arrays(*(np.asarray(a, float) for a in (hits, points, weights)))
    found = (w * y / n).sum(axis=-1)
    scale = np.max(n / np.where(w > 0, w, np.inf), axis=-1)
    sign = np.array([1.0, -1.0]).reshape(2, *(1,) * found.ndim)  # one above 0 pulls the sum down
    near, far = (np.full((2, *found.shape), end) for end in _RANGE)
    estimated = _likelihood(y, n, y / n)
    for _ in range(_STEPS):
        middle = (near + far) / 2
        p = _likeliest(y, n, w * (sign * scale * np.exp(middle))[..., None])
        spread = (w**2 * p * (1 - p) / n).sum(axis=-1)
        beyond = (found - (w * p).sum(axis=-1)) ** 2 > Z**2 * spread
        beyond &= 2 * (estimated - _likelihood(y, n, p)) > Z**2
        near, far = np.where(beyond, near, middle), np.where(beyond, middle, far)
    p = _likeliest(y, n, w * (sign * scale * np.exp(near))[..., None])
    low, high = (w * p).sum(axis=-1)
    return np.minimum(low, found), np.maximum(high, found)


def ratio(
    above: Floats, above_limits: tuple[Floats, Floats],
    rest: Floats, rest_limits: tuple[Floats, Floats], likeness: ArrayLike = 0.0,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Limits of above / (above + rest), from and to, (...); NaN where both are 0.

    Args:
        above, rest: two totals, (...), and their limits.
        likeness: correlation of their estimates.
    """
    low = _lowest(above, above - above_limits[0], rest, rest_limits[1] - rest, likeness)
    high = 1 - _lowest(rest, rest - rest_limits[0], above, above_limits[1] - above, likeness)
    known = above + rest > 0
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _likeness(
    first: Floats, second: Floats, points: Floats, one: Floats, other: Floats, third: Floats
) -> Floats:
    """Correlation (...) of two totals of outcomes that exclude each other, weighted by `one` and
    `other`, where a third outcome is possible (1) or not (0). Every possible outcome gets half a
    point more, so that there is one where nothing was found."""
    able, other_able = 1.0 * (one > 0), 1.0 * (other > 0)
    n = points + (able + other_able + third) / 2
    p, q = (first + 0.5) * able / n, (second + 0.5) * other_able / n
    shared = (one * other * p * q / points).sum(axis=-1)
    spread = [(w**2 * r * (1 - r) / points).sum(axis=-1) for w, r in ((one, p), (other, q))]
    size = np.sqrt(spread[0] * spread[1])
    return -np.divide(shared, size, out=np.zeros(size.shape), where=size > 0)


def _lowest(a: Floats, down: Floats, b: Floats, up: Floats, likeness: ArrayLike) -> Floats:
    """The least x for which 0 is within the limits of (1 - x) a - x b: the root of a quadratic.

    `down` is how far a may fall, `up` how far b may rise.
    """
    both, joint = a + b, np.asarray(likeness) * down * up
    first = both**2 - down**2 - up**2 - 2 * joint
    second = -2 * a * both + 2 * down**2 + 2 * joint
    third = np.maximum(a**2 - down**2, 0)
    below = np.sqrt(np.maximum(second**2 - 4 * first * third, 0)) - second
    return np.clip(np.divide(2 * third, below, out=np.zeros(below.shape), where=below > 0), 0, 1)


def _likelihood(y: Floats, n: Floats, p: Floats) -> Floats:
    """Logarithm of the likelihood of y of n, summed over strata."""
    return (xlogy(y, p) + xlogy(n - y, 1 - p)).sum(axis=-1)


def _likeliest(y: Floats, n: Floats, pull: Floats) -> Floats:
    """Proportions under which y of n are likeliest, pulled by a multiplier of their sum.

    The derivative of the log-likelihood, y / p - (n - y) / (1 - p), equals the pull: a quadratic
    in p, of which the root between 0 and 1 is taken in the form that loses no digits.
    """
    side = n + pull
    root = np.sqrt(np.maximum(side**2 - 4 * pull * y, 0))
    # Where the one form divides 0 by 0, the other does not.
    first = np.divide(2 * y, side + root, out=np.zeros(side.shape), where=side + root > 0)
    second = np.divide(side - root, 2 * pull, out=first.copy(), where=(side < 0) & (pull != 0))
    return np.clip(second, 0, 1)
