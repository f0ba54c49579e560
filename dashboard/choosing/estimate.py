"""How long a classification will take and how large its map will be, from what was measured.

The rates are those of finished runs on this machine. Where the model has not run here on that
device, another model's rate is scaled by the networks' multiply-adds, and said to be a guess.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from lulc.card import ModelCard
from lulc.mapfile import MapFormat
from lulc.runs import Run

#: Runs that a rate is the median of, the newest ones.
_LAST = 7


@dataclass(frozen=True)
class Estimate:
    """What a classification will take."""

    seconds: float | None = None
    """From pressing the button to the finished map; None where nothing was measured."""
    size: float = 0
    """Bytes of the map on the disk."""
    measured: bool = False
    """Whether this model was timed on this device of this machine."""
    size_measured: bool = False
    """Whether the size is that of earlier maps; else it is the most it can be."""


def estimate(
    pixels: int,
    card: ModelCard,
    kind: str,
    dtype: str,
    runs: Sequence[Run],
    cards: Mapping[str, ModelCard | str],
) -> Estimate:
    """The estimate for so many pixels on a device of a kind: CPU or GPU.

    `runs` are finished ones, the newest first; `cards` those of the models that made them.
    """
    here = [run for run in runs if _timed(run, kind)]
    same = [run for run in here if run.model == card.name]
    seconds = None
    if same:
        seconds = _start(same) + pixels * _rate(same)
    elif here:
        work = card.network.multiply_adds
        known = [(run, cards.get(run.model)) for run in here]
        scaled = [
            _rate([run]) * work / other.network.multiply_adds
            for run, other in known
            if isinstance(other, ModelCard)
        ]
        seconds = _start(here) + pixels * median(scaled) if scaled else None
    sizes = [run.map_path.stat().st_size / _pixels(run) for run in runs if _alike(run, card, dtype)]
    layout = MapFormat(card.legend, dtype)
    most = layout.count * np.dtype(layout.dtype).itemsize * 4 / 3  # with the overviews
    size = pixels * (median(sizes[:_LAST]) if sizes else most)
    return Estimate(seconds, size, bool(same), bool(sizes))


def _timed(run: Run, kind: str) -> bool:
    said = run.properties
    return (
        "lulc:timings" in said
        and said.get("lulc:host") == platform.node()
        and str(said.get("lulc:device")).startswith(kind)
    )


def _alike(run: Run, card: ModelCard, dtype: str) -> bool:
    same = len(run.legend.classes) == len(card.legend.classes)
    return same and run.properties.get("lulc:dtype", "uint8") == dtype


def _pixels(run: Run) -> int:
    height, width = run.properties["proj:shape"]
    return int(height) * int(width)


def _times(run: Run) -> tuple[float, float]:
    """Seconds before the blocks, and for the blocks and the map."""
    timings: dict[str, Any] = run.properties["lulc:timings"]
    work = timings["network_s"] + timings["assemble_s"]
    return max(0.0, timings["total_s"] - work), work


def _start(runs: Sequence[Run]) -> float:
    return median(_times(run)[0] for run in runs[:_LAST])


def _rate(runs: Sequence[Run]) -> float:
    """Seconds a pixel."""
    return median(_times(run)[1] / _pixels(run) for run in runs[:_LAST])
