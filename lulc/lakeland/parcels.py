"""The simulated lakeland: parcels of land, and which of them are farmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lulc.lakeland import noise
from lulc.lakeland.noise import Floats, Ints, key

_FALLOW, _GRASS = 0.29, 0.21  # below these, of a parcel's lot, it is not tilled, or is grass


@dataclass(frozen=True)
class Farms:
    """Farmland on clay, wherever water leaves room for it; every layer (y, x)."""

    worked: NDArray[np.bool_]
    """Where the soil is worth farming."""
    field: NDArray[np.bool_]
    """Which of it would be a field."""
    grass: NDArray[np.bool_]
    """Which of it would be grassland; the rest lies fallow."""
    bits: NDArray[np.uint32]
    """32 random bits that the pixels of a parcel share."""
    along: Floats
    """Position across the drainage direction, in rows of parcels."""


def farms(seed: int, y: Ints, x: Ints, height: Floats, wet: Floats) -> Farms:
    """The farmland of low clay: one parcel is farmed as a whole, or not."""
    clay = 0.85 * noise.fractal(key(seed, "clay"), y, x, 260.0, 2)
    clay = clay + 0.6 * noise.fractal(key(seed, "clay edge"), y, x, 70.0, 2)
    clay = clay - 0.45 * np.abs(height - 0.5) - 0.5 * np.maximum(wet, 0)
    bits, row, column, along = parcels(seed, "parcel", y, x, 15.0, 26.0)
    worth = clay[row, column] + 0.9 * (share(bits, 0) - 0.5) - 0.28
    islet = noise.fractal(key(seed, "islet"), y, x, 22.0, 3) > 1.45
    # The poorest parcels lie fallow or are grazed.
    lot = share(bits, 16) + 0.35 * np.minimum(worth, 0.6)
    return Farms((worth > 0) & ~islet, lot > _FALLOW, lot < _GRASS, bits, along)


def parcels(
    seed: int, layer: str, y: Ints, x: Ints, wide: float, long: float
) -> tuple[NDArray[np.uint32], Ints, Ints, Floats]:
    """Rectangular parcels that turn with the district: bits, middle (row, column), position."""
    k = key(seed, layer)
    yy, xx = np.broadcast_arrays(y, x)
    bend = 8 * noise.smooth(k + 1, y, x, 40.0)
    dy, dx = noise.cells(k, yy + bend, xx - bend, 150.0)
    turn = noise.uniform(k + 2, dy, dx).astype(np.float64) * 1.4 - 0.3
    # A rotation by 2 atan(turn), without cosine or sine.
    c, s = (1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn)
    u, v = c * xx + s * yy, c * yy - s * xx
    district = noise.hashed(k + 3, dy, dx).astype(np.int64)
    row, row_middle = noise.cuts(k + 4, district, v / wide)
    piece, middle = noise.cuts(k + 5, district + 31 * row, u / long)
    mu, mv = middle * long, row_middle * wide
    middle_y, middle_x = s * mu + c * mv, c * mu - s * mv
    bits = noise.hashed(k + 6, district + 31 * row, piece)
    inner = (
        np.clip(np.floor(middle_y).astype(np.int64) - y[0, 0], 0, y.size - 1),
        np.clip(np.floor(middle_x).astype(np.int64) - x[0, 0], 0, x.size - 1),
    )
    return bits, inner[0], inner[1], (v / wide).astype(np.float32)


def share(bits: NDArray[np.uint32], shift: int) -> Floats:
    """A variate in [0, 1) out of the bits of a parcel; another one for every `shift`."""
    return ((bits >> np.uint32(shift)) & np.uint32(0xFF)).astype(np.float32) / np.float32(256)
