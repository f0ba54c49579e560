"""Whether the intervals of estimated areas and accuracies hold the truth; what pixel counts do.

    python -m benchmarks.areas_coverage [REPETITIONS]

Landscapes of known truth and maps of known errors, one of them simulated regions as the bundled
model maps them; samples of several sizes and designs.
"symmetric" is 1.96 standard errors to either side of an area, as Olofsson et al. 2014 have it;
the others are the intervals of `lulc.limits`.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from benchmarks.suspects import SEEDS, classified
from lulc import sample
from lulc.estimators import Areas, estimate
from lulc.points import allocate
from lulc.reference import LabelMap

#: Hectares; rows are the map, columns the truth. The last class of the second is rare, and the
#: large ones hide more or less of it.
COMMON = [[8000, 500, 1500], [1000, 15000, 4000], [3000, 2000, 65000]]
RARE = [[30000, 2000, 40], [3000, 60000, 60], [50, 50, 800]]
HIDDEN = (0.1, 0.3, 1, 3)

#: Shares of 13 classes on the ground.
SHARES = (0.3, 0.2, 0.13, 0.1, 0.07, 0.05, 0.04, 0.03, 0.03, 0.02, 0.01, 0.01, 0.01)

DESIGNS = ("random", "proportional", "olofsson")
SIZES = (300, 600, 1000, 2000, 5000)

#: What is checked, and its rows in the table.
KINDS = ("symmetric", "area", "user's", "producer's")

#: Points expected to be wrong about a class, from and to, by which coverage is summed up.
WRONG = (0, 1, 3, 10, np.inf)


def landscapes() -> dict[str, NDArray[np.float64]]:
    """Tables (map, truth) in hectares, by name."""
    found = {"three classes": np.array(COMMON, float)}
    for times in HIDDEN:
        found[f"rare, hidden x {times:g}"] = np.array(RARE) * [
            [1, 1, times],
            [1, 1, times],
            [1, 1, 1],
        ]
    for right in (0.8, 0.97):
        mixed = np.outer(SHARES, SHARES) * (1 - right) + np.diag(SHARES) * right
        found[f"13 classes, {right:.0%}"] = mixed * 1e5
    found["simulated regions"] = simulated()
    return found


def simulated() -> NDArray[np.float64]:
    """The table (map, truth) in hectares of regions that the bundled model was not trained on."""
    tables = []
    for paths, run in classified(SEEDS):
        ids = np.array(run.legend.ids)
        mapped, truth = run.labels().read(), LabelMap.open(paths["truth"], run.legend).read()
        there = np.isin(mapped, ids) & np.isin(truth, ids)
        tables.append(confusion_matrix(mapped[there], truth[there], labels=ids))
    counts = np.sum(tables, axis=0)
    kept = (counts.sum(axis=0) > 0) & (counts.sum(axis=1) > 0)
    return counts[kept][:, kept] * sample.PIXEL**2 / 1e4


def sampled(
    true: NDArray[np.float64], design: str, size: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Counts (map, truth) of one sample."""
    if design == "random":
        return random.multinomial(size, (true / true.sum()).ravel()).reshape(true.shape)
    mapped = true.sum(axis=1)
    points = allocate(size, design, (mapped * 100).astype(int).tolist(), np.diagonal(true) / mapped)
    return np.array(
        [random.multinomial(n, row / row.sum()) for n, row in zip(points, true, strict=True)]
    )


def held(found: Areas, true: NDArray[np.float64]) -> NDArray[np.float64]:
    """(kind, class): 1 where the interval holds the truth, 0 where not, NaN where there is none."""
    real, right = true.sum(axis=0), np.diagonal(true)
    rows = [abs(found.area - real) <= found.area_ci]
    for interval, value in (
        (found.area_interval, real),
        (found.users_accuracy_interval, right / true.sum(axis=1)),
        (found.producers_accuracy_interval, right / real),
    ):
        inside = (interval[:, 0] <= value) & (value <= interval[:, 1])
        rows.append(np.where(np.isnan(interval[:, 0]), np.nan, inside))
    return np.array(rows, float)


def main(repetitions: int = 1000) -> None:
    """Print the share of samples whose intervals hold the truth, class by class."""
    random = np.random.default_rng(0)
    summed = defaultdict(list)
    for name, true in landscapes().items():
        mapped, real = true.sum(axis=1), true.sum(axis=0)
        for design in DESIGNS:
            for size in SIZES:
                samples = [sampled(true, design, size, random) for _ in range(repetitions)]
                # A class that a random sample left without two points is another estimator's.
                usable = [counts for counts in samples if (counts.sum(axis=1) > 1).all()]
                if len(usable) < repetitions / 4:
                    continue
                estimates = [estimate(counts, mapped) for counts in usable]
                coverage = np.nanmean([held(found, true) for found in estimates], axis=0)
                mean = np.mean(usable, axis=0)
                wrong = mean.sum(axis=0) + mean.sum(axis=1) - 2 * np.diagonal(mean)
                right = np.trace(true) / true.sum()
                low, high = np.transpose([found.overall_accuracy_interval for found in estimates])
                overall = ((low <= right) & (right <= high)).mean()
                inside = np.mean((coverage[1] >= 0.92) & (coverage[1] <= 0.98))
                both = f"area {np.nanmean(coverage[1]):.1%} ({inside:.0%} of the classes within 92 "
                both += f"to 98 %), overall {overall:.1%}"
                print(f"{name}, {design}, {size} points: {both}")
                for kind, shares in zip(KINDS, coverage, strict=True):
                    print(f"  {kind:11}" + " ".join(f"{share:6.1%}" for share in shares))
                    for share, number in zip(shares, wrong, strict=True):
                        summed[kind, np.searchsorted(WRONG, number, "right")].append(share)
        off = " ".join(f"{share:+6.1%}" for share in mapped / real - 1)
        print(f"{name}: counting pixels is off by {off}")
    for (kind, place), shares in sorted(summed.items()):
        low, high = np.min(shares), np.max(shares)
        inside = np.mean([0.92 <= share <= 0.98 for share in shares])
        span = f"{WRONG[place - 1]:g} to {WRONG[place]:g}"
        print(
            f"{kind:11} {span:9} points wrong about a class: {low:.1%} to {high:.1%}, mean "
            f"{np.mean(shares):.1%}; {inside:.0%} of {len(shares)} within 92 to 98 %"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
