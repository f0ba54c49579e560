"""The simulated lakeland: what people built. Distances are in pixels of 10 m."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lulc.lakeland import noise
from lulc.lakeland.noise import Floats, Ints, key
from lulc.lakeland.terrain import LEVEL, relief

_NODE = 150  # mean distance between two road junctions
_VILLAGE = 0.62  # the rank from which a junction has one
_TOWN = 1100  # mean distance between two sites of a town
_HOUSE = 9  # mean distance between two plots, where all are built on
_PIT = 260  # mean distance between two sites of a pit

#: A settlement: row, column, and its rank among all junctions, 0..1.
Village = tuple[float, float, float]


def roads(seed: int, y: Ints, x: Ints) -> tuple[NDArray, NDArray, list[Village]]:
    """Main roads, tracks, and the settlements at the junctions as (y, x, strength)."""
    main = np.zeros((y.size, x.size), bool)
    track = np.zeros_like(main)
    rows = np.arange(y[0, 0] // _NODE - 2, y[-1, 0] // _NODE + 4)[:, None]
    columns = np.arange(x[0, 0] // _NODE - 2, x[0, -1] // _NODE + 4)[None, :]
    py = (rows + 0.15 + 0.7 * noise.uniform(key(seed, "node y"), rows, columns)) * _NODE
    px = (columns + 0.15 + 0.7 * noise.uniform(key(seed, "node x"), rows, columns)) * _NODE
    chance = noise.uniform(key(seed, "node"), rows, columns)
    height = relief(seed, py, px) - LEVEL
    villages = [
        (float(py[i, j]), float(px[i, j]), float(chance[i, j]))
        for i, j in np.argwhere((chance > _VILLAGE) & (height > 0.12))
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
    wet = (relief(seed, path_y[:, ::8], path_x[:, ::8]) < LEVEL).mean(axis=1)
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


def _span(coordinates: Ints, centre: float, radius: float) -> slice:
    """Which of the sorted coordinates lie within `radius` of a centre."""
    return slice(*np.searchsorted(coordinates.ravel(), (centre - radius, centre + radius)))


def urbanity(seed: int, y: Ints, x: Ints, villages: list[Village]) -> Floats:
    """How built-up it is: villages at the junctions, and now and then a town."""
    rows = np.arange(y[0, 0] // _TOWN - 1, y[-1, 0] // _TOWN + 2)[:, None]
    columns = np.arange(x[0, 0] // _TOWN - 1, x[0, -1] // _TOWN + 2)[None, :]
    py = (rows + noise.uniform(key(seed, "town y"), rows, columns)) * _TOWN
    px = (columns + noise.uniform(key(seed, "town x"), rows, columns)) * _TOWN
    size = noise.uniform(key(seed, "town"), rows, columns)
    centres = []  # row, column, radius, and how built-up the middle is
    for i, j, r in villages:
        above = r - _VILLAGE
        centres.append((i, j, 16 + 80 * above, 0.55 + 0.5 * above))
    for i, j, r in zip(*(a.ravel().tolist() for a in (py, px, size)), strict=True):
        if r > 0.4:
            centres.append((i, j, 80 + 150 * r, 1.22))
    total = np.zeros((y.size, x.size), np.float32)
    for cy, cx, radius, peak in centres:
        at = _span(y, cy, radius), _span(x, cx, radius)
        bump = 1 - ((y[at[0]] - cy) ** 2 + (x[:, at[1]] - cx) ** 2) / radius**2
        total[at] += (peak * np.maximum(bump, 0)).astype(np.float32)
    return total + np.float32(0.46) * noise.fractal(key(seed, "urban"), y, x, 44.0, 3) * (total > 0)


def houses(seed: int, y: Ints, x: Ints, chance: Floats) -> NDArray[np.bool_]:
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


def pits(seed: int, y: Ints, x: Ints) -> NDArray[np.bool_]:
    """Gravel pits and fields of peat extraction: few, and large."""
    pits = np.zeros((y.size, x.size), bool)
    rows = np.arange(y[0, 0] // _PIT - 1, y[-1, 0] // _PIT + 2)[:, None]
    columns = np.arange(x[0, 0] // _PIT - 1, x[0, -1] // _PIT + 2)[None, :]
    k = key(seed, "pit")
    py = (rows + noise.uniform(k, rows, columns)) * _PIT
    px = (columns + noise.uniform(k + 1, rows, columns)) * _PIT
    size = noise.uniform(k + 2, rows, columns)
    rough = 0.5 * noise.fractal(k + 3, y, x, 16.0, 3)
    for cy, cx, s in zip(*(a.ravel().tolist() for a in (py, px, size)), strict=True):
        radius = 3.0 + 42.0 * max(s - 0.3, 0) ** 2 / 0.49
        at = _span(y, cy, 2 * radius), _span(x, cx, 2 * radius)
        reach = ((y[at[0]] - cy) ** 2 + (x[:, at[1]] - cx) ** 2) / radius**2
        pits[at] |= reach + rough[at] < 1
    return pits


def power_line(seed: int, y: Ints, x: Ints) -> NDArray[np.bool_]:
    """The straight clearings under power lines; coordinates in pixels of 20 m."""
    line = np.zeros((y.size, x.size), bool)
    for i, spacing in enumerate((700, 900)):
        k = key(seed, f"power line {i}")
        start, turn = (float(v) for v in noise.uniform(k, np.zeros(2, np.int64), np.arange(2)))
        across = y + (2 * turn - 1) * x if i == 0 else x + (2 * turn - 1) * y
        line |= np.abs((across / spacing + start) % 1 - 0.5) < 1.3 / spacing
    return line
