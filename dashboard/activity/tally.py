"""A run's activations counted by level, beside what the reference says: once, for any threshold.

Compared is what the page Scores scores: classes that the reference does not tell apart as one, at
the level in use, and only pixels that the model has not seen, where there are such.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.activations import Activations, missing, summed
from lulc.counts import ratio
from lulc.errors import RunError
from lulc.evaluation import strips_of
from lulc.grouping import Grouping
from lulc.leakage import UNSEEN, Zones
from lulc.levels import LEVELS, levels
from lulc.ranking import Ranking
from lulc.reference import open_reference
from lulc.rollup import resolved
from lulc.runs import Run
from lulc.strips import Strips

#: What the reference says of a pixel, for one class: another class, this one, or nothing.
ELSEWHERE, THERE, UNKNOWN = range(3)

#: While it is not known yet whether unseen pixels are scored: of seen ones, the first two.
_SEEN = 3


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixels of a run by the activation of every class and what the reference says of it."""

    counts: NDArray[np.int64]
    """(class, 3, LEVELS): pixels of another class, of this one, and not compared, by the
    activation of the class together with those it is scored as one with."""
    grouping: Grouping | None = None
    """What is scored as one; None without a reference."""
    unseen: bool = False
    """Whether only pixels that the model has not seen were compared."""

    @property
    def compared(self) -> bool:
        """Whether a reference says something of any pixel."""
        return bool(self.counts[:, :UNKNOWN].any())

    def scored(self, index: int) -> int:
        """Pixels that the class at that place in the legend was compared on."""
        return int(self.counts[index, :UNKNOWN].sum())

    def together(self, class_id: int) -> tuple[int, ...]:
        """Class ids that are scored as one with a class, itself among them."""
        return _together(self.grouping, class_id)

    def name(self, class_id: int) -> str:
        """What those are called; empty where there is no reference for the class."""
        groups = self.grouping.groups if self.grouping else ()
        return next((group.name for group in groups if class_id in group.members), "")

    def ranking(self, index: int) -> Ranking:
        """Precision against recall by threshold of the class at that place in the legend."""
        return Ranking(self.counts[index, :UNKNOWN])

    def average_precision(self) -> NDArray[np.float64]:
        """Of every class (class,); NaN where the reference never has it."""
        return np.array([self.ranking(i).average_precision for i in range(len(self.counts))])

    def at(self, index: int, threshold: float) -> tuple[int, float, float]:
        """Pixels with at least that activation of a class, and their precision and recall."""
        kept = self.counts[index, :, level(threshold) :].sum(axis=1)
        precision = ratio(kept[THERE], kept[THERE] + kept[ELSEWHERE])
        recall = ratio(kept[THERE], self.counts[index, THERE].sum())
        return int(kept.sum()), float(precision), float(recall)


def level(threshold: float) -> int:
    """The lowest level that is at least a threshold of 0..1."""
    return min(LEVELS - 1, int(np.ceil(round(threshold * (LEVELS - 1), 6))))


def tally(
    run: Run, reference: Path | None = None, codes: str | None = None, at: str = "class"
) -> Tally:
    """Count a run at a level of the legend, once for each of its states and the reference's.

    Without a reference all pixels are unknown. Raises RunError for a run without activations
    and ReferenceDataError or LegendError for a reference that does not suit it.
    """
    stamp = reference.stat().st_mtime_ns if reference else 0
    return _tally(run, run.map_path.stat().st_mtime_ns, reference, stamp, codes, at)


@lru_cache(maxsize=8)
def _tally(
    run: Run,
    stamp: int,  # noqa: ARG001 (a changed file is another key)
    reference: Path | None,
    reference_stamp: int,  # noqa: ARG001
    codes: str | None,
    at: str,
) -> Tally:
    activations = Activations.of(run)
    if activations is None:
        raise RunError(f"the map of {run.id} has no activations: classify again")
    strips = None if reference is None else _strips(run, activations, reference, codes, at)
    grouping = strips.grouping if strips else None
    ids = run.legend.ids
    counts = np.zeros((len(ids), UNKNOWN + _SEEN, LEVELS), np.int64)
    sets = {_together(grouping, class_id) for class_id in ids}
    for stored, said, seen in _pieces(run, activations, strips):
        there = ~missing(stored)
        for members in sets:
            places = [ids.index(member) for member in members]
            total = summed(stored, [places])[0][there]
            steps = np.minimum(total, LEVELS - 1) if total.dtype.kind == "u" else levels(total)
            group = -2 if grouping is None else int(grouping.prediction_lut[members[0]])
            what = np.where(said == group, THERE, ELSEWHERE) + np.where(seen, _SEEN, 0)
            what[(said < 0) | (group < 0)] = UNKNOWN
            flat = steps.astype(np.intp) + LEVELS * what[there]
            found = np.bincount(flat, minlength=counts[0].size).reshape(counts[0].shape)
            counts[places] += found
    unseen = counts[:, :UNKNOWN].any()
    other = counts[:, _SEEN:]
    if unseen:
        counts[:, UNKNOWN] += other.sum(axis=1)
    else:
        counts[:, :UNKNOWN] += other
    known = strips is not None and strips.zones is not None
    return Tally(counts[:, :_SEEN], grouping, bool(unseen) and known)


def _strips(
    run: Run, activations: Activations, reference: Path, codes: str | None, at: str
) -> Strips:
    """What the page Scores goes through, with the pixels that the model has seen as well."""
    prediction = run.labels()
    labels = open_reference(reference, prediction.grid, codes, known=[run.legend])
    way, zones = resolved(None, at, activations), Zones.of([run], prediction.grid)
    found = strips_of(prediction, labels, at, way, None, zones, activations)
    return replace(found, only_unseen=False)


def _pieces(
    run: Run, activations: Activations, strips: Strips | None
) -> Iterator[tuple[NDArray[Any], NDArray[np.int16], NDArray[np.bool_]]]:
    """Activations (class, y, x), the group that each pixel is scored by, -1 where by none, and
    whether the model has seen it, or nearly."""
    if strips is None:
        for window in run.labels().strips():
            stored = activations.stored(window)
            nothing = np.full(stored.shape[1:], -1, np.int16)
            yield stored, nothing, np.zeros(stored.shape[1:], bool)
    else:
        for strip in strips.read():
            said = np.where(strip.kept, strip.reference, np.int16(-1))
            seen = np.zeros(said.shape, bool) if strip.zone is None else strip.zone != UNSEEN
            yield strip.stored, said, seen


def _together(grouping: Grouping | None, class_id: int) -> tuple[int, ...]:
    groups = grouping.groups if grouping else ()
    return next((g.members for g in groups if class_id in g.members), (class_id,))
