"""The simulated lakeland: what grows in the forest."""

from __future__ import annotations

import numpy as np

from lulc.lakeland import noise
from lulc.lakeland.noise import Floats, Ints, key

_STAND = 9.0  # cells of 20 m: compartments of about 3 ha
_FELLED = 0.14  # the share of the stands that were clear-cut in the last years


def trees(
    seed: int, y: Ints, x: Ints, height: Floats, wet: Floats, near: Floats
) -> tuple[Floats, Floats, Floats]:
    """Crown cover, share of broad-leaved trees, and share of pine among the conifers.

    All about 0..1, in cells of 20 m: soils decide, then compartments, then single cells vary.
    `near` is 1 at a shore and 0 away from it.
    """

    def field(layer: str, scale: float, octaves: int) -> Floats:
        return noise.fractal(key(seed, layer), y, x, scale / 2, octaves)

    wobble = 4 * field("wobble", 36.0, 3)
    stand = noise.cells(key(seed, "stand"), y + wobble, x - wobble, _STAND)

    def of_stand(layer: str) -> Floats:
        return noise.uniform(key(seed, layer), *stand) - np.float32(0.5)

    def of_cell(layer: str) -> Floats:
        return noise.white(key(seed, layer), y, x)

    broad = 0.22 + 0.07 * field("rich", 300.0, 3) + 0.44 * of_stand("broad")
    broad += 0.15 * field("broad grain", 26.0, 3) + 0.055 * of_cell("broad cell")
    broad -= 0.14 * near
    # Pine stands on the dry and poor, spruce on the moist.
    pine = 0.60 + 0.10 * field("poor", 260.0, 3) + 0.50 * of_stand("pine") - 0.10 * wet
    pine += 0.20 * field("grain", 26.0, 2) + 0.15 * of_cell("pine cell")
    pine += 0.04 * height + 0.10 * near
    cover = 0.80 + 0.22 * of_stand("age") + 0.10 * near
    cover += 0.08 * field("gap", 24.0, 2) + 0.10 * of_cell("gap cell")
    felled = of_stand("felled") + np.float32(0.5)
    regrown = 0.10 + 2.2 * felled + 0.3 * (cover - 0.7)
    return np.where(felled < _FELLED, regrown, cover), broad, pine
