"""Counts first, ratios second: a confusion matrix, and pure functions of it.

Rows are the reference, columns the prediction, here and in every file; the matrix is never
passed on without saying so. A ratio of nothing is undefined: NaN in arrays, null in JSON,
left out of averages. It is never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lulc.errors import LegendError
from lulc.grouping import Group

#: Said in every file and table.
ORIENTATION = "rows are the reference, columns the prediction"

#: Ratios, and what is made of them.
Floats = NDArray[np.float64]

#: The ratios of a class, as `Counts` names them.
RATIOS = ("precision", "recall", "f1", "iou")


@dataclass(frozen=True)
class Pixels:
    """Where the pixels of the map went."""

    scored: int
    """In the matrix."""
    ignored_reference: int
    """The reference has a code that no class of the map stands for."""
    ignored_prediction: int
    """The map has a class that no code of the reference confirms."""
    nodata: int
    """The map or the reference has nothing."""

    def __add__(self, other: Pixels) -> Pixels:
        return Pixels(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    @property
    def with_data(self) -> int:
        """Both the map and the reference have something."""
        return self.scored + self.ignored_reference + self.ignored_prediction

    def __bool__(self) -> bool:
        return any(_values(self))


@dataclass(frozen=True)
class Ignored:
    """A class or code left out of the scores, and the pixels it takes with it."""

    id: int
    name: str
    pixels: int


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels of an area by what they are in the reference and in the map."""

    matrix: NDArray[np.int64]
    """(n, n) pixel counts; rows are the reference, columns the prediction."""
    groups: tuple[Group, ...]
    """What rows and columns stand for, in order."""
    pixels: Pixels
    """Counts that add up to the pixels of the area."""
    ignored_classes: tuple[Ignored, ...]
    """Classes of the map that were not scored."""
    ignored_codes: tuple[Ignored, ...]
    """Codes of the reference that were not scored."""

    def __add__(self, other: Self) -> Self:
        """The counts of both areas together. Raises LegendError for other groups."""
        if self.groups != other.groups:
            raise LegendError("evaluations of different groups cannot be added")
        return replace(
            self,
            matrix=self.matrix + other.matrix,
            pixels=self.pixels + other.pixels,
            ignored_classes=_added(self.ignored_classes, other.ignored_classes),
            ignored_codes=_added(self.ignored_codes, other.ignored_codes),
        )

    @property
    def orientation(self) -> str:
        """What rows and columns of the matrix are."""
        return ORIENTATION

    @property
    def support(self) -> NDArray[np.int64]:
        """Pixels of each group in the reference."""
        return self.matrix.sum(axis=1)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Pixels of each group in the map."""
        return self.matrix.sum(axis=0)

    @property
    def precision(self) -> NDArray[np.float64]:
        """User's accuracy: of the pixels mapped as a group, the share that is it."""
        return ratio(self._hits, self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Producer's accuracy: of the pixels that are a group, the share mapped as it."""
        return ratio(self._hits, self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 TP / (2 TP + FP + FN): 0 for a group never mapped, NaN for one nowhere at all."""
        return ratio(2 * self._hits, self.support + self.predicted)

    @property
    def iou(self) -> NDArray[np.float64]:
        """TP / (TP + FP + FN), the Jaccard index."""
        return ratio(self._hits, self.support + self.predicted - self._hits)

    @property
    def accuracy(self) -> float:
        """Share of the scored pixels on the diagonal; NaN when none was scored.

        It is also the micro average of precision, recall and F1: every scored pixel has
        one group in the map and one in the reference.
        """
        return float(ratio(self._hits.sum(), self.matrix.sum()))

    def average(self, metric: str, how: str) -> float:
        """An average over the groups where a metric is defined.

        Args:
            metric: one of `RATIOS`.
            how: 'macro' counts every group alike, 'weighted' by its support.
        """
        values = getattr(self, metric)
        defined = ~np.isnan(values)
        weights = np.ones(len(values)) if how == "macro" else self.support
        return float(ratio((values[defined] * weights[defined]).sum(), weights[defined].sum()))

    @property
    def merged(self) -> int:
        """Scored pixels whose group is several classes of the map."""
        return sum(
            int(n) for g, n in zip(self.groups, self.support, strict=True) if len(g.members) > 1
        )

    @property
    def shares(self) -> dict[str, float]:
        """Of the pixels with data, those scored and left out; of those scored, those merged."""
        p = self.pixels
        return {
            "scored": float(ratio(p.scored, p.with_data)),
            "ignored_reference": float(ratio(p.ignored_reference, p.with_data)),
            "ignored_prediction": float(ratio(p.ignored_prediction, p.with_data)),
            "merged": float(ratio(self.merged, p.scored)),
        }

    @property
    def _hits(self) -> NDArray[np.int64]:
        return np.diagonal(self.matrix)

    def to_dict(self) -> dict[str, Any]:
        """Every ratio, and the counts that they are of; undefined ratios are None."""
        table = {name: getattr(self, name) for name in RATIOS}
        classes = [
            {
                **asdict(group),
                **{name: defined(values[i]) for name, values in table.items()},
                "support": int(self.support[i]),
                "predicted": int(self.predicted[i]),
            }
            for i, group in enumerate(self.groups)
        ]
        averages = {
            f"{how}_{metric}": defined(self.average(metric, how))
            for how in ("macro", "weighted")
            for metric in RATIOS
        }
        return {
            "accuracy": defined(self.accuracy),
            "micro_precision": defined(self.accuracy),
            "micro_recall": defined(self.accuracy),
            "micro_f1": defined(self.accuracy),
            "micro_iou": defined(self.accuracy / (2 - self.accuracy)),
            **averages,
            "classes": classes,
            "matrix": self.matrix.tolist(),
            "orientation": ORIENTATION,
            "ignored": {
                "classes": [self._share(i) for i in self.ignored_classes],
                "codes": [self._share(i) for i in self.ignored_codes],
            },
            "pixels": asdict(self.pixels),
            "shares": {name: defined(value) for name, value in self.shares.items()},
        }

    def _share(self, left_out: Ignored) -> dict[str, Any]:
        share = ratio(left_out.pixels, self.pixels.with_data)
        return {**asdict(left_out), "share": defined(share)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Counts:
        """The inverse of `to_dict`; ratios are computed anew. Raises KeyError, ValueError."""
        groups = tuple(Group.from_dict(c) for c in data["classes"])
        return Counts(
            np.array(data["matrix"], np.int64).reshape(len(groups), len(groups)),
            groups,
            Pixels(**data["pixels"]),
            *(
                tuple(Ignored(i["id"], i["name"], i["pixels"]) for i in data["ignored"][what])
                for what in ("classes", "codes")
            ),
        )

    def nothing(self) -> Counts:
        """The same without a pixel."""
        return Counts(
            np.zeros_like(self.matrix),
            self.groups,
            Pixels(0, 0, 0, 0),
            tuple(replace(i, pixels=0) for i in self.ignored_classes),
            tuple(replace(i, pixels=0) for i in self.ignored_codes),
        )


def ratio(above: Any, below: Any) -> Any:
    """One count over another, element by element; NaN where there is nothing below."""
    above, below = np.asarray(above, float), np.asarray(below, float)
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)


def defined(value: float) -> float | None:
    """A ratio as JSON has it: None for NaN."""
    return None if np.isnan(value) else float(value)


def _added(ours: Sequence[Ignored], theirs: Sequence[Ignored]) -> tuple[Ignored, ...]:
    return tuple(
        Ignored(a.id, a.name, a.pixels + b.pixels) for a, b in zip(ours, theirs, strict=True)
    )


def _values(pixels: Pixels) -> tuple[int, ...]:
    return tuple(asdict(pixels).values())
