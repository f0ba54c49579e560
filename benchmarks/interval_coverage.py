"""Whether the intervals of scores hold the true scores, and what taking pixels for draws does.

    python -m benchmarks.interval_coverage [REPETITIONS] [FIRST_SEED]

Many regions of one process: classes by thresholds of smooth noise, errors where another such
field is high, more often in some classes. The true score is that over all of them and as much
ground again.
Two maps of each region, the second with fewer errors, give the paired differences.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from lulc.blocks import SpatialBlocks
from lulc.bootstrap import Bounds, Units
from lulc.counts import RATIOS
from lulc.grouping import common_grouping
from lulc.lakeland.noise import fractal, key, white
from lulc.legend import LandClass, Legend
from lulc.reference import LabelMap
from lulc.strips import Strips

#: Pixels a side, width of the classes' patches and of the errors' in pixels of 10 m.
CASES = ((512, 12, 6), (512, 24, 12), (768, 24, 24), (384, 24, 24))
SCORES = ("accuracy", "macro_f1", "weighted_f1")

NAMES = ("common", "half", "other half", "rare", "very rare")
LEGEND = Legend("s", "", tuple(LandClass(i, n, "#000000") for i, n in enumerate(NAMES, 1)))
GROUPING = common_grouping(LEGEND, LEGEND)


def region(seed: int, size: int, patch: float, error: float) -> list[NDArray[np.uint8]]:
    """A truth (y, x) and two maps of it."""
    y, x = np.arange(size)[:, None], np.arange(size)[None, :]
    land, other, wrong = (
        fractal(key(seed, name), y, x, scale, 3)
        for name, scale in (("land", patch), ("other", patch), ("wrong", error))
    )
    truth = np.where(land < -0.3, 1, np.where(other < 0, 2, 3))
    truth = np.where(land > 2.2, 5, np.where(land > 1.6, 4, truth))
    limit = np.array([0, 1.4, 0.9, 0.7, 0.6, 0.5])[truth]
    taken = np.array([0, 2, 3, 2, 3, 4])[truth]
    speckled = np.where(white(key(seed, "speckle"), y, x) > 2, truth % 5 + 1, truth)
    first = np.where(wrong > limit, taken, speckled)
    second = np.where(wrong > limit + 0.1, taken, speckled)
    return [ids.astype(np.uint8) for ids in (truth, first, second)]


def counted(truth: NDArray[np.uint8], ids: NDArray[np.uint8]) -> SpatialBlocks:
    """Blocks of a map."""
    grid = GeoBox(truth.shape, Affine(10, 0, 0, 0, -10, 0), "EPSG:3067")
    maps = (LabelMap.from_array(array, grid, LEGEND) for array in (ids, truth))
    strips = Strips(*maps, GROUPING)
    tally = SpatialBlocks.tally(strips)
    strips.count([tally])
    return tally.result()


def scores(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1, precision and recall of every class, then `SCORES`."""
    units = Units(matrix[None])
    values = units.scores(np.ones((1, 1))).values[0]
    n = len(NAMES)
    averages = values[units.accuracy + 1 :]
    f1 = RATIOS.index("f1")
    places = [RATIOS.index(name) * n for name in ("f1", "precision", "recall")]
    ratios = np.concatenate([values[place : place + n] for place in places])
    return np.concatenate([ratios, [values[units.accuracy], *averages[2 * f1 : 2 * f1 + 2]]])


def listed(bounds: Bounds) -> NDArray[np.float64]:
    """The same order, (score, 2)."""
    ratios = [bounds.ratios[name] for name in ("f1", "precision", "recall")]
    return np.vstack([*ratios, *(bounds.averages[name][None] for name in SCORES)])


def binomial(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intervals that take every pixel for a draw, (score, 2)."""
    values, support, predicted = scores(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    total = [matrix.sum()] * len(SCORES)
    numbers = np.concatenate([support + predicted, predicted, support, total])
    half = 1.96 * np.sqrt(values * (1 - values) / numbers)
    return np.stack([values - half, values + half], axis=1)


def held(bounds: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where the interval holds the true value, 0 where not, NaN where there is none."""
    inside = (bounds[:, 0] <= true) & (true <= bounds[:, 1])
    return np.where(np.isnan(bounds[:, 0]), np.nan, inside)


def main(repetitions: int = 200, first_seed: int = 0) -> None:
    """Print the share of regions whose intervals hold the true scores, score by score."""
    for size, patch, error in CASES:
        pairs = []
        total = np.zeros((2, len(NAMES), len(NAMES)), np.int64)
        for number in range(2 * repetitions):
            truth, *maps = region(first_seed + number, size, patch, error)
            found = [counted(truth, ids) for ids in maps]
            total += [blocks.matrices.sum(axis=0) for blocks in found]
            if number < repetitions:
                pairs.append(found)
        first, second = (scores(matrix) for matrix in total)
        ways: dict[str, list[NDArray[np.float64]]] = {"blocks": [], "differences": [], "pixels": []}
        for a, b in pairs:
            ways["blocks"].append(held(listed(a.bounds), first))
            ways["differences"].append(held(listed(b.less(a)), second - first))
            ways["pixels"].append(held(binomial(a.matrices.sum(axis=0)), first))
        blocks, side, length = (
            np.mean([getattr(a, name) for a, _ in pairs]) for name in ("number", "side", "length")
        )
        print(
            f"{size} px, errors alike over {length:.0f} m: {blocks:.0f} blocks of {side:.0f} m\n"
            f"{'':12} F1 by class          precision            recall               "
            "accuracy, macro and weighted F1"
        )
        for way, rows in ways.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no interval
                shares = np.nanmean(rows, axis=0) * 100
            print(f"{way:12} {shown(shares)}")
            given = (1 - np.isnan(rows).mean(axis=0)) * 100
            if (given < 100).any():
                print(f"{'  given':12} {shown(given)}")


def shown(percent: NDArray[np.float64]) -> str:
    """Whole percents in columns; a dash for none."""
    return " ".join(f"{share:3.0f}" if share == share else "  –" for share in percent)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
