"""The simulated lakeland: what lies where.

`survey` paints any window of the endless landscape of a seed: water first, then forest, mires,
fields, pits, settlements and roads. The thresholds were chosen by us so that class shares, patch
sizes and neighbourhoods fall within those of real CORINE-derived label tiles of south-east
Finland (`tests/test_sample.py` compares them). Distances are in pixels of 10 m.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lulc.lakeland import forest, noise, parcels
from lulc.lakeland.built import houses, pits, power_line, roads, urbanity
from lulc.lakeland.noise import Floats, Ints, key
from lulc.lakeland.terrain import distance, terrain

#: Pixels computed beyond a window, so that what lies outside can reach in: more than any reach.
MARGIN = 48

SPARSE, DENSE, BARE, GRASS, FIELD, BROADLEAVED, PINE, SPRUCE, MIXED = range(1, 10)
TRANSITIONAL, MARSH, REEDS, WATER = range(10, 14)

MINERAL, PEAT, ROCK = range(3)


@dataclass(frozen=True)
class Ground:
    """A window of the landscape; every layer (y, x)."""

    truth: NDArray[np.uint8]
    """The class, 1..13."""
    soil: NDArray[np.uint8]
    """MINERAL, PEAT or ROCK."""
    height: Floats
    """Above the lakes, about -2..3; the unit is a standard deviation of the relief."""
    cover: Floats
    """Crown cover of the trees where there is forest, 0..1."""
    broadleaved: Floats
    """Share of broad-leaved trees in it, 0..1."""
    pine: Floats
    """Share of pine among the conifers, 0..1."""
    parcel: NDArray[np.uint32]
    """32 random bits that all pixels of a field parcel or a town block share."""
    along: Floats
    """Position across the drainage direction, in rows of parcels."""
    urban: Floats
    """How built-up the neighbourhood is; above 1 it is a town's core."""
    road: NDArray[np.uint8]
    """0 none, 1 a track too narrow for a class of its own, 2 a road or street."""
    river: NDArray[np.bool_]
    """Which water flows."""

    def crop(self, rows: slice, columns: slice) -> Ground:
        """The same layers of a smaller window."""
        return Ground(*(getattr(self, f.name)[rows, columns] for f in fields(self)))


def survey(seed: int, top: int, left: int, height: int, width: int) -> Ground:
    """The ground of a window, given in pixels of the landscape of `seed`."""
    # The outer window starts at a multiple of the coarsest grid that is interpolated (4 px).
    y0, x0 = (top - MARGIN) // 4 * 4, (left - MARGIN) // 4 * 4
    y = np.arange(y0, (top + height + MARGIN + 3) // 4 * 4)[:, None]
    x = np.arange(x0, (left + width + MARGIN + 3) // 4 * 4)[None, :]
    ground = _survey(seed, y, x)
    rows, columns = slice(top - y0, top - y0 + height), slice(left - x0, left - x0 + width)
    return ground.crop(rows, columns)


def _survey(seed: int, y: Ints, x: Ints) -> Ground:
    shape = (y.size, x.size)
    half, y2, x2 = np.s_[::2, ::2], y[::2] // 2, x[:, ::2] // 2

    def fractal(layer: str, scale: float, octaves: int) -> Floats:
        return noise.fractal(key(seed, layer), y, x, scale, octaves)

    height, river = terrain(seed, y, x)
    water = (height < 0) | river
    shore = distance(water)

    # Soil and wetness.
    wet = fractal("wet", 90.0, 3) - np.float32(0.6) * height
    soil = np.where(wet > 0.75, PEAT, MINERAL).astype(np.uint8)
    soil[height + 0.4 * fractal("rock", 30.0, 2) > 2.1] = ROCK

    # Forest, fields, and between them shrubs and birches.
    near = np.maximum(1 - shore[half] / 6, 0)
    cover, broad, pine = forest.trees(seed, y2, x2, height[half], wet[half], near)
    farm = parcels.farms(seed, y, x, height, wet)
    farmed = farm.worked & (shore > 1.5 + 3 * parcels.share(farm.bits, 8)) & ~water
    field, grass = farmed & farm.field, farmed & farm.grass
    edge = np.maximum(1 - distance(farmed)[half] / 5, 0) * ~farmed[half]
    broad += 0.22 * edge
    cover -= 0.42 * edge

    # Settlements.
    main, track, villages = roads(seed, y, x)
    built_up = urbanity(seed, y, x, villages)
    block, by, bx, _ = parcels.parcels(seed, "block", y, x, 9.0, 14.0)
    to_road = distance(main)
    urban = built_up + np.float32(0.22) * np.maximum(1 - to_road / 9, 0) * (built_up > 0)
    built = urban[by, bx] + 0.5 * (parcels.share(block, 0) - 0.5)
    dry = ~water & (shore > 1)
    trade = 0.5 * built + 0.35 * fractal("trade", 70.0, 2)[by, bx]
    dense_block = (built > 0.6) & (trade > 0.66) & dry
    sparse_block = (built > 0.6) & dry & ~dense_block
    street_bits = parcels.parcels(seed, "street", y, x, 42.0, 64.0)[0]
    street = np.zeros(shape, bool)
    down, right = street_bits[1:] != street_bits[:-1], street_bits[:, 1:] != street_bits[:, :-1]
    for side in (np.s_[1:], np.s_[:-1]):  # of a border between two quarters
        street[side] |= down
        street[:, side] |= right
    street &= (urban > 0.72) & dry
    rural = np.clip(0.6 + 0.9 * fractal("rural", 60.0, 2), 0, 2.5)
    chance = 0.010 + 0.03 * farmed + 0.24 * (to_road < 7) + 0.08 * (distance(farmed) < 8)
    chance = rural * (chance + 0.42 * (shore < 4)) + 0.45 * np.clip(urban, 0, 1)
    plots = houses(seed, y, x, np.where(water, 0, chance)) & ~water
    scar = (fractal("scar", 7.0, 1) > 2.1) & (distance(main | track) < 12)
    pit = (pits(seed, y, x) | scar) & dry & (urban < 0.5)
    mire = (wet > 1.35 + 0.2 * fractal("mire", 12.0, 2)) & (height < 0.55) & ~farmed
    mire &= height > 0.07 + 0.04 * fractal("mire shore", 20.0, 2)
    opened = pit | mire | dense_block
    rim = np.maximum(1 - np.minimum(distance(opened), to_road)[half] / 4, 0)
    line = power_line(seed, y2, x2)
    cover = np.where(line, 0.2, cover - 0.30 * rim)

    cover, broad, pine = (np.clip(a, 0, 1).astype(np.float32) for a in (cover, broad, pine))
    wood = np.where(pine > 0.5, PINE, SPRUCE).astype(np.uint8)
    wood[broad > 0.30] = MIXED
    wood[broad > 0.57] = BROADLEAVED
    wood[(cover < 0.46) | line] = TRANSITIONAL

    def whole(a: NDArray) -> NDArray:
        """A layer of 20 m cells at 10 m."""
        return np.repeat(np.repeat(a, 2, 0), 2, 1)[: shape[0], : shape[1]]

    truth = whole(wood)
    truth[farmed] = TRANSITIONAL  # what lies fallow; the rest follows
    truth[mire] = MARSH
    truth[field] = FIELD
    truth[grass] = GRASS
    truth[pit] = BARE
    truth[plots | sparse_block] = SPARSE
    truth[dense_block] = DENSE
    truth[water] = WATER
    shallow = -height < np.clip(0.24 * fractal("reed", 80.0, 2) - 0.14, 0, 0.35)
    truth[(height < 0) & shallow] = REEDS
    truth[main | street] = DENSE

    return Ground(
        truth=truth,
        soil=soil,
        height=height,
        cover=whole(cover),
        broadleaved=whole(broad),
        pine=whole(pine),
        parcel=np.where(truth <= DENSE, block, farm.bits),
        along=farm.along,
        urban=urban,
        road=np.where(main | street, 2, track).astype(np.uint8),
        river=river,
    )
