"""What the activations of a run say on a view: of one class, and how sure the map is.

Activations are taken as they are stored, in steps of 0.004 (`lulc.mapfile.ACTIVATION_SCALE`):
whole numbers 0..250, and 255 where there are none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.mapping import warp
from dashboard.mapping.warp import Sampled, View
from dashboard.painting.picture import NOTHING
from lulc.mapfile import ACTIVATION_SCALE
from lulc.runs import Run

#: The stored number of the activation 1.
_ONE = round(1 / ACTIVATION_SCALE)

#: Stored numbers as per cent.
_PERCENT = np.full(256, NOTHING, np.uint8)
_PERCENT[: _ONE + 1] = np.rint(np.arange(_ONE + 1) * ACTIVATION_SCALE * 100)


def stack(run: Run, view: View, bands: tuple[int, ...] = ()) -> Sampled:
    """Bands of a run's map for a view, as uint8: the class (1) and activations; or all of them."""
    wanted = bands or tuple(range(1, len(run.legend.ids) + 2))
    return _stack(run.map_path, run.map_path.stat().st_mtime_ns, wanted, view)


@lru_cache(maxsize=8)
def _stack(path: Path, stamp: int, bands: tuple[int, ...], view: View) -> Sampled:  # noqa: ARG001
    got = warp.fetch(path, bands, view)
    if got.raw.dtype == np.uint8:
        return got
    there = got.valid
    ones = np.array([1 if band == 1 else _ONE for band in bands], np.float32)
    raw = np.rint(np.where(there, got.raw, 0) * ones[:, None, None]).astype(np.uint8)
    raw[:, ~there] = NOTHING
    return replace(got, raw=raw, nodata=NOTHING)


def class_ids(run: Run, view: View) -> NDArray[np.uint8]:
    """Class ids (y, x), 255 where there are none."""
    got = stack(run, view, (1,))
    return got.onto(got.raw[0], NOTHING)


def activation(run: Run, view: View, class_id: int) -> NDArray[np.uint8]:
    """The activation of a class (y, x) in per cent, 255 where there is none."""
    got = stack(run, view, (2 + run.legend.ids.index(class_id),))
    return got.onto(_PERCENT[got.raw[0]], NOTHING)


def measure(run: Run, view: View, name: str) -> NDArray[np.uint8]:
    """One of `MEASURES` (y, x) in per cent, 255 where there is none."""
    got = stack(run, view)
    return got.onto(_measured(got, name), NOTHING)


def _measured(got: Sampled, name: str) -> NDArray[np.uint8]:
    values = MEASURES[name](got.raw[1:])
    return np.where(got.raw[1] == NOTHING, np.uint8(NOTHING), values)


def confidence(steps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest activation in per cent: (class, y, x) stored numbers to (y, x)."""
    return _PERCENT[steps.max(axis=0)]


def margin(steps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest activation less the second largest, in per cent: 0 where two are alike."""
    first = np.zeros(steps.shape[1:], np.uint8)
    second = np.zeros_like(first)
    for step in steps:
        np.maximum(second, np.minimum(first, step), out=second)
        np.maximum(first, step, out=first)
    return _PERCENT[first - second]


def entropy(steps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shannon's entropy in per cent of its largest, the logarithm of the number of classes.

    Stored activations are rounded and need not add up to 1: their shares are taken.
    """
    amounts = np.arange(256, dtype=np.float32)
    terms = amounts * np.log(np.maximum(amounts, 1))
    total = np.maximum(steps.sum(axis=0, dtype=np.float32), 1)
    spread = np.log(total) - sum(terms[step] for step in steps) / total
    share = spread / np.log(max(2, len(steps)))
    return np.rint(np.clip(share, 0, 1) * 100).astype(np.uint8)


#: How sure the map is, by the name of the layer.
MEASURES = {"Confidence": confidence, "Entropy": entropy, "Margin": margin}


def first_two(run: Run, view: View) -> tuple[NDArray[np.uint8], ...]:
    """What the pointer reads out, (y, x) each, 255 where there is none: the class, its activation
    in per cent, the other class with the largest activation, and that."""
    got = stack(run, view)
    numbers = got.onto(got.raw, NOTHING)
    classes, steps = numbers[0], numbers[1:]
    own, most, second = (np.zeros_like(classes) for _ in range(3))
    for number, step in zip(run.legend.ids, steps, strict=True):
        mine = classes == number
        own += step * mine
        others = step * ~mine
        second = np.where(others > most, np.uint8(number), second)
        np.maximum(most, others, out=most)
    nothing = classes == NOTHING
    alone = nothing | (second == 0)
    own, most = _PERCENT[own], _PERCENT[most]
    own[nothing] = NOTHING
    most[alone] = second[alone] = NOTHING
    return classes, own, second, most
