"""Whether the labels that a run contradicts are the wrong ones, where the wrong ones are known.

    python -m benchmarks.suspects [SEED...]

Simulated regions that the bundled model was not trained on, each with its CORINE-like
reference: a patch of this is wrong if most of its pixels are truly of another group. Patches
are ranked as `lulc suspects` ranks them and in two other ways; and single pixels by their loss.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from sklearn.metrics import average_precision_score

from lulc import config, sample
from lulc.activations import Activations, probabilities
from lulc.classify import classify
from lulc.demo import MODELS
from lulc.grouping import common_grouping
from lulc.levels import ROUNDING
from lulc.model import Model
from lulc.patches import SMALLEST, Patches, connected
from lulc.patchsearch import WINDOW, Search
from lulc.reference import LabelMap, open_reference
from lulc.runs import Run
from lulc.scene import Scene

#: Training used 100 to 139.
SEEDS = tuple(range(200, 208))

#: Pixels a side, one window: the numbers of patches in it are those of the search.
SIZE = WINDOW


def main(seeds: tuple[int, ...] = SEEDS) -> None:
    """Print a line of figures for each region, and their means."""
    lines = []
    for seed, (paths, run) in zip(seeds, classified(seeds), strict=True):
        lines.append(measured(paths, run))
        if seed == seeds[0]:
            print("  ".join(["seed", *lines[0]]))
        print(_line(str(seed), lines[-1]), flush=True)
    means = {name: float(np.mean([line[name] for line in lines])) for name in lines[0]}
    print(_line("mean", means))


def classified(seeds: Iterable[int]) -> Iterator[tuple[dict[str, Path], Run]]:
    """The files of simulated regions, by name, and runs of the bundled model on them; each is
    there until the next is asked for."""
    model = Model.load(config.ASSETS / "models" / MODELS[0])
    for seed in seeds:
        with TemporaryDirectory() as folder:
            paths = sample.write(Path(folder) / "sample", size=SIZE, seed=seed)
            yield paths, classify(Scene.open(paths["bands"]), model, out=Path(folder) / "run")


def measured(paths: Mapping[str, Path], run: Run) -> dict[str, float]:
    """The figures of one region."""
    prediction, activations = run.labels(), Activations.of(run)
    assert activations is not None
    reference = open_reference(paths["corine"], prediction.grid)
    grouping = common_grouping(prediction.legend, reference.legend)
    search = Search(prediction, activations, reference, grouping)
    patches = search.measure()[0]
    groups = search.groups(Window(0, 0, SIZE, SIZE))
    numbers, count = connected(groups)
    truth = grouping.prediction_lut[LabelMap.open(paths["truth"], prediction.legend).read()]
    wrong = majority(numbers, count, truth, len(grouping.groups)) != patches.given
    large = patches.pixels >= SMALLEST
    ranked = patches.suspicious()
    right = wrong[ranked]

    bands = [[place - 1 for place in group.members] for group in grouping.groups]
    shares = probabilities(activations.stored(Window(0, 0, SIZE, SIZE)), bands)
    inside = numbers >= 0
    inside[inside] = large[numbers[inside]]
    own = np.take_along_axis(shares, np.maximum(groups, 0)[None].astype(int), axis=0)[0]
    loss = -np.log(own[inside] + ROUNDING)
    scores = {"score": patches.score, "margin": margin(patches), "loss": patch_loss(patches)}
    by_patch = {
        f"AP {name}": float(average_precision_score(wrong[large], values[large]))
        for name, values in scores.items()
    }
    area = patches.pixels[large]
    return {
        "patches": float(large.sum()),
        "wrong": float(wrong[large].mean()),
        "listed": float(len(ranked)),
        "precision": float(right.mean()),
        "recall": float(right.sum() / wrong[large].sum()),
        "first 50": float(right[:50].mean()),
        **by_patch,
        "AP area": float(
            average_precision_score(wrong[large], patches.score[large], sample_weight=area)
        ),
        "AP pixels": float(average_precision_score(wrong[numbers[inside]], loss)),
    }


def majority(
    numbers: NDArray[np.int32], count: int, truth: NDArray[np.int16], groups: int
) -> NDArray[np.int64]:
    """The commonest true group of each patch, (n,)."""
    inside = (numbers >= 0) & (truth >= 0)
    pairs = numbers[inside] * np.int64(groups) + truth[inside]
    return np.bincount(pairs, minlength=count * groups).reshape(count, groups).argmax(axis=1)


def margin(patches: Patches) -> NDArray[np.float64]:
    """Mean activation of the best other group minus that of the given one, (n,)."""
    others = patches.mean.astype(float)
    own = np.take_along_axis(others, patches.given[:, None], axis=1)[:, 0]
    np.put_along_axis(others, patches.given[:, None], -1, axis=1)
    return others.max(axis=1) - own


def patch_loss(patches: Patches) -> NDArray[np.float64]:
    """Mean over its pixels of minus the logarithm of the given group's activation, (n,)."""
    return -np.take_along_axis(patches.logs, patches.given[:, None], axis=1)[:, 0].astype(float)


def _line(name: str, figures: Mapping[str, float]) -> str:
    cells = [
        f"{value:>{max(len(key), 5)}.{0 if value > 1 else 3}f}" for key, value in figures.items()
    ]
    return "  ".join([f"{name:>4}", *cells])


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SEEDS)
