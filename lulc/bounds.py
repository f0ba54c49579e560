"""Intervals of every score: from where to where, and which of them are cautious."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lulc.counts import RATIOS, Floats
from lulc.tables import CAUTIOUS, METRICS

#: Averages over the groups, in the order of their scores.
AVERAGES = tuple(f"{how}_{name}" for name in RATIOS for how in ("macro", "weighted"))

#: Every scored pixel has one group on both sides, so that these are the accuracy.
SAME = ("micro_precision", "micro_recall", "micro_f1")


@dataclass(frozen=True, eq=False)
class Bounds:
    """Intervals of every score, or of its difference between two maps, (..., 2): from, to.

    NaN where the score is undefined.
    """

    ratios: dict[str, Floats]
    """By `RATIOS`: (group, 2)."""
    averages: dict[str, Floats]
    """By 'accuracy', 'macro_f1', 'weighted_f1' and so on: (2,)."""
    cautious: dict[str, NDArray[np.bool_]]
    """Whether an interval is cautious (`lulc.cautious`), by `RATIOS`, (group,), and by the names
    of the averages, ()."""

    @classmethod
    def of(cls, bounds: Floats, cautious: NDArray[np.bool_], groups: int) -> Self:
        """From arrays (score, 2) and (score,): the ratios of so many groups in the order of
        `RATIOS`, the accuracy, `AVERAGES`."""
        named = {name: slice(i * groups, (i + 1) * groups) for i, name in enumerate(RATIOS)}
        single = {name: len(RATIOS) * groups + i for i, name in enumerate(("accuracy", *AVERAGES))}
        return cls(
            {name: bounds[part] for name, part in named.items()},
            {name: bounds[place] for name, place in single.items()},
            {name: cautious[place] for name, place in (named | single).items()},
        )

    def of_group(self, index: int) -> dict[str, list[Any] | None]:
        """By `precision_ci` and so on, from and to as JSON, None where undefined; and the names
        of the ratios whose intervals are `cautious`."""
        found = {f"{name}_ci": _json(bounds[index]) for name, bounds in self.ratios.items()}
        return {**found, "cautious": self._cautious(index)}

    def of_all(self) -> dict[str, list[Any] | None]:
        """By `accuracy_ci`, `macro_f1_ci` and so on, as `of_group`."""
        found = {f"{name}_ci": _json(bounds) for name, bounds in self.averages.items()}
        names = [name for name in self.averages if self.cautious[name]]
        return {
            **found,
            **{f"{name}_ci": found["accuracy_ci"] for name in SAME},
            "cautious": [*names, *SAME] if "accuracy" in names else names,
        }

    def beside(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """Scores, as `Counts.to_dict` has them, with the interval of each."""
        rows = [row | self.of_group(i) for i, row in enumerate(scores["classes"])]
        averages = self.of_all()
        accuracy, cautious = averages["accuracy_ci"], averages["cautious"] or []
        averages["micro_iou_ci"] = accuracy and [bound / (2 - bound) for bound in accuracy]
        averages["cautious"] = [*cautious, *["micro_iou"] * ("accuracy" in cautious)]
        return {**scores, **averages, "classes": rows}

    def _cautious(self, index: int) -> list[str]:
        return [name for name in RATIOS if self.cautious[name][index]]

    def said(self, groups: Sequence[str]) -> str:
        """A sentence on the intervals that are cautious, with the names of groups; or nothing."""
        known = {
            i: [ratio for ratio in RATIOS if not np.isnan(self.ratios[ratio][i, 0])]
            for i in range(len(groups))
        }
        names = [
            groups[i]
            if found == known[i]
            else f"{groups[i]} ({', '.join(METRICS[ratio] for ratio in found)})"
            for i in known
            if (found := self._cautious(i))
        ]
        if len(names) > 1 and names == [groups[i] for i in known if known[i]]:
            names = ["all classes"]
        averages = [_named(name) for name in self.averages if self.cautious[name]]
        if averages:
            names.append("all averages" if len(averages) > len(AVERAGES) else ", ".join(averages))
        if not names:
            return ""
        return (
            f"Intervals marked {CAUTIOUS} are cautious, wider than need be, as too few blocks "
            f"tell: {'; '.join(names)}."
        )


def _named(average: str) -> str:
    how, _, ratio = average.partition("_")
    return f"{how} {METRICS[ratio]}" if ratio else how


def _json(bounds: Floats) -> list[float] | None:
    return None if np.isnan(bounds).any() else [float(bound) for bound in bounds]
