"""How a map agrees with a reference: counts, what they were made of, and the JSON of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from lulc import files, parts, tables
from lulc.blocks import SpatialBlocks
from lulc.counts import ORIENTATION, Counts, Pixels, defined, ratio
from lulc.errors import LegendError, ReferenceDataError
from lulc.leakage import Leakage
from lulc.strips import Part

__all__ = ["Evaluation", "Pixels"]

#: Version of the JSON, described in `assets/evaluation.schema.json`; a reader refuses a newer one.
SCHEMA = 1

#: Share of the pixels with data from which leaving out a class of the map deserves a warning.
IGNORED_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Evaluation(Counts):
    """How a map agrees with a reference, group by group.

    Where the model has seen part of the ground, the counts are those of the rest.
    """

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
    """The counts by zones; None where the model does not say where it was trained."""
    choices: Mapping[str, Any] = field(default_factory=dict)
    """What was chosen beside level and codes: roll-up, crosswalks, layer, mask, blocks, minimum
    mapping unit, region, accuracy of the labels."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    """What else was counted on the same pixels, by the names of `lulc.parts.PARTS`."""

    def __add__(self, other: Self) -> Self:
        """The evaluation of both areas together; they must have the same groups and zones.

        Parts are kept where both have them, and of the same zones.
        """
        if (self.groups, self.level, self.codes) != (other.groups, other.level, other.codes):
            raise LegendError("evaluations of different groups cannot be added")
        if bool(self.leakage) != bool(other.leakage):
            raise LegendError("evaluations with and without zones cannot be added")
        if self.choices.get("rollup") != other.choices.get("rollup"):
            raise LegendError("evaluations of different roll-ups cannot be added")
        whole = super().__add__(other)
        shared = self.parts.keys() & other.parts.keys()
        if self.leakage and other.leakage:
            leakage = self.leakage + other.leakage
            whole = replace(whole, leakage=leakage, **vars(leakage.counted))
            if self.leakage.only_unseen != other.leakage.only_unseen:
                shared = set()
        return replace(
            whole,
            reference=self.reference if self.reference == other.reference else None,
            choices={k: v for k, v in self.choices.items() if other.choices.get(k) == v},
            parts={name: self.parts[name] + other.parts[name] for name in sorted(shared)},
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evaluation) and self.to_dict() == other.to_dict()

    def __str__(self) -> str:
        return tables.text(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before reading the scores, a sentence each; from the counts alone."""
        said = self.leakage.warnings() if self.leakage else []
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
        return (*said, *(self.blocks.warnings if self.blocks else ()))

    @property
    def blocks(self) -> SpatialBlocks | None:
        """Counts by blocks of ground, what intervals are from; None if they were not counted."""
        found = self.parts.get("intervals")
        return found if isinstance(found, SpatialBlocks) else None

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `lulc evaluate`, as in `assets/evaluation.schema.json`.

        Undefined ratios are None.
        """
        return {
            "schema": SCHEMA,
            "level": self.level,
            "legend": self.legend,
            "codes": self.codes,
            "reference": dict(self.reference) if self.reference else None,
            "choices": dict(self.choices),
            **self.figures,
            "merged": [
                {
                    "id": group.id,
                    "name": group.name,
                    "members": list(group.members),
                    "pixels": int(pixels),
                    "share": defined(ratio(pixels, self.pixels.scored)),
                }
                for group, pixels in zip(self.groups, self.support, strict=True)
                if len(group.members) > 1
            ],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "leakage": self.leakage.to_dict(self.blocks) if self.leakage else None,
            **{name: part.to_dict(self.blocks) for name, part in self.parts.items()},
        }

    @property
    def figures(self) -> dict[str, Any]:
        """Counts and scores as JSON, with their intervals if blocks were counted."""
        scores = super().to_dict()
        return self.blocks.bounds.beside(scores) if self.blocks else scores

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Evaluation:
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
            counts = Counts.from_dict(data)
            zones = data.get("leakage")
            return Evaluation(
                **vars(counts),
                level=data["level"],
                legend=data["legend"],
                codes=data["codes"],
                notes=tuple(data["notes"]),
                reference=data["reference"],
                leakage=Leakage.from_dict(zones, counts) if zones else None,
                choices=data.get("choices", {}),
                parts=parts.from_dict(data),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReferenceDataError(f"not an evaluation of lulc: {error!r}") from None

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
