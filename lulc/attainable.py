"""The F1 that a perfect map gets when its labels are wrong now and then.

A map that is the truth itself agrees with labels only as far as these are right. With the
share of right labels a, the truth's share p(k) of group k and the labels' share s(k), it is
mapped k where the truth is k, so precision is P(label k | truth k), recall is that times
p(k) / s(k), and F1 = 2 P(label k, truth k) / (p(k) + s(k)). Two ways of being wrong:

symmetric
    A wrong label is any other of the n groups, all alike: P(label k | truth k) = a and
    s(k) = a p(k) + b (1 - p(k)) with b = (1 - a) / (n - 1). So p(k) = (s(k) - b) / (a - b),
    and 0 where there are fewer labels of k than errors alone would make. Known as uniform or
    symmetric label noise: Natarajan et al. 2013, Learning with noisy labels, NeurIPS 26.
proportional
    With probability r a label is right, otherwise it is drawn blindly by the groups' shares,
    which may be right by luck. Shares stay as they are, s = p, and a = r + (1 - r) sum(p^2),
    so F1 = P(label k | truth k) = r + (1 - r) p(k). r is Cohen's kappa of labels and truth.

Both take errors to be independent of the place and of the map. Real errors are not: they
come by whole patches and between groups that look alike, where the map may make them too.
A map above the band has learnt the errors of its labels, or these are better than was said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from lulc.counts import Counts, defined
from lulc.errors import LegendError, ReferenceDataError
from lulc.strips import Strips, Tally
from lulc.tables import aligned, number

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks

#: The ways of being wrong.
MODELS = ("symmetric", "proportional")


def symmetric(labels: NDArray[np.int64], accuracy: float) -> NDArray[np.float64]:
    """F1 of a perfect map, group by group, where a wrong label is any other group alike.

    Args:
        labels: pixels of each group in the reference, (n,).
        accuracy: share of the labels that are right, 0..1.

    Returns:
        (n,); NaN for a group without a label, and where labels are no better than blind.
    """
    labels = np.asarray(labels, float)
    n, undefined = len(labels), np.full(len(labels), np.nan)
    if accuracy == 1:
        return np.where(labels > 0, 1.0, undefined)
    if n < 2 or accuracy * n <= 1 or not labels.sum():
        return undefined
    share = labels / labels.sum()
    wrong = (1 - accuracy) / (n - 1)
    true = np.clip((share - wrong) / (accuracy - wrong), 0, 1)
    return np.where(labels > 0, 2 * accuracy * true / np.where(labels > 0, true + share, 1), np.nan)


def proportional(labels: NDArray[np.int64], accuracy: float) -> NDArray[np.float64]:
    """F1 of a perfect map, group by group, where a wrong label is drawn by the groups' shares.

    Args and result as of `symmetric`.
    """
    labels = np.asarray(labels, float)
    undefined = np.full(len(labels), np.nan)
    if accuracy == 1:
        return np.where(labels > 0, 1.0, undefined)
    if not labels.sum():
        return undefined
    share = labels / labels.sum()
    luck = float((share**2).sum())
    if accuracy <= luck:
        return undefined
    known = (accuracy - luck) / (1 - luck)
    return np.where(labels > 0, known + (1 - known) * share, undefined)


@dataclass(frozen=True, eq=False)
class Attainable:
    """The band of F1 between two accuracies of the labels."""

    ids: tuple[int, ...]
    """The groups."""
    labels: NDArray[np.int64]
    """Pixels of each group in the reference, (n,)."""
    low: float
    """Share of the labels that are right, at least."""
    high: float
    """The same, at most."""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ReferenceDataError(
                "expected two accuracies of the labels from 0 to 1, the lower one first; "
                f"got {self.low:g} and {self.high:g}"
            )

    @classmethod
    def of(cls, counts: Counts, low: float, high: float) -> Attainable:
        """Of the reference that these counts are of. Raises ReferenceDataError."""
        return cls(tuple(group.id for group in counts.groups), counts.support, low, high)

    @classmethod
    def tally(cls, strips: Strips) -> Tally | None:  # noqa: ARG003
        """None: the pixels do not tell how right their labels are."""
        return None

    def __add__(self, other: Self) -> Self:
        """That of both areas together. Raises LegendError for other groups or accuracies."""
        if (self.ids, self.low, self.high) != (other.ids, other.low, other.high):
            raise LegendError("bands of other groups or label accuracies cannot be added")
        return type(self)(self.ids, self.labels + other.labels, self.low, self.high)

    def text(self, _: SpatialBlocks | None = None, /) -> str:
        """The band of every group for a terminal."""
        bands = {model: self.f1(model) for model in MODELS}
        rows = [["id", "", *MODELS]]
        rows += [
            [str(i), "", *[_text(bands[model][:, k]) for model in MODELS]]
            for k, i in enumerate(self.ids)
        ]
        rows.append(["", "macro average", *[_text(self.macro_f1(model)) for model in MODELS]])
        head = (
            f"F1 of a perfect map against labels that are {self.low:.0%} to {self.high:.0%} right, "
            "if a wrong label is any other class or one by its share:"
        ).replace("%", " %")
        return "\n".join([head, *aligned(rows)])

    def f1(self, model: str) -> NDArray[np.float64]:
        """(2, n): F1 of a perfect map at the lower and at the higher accuracy, by group."""
        way = {"symmetric": symmetric, "proportional": proportional}[model]
        return np.stack([way(self.labels, self.low), way(self.labels, self.high)])

    def macro_f1(self, model: str) -> NDArray[np.float64]:
        """(2,): the means over the groups that have labels; NaN where one is undefined."""
        return self.f1(model)[:, self.labels > 0].mean(axis=1) if self.labels.any() else _NEITHER

    def to_dict(self, _: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """The band by group and on average; undefined is None."""
        bands = {model: self.f1(model) for model in MODELS}
        return {
            "label_accuracy": [self.low, self.high],
            "macro_f1": {model: _pair(self.macro_f1(model)) for model in MODELS},
            "classes": [
                {"id": i, "labels": int(n), "f1": {m: _pair(bands[m][:, k]) for m in MODELS}}
                for k, (i, n) in enumerate(zip(self.ids, self.labels, strict=True))
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        classes = data["classes"]
        labels = np.array([c["labels"] for c in classes], np.int64)
        return cls(tuple(c["id"] for c in classes), labels, *data["label_accuracy"])


def _text(band: NDArray[np.float64]) -> str:
    return " to ".join(number(value) for value in _pair(band))


_NEITHER = np.full(2, np.nan)


def _pair(band: Sequence[float] | NDArray[np.float64]) -> list[float | None]:
    return [defined(value) for value in band]
