"""Scores: how a run agrees with a reference, class by class."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.charts import plots
from dashboard.charts.evidence import Evidence
from dashboard.charts.suspicion import Suspicion
from dashboard.shelf import Shelf, labelled
from dashboard.state import State
from dashboard.ties import SIMULATED, alert, button, choose, heading, say, select, table, tie, words
from lulc import tables
from lulc.attainable import Attainable
from lulc.errors import LulcError
from lulc.evaluation import ORIENTATION, evaluate, evaluation_path
from lulc.scores import Evaluation

#: What the levels are called.
LEVELS = {"Classes of the map": "class", "CORINE level 3": "3", "level 2": "2", "level 1": "1"}

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
        self.bars = plots.Chart(plots.scores, margin=(0, 10))
        self.matrix = plots.Chart(plots.matrix, margin=(0, 10))
        self.table = pn.pane.HTML("", margin=(4, 10))
        self.notes = words()
        self.evidence = Evidence()
        self.suspicion = Suspicion(state, shelf)
        left = pmui.Column(
            pmui.Row(heading("F1 of each class"), self.by, self.right),
            self.bars.pane,
            **_HALF,
        )
        right = pmui.Column(
            pmui.Row(heading(f"Confusion matrix: {ORIENTATION}"), self.normal),
            self.matrix.pane,
            **_HALF,
        )
        self.results = pmui.Column(
            self.summary,
            pmui.FlexBox(left, right, sizing_mode="stretch_width"),
            self.evidence.panel,
            heading("What to know about these scores"), self.notes,
            heading("Numbers"), self.table,
            self.suspicion.panel,
            sizing_mode="stretch_width",
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
        self._show()

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
        self._show()

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
        self._show()

    def _show(self, *_: Any) -> None:
        found, run = self.evaluation, self.shelf.run(self.state.run)
        self.results.visible = found is not None
        simulated = run is not None and run.simulated
        self.simulated.param.update(object=SIMULATED if simulated else "", visible=simulated)
        if found is None or run is None:
            return
        self.again.label = "Score again"
        self.summary.object = summary(found)
        allowed = band(found, self.right.value)
        self.bars.show(found, self.by.value, allowed)
        self.matrix.show(found, self.normal.value)
        self.evidence.show(found)
        self.notes.object = remarks(found, explained(found, allowed))
        self.table.object = numbers(found)


def band(found: Evaluation, right: tuple[float, ...]) -> Attainable | None:
    """What labels of that accuracy allow, as chosen, or else as the evaluation was asked for."""
    if right:
        return Attainable.of(found, *right)
    stored = found.parts.get("attainable")
    return stored if isinstance(stored, Attainable) else None


def summary(found: Evaluation) -> str:
    """The averages, with the reference and the pixels they rest on."""
    source = Path(str((found.reference or {}).get("path", "?"))).name
    averages = (
        ("macro F1", found.average("f1", "macro"), "every class alike"),
        ("weighted F1", found.average("f1", "weighted"), "by its support"),
        ("micro F1 = accuracy", found.accuracy, "share of right pixels"),
    )
    cards = "".join(
        f'<div style="padding:4px 18px 4px 0"><div style="font-size:1.5rem;'
        f'font-variant-numeric:tabular-nums">{tables.number(None if value != value else value)}'
        f'</div><div style="font-size:0.8rem">{name}<br><span style="opacity:0.75">{why}</span>'
        f"</div></div>"
        for name, value, why in averages
    )
    return (
        f'<div style="display:flex;flex-wrap:wrap;align-items:flex-end">{cards}'
        f'<div style="font-size:0.85rem;padding:4px 0">Against {escape(source)} '
        f"({escape(found.codes)}), {found.pixels.scored:,} pixels scored</div></div>"
    )


def explained(found: Evaluation, allowed: Attainable | None) -> list[str]:
    """What the lines and the grey bands on the bars are."""
    said = [str(found.blocks)] if found.blocks else []
    if allowed is not None:
        said.append(
            f"Grey: the F1 of a perfect map if {allowed.low:.0%} to {allowed.high:.0%} of the "
            "labels are right and wrong ones are of any class by its share."
        )
    return said


def remarks(found: Evaluation, further: Sequence[str] = ()) -> str:
    """What to know before reading the scores, as a list."""
    p = found.pixels
    lines = [*found.warnings, *found.notes] or ["Every class of the map was scored on its own."]
    lines.append(
        f"Pixels: {p.scored:,} scored; {p.ignored_reference:,} left out by the reference, "
        f"{p.ignored_prediction:,} by the map; {p.nodata:,} without data."
    )
    lines += further
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul style='margin:0;padding-left:1.2em;font-size:0.85rem'>{items}</ul>"


def numbers(found: Evaluation) -> str:
    """Every class with its ratios and counts."""
    data = found.to_dict()
    rows = [
        [f"{c['id']} {c['name']}", *(tables.number(c[m]) for m in tables.METRICS),
         tables.interval(c.get("f1_ci")),
         f"{c['support']:,}", f"{c['predicted']:,}"]
        for c in data["classes"]
    ]  # fmt: skip
    head = ["Class", *tables.METRICS.values(), "95 % of F1", "support (px)", "mapped (px)"]
    return table([h[:1].upper() + h[1:] for h in head], rows)
