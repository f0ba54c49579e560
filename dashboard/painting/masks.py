"""Pictures of activations: the mask of a class, one class, or three of them as one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.activity.tally import level
from dashboard.mapping import warp
from dashboard.mapping.warp import View
from dashboard.painting import layers
from dashboard.painting.composites import composite, composites
from dashboard.painting.picture import Order, Picture, Probe
from dashboard.ramps import ramp
from lulc.levels import LEVELS, levels
from lulc.runs import Run
from lulc.scene import Scene

#: What the page can show.
MASK, ACTIVATION, TRIO = "Mask", "Activation", "Three classes"
LOOKS = [MASK, ACTIVATION, TRIO]

#: Of the mask: seen on forest, water, fields and snow alike, as nothing there has it.
COLOUR = "#e6009e"

_RAMP = ramp("", "", "", "").colors


@dataclass(frozen=True)
class Wanted:
    """What is wanted on the map of activations; equal ones give equal pictures."""

    scene: Scene | None = None
    """The image below."""
    base: str = "True colour"
    """One of `composites(scene)`, or none."""
    run: Run | None = None
    """The run."""
    look: str = MASK
    """One of `LOOKS`."""
    classes: tuple[int, ...] = ()
    """The class, those whose activations are added up for the mask, or the three as red, green
    and blue."""
    threshold: float = 0.5
    """Least activation of the mask, 0..1."""


def paint(wanted: Wanted, view: View) -> Picture:
    """Paint what is wanted on a view. Raises LulcError and rasterio's errors."""
    picture = Picture(view)
    bands = composites(wanted.scene).get(wanted.base)
    if wanted.scene is not None and bands:
        picture = replace(picture, base=composite(wanted.scene, bands, view))
    if wanted.run is None or not wanted.classes:
        return picture
    steps, there = activations(wanted.run, wanted.classes, view)
    overlay = np.zeros((*view.shape, 4), np.uint8)
    if wanted.look == MASK:
        mask = there & (steps.sum(axis=0, dtype=np.uint16) >= level(wanted.threshold))
        overlay[mask] = (*bytes.fromhex(COLOUR[1:]), 255)
    elif wanted.look == ACTIVATION:
        overlay = coloured(steps[0], there)
    else:
        overlay[..., :3] = np.moveaxis(np.rint(steps * (255 / (LEVELS - 1))), 0, -1)
        overlay[..., 3] = there * np.uint8(255)
    return replace(picture, overlay=overlay)


def point(wanted: Wanted, view: View) -> Probe:
    """What the pointer reads out on a view. Raises rasterio's errors."""
    return layers.point(Order(run=wanted.run), view)


def coloured(steps: NDArray[np.uint8], there: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Levels (y, x) on the maps' ramp as an image (y, x, 4)."""
    image = _RAMP[np.rint(np.arange(LEVELS) * (100 / (LEVELS - 1))).astype(np.intp)][steps]
    image[~there] = 0
    return image


def activations(
    run: Run, classes: Sequence[int], view: View
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Levels (class, y, x) of classes on a view, and where there are any, bool (y, x)."""
    ids = run.legend.ids
    numbers = tuple(2 + ids.index(i) for i in classes)
    return _read(run.map_path, run.map_path.stat().st_mtime_ns, numbers, view)


@lru_cache(maxsize=8)
def _read(
    path: Path,
    stamp: int,  # noqa: ARG001 (a changed file is another key)
    bands: tuple[int, ...],
    view: View,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    raw, there = warp.read(path, bands, view)
    if raw.dtype != np.uint8:
        raw = levels(np.where(there, raw, 0)).astype(np.uint8)
    return raw, there
