"""Scores of activations for draws of blocks, and what their standard errors are made of.

Most are ratios of sums over the pixels, each counted by a weight of its activation and of whether
it was so (`lulc.cells`). The others have a derivative by a block's weight in closed form: the
expected calibration error, as its bins' gaps keep their signs, and the average precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lulc.cells import CELL, CELLS, Cells, by_cell
from lulc.counts import Floats, ratio
from lulc.levels import BIN, BINS, LEVELS, VALUES
from lulc.ranking import CURVE_STEP, Ranking, average_precision, average_precision_gains
from lulc.units import fewest, kish

#: Whether a level is of a bin, (BINS, LEVELS).
IN_BIN = np.arange(BINS)[:, None] == BIN

#: Whether a level is at or above a threshold of the curve, (POINTS, LEVELS).
KEPT = np.arange(0, LEVELS, CURVE_STEP)[:, None] <= np.arange(LEVELS)

#: Points of the curve of thresholds.
POINTS = len(KEPT)


class CellScores:
    """Every score of draws of blocks, (draw, score), flat in the order of `shapes`.

    `over` and `under` are what activations are too large by where it was not so, and too small
    by where it was, per pixel; `overconfidence` is their difference. `best_f1` is that at the
    threshold which is best on the whole ground. Brier scores are halved, so that they end at 1.
    """

    def __init__(self, cells: Cells, draws: Floats) -> None:
        self.cells, self.draws = cells, draws
        sums = self._sums().values()
        self.above, self.below = (
            np.concatenate([pair[i].reshape(len(cells.blocks), -1) for pair in sums], axis=1)
            for i in range(2)
        )
        totals = draws @ self.below
        self.inverse = ratio(np.ones_like(totals), totals)
        self.ratios = (draws @ self.above) * self.inverse

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The scores by name, and the shape of each: first ratios of sums, then the others."""
        maps, groups = self.cells.maps, self.cells.maps - 1
        return {
            **dict.fromkeys(("over", "under", "overconfidence"), (maps,)),
            "observed": (maps, BINS),
            **dict.fromkeys(("precision", "recall", "f1"), (groups, POINTS)),
            "best_f1": (groups,),
            "brier": (),
            "ece": (maps,),
            "average_precision": (groups,),
            "mean_average_precision": (),
        }

    @cached_property
    def places(self) -> dict[str, NDArray[np.intp]]:
        """Where each score is among all, an array of its shape."""
        sizes = [prod(shape) for shape in self.shapes.values()]
        parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def _sums(self) -> dict[str, tuple[Floats, Floats]]:
        """Numerators and denominators of the ratios, (block, *shape) each."""
        maps, deviations = self.cells.maps, self.cells.deviations
        groups = maps - 1
        best = [Ranking(counts).best[0] for counts in self.cells.counts[:-1]]
        best_kept = np.array(best)[:, None] <= VALUES
        weights: dict[str, tuple[int, Any, Any]] = {
            "over": (maps, _both(deviations[:, 0], 0), _both(1, 1)),
            "under": (maps, _both(0, -deviations[:, 1]), _both(1, 1)),
            "overconfidence": (maps, deviations, _both(1, 1)),
            "observed": (maps, _both(0, IN_BIN), _both(IN_BIN, IN_BIN)),
            "precision": (groups, _both(0, KEPT), _both(KEPT, KEPT)),
            "recall": (groups, _both(0, KEPT), _both(0, np.ones_like(KEPT))),
            "f1": (groups, _both(0, 2 * KEPT), _both(KEPT, 1 + KEPT)),
            "best_f1": (groups, _both(0, 2 * best_kept), _both(best_kept, 1 + best_kept)),
        }
        found = {}
        for name, (number, *pair) in weights.items():
            shape = number, *self.shapes[name][1:], 2, LEVELS
            above, below = (self.cells.weighed(np.broadcast_to(each, shape)) for each in pair)
            found[name] = above, below
        losses = self.cells.weighed(self.cells.losses / 2).sum(axis=1)
        return {**found, "brier": (losses, self.pixels)}

    @property
    def pixels(self) -> Floats:
        """(block,): pixels of each block."""
        return self.cells.flat[-1].sum(axis=1)

    @cached_property
    def hits(self) -> Floats:
        """(block, group): pixels of each group, each counted by the precision at its activation
        on the whole ground. Over the pixels of the group it is the average precision."""
        counts = self.cells.counts[:-1]
        kept = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
        precision = np.nan_to_num(ratio(kept[:, 1], kept.sum(axis=1)))
        return self.cells.weighed(_both(0, precision))

    @cached_property
    def positives(self) -> Floats:
        """(block, group): pixels of each group."""
        return self.cells.flat[:-1, :, CELLS:].sum(axis=2).T

    @cached_property
    def gaps(self) -> Floats:
        """(map, block, BINS): activations minus where it was so, added up by bin."""
        weights = self.cells.deviations[:, None] * IN_BIN[:, None]
        return np.ascontiguousarray(self.cells.weighed(weights).swapaxes(0, 1))

    @cached_property
    def values(self) -> Floats:
        """(draw, score); NaN where undefined."""
        inverse = self.inverse[:, self.places["brier"]]
        ece = [abs(self.draws @ gaps).sum(axis=1) * inverse for gaps in self.gaps]
        found = [average_precision(counts) for counts in self._by_level()]
        known = ~np.isnan(found)
        mean = ratio(np.where(known, found, 0).sum(axis=0), known.sum(axis=0))
        return np.column_stack([self.ratios, *ece, *found, mean])

    @property
    def terms(self) -> list[tuple[Floats, Floats]]:
        """Pulls on the ratios, as those of `lulc.units.Scores`."""
        return [(self.inverse, self.above), (-self.ratios * self.inverse, self.below)]

    def pulls(self) -> Iterator[Floats]:
        """Pulls on each other score in turn, (draw, block)."""
        inverse = self.inverse[:, self.places["brier"], None]
        for place, gaps in zip(self.places["ece"], self.gaps, strict=True):
            signs = np.sign(self.draws @ gaps)
            yield inverse * (signs @ gaps.T - self.values[:, place, None] * self.pixels)
        known = ~np.isnan(self.values[:, self.places["average_precision"]])
        share = ratio(np.ones(len(known)), known.sum(axis=1))[:, None]
        mean = np.zeros(self.draws.shape)
        for group, counts in enumerate(self._by_level()):
            gains = by_cell(average_precision_gains(counts) * self.cells.within[group])
            pull = gains.reshape(-1, 2 * CELLS) @ self.cells.flat[group].T
            mean += np.where(known[:, group, None], pull, 0) * share
            yield pull
        yield mean

    def _by_level(self) -> Iterator[Floats]:
        """Of each group in turn, the pixels of draws by level, (draw, 2, LEVELS)."""
        for flat, within in zip(self.cells.flat[:-1], self.cells.within, strict=False):
            yield (self.draws @ flat).reshape(-1, 2, CELLS)[..., CELL] * within

    @cached_property
    def effective(self) -> Floats:
        """(score,): blocks that each score rests on, as `lulc.units.kish` counts them: those
        under a ratio, those of the group for the average precision, and for the mean of these
        all of them. Calibration is of all pixels, but of a rare group varies most by where
        the group is: of a map it rests on no more blocks than where it was so."""
        there = kish(self.cells.flat[:, :, CELLS:].sum(axis=2).T)
        whole = kish(self.pixels[:, None])
        calibration = np.fmin(whole, there)
        found = np.concatenate([kish(self.below), calibration, there[:-1], whole])
        found[self.places["overconfidence"]] = calibration
        return found

    @cached_property
    def erring(self) -> Floats:
        """(score,): blocks in which the errors of each score lie, or its hits where these lie in
        fewer. The errors of a calibration error are where activations are wrong at all, those of
        an average precision the pixels that lower it; its mean's are those of the mapped group."""
        ratios = fewest(self.below - self.above, self.above)
        over, under = (self.above[:, self.places[name]] for name in ("over", "under"))
        calibration = fewest(over + under)
        counts = self.cells.counts[:-1].astype(float)
        harm = self.cells.weighed(
            np.nan_to_num(average_precision_gains(counts)) * np.array([-1.0, 0.0])[:, None]
        )
        precision = fewest(self.hits, self.positives - self.hits, harm)
        return np.concatenate([ratios, calibration, precision, calibration[-1:]])


def _both(absent: ArrayLike, there: ArrayLike) -> NDArray[Any]:
    """Weights (..., 2, LEVELS) of pixels where it was not so, and where it was."""
    return np.stack(np.broadcast_arrays(absent, there, np.ones(LEVELS))[:2], axis=-2)
