"""How well an activation map tells where its group is: precision against recall by threshold.

Everything is a function of the pixels of a group, and of all others, by level of the
activation: (2, LEVELS) counts, elsewhere and there. A threshold keeps its own level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from lulc.counts import defined, ratio
from lulc.levels import LEVELS, VALUES

#: Levels between the points of the curve in JSON, which has the counts for all of them too.
CURVE_STEP = 10


@dataclass(frozen=True, eq=False)
class Ranking:
    """Pixels ordered by the activation of one group, and which of them are of that group."""

    counts: NDArray[np.int64]
    """(2, LEVELS): pixels of other groups, and of the group, by level."""

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """The activations that occur, ascending, (k,)."""
        return VALUES[self._occurring]

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of the pixels at or above each threshold, the share that is of the group, (k,)."""
        false, true = self._kept
        return ratio(true, true + false)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of the pixels of the group, the share at or above each threshold, (k,)."""
        true = self._kept[1]
        return ratio(true, np.full(len(true), self._positives))

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 TP / (2 TP + FP + FN) at each threshold, (k,); NaN without a pixel of the group."""
        false, true = self._kept
        below = (true + false + self._positives) * (self._positives > 0)
        return ratio(2 * true, below)

    @property
    def prevalence(self) -> float:
        """Share of the pixels that is of the group: the average precision of a blind order."""
        return float(ratio(self._positives, self.counts.sum()))

    @property
    def average_precision(self) -> float:
        """The sum of precision times gain in recall over the thresholds, from the highest down.

        Scikit-learn's definition, without interpolation; NaN without a pixel of the group.
        """
        if not self._positives:
            return float("nan")
        return float(average_precision(self.counts))

    @property
    def average_precision_range(self) -> tuple[float, float]:
        """Least and largest average precision of activations that round to these levels.

        Within a level their order is unknown. At best all pixels of the group are level with
        each other and before the others, each with the precision (T + p) / (T + p + F). At
        worst they come one by one after the others, the j-th with (T + j) / (T + j + F'),
        which adds up to p - F' (digamma(T + F' + p + 1) - digamma(T + F' + 1)).
        """
        if not self._positives:
            return float("nan"), float("nan")
        absent, there = self.counts[:, ::-1].astype(float)
        true, false = np.cumsum(there), np.cumsum(absent)
        gone = digamma(true + false + 1) - digamma(true - there + false + 1)
        worst = there - false * gone
        best = there * np.divide(true, true + false - absent, out=np.zeros(LEVELS), where=there > 0)
        low, high = (min(float(ends.sum() / self._positives), 1.0) for ends in (worst, best))
        return low, high

    @property
    def best(self) -> tuple[float, float]:
        """The threshold of the largest F1, the lowest of several, and that F1."""
        if not self._positives:
            return float("nan"), float("nan")
        place = int(np.argmax(self.f1))
        return float(self.thresholds[place]), float(self.f1[place])

    def to_dict(self) -> dict[str, Any]:
        """Every figure, and the curve at every `CURVE_STEP`-th level; undefined is None."""
        threshold, f1 = self.best
        return {
            "prevalence": defined(self.prevalence),
            "average_precision": defined(self.average_precision),
            "average_precision_range": [defined(v) for v in self.average_precision_range],
            "best_threshold": defined(threshold),
            "best_f1": defined(f1),
            "curve": self._curve(),
        }

    def _curve(self) -> list[dict[str, Any]]:
        columns = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        places = np.searchsorted(self.thresholds, VALUES[::CURVE_STEP])
        return [
            {"threshold": float(threshold)}
            | {k: defined(v[place]) if place < len(v) else None for k, v in columns.items()}
            for threshold, place in zip(VALUES[::CURVE_STEP], places, strict=True)
        ]

    @property
    def _occurring(self) -> NDArray[np.bool_]:
        return self.counts.sum(axis=0) > 0

    @property
    def _kept(self) -> NDArray[np.int64]:
        """(2, k): pixels at or above each threshold, of other groups and of the group."""
        return _from_above(self.counts)[:, self._occurring]

    @property
    def _positives(self) -> int:
        return int(self.counts[1].sum())


def average_precision(counts: NDArray[Any]) -> NDArray[np.float64]:
    """The average precision, (...), of counts (..., 2, LEVELS) or weights; NaN without a pixel
    of the group."""
    there = counts[..., 1, :]
    found = (there * _precision(_from_above(counts))).sum(axis=-1)
    return np.minimum(ratio(found, there.sum(axis=-1)), 1.0)  # rounding may leave a little more


def average_precision_gains(counts: NDArray[Any]) -> NDArray[np.float64]:
    """What a pixel more adds to the average precision, by what it is and its level, (..., 2,
    LEVELS): the derivatives of `average_precision`; NaN without a pixel of the group.

    With p and f the pixels of the group and the others at a level, T and F those at it or above,
    and P all of the group, it is A = sum p T / (T + F) / P. A pixel at a level changes the
    precision T / (T + F) there and at all levels below, by F / (T + F)^2 if it is of the group
    and by -T / (T + F)^2 if not; one of the group is itself weighed by its precision.
    """
    there = counts[..., 1, :]
    kept = _from_above(counts)
    total = kept.sum(axis=-2)
    weight = np.divide(there, total**2, out=np.zeros_like(total, float), where=total > 0)
    harm = -np.cumsum(weight * kept[..., 1, :], axis=-1)
    gain = np.cumsum(weight * kept[..., 0, :], axis=-1)
    own = _precision(kept) - average_precision(counts)[..., None]
    positives = there.sum(axis=-1)[..., None, None]
    return ratio(np.stack([harm, gain + own], axis=-2), np.broadcast_to(positives, counts.shape))


def _from_above(counts: NDArray[Any]) -> NDArray[Any]:
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]


def _precision(kept: NDArray[Any]) -> NDArray[np.float64]:
    """Of the pixels at or above each level, the share that is of the group; 0 of none."""
    total = kept.sum(axis=-2)
    return np.divide(kept[..., 1, :], total, out=np.zeros_like(total, float), where=total > 0)
