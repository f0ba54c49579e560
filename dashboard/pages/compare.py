"""Compare: two runs side by side, where they agree, and which one the reference prefers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard import catalog
from dashboard.charts import plots
from dashboard.charts.chart import TALL, Chart
from dashboard.help import about
from dashboard.mapping import warp
from dashboard.mapping.canvas import Canvas, link
from dashboard.mapping.legend_view import LegendView
from dashboard.painting import composites, layers
from dashboard.painting.layers import Order
from dashboard.shelf import Shelf, label, labelled
from dashboard.state import State
from dashboard.ties import SIMULATED, alert, choose, heading, say, select, table, tie, words
from lulc import tables
from lulc.compare import DIFFERS, Comparison, compare, interval
from lulc.errors import LulcError
from lulc.runs import Run

#: What can be compared by eye.
_LAYERS = [name for name in layers.OVERLAYS if name != "Reference"]


class Compare:
    """The page with two runs."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.first = tie(select("Run A", width=330), state, "run")
        self.second = tie(select("Run B", width=330), state, "other")
        self.overlay = select("Layer", options=_LAYERS, value="Classes", width=160)
        self.activation = select("Class", options={}, width=230, visible=False)
        self.reference = tie(select("Scored against", width=190), state, "reference")
        self.said = alert()
        self.simulated = words(styles={"font-weight": "600"})
        self.a, self.b = Canvas(toolbar="above"), Canvas(toolbar="above")
        link(self.a, self.b)
        self.legend = LegendView(state)
        self.titles = words(), words()
        self.summary, self.notes = words(), words()
        self.chart = Chart(plots.differences, TALL)
        self.table = pn.pane.HTML("", margin=(4, 10))
        self.maps = pmui.Row(
            *(
                pmui.Column(title, canvas.pane, sizing_mode="stretch_width", height=470)
                for title, canvas in zip(self.titles, (self.a, self.b), strict=True)
            ),
            pmui.Column(heading("Legend of A"), self.legend.panel, width=250),
            sizing_mode="stretch_width",
        )
        half: dict[str, Any] = {"min_width": 420, "styles": {"flex": "1 1 420px"}}
        self.scores = pmui.FlexBox(
            pmui.Column(heading("F1 of each class"), self.chart.pane, **half),
            pmui.Column(about("Differences of F1, B − A", "differences"), self.table, **half),
            sizing_mode="stretch_width",
        )
        self.results = pmui.Column(
            self.maps, self.summary, self.notes, self.scores,
            sizing_mode="stretch_width", visible=False,
        )  # fmt: skip
        self.panel = pmui.Column(
            self.simulated,
            pmui.FlexBox(self.first, self.second, self.overlay, self.activation, self.reference,
                         margin=(8, 0, 0, 0), sizing_mode="stretch_width"),
            self.said, self.results,
            sizing_mode="stretch_both", scroll="y",
        )  # fmt: skip
        self._seen: tuple[str, str] = ("", "")
        self._compared: Any = None
        self._lists()
        state.param.watch(self._pair, "run")
        for name in ("run", "other", "reference", "codes", "place", "scheme", "hidden"):
            state.param.watch(self.start, name)
        self.overlay.param.watch(self.start, "value")
        self.activation.param.watch(self.start, "value")
        shelf.param.watch(self._lists, ["runs", "references"])
        self.a.param.watch(lambda _: self.legend.show(self.a.picture), "picture")
        for canvas in (self.a, self.b):
            canvas.param.watch(lambda event: say(self.said, event.new, "warning"), "error")

    def _lists(self, *_: Any) -> None:
        runs = labelled(self.shelf.runs)
        choose(self.first, {"none": "", **runs}, self.state.run)
        if not self.state.other:
            self._pair()
        choose(self.second, {"none": "", **runs}, self.state.other)
        known = {"stored scores": "", **{n: n for n in self.shelf.references}}
        choose(self.reference, known, self.state.reference)

    def _pair(self, *_: Any) -> None:
        self.state.other = counterpart(self.shelf.runs, self.state.run, self.state.other)

    async def start(self, *_: Any) -> None:
        """Show both maps and compare their numbers; only while the page is open."""
        if self.state.place != "Compare":
            return
        a, b = self.shelf.run(self.state.run), self.shelf.run(self.state.other)
        self.results.visible = a is not None and b is not None
        simulated = any(run is not None and run.simulated for run in (a, b))
        self.simulated.param.update(object=SIMULATED if simulated else "", visible=simulated)
        if a is None or b is None:
            say(self.said, "Choose two runs; classify the same region with another model first.")
            return
        say(self.said, "These are the same run." if a.id == b.id else "")
        await self._draw(a, b)
        await self._count(a, b)

    async def _draw(self, a: Run, b: Run) -> None:
        self.activation.visible = self.overlay.value == "Activation"
        names = {c.name: c.id for c in a.legend.classes}
        if self.activation.options != names:
            choose(self.activation, names, self.state.class_id)
        for title, letter, run in zip(self.titles, "AB", (a, b), strict=True):
            title.object = f"<b>{letter}</b> {escape(label(run))}"
        if (a.id, b.id) != self._seen:
            self._seen = (a.id, b.id)
            bounds = await asyncio.to_thread(lambda: warp.mercator_bounds(a.grid))
            for canvas in (self.a, self.b):
                canvas.zoom_to(bounds)
        reference = self.shelf.references.get(self.state.reference)
        for canvas, run in ((self.a, a), (self.b, b)):
            canvas.order = await asyncio.to_thread(self._order, run, reference)

    def _order(self, run: Run, reference: Any) -> Order:
        try:
            scene = catalog.open_scene(run.scene) if run.scene in self.shelf.scenes else None
        except LulcError:
            scene = None
        base = next(iter(composites.composites(scene)), composites.NO_BASE)
        codes = self.state.codes or None
        return Order(
            scene, base, run, self.overlay.value, self.activation.value or 0, reference, codes,
            scheme=self.state.scheme, hidden=frozenset(self.state.hidden),
        )  # fmt: skip

    async def _count(self, a: Run, b: Run) -> None:
        reference = self.shelf.references.get(self.state.reference)
        key = (a.id, b.id, reference, self.state.codes, self.state.stamp)
        if key == self._compared:
            return
        self._compared = key
        self.summary.object = "Comparing …"
        try:
            found = await asyncio.to_thread(
                compare, a, b, reference, codes=self.state.codes or None
            )
        except LulcError as error:
            self._compared = None
            self.summary.object, self.scores.visible = "", False
            say(self.said, str(error), "warning")
            return
        # Their intervals take a moment.
        said, notes, rows = await asyncio.to_thread(
            lambda: (summary(found), found.to_dict()["notes"], differences(found))
        )
        if key != self._compared:
            return  # others were chosen meanwhile
        self.summary.object = said
        self.notes.object = "<br>".join(escape(note) for note in notes)
        self.scores.visible = bool(found.deltas)
        self.table.object = rows
        if found.deltas:
            await self.chart.show(found)


def counterpart(runs: Sequence[Run], run: str, other: str) -> str:
    """The id of the run to compare with: `other` if it is of the same scene, else the newest
    that is; or none. Runs of two scenes can be chosen, and are told apart by the comparison."""
    scene = next((r.scene for r in runs if r.id == run), None)
    there = [r.id for r in runs if r.scene == scene and r.id != run]
    return other if other in there else next(iter(there), "")


def summary(found: Comparison) -> str:
    """The agreement and the averages, in a sentence each."""
    said = []
    if found.agreement is not None:
        said.append(f"The two maps agree on <b>{found.agreement:.1%}</b> of the pixels they share.")
    if found.deltas:
        data = found.to_dict()
        for key, name in (("macro_f1", "Macro F1"), ("accuracy", "Accuracy")):
            a, b = (tables.number(data[f"{key}_{run}"]) for run in "ab")
            change, (span, _) = tables.number(data[key], signed=True), interval(data, key)
            between = "" if span == tables.UNDEFINED else f", 95 % interval {span}"
            said.append(f"{name}: A {a}, B {b} (<b>{change}</b>{between}).")
    return " ".join(said)


def differences(found: Comparison) -> str:
    """A row for each class: F1 of A, of B, their difference with its interval, the support."""
    rows = [
        [f"{c['id']} {c['name']}", tables.number(c["f1_a"]), tables.number(c["f1_b"]),
         tables.number(c["f1"], True), *interval(c, "f1"), f"{c['support']:,}"]
        for c in found.deltas
    ]  # fmt: skip
    head = ["Class", "F1 of A", "F1 of B", "B − A", "95 % interval", "", "Support (px)"]
    said = f"<small>{DIFFERS}: the interval of the difference does not hold 0.</small>"
    return table(head, rows) + (said if any(c.get("f1_differs") for c in found.deltas) else "")
