"""Activations against the reference, counted by level: what calibration and ranking are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from lulc.activations import summed
from lulc.counts import defined, ratio
from lulc.errors import LegendError
from lulc.grouping import Group
from lulc.levels import BIN, BINS, LEVELS, levels
from lulc.mapfile import ACTIVATION_SCALE
from lulc.ranking import Ranking
from lulc.reliability import Reliability, brier_loss
from lulc.strips import Strip, Strips
from lulc.tables import number

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks

#: Pixels counted at once, small enough for the processor's cache.
CHUNK = 1 << 16


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
        )

    @property
    def pixels(self) -> int:
        """Pixels counted."""
        return int(self.mapped_counts.sum())

    def text(self, _: SpatialBlocks | None = None, /) -> str:
        """Calibration and ranking on average, in a sentence."""
        found = [r.average_precision for r in self.rankings if not np.isnan(r.average_precision)]
        mean = sum(found) / len(found) if found else None
        return (
            f"Expected calibration error {number(defined(self.overall.ece))}, Brier score "
            f"{number(defined(self.brier))}, mean average precision {number(mean)}."
        )

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

    def to_dict(self, _: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """Figures, curves and counts as JSON; undefined ratios are None."""
        overall = {
            "brier": defined(self.brier),
            "brier_loss": defined(self.brier_loss),
            **self.overall.to_dict(),
            "ece_loss": defined(self.ece_loss),
            "counts": self.mapped_counts.tolist(),
            "sums": self.mapped_sums.tolist(),
        }
        classes = [
            {
                **asdict(group),
                "calibration": {**reliability.to_dict(), "ece_loss": defined(loss)},
                "ranking": ranking.to_dict(),
                "counts": ranking.counts.tolist(),
                "sums": reliability.sums.tolist(),
            }
            for group, reliability, loss, ranking in zip(
                self.groups, self.reliabilities, self.ece_losses, self.rankings, strict=True
            )
        ]
        return {
            "rounded": self.rounded,
            "pixels": self.pixels,
            "squares": self.squares,
            "overall": overall,
            "classes": classes,
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
        )


class HistogramTally:
    """Counts `Histograms` strip by strip, on the pixels that are scored."""

    margin = 0

    def __init__(self, strips: Strips) -> None:
        self.total = nothing(strips.grouping.groups)

    def add(self, strip: Strip) -> None:
        """Count a strip."""
        reference = np.where(strip.kept, strip.reference, np.int16(-1))
        if strip.stored.dtype == np.uint8:
            steps = summed(strip.stored, strip.strips.bands)
            self.total += count_steps(self.total.groups, steps, reference, strip.prediction)
        else:
            found = strip.activations()
            self.total += count(self.total.groups, found, reference, strip.prediction, False)

    def result(self) -> Histograms:
        """What was counted."""
        return self.total


def nothing(groups: Sequence[Group]) -> Histograms:
    """The histograms of no pixel."""
    n = len(groups)
    return Histograms(
        tuple(groups),
        np.zeros((n, 2, LEVELS), np.int64),
        np.zeros((n, 2, BINS)),
        np.zeros((2, LEVELS), np.int64),
        np.zeros((2, BINS)),
        0.0,
        False,
    )


def count(
    groups: Sequence[Group],
    activations: NDArray[np.float32],
    reference: NDArray[np.int16],
    mapped: NDArray[np.int16],
    rounded: bool,
) -> Histograms:
    """Count activations by level.

    Args:
        activations: (group, y, x) of 0..1; may be NaN where nothing is counted.
        reference: index of the group, (y, x); what is below 0 is not counted.
        mapped: index of the group on the map, (y, x), on every pixel that is counted.
        rounded: whether the activations were stored as uint8.
    """
    found = replace(nothing(groups), rounded=rounded)
    flat = activations.reshape(len(groups), -1)
    squares = 0.0
    for start in range(0, reference.size, CHUNK):
        piece = slice(start, start + CHUNK)
        here = reference.ravel()[piece]
        kept = np.flatnonzero(here >= 0)
        if not kept.size:
            continue
        part, here, chosen = flat[:, piece][:, kept], here[kept], mapped.ravel()[piece][kept]
        for g, values in enumerate(part):
            there = here == g
            _add(found.counts[g], found.sums[g], values, there)
            squares += float(np.square(values - there).sum(dtype=float))
        winners = np.take_along_axis(part, chosen[None].astype(np.intp), axis=0)[0]
        _add(found.mapped_counts, found.mapped_sums, winners, chosen == here)
    return replace(found, squares=squares)


def count_steps(
    groups: Sequence[Group],
    steps: NDArray[np.uint16],
    reference: NDArray[np.int16],
    mapped: NDArray[np.int16],
) -> Histograms:
    """As `count` of a uint8 map, several times as fast: all follows from how often a sum occurs.

    Args:
        steps: (group, y, x) activations in steps of `ACTIVATION_SCALE`, summed into the groups.
        reference, mapped: as of `count`.
    """
    flat = steps.reshape(len(groups), -1)
    size = max((len(group.members) for group in groups), default=1) * (LEVELS - 1) + 1
    occurs = np.zeros((len(groups), 2, size), np.int64)
    winning = np.zeros((2, size), np.int64)
    for start in range(0, reference.size, CHUNK):
        piece = slice(start, start + CHUNK)
        here, part, chosen = reference.ravel()[piece], flat[:, piece], mapped.ravel()[piece]
        kept = here >= 0
        if not kept.all():
            here, part, chosen = here[kept], part[:, kept], chosen[kept]
        if not here.size:
            continue
        for found, values, there in zip(occurs, part, _places(here, len(groups)), strict=True):
            own = np.bincount(values[there], minlength=size)
            found[0] += np.bincount(values, minlength=size) - own
            found[1] += own
        winners = np.take_along_axis(part, chosen[None].astype(np.intp), axis=0)[0]
        right = np.bincount(winners[chosen == here], minlength=size)
        winning[0] += np.bincount(winners, minlength=size) - right
        winning[1] += right
    values = np.arange(size) * ACTIVATION_SCALE
    squares = (occurs[:, 0] * values**2).sum() + (occurs[:, 1] * (1 - values) ** 2).sum()
    return Histograms(
        tuple(groups), *_by_level(occurs), *_by_level(winning), float(squares), rounded=True
    )


def _places(here: NDArray[np.int16], number: int) -> list[NDArray[np.intp]]:
    """Where each index below a number is, found by one sort."""
    order = np.argsort(here, kind="stable")
    return np.split(order, np.searchsorted(here[order], np.arange(1, number)))


def _by_level(occurs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """From how often a sum of steps occurs, (..., size): counts (..., LEVELS), sums (..., BINS)."""
    steps = np.arange(occurs.shape[-1])
    last = LEVELS - 1
    counts = np.concatenate(
        [occurs[..., :last], occurs[..., last:].sum(axis=-1, keepdims=True)], axis=-1
    )
    places = BIN[np.minimum(steps, last)]
    first = np.searchsorted(places, np.arange(BINS))
    return counts, np.add.reduceat(occurs * (steps * ACTIVATION_SCALE), first, axis=-1)


def _add(
    counts: NDArray[np.int64],
    sums: NDArray[np.float64],
    values: NDArray[np.float32],
    there: NDArray[np.bool_],
) -> None:
    """Add values to the counts by level (2, LEVELS) and the sums by bin (2, BINS)."""
    level = levels(values)
    counts += np.bincount(level + LEVELS * there, minlength=counts.size).reshape(counts.shape)
    place = BIN[level] + BINS * there
    sums += np.bincount(place, weights=values, minlength=sums.size).reshape(sums.shape)
