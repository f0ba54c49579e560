"""Whether the intervals of scores hold the true scores, and what taking pixels for draws does.

    python -m benchmarks.interval_coverage [REPETITIONS] [FIRST_SEED] [CASE ...]

Many regions of one process: classes by thresholds of smooth noise, errors where another such
field is high, more often in some classes. The true score is that over all of them and as much
ground again.
Two maps of each region, the second with fewer errors, give the paired differences. Cautious
intervals are also counted apart, with how wide they and the others are. "Interior" are the scores
far from boundaries of the truth, "distances" those of the classes of distance that have pixels in
every region, "half" those of a half of each region, as of a zone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from lulc.blocks import SpatialBlocks
from lulc.boundary import Boundary
from lulc.bounds import Bounds
from lulc.counts import RATIOS
from lulc.evaluation import count
from lulc.grouping import common_grouping
from lulc.lakeland.noise import fractal, key, white
from lulc.legend import LandClass, Legend
from lulc.reference import LabelMap
from lulc.scores import Evaluation
from lulc.squares import Squares
from lulc.strips import Strips
from lulc.units import Units

#: Pixels a side, width of the classes' patches and of the errors' in pixels of 10 m.
CASES = ((512, 12, 6), (512, 24, 12), (768, 24, 24), (384, 24, 24), (256, 24, 24))
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


def counted(truth: NDArray[np.uint8], ids: NDArray[np.uint8], parts: Sequence[str]) -> Evaluation:
    """What is counted on a map, of which the western half is a zone of its own."""
    grid = GeoBox(truth.shape, Affine(10, 0, 0, 0, -10, 0), "EPSG:3067")
    maps = (LabelMap.from_array(array, grid, LEGEND) for array in (ids, truth))
    return count(Strips(*maps, GROUPING), parts)


def parts_of(found: Evaluation) -> tuple[NDArray[np.int64], list[Bounds]]:
    """Matrices (part, n, n) of the interior, of each distance and of a half of a region, and
    their intervals."""
    near, blocks = found.parts["boundary"], found.blocks
    assert isinstance(near, Boundary) and blocks is not None
    [sheet] = blocks.sheets
    half = sheet.squares.counts.copy()
    half[:, half.shape[1] // 2 :] = 0
    *curve, interior = near.bounds(blocks)
    bounds = [interior, *curve, blocks.bounds_of(blocks.joined([Squares(half)]))]
    matrices = [near.interior.matrix, *near.matrices, half.sum(axis=(0, 1))]
    return np.stack(matrices), bounds


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


def marked(bounds: Bounds) -> NDArray[np.bool_]:
    """Which are cautious, in the same order."""
    ratios = [bounds.cautious[name] for name in ("f1", "precision", "recall")]
    return np.concatenate([*ratios, [bounds.cautious[name] for name in SCORES]])


def binomial(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intervals that take every pixel for a draw, (score, 2)."""
    values, support, predicted = scores(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    total = [matrix.sum()] * len(SCORES)
    numbers = np.concatenate([support + predicted, predicted, support, total])
    half = 1.96 * np.sqrt(values * (1 - values) / numbers)
    return np.stack([values - half, values + half], axis=1)


def held(bounds: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where an interval (..., 2) holds the true value, 0 where not, NaN where there is none."""
    inside = (bounds[..., 0] <= true) & (true <= bounds[..., 1])
    return np.where(np.isnan(bounds[..., 0]), np.nan, inside)


def main(repetitions: int = 200, first_seed: int = 0, *cases: int) -> None:
    """Print the share of regions whose intervals hold the true scores, score by score; of all
    cases, or of those given, counted from 0."""
    for size, patch, error in [CASES[case] for case in cases] or CASES:
        pairs: list[list[SpatialBlocks]] = []
        parts: list[list[Bounds]] = []
        further, least = np.zeros(1, np.int64), np.array(np.inf)
        total = np.zeros((2, len(NAMES), len(NAMES)), np.int64)
        for number in range(2 * repetitions):
            truth, *maps = region(first_seed + number, size, patch, error)
            kinds = ("intervals", "boundary"), ("intervals",)
            found = [counted(truth, *each) for each in zip(maps, kinds, strict=True)]
            total += [each.matrix for each in found]
            matrices, bounds = parts_of(found[0])
            further = further + matrices
            if number < repetitions:
                pairs.append([each.blocks for each in found])
                parts.append(bounds)
                least = np.minimum(least, matrices.sum(axis=(1, 2)))
        first, second = (scores(matrix) for matrix in total)
        blocks, side, length = (
            np.mean([getattr(a, name) for a, _ in pairs]) for name in ("number", "side", "length")
        )
        print(
            f"{size} px, errors alike over {length:.0f} m: {blocks:.0f} blocks of {side:.0f} m\n"
            f"{'':14} F1 by class          precision            recall               "
            "accuracy, macro and weighted F1"
        )
        tell("blocks", [a.bounds for a, _ in pairs], first)
        tell("differences", [b.less(a) for a, b in pairs], second - first)
        true = np.stack([scores(matrix) for matrix in further])
        curve, last = range(1, len(true) - 1), len(true) - 1
        for name, places in (("interior", [0]), ("distances", curve), ("half", [last])):
            chosen = [place for place in places if least[place]]
            their = [each[place] for place in chosen for each in parts]
            tell(name, their, np.repeat(true[chosen], len(parts), axis=0))
        pixels = [held(binomial(a.matrices.sum(axis=0)), first) for a, _ in pairs]
        print(f"{'pixels':14} {shown(np.mean(pixels, axis=0))}", flush=True)


def tell(name: str, found: list[Bounds], true: NDArray[np.float64]) -> None:
    """Print the share of intervals that hold the true scores; cautious ones and others apart."""
    bounds, cautious = (np.stack([f(each) for each in found]) for f in (listed, marked))
    inside, width = held(bounds, true), bounds[..., 1] - bounds[..., 0]
    drawn, careful = (np.where(kind, 1, np.nan) for kind in (~cautious, cautious))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no interval
        rows = {
            name: inside,
            "  drawn": inside * drawn,
            "    width": width * drawn,
            "  cautious": inside * careful,
            "    share": np.where(np.isnan(inside), np.nan, cautious),
            "    width ": width * careful,
        }
        for title, values in rows.items():
            if values is inside or (cautious.any() and not np.isnan(values).all()):
                print(f"{title:14} {shown(np.nanmean(values, axis=0))}", end="")
                print(f"  all {np.nanmean(values) * 100:.1f}")


def shown(shares: NDArray[np.float64]) -> str:
    """Whole percents in columns; a dash for none."""
    return " ".join(f"{share:3.0f}" if share == share else "  –" for share in shares * 100)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
