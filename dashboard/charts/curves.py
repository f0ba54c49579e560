"""Curves of what activations are worth: calibration, and what their thresholds would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np

from dashboard.charts.chart import SQUARE
from dashboard.ramps import BLUE, GREEN, GREY, ORANGE
from lulc.boundary import EDGES, INTERIOR, Boundary
from lulc.bounds import Bounds
from lulc.cellbounds import CellBounds
from lulc.histograms import Histograms
from lulc.levels import BINS, VALUES
from lulc.ranking import CURVE_STEP

#: A square of two shares. Four stand side by side: the legend has few words in a row.
_SHARES: dict[str, Any] = {
    "xlim": (0, 1), "ylim": (0, 1), "responsive": True, "height": SQUARE, "show_grid": True,
    "legend_position": "top", "legend_cols": 2, "toolbar": None, "default_tools": [], "title": "",
}  # fmt: skip


def reliability(found: Histograms, group: int, bounds: CellBounds | None = None) -> hv.Overlay:
    """How often activations of each size are right: of the mapped class, and of one class.

    With intervals, these are lines through the points.
    """
    edges = np.arange(BINS + 1) / BINS
    right = hv.Curve(([0, 1], [0, 1]), "Activation", "Share that is so", label="calibrated")
    shown = right.opts(color=GREY, line_dash="dashed")
    for curve, place, label, color, marker in (
        (found.overall, len(found.groups), "class mapped", BLUE, "circle"),
        (found.reliabilities[group], group, "class chosen", ORANGE, "triangle"),
    ):
        there = curve.pixels > 0
        table = (
            curve.confidence[there], curve.observed[there], curve.pixels[there],
            edges[:-1][there], edges[1:][there],
        )  # fmt: skip
        points = hv.Scatter(
            table, "Activation", ["Share that is so", "Pixels", "From", "To"], label=label
        )
        line = hv.Curve(table[:2], "Activation", "Share that is so", label=label)
        shown *= line.opts(color=color)
        if bounds:
            limits, cautious = bounds.bounds["observed"][place], bounds.cautious["observed"][place]
            known = [*zip(limits[there], cautious[there], strict=True)]
            shown *= _intervals(curve.confidence[there], known, color)
        shown *= points.opts(
            color=color, marker=marker, size=9, line_color="black", tools=["hover"]
        )
    return shown.opts(
        xlabel="mean activation, 0 to 1",
        ylabel="share that is so, and 95 % interval" if bounds else "share of pixels that is so",
        **_SHARES,
    )


def thresholds(found: Histograms, group: int, bounds: CellBounds | None = None) -> hv.Overlay:
    """Precision, recall and F1 of a class mapped wherever its activation reaches a threshold.

    With intervals, these are bands around the curves.
    """
    ranking = found.rankings[group]
    at = ranking.thresholds if len(ranking.thresholds) else VALUES[:1]
    columns = (ranking.precision, ranking.recall, ranking.f1)
    shown, bands = [], []
    for values, name, label, color, dash in zip(
        columns,
        ("precision", "recall", "f1"),
        ("precision", "recall", "F1"),
        (ORANGE, GREEN, BLUE),
        ("dashed", "dotted", "solid"),
        strict=True,
    ):
        table = (at, values if len(values) else [np.nan])
        line = hv.Curve(table, "Threshold", "Score", label=label)
        shown.append(line.opts(color=color, line_dash=dash, line_width=2.5, tools=["hover"]))
        if bounds:
            limits = bounds.bounds[name][group]
            bands.append(_band("Threshold", VALUES[::CURVE_STEP], limits, color))
    best = hv.Scatter(([ranking.best[0]], [ranking.best[1]]), "Threshold", "Score", label="best F1")
    marked = best.opts(color=BLUE, marker="star", size=14, line_color="black")
    return (hv.Overlay([*bands, *shown]) * marked).opts(
        xlabel="threshold of the activation, 0 to 1",
        ylabel="score, and 95 % interval (band)" if bounds else "score, 0 to 1",
        **_SHARES,
    )


def precision_recall(found: Histograms, group: int, bounds: CellBounds | None = None) -> hv.Overlay:
    """Precision against recall over all thresholds, and what a blind order would give.

    With intervals, those of the precision are a band, at the recall of their thresholds.
    """
    ranking = found.rankings[group]
    there = len(ranking.recall) > 0
    table = (
        (ranking.recall, ranking.precision, ranking.thresholds)
        if there
        else ([np.nan], [np.nan], [0.0])
    )
    curve = hv.Curve(table[:2], "Recall", "Precision", label="by activation")
    points = hv.Scatter(table, "Recall", ["Precision", "Threshold"], label="by activation")
    blind = hv.Curve(([0, 1], [ranking.prevalence] * 2), "Recall", "Precision", label="by chance")
    shown = blind.opts(color=GREY, line_dash="dashed")
    if bounds and there:
        places = np.searchsorted(ranking.thresholds, VALUES[::CURVE_STEP])
        places = places[places < len(ranking.recall)][::-1]
        limits = bounds.bounds["precision"][group][: len(places)][::-1]
        shown *= _band("Recall", ranking.recall[places], limits, BLUE)
    return (
        shown
        * curve.opts(color=BLUE, line_width=2.5)
        * points.opts(color=BLUE, size=3, tools=["hover"])
    ).opts(
        xlabel="recall, 0 to 1",
        ylabel="precision, and 95 % interval (band)" if bounds else "precision, 0 to 1",
        **_SHARES,
    )


def boundary(found: Boundary, group: int, bounds: Sequence[Bounds] = ()) -> hv.Overlay:
    """Scores by distance to the nearest boundary of the reference, in metres.

    With the intervals of each distance, these are lines through the points.
    """
    # The last class has no end: it is drawn as if it were as wide as the one before.
    edges = np.array([*EDGES[:-1], 2 * EDGES[-2] - EDGES[-3]]) * found.size
    places = (edges[:-1] + edges[1:]) / 2
    lines = []
    accuracy = [(b.averages["accuracy"], b.cautious["accuracy"]) for b in bounds]
    f1 = [(b.ratios["f1"][group], b.cautious["f1"][group]) for b in bounds]
    for label, color, dash, values, known in (
        ("accuracy of all classes", BLUE, "solid", [c.accuracy for c in found.curve], accuracy),
        ("F1 of the class chosen", ORANGE, "dashed", [c.f1[group] for c in found.curve], f1),
    ):
        pixels = [c.pixels.scored for c in found.curve]
        table = (places, values, edges[:-1], edges[1:], pixels)
        points = hv.Scatter(table, "Distance", ["Score", "From", "To", "Pixels"], label=label)
        line = hv.Curve(table[:2], "Distance", "Score", label=label)
        lines.append(
            line.opts(color=color, line_dash=dash, line_width=2.5)
            * _intervals(places, known, color)
            * points.opts(color=color, size=7, line_color="black", tools=["hover"])
        )
    inside = hv.VLine(INTERIOR * found.size, label="interior").opts(
        color=GREY, line_dash="dotted", line_width=2
    )
    return (lines[0] * lines[1] * inside).opts(
        xlabel="metres to a boundary (dotted: interior)",
        ylabel="score, 0 to 1, and 95 % interval" if bounds else "score, 0 to 1",
        padding=(0.05, 0),
        **{key: value for key, value in _SHARES.items() if key != "xlim"} | {"legend_cols": 1},
    )


def _band(axis: str, places: np.ndarray, limits: np.ndarray, color: str) -> hv.Area:
    """Intervals (point, 2) of the points of a curve, at ascending places along an axis."""
    known = ~np.isnan(places + limits[:, 0])
    band = hv.Area((places[known], *limits[known].T), axis, ["From", "To"])
    return band.opts(color=color, fill_alpha=0.18, line_alpha=0)


def _intervals(places: np.ndarray, known: Sequence[tuple[Any, Any]], color: str) -> hv.Overlay:
    """Lines from and to, at places along the axis; thinner and dotted where cautious."""
    shown = []
    for careful, style in ((False, {"line_width": 2}), (True, {"line_dash": "dotted"})):
        ends = [
            (place, low, place, high)
            for place, ((low, high), cautious) in zip(places, known, strict=False)
            if cautious == careful and not np.isnan(low)
        ]
        lines = hv.Segments(ends, ["Distance", "Score", "to distance", "to score"])
        shown.append(lines.opts(color=color, alpha=0.8, **style))
    return hv.Overlay(shown)
