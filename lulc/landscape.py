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
from scipy import ndimage

from lulc import noise
from lulc.noise import Floats, Ints, key

#: Pixels computed beyond a window, so that what lies outside can reach in: more than any reach.
MARGIN = 48

SPARSE, DENSE, BARE, GRASS, FIELD, BROADLEAVED, PINE, SPRUCE, MIXED = range(1, 10)
TRANSITIONAL, MARSH, REEDS, WATER = range(10, 14)

MINERAL, PEAT, ROCK = range(3)

_LEVEL = -0.95  # of the lakes, in standard deviations of the relief
_NODE = 150  # mean distance between two road junctions
_HOUSE = 9  # mean distance between two plots, where all are built on
_PIT = 260  # mean distance between two sites of a pit


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
    track: NDArray[np.bool_]
    """Where a minor road runs, too narrow for a class of its own."""
    river: NDArray[np.bool_]
    """Which water flows."""

    def crop(self, rows: slice, columns: slice) -> Ground:
        """The same layers of a smaller window."""
        return Ground(*(getattr(self, f.name)[rows, columns] for f in fields(self)))


def _relief(seed: int, y: NDArray, x: NDArray) -> Floats:
    """The height at any points, stretched from north-west to south-east as ice left it."""
    y, x = np.broadcast_arrays(y.astype(np.float64), x.astype(np.float64))
    wy = noise.gradient(key(seed, "warp y"), y / 170, x / 170)
    wx = noise.gradient(key(seed, "warp x"), y / 170, x / 170)
    y, x = y + 22.0 * wy, x + 22.0 * wx
    u, v = (x + y) * 0.7071, (y - x) * 0.7071
    total = np.zeros(y.shape, np.float32)
    for i, gain in enumerate((0.7, 0.85, 0.72, 0.55, 0.36)):
        scale = 520.0 / 2**i
        stretch = 2.2 if i < 3 else 1.5
        octave = noise.gradient(key(seed, f"relief {i}"), v / scale, u / (scale * stretch))
        total += np.float32(gain) * octave
    # Some regions are lake country, others mostly land.
    offset = 0.9 * float(noise.uniform(key(seed, "wet"), np.zeros(1), np.zeros(1))[0]) - 0.45
    return total / np.float32(1.45) - np.float32(offset)


def _upsampled(coarse: Floats, step: int, shape: tuple[int, int]) -> Floats:
    """A grid of every `step`-th pixel, interpolated linearly to all of `shape`."""

    def stretch(a: Floats, n: int) -> Floats:
        i = np.arange(n)
        t = ((i % step) / step).astype(np.float32)[:, None]
        i = i // step
        return a[i] + t * (a[i + 1] - a[i])

    return stretch(stretch(coarse, shape[0]).T.copy(), shape[1]).T.copy()


def _distance(mask: NDArray[np.bool_]) -> Floats:
    """Pixels to the nearest True, at most MARGIN."""
    if not mask.any():
        return np.full(mask.shape, MARGIN, np.float32)
    return np.minimum(ndimage.distance_transform_edt(~mask), MARGIN).astype(np.float32)


def _roads(seed: int, y: Ints, x: Ints) -> tuple[NDArray, NDArray, list]:
    """Main roads, tracks, and the settlements at the junctions as (y, x, strength)."""
    main = np.zeros((y.size, x.size), bool)
    track = np.zeros_like(main)
    rows = np.arange(y[0, 0] // _NODE - 2, y[-1, 0] // _NODE + 4)[:, None]
    columns = np.arange(x[0, 0] // _NODE - 2, x[0, -1] // _NODE + 4)[None, :]
    py = (rows + 0.15 + 0.7 * noise.uniform(key(seed, "node y"), rows, columns)) * _NODE
    px = (columns + 0.15 + 0.7 * noise.uniform(key(seed, "node x"), rows, columns)) * _NODE
    chance = noise.uniform(key(seed, "node"), rows, columns)
    height = _relief(seed, py, px) - _LEVEL
    villages = [
        (float(py[i, j]), float(px[i, j]), float(chance[i, j]))
        for i, j in np.argwhere((chance > 0.62) & (height > 0.12))
    ]
    length = 2 * int(2.3 * _NODE)
    t = np.linspace(0, 1, length)
    starts, ends, kinds = [], [], []
    for dy, dx, share, wide in ((0, 1, 0.8, 0.62), (1, 0, 0.8, 0.62), (1, 1, 0.35, 0.2)):
        a = np.s_[: rows.size - dy, : columns.size - dx]
        b = np.s_[dy:, dx:]
        luck = noise.uniform(key(seed, f"edge {dy}{dx}"), rows, columns)[a]
        keep = luck < share
        starts.append(np.stack([py[a][keep], px[a][keep]]))
        ends.append(np.stack([py[b][keep], px[b][keep]]))
        kinds.append(luck[keep] < share * wide)
    start, end = np.concatenate(starts, 1), np.concatenate(ends, 1)
    path = start[:, :, None] * (1 - t) + end[:, :, None] * t
    path_y = path[0] + 14 * noise.gradient(key(seed, "bend y"), path[0] / 130, path[1] / 130)
    path_x = path[1] + 14 * noise.gradient(key(seed, "bend x"), path[0] / 130, path[1] / 130)
    wet = (_relief(seed, path_y[:, ::8], path_x[:, ::8]) < _LEVEL).mean(axis=1)
    for line_y, line_x, share, is_main in zip(
        path_y, path_x, wet, np.concatenate(kinds), strict=True
    ):
        if share > 0.12:
            continue
        iy = np.floor(line_y).astype(np.int64) - y[0, 0]
        ix = np.floor(line_x).astype(np.int64) - x[0, 0]
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)) if is_main else ((0, 0),):
            inside = (iy + dy >= 0) & (iy + dy < y.size) & (ix + dx >= 0) & (ix + dx < x.size)
            (main if is_main else track)[iy[inside] + dy, ix[inside] + dx] = True
    return main, track & ~main, villages


def _urban(seed: int, y: Ints, x: Ints, villages: list[tuple[float, float, float]]) -> Floats:
    """How built-up it is: villages at the junctions, and now and then a town."""
    spacing = 1100
    rows = np.arange(y[0, 0] // spacing - 1, y[-1, 0] // spacing + 2)[:, None]
    columns = np.arange(x[0, 0] // spacing - 1, x[0, -1] // spacing + 2)[None, :]
    py = (rows + noise.uniform(key(seed, "town y"), rows, columns)) * spacing
    px = (columns + noise.uniform(key(seed, "town x"), rows, columns)) * spacing
    size = noise.uniform(key(seed, "town"), rows, columns)
    centres = [(cy, cx, 16 + 80 * (s - 0.62), 0.55 + 0.5 * (s - 0.62)) for cy, cx, s in villages]
    for cy, cx, s in zip(py.ravel(), px.ravel(), size.ravel(), strict=True):
        if s > 0.4:
            centres.append((float(cy), float(cx), 80 + 150 * float(s), 1.15))
    total = np.zeros((y.size, x.size), np.float32)
    for cy, cx, radius, peak in centres:
        i = slice(*np.searchsorted(y.ravel(), (cy - radius, cy + radius)))
        j = slice(*np.searchsorted(x.ravel(), (cx - radius, cx + radius)))
        bump = 1 - ((y[i] - cy) ** 2 + (x[:, j] - cx) ** 2) / radius**2
        total[i, j] += (peak * np.maximum(bump, 0) ** 1).astype(np.float32)
    return total + np.float32(0.46) * noise.fractal(key(seed, "urban"), y, x, 44.0, 3) * (total > 0)


def _parcels(
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


def share_of_bits(bits: NDArray[np.uint32], shift: int) -> Floats:
    """A variate in [0, 1) out of the bits of a parcel; another one for every `shift`."""
    return ((bits >> np.uint32(shift)) & np.uint32(0xFF)).astype(np.float32) / np.float32(256)


def _houses(seed: int, y: Ints, x: Ints, chance: Floats) -> NDArray[np.bool_]:
    """Square plots of 50-60 m, each where `chance` at its middle says so."""
    built = np.zeros(chance.shape, bool)
    rows = np.arange(y[0, 0] // _HOUSE, y[-1, 0] // _HOUSE + 1)[:, None]
    columns = np.arange(x[0, 0] // _HOUSE, x[0, -1] // _HOUSE + 1)[None, :]
    k = key(seed, "house")
    py = ((rows + noise.uniform(k, rows, columns)) * _HOUSE).astype(np.int64) - y[0, 0]
    px = ((columns + noise.uniform(k + 1, rows, columns)) * _HOUSE).astype(np.int64) - x[0, 0]
    luck = noise.uniform(k + 2, rows, columns)
    inside = (py >= 0) & (py < y.size) & (px >= 0) & (px < x.size)
    py, px, luck = py[inside], px[inside], luck[inside]
    for i, j in zip(*(p[luck < chance[py, px]] for p in (py, px)), strict=True):
        size = 5 + (i + j) % 2
        built[max(i - 2, 0) : i - 2 + size, max(j - 2, 0) : j - 2 + size] = True
    return built


def _pits(seed: int, y: Ints, x: Ints) -> NDArray[np.bool_]:
    """Gravel pits and fields of peat extraction: few, and large."""
    pits = np.zeros((y.size, x.size), bool)
    rows = np.arange(y[0, 0] // _PIT - 1, y[-1, 0] // _PIT + 2)[:, None]
    columns = np.arange(x[0, 0] // _PIT - 1, x[0, -1] // _PIT + 2)[None, :]
    k = key(seed, "pit")
    py = (rows + noise.uniform(k, rows, columns)) * _PIT
    px = (columns + noise.uniform(k + 1, rows, columns)) * _PIT
    size = noise.uniform(k + 2, rows, columns)
    rough = 0.5 * noise.fractal(k + 3, y, x, 16.0, 3)
    for cy, cx, s in zip(py.ravel(), px.ravel(), size.ravel(), strict=True):
        radius = 3.0 + 34.0 * max(float(s) - 0.3, 0) ** 2 / 0.49
        i = slice(*np.searchsorted(y.ravel(), (cy - 2 * radius, cy + 2 * radius)))
        j = slice(*np.searchsorted(x.ravel(), (cx - 2 * radius, cx + 2 * radius)))
        reach = ((y[i] - cy) ** 2 + (x[:, j] - cx) ** 2) / radius**2
        pits[i, j] |= reach + rough[i, j] < 1
    return pits


def _power_line(seed: int, y: Ints, x: Ints) -> NDArray[np.bool_]:
    """The straight clearings under power lines; coordinates in pixels of 20 m."""
    line = np.zeros((y.size, x.size), bool)
    for i, spacing in enumerate((700, 900)):
        k = key(seed, f"power line {i}")
        start, turn = (float(v) for v in noise.uniform(k, np.zeros(2, np.int64), np.arange(2)))
        across = y + (2 * turn - 1) * x if i == 0 else x + (2 * turn - 1) * y
        line |= np.abs((across / spacing + start) % 1 - 0.5) < 1.3 / spacing
    return line


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

    def fractal(layer: str, scale: float, octaves: int) -> Floats:
        return noise.fractal(key(seed, layer), y, x, scale, octaves)

    # Relief, river and lakes.
    coarse_y = np.arange(y[0, 0], y[-1, 0] + 9, 4)[:, None]
    coarse_x = np.arange(x[0, 0], x[0, -1] + 9, 4)[None, :]
    height = _upsampled(_relief(seed, coarse_y, coarse_x), 4, shape) - np.float32(_LEVEL)
    height += np.float32(0.14) * fractal("shore", 22.0, 4)
    gy, gx = np.broadcast_arrays(coarse_y / 900 + 0.2, coarse_x / 900)
    stream = noise.gradient(key(seed, "river"), gy, gx)
    stream += np.float32(0.12) * noise.gradient(key(seed, "meander"), gy * 9, gx * 9)
    stream = _upsampled(stream, 4, shape)
    slope = np.hypot(*np.gradient(stream)) + np.float32(1e-4)
    stream = np.abs(stream) / slope
    width = np.clip(2.2 * fractal("river width", 300.0, 1) - 0.3, 0, 4)
    river = (stream < width) & (height > 0)
    water = (height < 0) | river
    shore = _distance(water)

    # Soil and wetness.
    wet = fractal("wet", 90.0, 3) - np.float32(0.6) * height
    soil = np.where(wet > 0.75, PEAT, MINERAL).astype(np.uint8)
    soil[height + 0.4 * fractal("rock", 30.0, 2) > 2.1] = ROCK

    # Forest: compartments and soil decide, cells of 20 m vary; computed at 20 m.
    y2, x2 = y[::2] // 2, x[:, ::2] // 2

    def half(layer: str, scale: float, octaves: int) -> Floats:
        return noise.fractal(key(seed, layer), y2, x2, scale / 2, octaves)

    wobble = 4 * half("wobble", 36.0, 3)
    stand = noise.cells(key(seed, "stand"), y2 + wobble, x2 - wobble, 9.0)

    def of_stand(layer: str) -> Floats:
        return noise.uniform(key(seed, layer), *stand) - np.float32(0.5)

    def of_cell(layer: str) -> Floats:
        return noise.white(key(seed, layer), y2, x2)

    grain = half("grain", 26.0, 2)
    near = np.maximum(1 - shore[::2, ::2] / 6, 0)
    broad = 0.25 + 0.07 * half("rich", 300.0, 3) + 0.34 * of_stand("broad")
    broad = broad + 0.15 * half("broad grain", 26.0, 3) + 0.09 * of_cell("broad cell") - 0.14 * near
    pine = 0.62 + 0.10 * half("poor", 260.0, 3) + 0.50 * of_stand("pine") - 0.10 * wet[::2, ::2]
    pine = pine + 0.20 * grain + 0.11 * of_cell("pine cell") + 0.04 * height[::2, ::2] + 0.10 * near
    felled = of_stand("felled") + 0.5
    cover = 0.74 + 0.22 * of_stand("age") + 0.08 * half("gap", 24.0, 2) + 0.10 * of_cell("gap cell")
    cover = np.where(felled < 0.14, 0.10 + 2.2 * felled + 0.3 * (cover - 0.7), cover)

    # Fields and grass on the low clay, one parcel after the other.
    clay = 0.85 * fractal("clay", 260.0, 2) + 0.6 * fractal("clay edge", 70.0, 2)
    clay = clay - 0.45 * np.abs(height - 0.5) - 0.5 * np.maximum(wet, 0)
    bits, my, mx, along = _parcels(seed, "parcel", y, x, 15.0, 26.0)
    farmed = clay[my, mx] + 0.9 * (share_of_bits(bits, 0) - 0.5) > 0.42
    farmed &= fractal("islet", 22.0, 3) < 1.45
    farmed &= (shore > 1.5 + 3 * share_of_bits(bits, 8)) & ~water
    fallow = share_of_bits(bits, 16)
    field = farmed & (fallow > 0.14)
    grass = farmed & (fallow < 0.075)
    shrub = farmed & ~field & ~grass

    # Where the open land meets the forest there are shrubs and birches.
    edge = np.maximum(1 - _distance(farmed)[::2, ::2] / 5, 0) * ~farmed[::2, ::2]
    broad = broad + 0.22 * edge
    cover = cover - 0.36 * edge

    # Settlements.
    main, track, villages = _roads(seed, y, x)
    urban = _urban(seed, y, x, villages)
    block, by, bx, _ = _parcels(seed, "block", y, x, 9.0, 14.0)
    to_road = _distance(main)
    urban = urban + 0.22 * np.maximum(1 - to_road / 9, 0) * (urban > 0)
    built = urban[by, bx] + 0.5 * (share_of_bits(block, 0) - 0.5)
    dry = ~water & (shore > 1)
    trade = 0.5 * built + 0.35 * fractal("trade", 70.0, 2)[by, bx]
    dense_block = (built > 0.6) & (trade > 0.72) & dry
    sparse_block = (built > 0.6) & dry & ~dense_block
    street_bits = _parcels(seed, "street", y, x, 24.0, 36.0)[0]
    street = np.zeros(shape, bool)
    street[1:] = street_bits[1:] != street_bits[:-1]
    street[:, 1:] |= street_bits[:, 1:] != street_bits[:, :-1]
    street &= (urban > 0.72) & dry
    rural = np.clip(0.6 + 0.9 * fractal("rural", 60.0, 2), 0, 2.5)
    chance = 0.006 + 0.02 * farmed + 0.18 * (to_road < 7) + 0.05 * (_distance(farmed) < 8)
    chance = rural * (chance + 0.20 * (shore < 6)) + 0.45 * np.clip(urban, 0, 1)
    houses = _houses(seed, y, x, np.where(water, 0, chance)) & ~water
    pits = _pits(seed, y, x) & dry & (urban < 0.5)
    mire = (wet > 1.25 + 0.2 * fractal("mire", 12.0, 2)) & (height < 0.55) & dry & ~farmed
    opened = pits | mire | houses | sparse_block | dense_block
    rim = np.maximum(1 - np.minimum(_distance(opened), to_road)[::2, ::2] / 4, 0)
    line = _power_line(seed, y2, x2)
    cover = np.where(line, 0.2, cover - 0.30 * rim)

    broad, pine, cover = (np.clip(a, 0, 1).astype(np.float32) for a in (broad, pine, cover))
    forest = np.where(pine > 0.5, PINE, SPRUCE).astype(np.uint8)
    forest[broad > 0.30] = MIXED
    forest[broad > 0.62] = BROADLEAVED
    forest[(cover < 0.46) | line] = TRANSITIONAL
    truth = forest.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]]
    truth[shrub] = TRANSITIONAL
    truth[mire] = MARSH
    truth[field] = FIELD
    truth[grass] = GRASS
    truth[pits] = BARE
    truth[houses | sparse_block] = SPARSE
    truth[dense_block] = DENSE
    truth[water] = WATER
    shallow = -height < np.clip(0.19 * fractal("reed", 80.0, 2) - 0.10, 0, 0.3)
    truth[(height < 0) & shallow] = REEDS
    truth[main | street] = DENSE

    def whole(a: Floats) -> Floats:
        """A 20 m layer at 10 m, smoothly."""
        return np.repeat(np.repeat(a, 2, 0), 2, 1)[: shape[0], : shape[1]]

    return Ground(
        truth=truth,
        soil=soil,
        height=height,
        cover=whole(cover),
        broadleaved=whole(broad),
        pine=whole(pine),
        parcel=np.where(truth <= DENSE, block, bits),
        along=along,
        urban=urban,
        track=track,
        river=river,
    )
