"""A run's activations counted by level, beside what the reference says: once, for any threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc.activations import Activations
from lulc.counts import ratio
from lulc.errors import RunError
from lulc.grouping import Grouping, common_grouping
from lulc.levels import LEVELS, levels
from lulc.mapfile import NODATA
from lulc.ranking import Ranking
from lulc.reference import LabelMap, open_reference
from lulc.runs import Run

#: Pixels counted at once, small enough for the processor's cache.
_CHUNK = 1 << 17

#: What the reference says of a pixel, for one class: another class, this one, or nothing.
ELSEWHERE, THERE, UNKNOWN = range(3)


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixels of a run by the activation of every class and what the reference says of it."""

    counts: NDArray[np.int64]
    """(class, 3, LEVELS): pixels of another class, of this one, and without a reference."""
    notes: tuple[str, ...] = ()
    """What was merged or left out."""

    @property
    def compared(self) -> bool:
        """Whether a reference says something of any pixel."""
        return bool(self.counts[:, :UNKNOWN].any())

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


def tally(run: Run, reference: Path | None = None, codes: str | None = None) -> Tally:
    """Count a run, once for each of its states and the reference's.

    Without a reference all pixels are unknown. Raises RunError for a run without activations
    and ReferenceDataError or LegendError for a reference that does not suit it.
    """
    stamp = reference.stat().st_mtime_ns if reference else 0
    return _tally(run, run.map_path.stat().st_mtime_ns, reference, stamp, codes)


@lru_cache(maxsize=8)
def _tally(
    run: Run,
    stamp: int,  # noqa: ARG001 (a changed file is another key)
    reference: Path | None,
    reference_stamp: int,  # noqa: ARG001
    codes: str | None,
) -> Tally:
    activations = Activations.of(run)
    if activations is None:
        raise RunError(f"the map of {run.id} has no activations: classify again")
    prediction, labels, grouping = run.labels(), None, None
    if reference is not None:
        labels = open_reference(reference, prediction.grid, codes, known=[run.legend])
        grouping = common_grouping(run.legend, labels.legend)
    counts = np.zeros((len(run.legend.ids), 3, LEVELS), np.int64)
    for window in prediction.strips():
        stored = activations.stored(window)
        there = stored[0] != NODATA if stored.dtype == np.uint8 else ~np.isnan(stored[0])
        said = _said(labels, grouping, window)[there] if labels and grouping else None
        for index, values in enumerate(stored):
            group = -2 if grouping is None else _group(grouping, run.legend.ids[index])
            _count(counts[index], values[there], said, group)
    return Tally(counts, tuple(grouping.notes()) if grouping else ())


def _said(labels: LabelMap, grouping: Grouping, window: Window) -> NDArray[np.int16]:
    """The group that the reference gives every pixel, -1 where none."""
    return grouping.reference_lut[labels.read(window)]


def _group(grouping: Grouping, class_id: int) -> int:
    """The group of a class, or -2 where the reference cannot tell it."""
    found = int(grouping.prediction_lut[class_id])
    return found if found >= 0 else -2


def _count(
    counts: NDArray[np.int64], values: NDArray, said: NDArray[np.int16] | None, group: int
) -> None:
    """Add the pixels of one class to (3, LEVELS)."""
    for start in range(0, values.size, _CHUNK):
        piece = slice(start, start + _CHUNK)
        part = values[piece]
        steps = part.astype(np.intp) if part.dtype == np.uint8 else levels(part)
        if said is None or group < 0:
            counts[UNKNOWN] += np.bincount(steps, minlength=LEVELS)
            continue
        here = said[piece]
        what = np.where(here < 0, UNKNOWN, np.where(here == group, THERE, ELSEWHERE))
        found = np.bincount(steps + LEVELS * what, minlength=3 * LEVELS)
        counts += found.reshape(3, LEVELS)
