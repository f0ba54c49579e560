"""Activations against the reference, counted by level: what calibration and ranking are of.

Beside the histograms of the whole, every square of ground has its own by cells of levels
(`lulc.cells`), from which the scores have intervals (`lulc.cellbounds`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from lulc.cellbounds import CellBounds, intervals
from lulc.cells import CELLS, Cells
from lulc.counts import defined, ratio
from lulc.errors import LegendError
from lulc.grouping import Group
from lulc.levelcounts import LevelCounts, LevelTally, count_values
from lulc.levels import BINS, LEVELS
from lulc.ranking import Ranking
from lulc.reliability import Reliability, brier_loss
from lulc.squares import Squares, listed, together
from lulc.strips import Strips
from lulc.tables import figure

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks


@dataclass(frozen=True, eq=False)
class Histograms:
    """Pixels by the activation of every group, and by that of the group they are mapped as."""

    groups: tuple[Group, ...]
    """What is told apart, in order."""
    counts: NDArray[np.int64]
    """(group, 2, LEVELS): pixels of other groups, and of the group, by its activation."""
    sums: NDArray[np.float64]
    """(group, 2, BINS): those activations, added up."""
    mapped_counts: NDArray[np.int64]
    """(2, LEVELS): pixels mapped wrong, and right, by the activation of the mapped group."""
    mapped_sums: NDArray[np.float64]
    """(2, BINS): those activations, added up."""
    squares: float
    """(activation - truth)^2, added up over groups and pixels."""
    rounded: bool
    """Whether the activations were of a uint8 map."""
    by_square: tuple[Squares, ...] = ()
    """Of each region, (row, column, map, 2, CELLS) pixels of its squares, with the maps of
    `lulc.cells.Cells`; none if they were not counted."""

    @classmethod
    def of(cls, groups: Sequence[Group], found: LevelCounts, rounded: bool) -> Self:
        """From counts of all maps, without squares."""
        return cls(
            tuple(groups),
            found.counts[:-1],
            found.sums[:-1],
            found.counts[-1],
            found.sums[-1],
            found.squares,
            rounded,
        )

    @classmethod
    def tally(cls, strips: Strips) -> HistogramTally | None:
        """What counts them; None for a map without activations."""
        return HistogramTally(strips) if strips.activations else None

    def __add__(self, other: Self) -> Self:
        """Those of both areas together. Raises LegendError for other groups."""
        if self.groups != other.groups:
            raise LegendError("activations of different groups cannot be added")
        return replace(
            self,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            mapped_counts=self.mapped_counts + other.mapped_counts,
            mapped_sums=self.mapped_sums + other.mapped_sums,
            squares=self.squares + other.squares,
            rounded=self.rounded or other.rounded,
            by_square=together(self.by_square, other.by_square),
        )

    @property
    def pixels(self) -> int:
        """Pixels counted."""
        return int(self.mapped_counts.sum())

    def text(self, blocks: SpatialBlocks | None = None, /) -> str:
        """Calibration and ranking on average, in a sentence."""
        found, overall = self.bounds(blocks), len(self.groups)
        figures = []
        for name, key, value, place in (
            ("Expected calibration error", "ece", self.overall.ece, (overall,)),
            ("Brier score", "brier", self.brier, ()),
            ("mean average precision", "mean_average_precision", self.mean_average_precision, ()),
        ):
            bounds = found.at(key, *place) if found else None
            cautious = bool(found and found.cautious[key][place])
            figures.append(f"{name} {figure(defined(value), bounds, cautious)}")
        return f"{', '.join(figures)}."

    def bounds(self, blocks: SpatialBlocks | None) -> CellBounds | None:
        """The interval of every score; None without blocks of the same ground, or without squares.

        They are drawn once for blocks of a size.
        """
        if blocks is None or not self.by_square:
            return None
        key = blocks.side, blocks.stretch
        if key not in self._drawn:
            joined = blocks.joined(self.by_square)
            cells = Cells(
                joined[joined.any(axis=(1, 2, 3))],
                np.concatenate([self.counts, self.mapped_counts[None]]),
                np.concatenate([self.sums, self.mapped_sums[None]]),
                self.squares,
            )
            self._drawn[key] = intervals(cells, blocks.stretch)
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[tuple[float, float], CellBounds]:
        return {}

    @property
    def overall(self) -> Reliability:
        """How often the mapped group is right, by its activation."""
        return Reliability(self.mapped_counts, self.mapped_sums)

    @property
    def reliabilities(self) -> tuple[Reliability, ...]:
        """For each group, how often it is there, by its activation, mapped or not."""
        return tuple(Reliability(c, s) for c, s in zip(self.counts, self.sums, strict=True))

    @property
    def rankings(self) -> tuple[Ranking, ...]:
        """For each group, precision against recall by threshold of its activation."""
        return tuple(Ranking(counts) for counts in self.counts)

    @property
    def mean_average_precision(self) -> float:
        """Mean of the groups' average precision, where it is defined; NaN where it nowhere is."""
        found = np.array([ranking.average_precision for ranking in self.rankings])
        known = ~np.isnan(found)
        return float(ratio(found[known].sum(), known.sum()))

    @property
    def brier(self) -> float:
        """Multi-class Brier score, 0..2: the mean over pixels of the sum over groups of
        (activation - truth)^2, as Brier 1950 (Monthly Weather Review 78, 1-3) defined it."""
        return float(ratio(self.squares, self.pixels))

    @property
    def brier_loss(self) -> float:
        """By how much rounding can have changed the Brier score; 0 for a float32 map."""
        absent, there = self.sums.sum(axis=2).T
        deviations = absent + self.counts[:, 1].sum(axis=1) - there
        return brier_loss(deviations, self.pixels, self._members) if self.rounded else 0.0

    @property
    def ece_losses(self) -> tuple[float, ...]:
        """By how much rounding can have changed the ECE of each group; 0 for a float32 map."""
        if not self.rounded:
            return (0.0,) * len(self.groups)
        pairs = zip(self.reliabilities, self._members.tolist(), strict=True)
        return tuple(found.ece_loss(members) for found, members in pairs)

    @property
    def ece_loss(self) -> float:
        """The same of the mapped group: that of the group of most classes."""
        return self.overall.ece_loss(int(self._members.max())) if self.rounded else 0.0

    @property
    def _members(self) -> NDArray[np.int64]:
        return np.array([len(group.members) for group in self.groups])

    def to_dict(self, blocks: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """Figures, curves and counts as JSON, and intervals with blocks; undefined is None."""
        found, groups = self.bounds(blocks), len(self.groups)
        overall = {
            "brier": defined(self.brier),
            "mean_average_precision": defined(self.mean_average_precision),
            **self.overall.to_dict(),
        }
        rows = zip(self.groups, self.reliabilities, self.ece_losses, self.rankings, strict=True)
        classes = []
        for place, (group, reliability, loss, ranking) in enumerate(rows):
            calibration, ranked = reliability.to_dict(), ranking.to_dict()
            if found:
                calibration = found.calibration(calibration, place)
                ranked = found.ranking(ranked, place)
            classes.append(
                {
                    **asdict(group),
                    "calibration": {**calibration, "ece_loss": defined(loss)},
                    "ranking": ranked,
                    "counts": ranking.counts.tolist(),
                    "sums": reliability.sums.tolist(),
                }
            )
        return {
            "rounded": self.rounded,
            "pixels": self.pixels,
            "squares": self.squares,
            "overall": {
                **(found.overall(overall, groups) if found else overall),
                "brier_loss": defined(self.brier_loss),
                "ece_loss": defined(self.ece_loss),
                "counts": self.mapped_counts.tolist(),
                "sums": self.mapped_sums.tolist(),
            },
            "classes": classes,
            "by_square": [squares.to_dict() for squares in self.by_square],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; figures are computed anew from the counts."""
        classes, overall = data["classes"], data["overall"]
        groups = tuple(Group.from_dict(c) for c in classes)
        return cls(
            groups,
            np.array([c["counts"] for c in classes], np.int64).reshape(-1, 2, LEVELS),
            np.array([c["sums"] for c in classes], float).reshape(-1, 2, BINS),
            np.array(overall["counts"], np.int64).reshape(2, LEVELS),
            np.array(overall["sums"], float).reshape(2, BINS),
            float(data["squares"]),
            bool(data["rounded"]),
            listed(data, (len(groups) + 1, 2, CELLS)),
        )


class HistogramTally(LevelTally):
    """Counts `Histograms` strip by strip, on the pixels that are scored."""

    def result(self) -> Histograms:
        """What was counted."""
        found = Histograms.of(self.groups, self.total, self.rounded)
        return replace(found, by_square=(self.squares.result(),))


def nothing(groups: Sequence[Group]) -> Histograms:
    """The histograms of no pixel."""
    return Histograms.of(groups, LevelCounts.nothing(len(groups)), False)


def count(
    groups: Sequence[Group],
    activations: NDArray[np.float32],
    reference: NDArray[np.int16],
    mapped: NDArray[np.int16],
    rounded: bool,
) -> Histograms:
    """Count activations of an area, without squares.

    Args:
        activations, reference, mapped: as of `lulc.levelcounts.count_values`.
        rounded: whether the activations were stored as uint8.
    """
    whole = np.zeros(reference.shape[1], np.intp)
    members = [len(group.members) for group in groups]
    found = count_values(members, activations, reference, mapped, whole)
    return Histograms.of(groups, found, rounded)
