"""Whether the intervals of the scores of activations hold the true scores.

    python -m benchmarks.activation_coverage [REPETITIONS] [FIRST_SEED] [CASE ...]

The regions are those of `benchmarks.interval_coverage`. Activations are a softmax of what the
simulated map says, of the truth, and of smooth and of white noise, too sharp to be calibrated; the
map scored is the class of the largest. The true score is that over all regions and as many more;
of a best F1, that at the region's own threshold. Of the curves, all points with an interval are
pooled. Cautious intervals are also counted apart.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from benchmarks.interval_coverage import CASES, GROUPING, LEGEND, NAMES, held, region, shown
from lulc.blocks import SpatialBlocks
from lulc.cellbounds import CellBounds
from lulc.evaluation import count
from lulc.histograms import Histograms
from lulc.lakeland.noise import fractal, key, white
from lulc.levels import LEVELS
from lulc.reference import LabelMap
from lulc.strips import Strips

#: What the largest activation owes to the simulated map, to the truth and to white noise, in
#: standard deviations of the smooth noise, and by how much all of it is too sharp.
MAP, TRUTH, SPECKLE, SHARPNESS = 2.0, 1.5, 0.7, 1.5

#: Cases of `benchmarks.interval_coverage` that are told without being asked for.
TOLD = (0, 1, 2, 3)


@dataclass(frozen=True, eq=False)
class Held:
    """Activations in memory, in steps (class, y, x), as `lulc.activations.Activations` gives."""

    steps: NDArray[np.uint8]

    def stored(self, window: Window) -> NDArray[np.uint8]:
        """Those of a window."""
        return self.steps[:, *window.toslices()]


def activations(seed: int, size: int, patch: float, error: float) -> tuple[NDArray, NDArray]:
    """A truth (y, x), and activations of its classes in steps, (class, y, x)."""
    truth, first, _ = region(seed, size, patch, error)
    y, x = np.arange(size)[:, None], np.arange(size)[None, :]
    logits = np.empty((len(NAMES), size, size), np.float32)
    for place, number in enumerate(LEGEND.ids):
        logits[place] = MAP * (first == number) + TRUTH * (truth == number)
        logits[place] += fractal(key(seed, f"smooth {number}"), y, x, error, 2)
        logits[place] += SPECKLE * white(key(seed, f"noise {number}"), y, x)
    shares = np.exp(SHARPNESS * (logits - logits.max(axis=0)))
    steps = np.rint(shares / shares.sum(axis=0) * (LEVELS - 1)).astype(np.uint8)
    return truth, steps


def counted(truth: NDArray[np.uint8], steps: NDArray[np.uint8]) -> tuple[Histograms, SpatialBlocks]:
    """What is counted on a region, and its blocks."""
    grid = GeoBox(truth.shape, Affine(10, 0, 0, 0, -10, 0), "EPSG:3067")
    ids = (steps.argmax(axis=0) + 1).astype(np.uint8)
    maps = (LabelMap.from_array(array, grid, LEGEND) for array in (ids, truth))
    found = count(Strips(*maps, GROUPING, activations=Held(steps)), ("intervals", "activations"))
    part, blocks = found.parts["activations"], found.blocks
    assert isinstance(part, Histograms) and blocks is not None
    return part, blocks


def values(found: Histograms, thresholds: list[float]) -> dict[str, NDArray[np.float64]]:
    """Every score, by the names of the intervals; best F1 at the thresholds given."""
    maps, ranks = [*found.reliabilities, found.overall], found.rankings
    curves = [rank.to_dict()["curve"] for rank in ranks]
    best = [
        np.nan
        if np.isnan(threshold)
        else rank.f1[np.searchsorted(rank.thresholds, threshold - 1e-9)]
        for rank, threshold in zip(ranks, thresholds, strict=True)
    ]
    return {
        "ece": np.array([each.ece for each in maps]),
        "overconfidence": np.array([each.overconfidence for each in maps]),
        "observed": np.array([each.observed for each in maps]),
        "brier": np.array(found.brier),
        "average_precision": np.array([rank.average_precision for rank in ranks]),
        "mean_average_precision": np.array(found.mean_average_precision),
        "best_f1": np.array(best),
        **{
            name: np.array([[point[name] for point in curve] for curve in curves], float)
            for name in ("precision", "recall", "f1")
        },
    }


def main(repetitions: int = 200, first_seed: int = 0, *cases: int) -> None:
    """Print the share of regions whose intervals hold the true scores, score by score."""
    for case in cases or TOLD:
        whole, found, sizes = None, [], []
        for number in range(2 * repetitions):
            part, blocks = counted(*activations(first_seed + number, *CASES[case]))
            alone = replace(part, by_square=())
            whole = whole + alone if whole else alone
            if number < repetitions:
                found.append((alone, part.bounds(blocks)))
                sizes.append((blocks.length, blocks.number, blocks.side))
        length, blocks, side = np.mean(sizes, axis=0)
        print(
            f"{CASES[case][0]} px, errors alike over {length:.0f} m: {blocks:.0f} blocks of "
            f"{side:.0f} m"
        )
        tell(whole, found)


def tell(whole: Histograms, found: list[tuple[Histograms, CellBounds]]) -> None:
    """Print a case: rows of the classes, and of the mapped class or over all classes."""
    print(
        f"true ECE {whole.overall.ece:.3f}, Brier score {whole.brier:.3f}, mean average precision "
        f"{whole.mean_average_precision:.3f}\n{'':24} by class             overall"
    )
    true = [values(whole, [rank.best[0] for rank in part.rankings]) for part, _ in found]
    for name in true[0]:
        limits = np.stack([bounds.bounds[name] for _, bounds in found])
        cautious = np.stack([bounds.cautious[name] for _, bounds in found])
        rows = (
            held(limits, np.stack([each[name] for each in true])),
            np.where(np.isnan(limits[..., 0]), np.nan, cautious),
            limits[..., 1] - limits[..., 0],
        )
        if name == "recall":  # of everything it is 1, whatever the ground
            rows = tuple(row[..., 1:] for row in rows)
        # (region, map, point): the points of a curve are pooled.
        inside, cautious, widths = (
            row.reshape(len(row), *(row.shape[1:2] or (1,)), -1) for row in rows
        )
        for title, shares in {
            name: inside,
            "  drawn": np.where(cautious == 0, inside, np.nan),
            "  cautious": np.where(cautious == 1, inside, np.nan),
            "    share": cautious,
            "  width": widths,
        }.items():
            if title in (name, "  width") or np.nansum(cautious):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no interval
                    mean = np.nanmean(shares, axis=(0, 2))
                print(f"{title:24} {shown(mean)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
