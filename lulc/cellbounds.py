"""Intervals of the scores of activations, drawn and cautious as those of the matrix's are.

See `lulc.bootstrap` and `lulc.cautious`. An overconfidence, which can be below 0, has a cautious
interval from those of its two parts as if they were of different ground (MOVER, Zou and Donner
2008): what activations are too large by where it was not so, and too small by where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc import cautious
from lulc.bootstrap import LEAST_BLOCKS, RESAMPLES, SEED, alone, chosen, drawn, drawn_anew
from lulc.cells import Cells
from lulc.cellscores import CellScores
from lulc.counts import Floats
from lulc.units import NORMAL, rarest, standard_errors, widening

#: By how much standard errors are larger than likeness of errors tells. Activations are wrong, if
#: less, where the class mapped is right too, and alike there as far as classes are, which is
#: farther. Measured (docs/benchmarks.md).
FARTHER = 1.1


@dataclass(frozen=True, eq=False)
class CellBounds:
    """Intervals of every score of activations."""

    bounds: dict[str, Floats]
    """By name and in the shape of `lulc.cellscores.CellScores.shapes`, and (..., 2): from, to. NaN
    where the score is undefined."""
    cautious: dict[str, NDArray[np.bool_]]
    """Whether each is cautious."""

    def overall(self, data: dict[str, Any], place: int) -> dict[str, Any]:
        """The JSON of the mapped group's calibration, and of the scores over all groups, with
        intervals; `place` is its map's."""
        calibration = self.calibration(data, place)
        names = "brier", "mean_average_precision"
        found = {f"{name}_ci": self.at(name) for name in names}
        cautious = [*self.marked(names), *calibration["cautious"]]
        return {**calibration, **found, "cautious": cautious}

    def calibration(self, data: dict[str, Any], place: int) -> dict[str, Any]:
        """The JSON of a map's calibration (`lulc.reliability`) with intervals."""
        return self._with(data, ("ece", "overconfidence"), ("observed",), place)

    def ranking(self, data: dict[str, Any], place: int) -> dict[str, Any]:
        """The JSON of a group's ranking (`lulc.ranking`) with intervals."""
        names = "average_precision", "best_f1"
        return self._with(data, names, ("precision", "recall", "f1"), place)

    def _with(
        self, data: dict[str, Any], names: tuple[str, ...], of_points: tuple[str, ...], place: int
    ) -> dict[str, Any]:
        points = [
            {
                **point,
                **{f"{name}_ci": self.at(name, place, i) for name in of_points},
                "cautious": self.marked(of_points, place, i),
            }
            for i, point in enumerate(data["curve"])
        ]
        found = {f"{name}_ci": self.at(name, place) for name in names}
        return {**data, **found, "cautious": self.marked(names, place), "curve": points}

    def at(self, name: str, *place: int) -> list[float] | None:
        """From and to as JSON; None where undefined."""
        low, high = self.bounds[name][place]
        return None if np.isnan(low) else [float(low), float(high)]

    def marked(self, names: tuple[str, ...], *place: int) -> list[str]:
        """Those of the names whose interval is cautious at a place."""
        return [name for name in names if self.cautious[name][place]]


@alone
def intervals(
    cells: Cells, stretch: float = 1.0, resamples: int = RESAMPLES, seed: int = SEED
) -> CellBounds:
    """The interval of every score; cautious where the draws do not tell.

    Args:
        cells: blocks without a pixel must have been left out.
        stretch: what standard errors of a map's scores from these blocks are too small by.
    """
    stretch *= FARTHER
    draws = drawn_anew(len(cells.blocks), resamples, seed)
    scores = CellScores(cells, draws)
    errors = standard_errors(draws, scores.terms, scores.pulls())
    ground = scores.effective[scores.places["brier"]]
    bounds = drawn(scores.values, errors, scores.effective, float(ground), stretch, (-1, 1))
    if rarest(scores.effective[scores.places["average_precision"]]) < LEAST_BLOCKS:
        bounds[scores.places["mean_average_precision"]] = np.nan  # as sure as its least sure group
    signed = scores.places["overconfidence"]
    least = np.zeros((len(bounds), 1))
    least[signed] = -1
    bounds = np.maximum(bounds, least)
    bounds, marked = chosen(bounds, _careful(scores, stretch * errors[0]))
    _settle(scores, bounds, marked)
    return CellBounds(
        {name: bounds[place] for name, place in scores.places.items()},
        {name: marked[place] for name, place in scores.places.items()},
    )


def _settle(scores: CellScores, bounds: Floats, marked: NDArray[np.bool_]) -> None:
    """Change the intervals of what is certain, of what is undefined, and of what was halved."""
    precision, recall, f1 = (scores.places[name] for name in ("precision", "recall", "f1"))
    whole = recall[:, 0]  # at or above an activation of 0 is everything
    bounds[whole], marked[whole] = np.where(np.isnan(bounds[whole]), np.nan, 1), False
    values = scores.values[0]
    none = np.isnan(values[precision] + values[recall])
    for place in (recall[none], f1[none]):
        bounds[place], marked[place] = np.nan, False
    # A calibration error is no less than the overconfidence is far from 0. Where the gaps of all
    # bins move together, their signs, which standard errors keep, change all at once.
    ece, overconfidence = scores.places["ece"], scores.places["overconfidence"]
    far = np.abs(bounds[overconfidence]).max(axis=1)
    marked[ece] |= marked[overconfidence] & (far > bounds[ece, 1])
    bounds[ece, 1] = np.maximum(bounds[ece, 1], far)
    bounds[scores.places["brier"]] *= 2


def _careful(scores: CellScores, errors: Floats) -> Floats:
    """The cautious interval of every score, (score, 2)."""
    values, places = scores.values[0], scores.places
    bounds = cautious.limits(values, errors, scores.effective, scores.erring)
    over, under, both = (places[name] for name in ("over", "under", "overconfidence"))
    too_large, too_small = (
        np.abs(bounds[place] - values[place][:, None]).T for place in (over, under)
    )
    apart = np.hypot(too_large, too_small[::-1]).T
    bounds[both] = values[both][:, None] + apart * (-1, 1)
    each, mean = places["average_precision"], places["mean_average_precision"]
    student = NORMAL * widening(scores.effective[mean]) * errors[mean]
    bounds[mean] = cautious.average(values[each], bounds[each], float(student))
    return bounds
