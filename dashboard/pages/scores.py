"""Scores: how a run agrees with a reference, class by class."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.charts import plots
from dashboard.charts.chart import TALL, Chart
from dashboard.charts.evidence import Evidence
from dashboard.charts.suspicion import Suspicion
from dashboard.charts.telling import summary, told
from dashboard.charts.where import Where
from dashboard.help import about
from dashboard.shelf import Shelf, labelled
from dashboard.state import LEVELS, State
from dashboard.ties import SIMULATED, alert, button, choose, heading, say, select, tie, words
from lulc.errors import LulcError
from lulc.evaluation import ORIENTATION, evaluate, evaluation_path
from lulc.scores import Evaluation

#: Code systems that a reference may be in; empty finds it out.
CODES = {
    "find out": "",
    "CORINE 111–523": "clc",
    "CORINE 1–44": "clc-grid",
    "Finnish CORINE": "clc-fi",
}

#: How many of the reference's labels may be right, least and most. CORINE promises 85 %:
#: Buttner 2014 (https://doi.org/10.1007/978-94-007-7969-3_5).
RIGHT = {
    "not said": (),
    "70 to 80 %": (0.7, 0.8),
    "80 to 90 %": (0.8, 0.9),
    "85 % or more": (0.85, 1.0),
}

#: Two of these stand side by side where there is room, and below each other where not.
_HALF: dict[str, Any] = {"min_width": 420, "styles": {"flex": "1 1 420px"}}


class Scores:
    """The page with the scores of one run."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.evaluation: Evaluation | None = None
        self._turn = 0
        self.run = tie(select("Run", width=330), state, "run")
        self.reference = tie(select("Reference", width=200), state, "reference")
        self.codes = tie(select("Its codes", options=CODES, width=150), state, "codes")
        self.level = tie(select("Level", options=LEVELS, width=180), state, "level")
        self.again = button("Score", color="primary", variant="contained", on_click=self._score)
        self.by = select("Order", options={"of the legend": "legend", "by F1": "f1"}, width=140)
        self.right = select("Labels held right", options=RIGHT, width=170)
        cells = {"share of the row, %": True, "pixels": False}
        self.normal = select("Cells", options=cells, width=170)
        self.said = alert()
        self.simulated = words(styles={"font-weight": "600"})
        self.summary = words()
        self.bars = Chart(plots.scores, TALL, margin=(0, 10))
        self.matrix = Chart(plots.matrix, TALL, margin=(0, 10))
        self.table = pn.pane.HTML("", margin=(4, 10))
        self.notes = words()
        self.evidence = Evidence()
        self.where = Where(state)
        self.suspicion = Suspicion(state, shelf)
        left = pmui.Column(
            pmui.Row(about("F1 of each class", "f1"), self.by, self.right),
            self.bars.pane,
            **_HALF,
        )
        right = pmui.Column(
            pmui.Row(about(f"Confusion matrix: {ORIENTATION}", "matrix"), self.normal),
            self.matrix.pane,
            **_HALF,
        )
        self.results = pmui.Column(
            self.summary,
            pmui.FlexBox(left, right, sizing_mode="stretch_width"),
            self.where.panel,
            self.evidence.panel,
            heading("What to know about these scores"), self.notes,
            heading("Numbers"), self.table,
            self.suspicion.panel,
            sizing_mode="stretch_width", visible=False,
        )  # fmt: skip
        self.panel = pmui.Column(
            self.simulated,
            pmui.FlexBox(self.run, self.reference, self.codes, self.level, self.again,
                         align_items="center", margin=(8, 0, 0, 0), sizing_mode="stretch_width"),
            self.said, self.results,
            sizing_mode="stretch_both", scroll="y",
        )  # fmt: skip
        for name in ("run", "level", "place", "stamp"):
            state.param.watch(self.start, name)
        shelf.param.watch(self._lists, ["runs", "references"])
        self.by.param.watch(self._show, "value")
        self.right.param.watch(self._show, "value")
        self.normal.param.watch(self._show, "value")
        self._lists()

    def _lists(self, *_: Any) -> None:
        choose(self.run, {"none": "", **labelled(self.shelf.runs)}, self.state.run)
        choose(
            self.reference,
            {"none": "", **{n: n for n in self.shelf.references}},
            self.state.reference,
        )

    async def start(self, *_: Any) -> None:
        """Show the stored scores of the run; only while the page is open."""
        if self.state.place != "Scores":
            return
        run = self.shelf.run(self.state.run)
        self.evaluation = None
        if run is None:
            said = "Classify a region first (Explore), or choose a run."
        else:
            said = f"No scores at this level yet: choose a reference and press {self.again.label}."
            path = evaluation_path(run.path, self.state.level)
            if path.is_file():
                try:
                    self.evaluation = await asyncio.to_thread(Evaluation.load, path)
                    said = ""
                except LulcError as error:
                    said = str(error)
        say(self.said, said)
        await self._show()

    async def _score(self, _event: Any) -> None:
        run, reference = (
            self.shelf.run(self.state.run),
            self.shelf.references.get(self.state.reference),
        )
        if run is None or reference is None:
            say(self.said, "Choose a run and a reference (files in references/ of the workspace).")
            return
        self.again.param.update(disabled=True, label="Scoring …")
        try:
            self.evaluation = await asyncio.to_thread(
                evaluate, run, reference, codes=self.state.codes or None, level=self.state.level
            )
            say(self.said, "")
            self.state.changed()
        except LulcError as error:
            say(self.said, str(error), "warning")
        finally:
            self.again.param.update(disabled=False, label="Score")
        await self._show()

    async def _show(self, *_: Any) -> None:
        self._turn += 1
        asked, found, run = self._turn, self.evaluation, self.shelf.run(self.state.run)
        self.results.visible = found is not None
        simulated = run is not None and run.simulated
        self.simulated.param.update(object=SIMULATED if simulated else "", visible=simulated)
        if found is None or run is None:
            return
        self.again.label = "Score again"
        # Intervals and what labels allow take a moment to compute.
        allowed, notes, rows = await asyncio.to_thread(told, found, self.right.value)
        if asked != self._turn:
            return  # something newer is to be shown
        self.summary.object, self.notes.object, self.table.object = summary(found), notes, rows
        charts = (
            partial(self.bars.show, found, self.by.value, allowed),
            partial(self.matrix.show, found, self.normal.value),
            partial(self.evidence.show, found),
            partial(self.where.show, found, run),
        )
        for show in charts:
            if asked == self._turn:
                await show()
