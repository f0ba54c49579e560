"""Counts first, ratios second: a confusion matrix, and pure functions of it.

Rows are the reference, columns the prediction, here and in every file; the matrix is never
passed on without saying so. A ratio of nothing is undefined: NaN in arrays, null in JSON,
left out of averages. It is never a zero.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc import files, tables
from lulc.errors import LegendError, ReferenceDataError
from lulc.grouping import Group
from lulc.leakage import ZONES

#: Version of the JSON; a reader refuses a newer one.
SCHEMA = 1

#: Said in every file and table.
ORIENTATION = "rows are the reference, columns the prediction"

#: Share of the pixels with data from which leaving out a class of the map deserves a warning.
IGNORED_SHARE = 0.01


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


@dataclass(frozen=True)
class Ignored:
    """A class or code left out of the scores, and the pixels it takes with it."""

    id: int
    name: str
    pixels: int


@dataclass(frozen=True, eq=False)
class Leakage:
    """Scores by what the model has seen of the ground while it was trained."""

    unseen: Evaluation
    """Farther from its training areas than the network looks."""
    buffer: Evaluation
    """Within that distance of them."""
    seen: Evaluation
    """Inside them."""
    halo: int
    """That distance in pixels."""

    def share(self, zone: str) -> float:
        """Share of the scored pixels in 'unseen', 'buffer' or 'seen'; NaN when none was scored."""
        scored = [part.pixels.scored for part in (self.unseen, self.buffer, self.seen)]
        return float(_ratio(getattr(self, zone).pixels.scored, sum(scored)))

    def to_dict(self) -> dict[str, Any]:
        """As in `Evaluation.to_dict`; a zone without a pixel is None."""
        data: dict[str, Any] = {"halo": self.halo}
        for zone in ZONES:
            part: Evaluation = getattr(self, zone)
            data[f"{zone}_share"] = _json(self.share(zone))
            empty = not any(_values(part.pixels))
            scores = part.to_dict()
            data[zone] = None if empty else {k: v for k, v in scores.items() if k not in _SHARED}
        return data

    def __add__(self, other: Leakage) -> Leakage:
        return Leakage(
            self.unseen + other.unseen,
            self.buffer + other.buffer,
            self.seen + other.seen,
            max(self.halo, other.halo),
        )


#: What all the zones of an evaluation have in common, and its JSON says once.
_SHARED = (
    "schema",
    "level",
    "legend",
    "codes",
    "reference",
    "orientation",
    "merged",
    "notes",
    "warnings",
    "leakage",
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a map agrees with a reference, group by group.

    Where the model has seen part of the ground, the counts are those of the rest.
    """

    matrix: NDArray[np.int64]
    """(n, n) pixel counts; rows are the reference, columns the prediction."""
    groups: tuple[Group, ...]
    """What rows and columns stand for, in order."""
    pixels: Pixels
    """Counts that add up to the pixels of the map, or of its unseen part."""
    ignored_classes: tuple[Ignored, ...]
    """Classes of the map that were not scored."""
    ignored_codes: tuple[Ignored, ...]
    """Codes of the reference that were not scored."""
    level: str
    """'class', or a level of CORINE."""
    legend: str
    """Name of the map's legend."""
    codes: str
    """Name of the reference's legend."""
    notes: tuple[str, ...] = ()
    """What was merged or left out and why, a sentence each."""
    reference: Mapping[str, Any] | None = None
    """The reference file: path, size in bytes, sha256."""
    leakage: Leakage | None = None
    """The same by zones; None where the model does not say where it was trained."""

    @classmethod
    def of_zones(cls, leakage: Leakage) -> Evaluation:
        """The unseen part, or where not one unseen pixel is scored, all there is."""
        parts = leakage.unseen, leakage.buffer, leakage.seen
        whole = parts[0] if parts[0].pixels.scored else parts[0] + parts[1] + parts[2]
        return replace(whole, leakage=leakage)

    def __add__(self, other: Evaluation) -> Evaluation:
        """The evaluation of both areas together; they must have the same groups."""
        if (self.groups, self.level, self.codes) != (other.groups, other.level, other.codes):
            raise LegendError("evaluations of different groups cannot be added")
        if self.leakage and other.leakage:
            return Evaluation.of_zones(self.leakage + other.leakage)
        if self.leakage or other.leakage:
            raise LegendError("evaluations with and without zones cannot be added")
        return Evaluation(
            self.matrix + other.matrix,
            self.groups,
            self.pixels + other.pixels,
            _added(self.ignored_classes, other.ignored_classes),
            _added(self.ignored_codes, other.ignored_codes),
            self.level,
            self.legend,
            self.codes,
            self.notes,
            self.reference if self.reference == other.reference else None,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evaluation) and self.to_dict() == other.to_dict()

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
        return _ratio(self._hits, self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Producer's accuracy: of the pixels that are a group, the share mapped as it."""
        return _ratio(self._hits, self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 TP / (2 TP + FP + FN): 0 for a group never mapped, NaN for one nowhere at all."""
        return _ratio(2 * self._hits, self.support + self.predicted)

    @property
    def iou(self) -> NDArray[np.float64]:
        """TP / (TP + FP + FN), the Jaccard index."""
        return _ratio(self._hits, self.support + self.predicted - self._hits)

    @property
    def accuracy(self) -> float:
        """Share of the scored pixels on the diagonal; NaN when none was scored.

        It is also the micro average of precision, recall and F1: every scored pixel has
        one group in the map and one in the reference.
        """
        return float(_ratio(self._hits.sum(), self.matrix.sum()))

    def average(self, metric: str, how: str) -> float:
        """An average over the groups where a metric is defined.

        Args:
            metric: 'precision', 'recall', 'f1' or 'iou'.
            how: 'macro' counts every group alike, 'weighted' by its support.
        """
        values = getattr(self, metric)
        defined = ~np.isnan(values)
        weights = np.ones(len(values)) if how == "macro" else self.support
        return float(_ratio((values[defined] * weights[defined]).sum(), weights[defined].sum()))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before reading the scores, a sentence each; from the counts alone."""
        said = self._leaks()
        present = [g for g, n in zip(self.groups, self.support, strict=True) if n]
        if len(present) == 1:
            said.append(
                f"The reference has nothing but {present[0].name} here: "
                "averages over one class say little."
            )
        missed = [g.name for g in present if not self.predicted[self.groups.index(g)]]
        if missed:
            said.append(f"Never mapped, so without a precision: {', '.join(missed)}.")
        left_out = self.pixels.ignored_prediction
        if left_out > IGNORED_SHARE * (self.pixels.scored + left_out):
            share = left_out / (self.pixels.scored + left_out)
            names = ", ".join(i.name for i in self.ignored_classes if i.pixels)
            said.append(f"{share:.0%} of the map is not scored, neither right nor wrong: {names}.")
        return tuple(said)

    def _leaks(self) -> list[str]:
        if self.leakage is None:
            return []
        unseen, buffer, seen = (self.leakage.share(zone) for zone in ZONES)
        if np.isnan(unseen) or unseen == 1:
            return []
        where = (
            f"{seen:.1%} of the scored pixels lie in the model's training areas, {buffer:.1%} "
            f"within {self.leakage.halo} pixels of them"
        )
        if not self.leakage.unseen.pixels.scored:
            return [f"This score is no accuracy: no pixel is unseen; {where}."]
        return [f"The scores are those of the {unseen:.1%} that are unseen: {where}."]

    def __str__(self) -> str:
        return tables.text(self)

    @property
    def _hits(self) -> NDArray[np.int64]:
        return np.diagonal(self.matrix)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `lulc evaluate`; undefined ratios are None."""
        table = {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "iou": self.iou,
        }
        classes = [
            {
                **asdict(group),
                **{name: _json(values[i]) for name, values in table.items()},
                "support": int(self.support[i]),
                "predicted": int(self.predicted[i]),
            }
            for i, group in enumerate(self.groups)
        ]
        averages = {
            f"{how}_{metric}": _json(self.average(metric, how))
            for how in ("macro", "weighted")
            for metric in table
        }
        return {
            "schema": SCHEMA,
            "level": self.level,
            "legend": self.legend,
            "codes": self.codes,
            "reference": dict(self.reference) if self.reference else None,
            "accuracy": _json(self.accuracy),
            "micro_precision": _json(self.accuracy),
            "micro_recall": _json(self.accuracy),
            "micro_f1": _json(self.accuracy),
            **averages,
            "classes": classes,
            "matrix": self.matrix.tolist(),
            "orientation": ORIENTATION,
            "merged": [
                {"id": g.id, "name": g.name, "members": list(g.members)}
                for g in self.groups
                if len(g.members) > 1
            ],
            "ignored": {
                "classes": [asdict(i) for i in self.ignored_classes],
                "codes": [asdict(i) for i in self.ignored_codes],
            },
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "pixels": asdict(self.pixels),
            "leakage": self.leakage.to_dict() if self.leakage else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evaluation:
        """The inverse of `to_dict`; ratios are computed anew from the counts.

        Raises:
            ReferenceDataError: not an evaluation, or one of a newer version.
        """
        try:
            if data["schema"] > SCHEMA:
                raise ReferenceDataError(
                    f"an evaluation of schema {data['schema']}, newer than {SCHEMA}: update lulc"
                )
            if data["orientation"] != ORIENTATION:
                raise ReferenceDataError(
                    f"expected a matrix whose {ORIENTATION}, got {data['orientation']!r}"
                )
            groups = tuple(
                Group(c["id"], c["name"], c["color"], tuple(c["members"]), tuple(c["codes"]))
                for c in data["classes"]
            )
            found = cls(
                np.array(data["matrix"], np.int64).reshape(len(groups), len(groups)),
                groups,
                Pixels(**data["pixels"]),
                tuple(Ignored(**i) for i in data["ignored"]["classes"]),
                tuple(Ignored(**i) for i in data["ignored"]["codes"]),
                data["level"],
                data["legend"],
                data["codes"],
                tuple(data["notes"]),
                data["reference"],
            )
            zones = data.get("leakage")
            if zones is None:
                return found
            unseen, buffer, seen = (cls._zone(data, zones[zone], found) for zone in ZONES)
            return replace(found, leakage=Leakage(unseen, buffer, seen, zones["halo"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ReferenceDataError(f"not an evaluation of lulc: {error!r}") from None

    @classmethod
    def _zone(
        cls, data: Mapping[str, Any], zone: Mapping[str, Any] | None, whole: Evaluation
    ) -> Evaluation:
        if zone is not None:
            return cls.from_dict({**data, **zone, "leakage": None})
        return replace(
            whole,
            matrix=np.zeros_like(whole.matrix),
            pixels=Pixels(0, 0, 0, 0),
            ignored_classes=tuple(replace(i, pixels=0) for i in whole.ignored_classes),
            ignored_codes=tuple(replace(i, pixels=0) for i in whole.ignored_codes),
        )

    def save(self, path: str | Path) -> None:
        """Write the JSON document; a reader sees the old file or the whole new one."""
        files.write_text(Path(path), json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what `save` wrote; raises ReferenceDataError as `from_dict`."""
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ReferenceDataError(f"cannot read the evaluation {path}: {error}") from None


def _ratio(above: Any, below: Any) -> Any:
    above, below = np.asarray(above, float), np.asarray(below, float)
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _added(ours: Sequence[Ignored], theirs: Sequence[Ignored]) -> tuple[Ignored, ...]:
    return tuple(
        Ignored(a.id, a.name, a.pixels + b.pixels) for a, b in zip(ours, theirs, strict=True)
    )


def _values(pixels: Pixels) -> tuple[int, ...]:
    return tuple(asdict(pixels).values())
