"""What lies behind the scores: whether activations can be believed, and what others would do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import panel_material_ui as pmui

from dashboard.charts import curves, plots
from dashboard.charts.chart import SQUARE, Chart
from dashboard.help import about
from dashboard.ties import choose, heading, select, words
from lulc import tables
from lulc.boundary import Boundary
from lulc.bounds import Bounds
from lulc.cellbounds import CellBounds
from lulc.counts import defined
from lulc.histograms import Histograms
from lulc.scores import Evaluation

#: Two or three of these stand side by side where there is room, and below each other where not.
_PART: dict[str, Any] = {"min_width": 330, "styles": {"flex": "1 1 330px"}}


class Evidence:
    """Curves of one evaluation for a class that is chosen here."""

    def __init__(self) -> None:
        self.found: Histograms | None = None
        self.near: Boundary | None = None
        self.bounds: list[Bounds] = []
        self.sure: CellBounds | None = None
        self.group = select("Class", width=330)
        self.said = words()
        self.charts = {
            "Is an activation a probability?": Chart(curves.reliability, SQUARE),
            "What would another threshold give?": Chart(curves.thresholds, SQUARE),
            "How well is the class ranked?": Chart(curves.precision_recall, SQUARE),
        }
        self.activations = _columns(self.charts)
        self.distance = Chart(curves.boundary, SQUARE)
        [self.edges] = _columns({"Is it wrong, or only near a boundary?": self.distance})
        self.panel = pmui.Column(
            pmui.Row(about("What lies behind the scores", "evidence"), self.group),
            self.said,
            pmui.FlexBox(self.edges, *self.activations, sizing_mode="stretch_width"),
            sizing_mode="stretch_width",
            visible=False,
        )
        self._drawn: Any = None
        self._wanted: Evaluation | None = None
        self.group.param.watch(self._draw, "value")

    async def show(self, evaluation: Evaluation) -> None:
        """Show what an evaluation has counted beside its matrix; nothing if it has not."""
        self._wanted = evaluation
        found, near = (evaluation.parts.get(name) for name in ("activations", "boundary"))
        near = near if isinstance(near, Boundary) else None
        found = found if isinstance(found, Histograms) else None
        bounds = await asyncio.to_thread(near.bounds, evaluation.blocks) if near else []
        sure = await asyncio.to_thread(found.bounds, evaluation.blocks) if found else None
        if self._wanted is not evaluation:
            return  # something newer is to be shown
        self.found, self.sure, self.near, self.bounds = found, sure, near, bounds
        for part in (self.said, *self.activations):
            part.visible = self.found is not None
        self.edges.visible = self.near is not None
        self.panel.visible = self.found is not None or self.near is not None
        names = plots.names(evaluation.groups)
        choose(self.group, {name: i for i, name in enumerate(names)}, self.group.value or 0)
        await self._draw()

    async def _draw(self, *_: Any) -> None:
        group = self.group.value
        wanted = (self.found, self.near, group)
        if group is None or wanted == self._drawn:
            return
        self._drawn = wanted
        if self.near is not None and group < len(self.near.groups):
            await self.distance.show(self.near, group, self.bounds)
        if self.found is not None and group < len(self.found.groups):
            found, sure = self.found, self.sure
            self.said.object = describe(found, group, sure)
            for chart in self.charts.values():
                await chart.show(found, group, sure)


def _columns(charts: Mapping[str, Chart]) -> list[pmui.Column]:
    return [pmui.Column(heading(text), chart.pane, **_PART) for text, chart in charts.items()]


def describe(found: Histograms, group: int, bounds: CellBounds | None = None) -> str:
    """The figures of the curves in two sentences, with their intervals."""
    ranking, lean = found.rankings[group], found.overall.overconfidence

    def figure(value: float, name: str, *place: int) -> str:
        limits = bounds.at(name, *place) if bounds else None
        cautious = bool(bounds and bounds.cautious[name][place])
        return tables.figure(defined(value), limits, cautious)

    manner = "too sure of itself" if lean > 0 else "too modest"
    said = (
        f"The map is {manner} by {abs(lean) * 100:.1f} points on average; expected calibration "
        f"error {figure(found.overall.ece, 'ece', len(found.groups))}, Brier score "
        f"{figure(found.brier, 'brier')} (0 is best, 2 worst)."
    )
    if not found.counts[group, 1].any():
        return f"<small>{said} The reference has nothing of this class here.</small>"
    threshold, f1 = ranking.best
    average = figure(ranking.average_precision, "average_precision", group)
    within = f" In parentheses are 95 % intervals, after {tables.CAUTIOUS} cautious ones."
    return (
        f"<small>{said} Average precision of the class <b>{average}</b>, by chance "
        f"{tables.number(defined(ranking.prevalence))}; mapped wherever its activation reaches "
        f"{threshold:.2f} it would have its best F1, {figure(f1, 'best_f1', group)}."
        f"{within if bounds else ''}</small>"
    )
