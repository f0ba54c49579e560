"""The charts, as HoloViews elements of numbers; colours that need no colour vision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd

from dashboard.charts.chart import TALL
from dashboard.ramps import BLUE, GREEN, GREY, LINES, ORANGE
from lulc.attainable import Attainable
from lulc.compare import Comparison
from lulc.scores import Evaluation

#: Longest name of a class on an axis.
_LONGEST = 30


def _tall(plot: Any, element: Any) -> None:  # noqa: ARG001 (HoloViews' signature)
    """As high as the classes on the axis need."""
    plot.state.height = 130 + 30 * max(len(plot.state.y_range.factors), 6)


#: A chart with a row for every class.
_BY_CLASS: dict[str, Any] = {
    "invert_yaxis": True, "responsive": True, "height": TALL, "hooks": [_tall],
    "toolbar": None, "default_tools": [], "title": "",
}  # fmt: skip

#: The same with one score, 0 to 1, along the other axis.
_LYING: dict[str, Any] = {
    **_BY_CLASS, "invert_axes": True, "ylim": (0, 1), "xlabel": "", "legend_position": "top",
    "show_grid": True,
}  # fmt: skip


def names(groups: Sequence[Any]) -> list[str]:
    """Names of groups for an axis: with the id, short, and no two alike."""
    return [f"{g.id} {_short(g.name)}" for g in groups]


def scores(
    evaluation: Evaluation, by: str = "legend", band: Attainable | None = None
) -> hv.Overlay:
    """F1 of every class as bars with their intervals, precision and recall as marks upon them.

    With a band, behind them what a perfect map would get from labels that are wrong at times.
    """
    order = _order(evaluation, by)
    rows = [names(evaluation.groups)[i] for i in order]
    f1, precision, recall = (
        getattr(evaluation, name)[order] for name in ("f1", "precision", "recall")
    )
    table = (rows, f1, precision, recall, evaluation.support[order])
    dimensions = ["F1", "Precision", "Recall", "Support"]
    known = [
        [value for value, f in zip(column, f1, strict=True) if not np.isnan(f)] for column in table
    ]
    bars = hv.Bars(tuple(known), "Class", dimensions, label="F1")
    bounds, cautious = np.full((len(rows), 2), np.nan), np.zeros(len(rows), bool)
    if evaluation.blocks:
        found = evaluation.blocks.bounds
        bounds, cautious = found.ratios["f1"][order], found.cautious["f1"][order]
    allowed = band.f1("proportional").T[order] if band else np.full((len(rows), 2), np.nan)
    marks = [
        hv.Scatter((rows, values), "Class", name, label=name)
        for name, values in (("Precision", precision), ("Recall", recall))
    ]
    style = {"color": BLUE, "fill_alpha": 0.45, "line_color": BLUE, "bar_width": 0.62}
    shown = (
        bars.opts(tools=["hover"], **style)
        * _ranges(rows, allowed).opts(color=GREY, line_width=16, alpha=0.45)
        * _intervals(rows, bounds, cautious)
        * marks[0].opts(color=ORANGE, marker="triangle", size=9, line_color="black")
        * marks[1].opts(color=GREEN, marker="circle", size=8, line_color="black")
    )
    said = f"F1 (bars), 95 % interval ({_lines(cautious)})"
    return shown.opts(ylabel=said, legend_cols=3, **_LYING)


def _intervals(rows: Sequence[str], bounds: np.ndarray, cautious: np.ndarray) -> hv.Overlay:
    """Lines along the rows, dashed where an interval is cautious."""
    drawn, careful = (
        _ranges(rows, np.where((cautious == which)[:, None], bounds, np.nan))
        for which in (False, True)
    )
    return drawn.opts(color=LINES, line_width=3) * careful.opts(
        color=LINES, line_width=1.5, line_dash="dashed"
    )


def _lines(cautious: np.ndarray) -> str:
    return "lines, dashed if cautious" if cautious.any() else "lines"


def _ranges(rows: Sequence[str], bounds: np.ndarray) -> hv.Segments:
    """From and to of every class that has both, (row, 2), along its row."""
    pairs = [(row, low, row, high) for row, (low, high) in zip(rows, bounds, strict=True)]
    known = [pair for pair in pairs if not np.isnan(pair[1] + pair[3])]
    # An element without a row would have an axis of numbers, where the others have names.
    return hv.Segments(known or [(rows[0], 0, rows[0], 0)], ["Class", "F1", "to class", "to F1"])


def matrix(evaluation: Evaluation, normalised: bool = True) -> hv.Overlay:
    """The confusion matrix; rows are the reference, as its axes say."""
    counts = evaluation.matrix
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    rows = names(evaluation.groups)
    columns = [str(g.id) for g in evaluation.groups]
    shown = shares if normalised else counts.astype(float)
    cells = [
        (
            columns[j],
            rows[i],
            shown[i, j],
            int(counts[i, j]),
            shares[i, j],
            evaluation.groups[j].name,
        )
        for i in range(len(rows))
        for j in range(len(columns))
    ]
    across, values = ["Map", "Reference"], ["Shown", "Pixels", "Share of the row", "Mapped as"]
    # Beside PyArrow, pandas keeps strings in a way that HoloViews cannot lay out as a table.
    table = pd.DataFrame(cells, columns=[*across, *values]).astype({"Mapped as": object})
    heat = hv.HeatMap(table, across, values)
    middle = 0.5 if normalised else float(np.nanmax(shown, initial=1)) / 2
    texts = [
        (
            x,
            y,
            _percent(share) if normalised else _compact(count),
            "white" if value > middle else "black",
        )
        for x, y, value, count, share, _ in cells
        if count
    ]
    labels = hv.Labels(texts, ["Map", "Reference"], ["Text", "Ink"])
    return (
        heat.opts(
            cmap="Blues",
            clim=(0, 1) if normalised else (0, float(np.nanmax(shown, initial=1))),
            colorbar=True,
            clabel="share of the row" if normalised else "pixels",
            line_color="#cccccc",
            clipping_colors={"NaN": "#eeeeee"},
            tools=["hover"],
        )
        * labels.opts(text_color="Ink", text_font_size="8pt")
    ).opts(
        xlabel="Class in the map (id)",
        ylabel="Class in the reference",
        xaxis="top",
        **_BY_CLASS,
    )


def differences(comparison: Comparison) -> hv.Overlay:
    """F1 of both runs for every class, joined by a line: how far and which way it moved.

    Around that of B, the interval of the difference: it reaches A if there may be none.
    """
    moved = [row for row in comparison.deltas if row["f1"] is not None]
    rows = [f"{row['id']} {_short(row['name'])}" for row in moved] or [" "]
    first = np.array([row["f1_a"] for row in moved] or [np.nan])
    second = [row["f1_b"] for row in moved] or [np.nan]
    none = np.nan, np.nan
    bounds = np.array([row.get("f1_ci") or none for row in moved] or [none])
    cautious = np.array(["f1" in row.get("cautious", ()) for row in moved] or [False])
    segments = hv.Segments((rows, first, rows, second), ["Class", "F1", "to class", "to F1"])
    a = hv.Scatter((rows, first), "Class", "F1", label="A")
    b = hv.Scatter((rows, second), "Class", "F1", label="B")
    return (
        segments.opts(color=GREY, line_width=8, alpha=0.6)
        * _intervals(rows, np.clip(first[:, None] + bounds, 0, 1), cautious)
        * a.opts(color=BLUE, marker="circle", size=10, tools=["hover"])
        * b.opts(color=ORANGE, marker="diamond", size=13, tools=["hover"], line_color="black")
    ).opts(
        ylabel=f"F1, 95 % interval of the change from A ({_lines(cautious)}), 0 to 1",
        legend_cols=2,
        **_LYING,
    )


def _order(evaluation: Evaluation, by: str) -> list[int]:
    places = list(range(len(evaluation.groups)))
    if by == "legend":
        return places
    return sorted(places, key=lambda i: -np.nan_to_num(evaluation.f1[i], nan=-1))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"


def _percent(share: float) -> str:
    return "" if np.isnan(share) or share < 0.005 else f"{share * 100:.0f}"


def _compact(count: int) -> str:
    if count < 1000:
        return str(count)
    return f"{count / 1000:.3g}k" if count < 1_000_000 else f"{count / 1e6:.3g}M"
