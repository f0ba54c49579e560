"""Suspicious labels: patches of the reference that the run's activations contradict most."""

from __future__ import annotations

import asyncio
from typing import Any

import panel as pn
import panel_material_ui as pmui
from odc.geo.geom import Geometry

from dashboard.help import about
from dashboard.mapping.warp import MERCATOR, degrees
from dashboard.painting.layers import SUSPECTS
from dashboard.shelf import Shelf
from dashboard.state import State
from dashboard.ties import alert, button, choose, say, select, table, words
from lulc.errors import LulcError
from lulc.suspects import SHOWN, Suspect, Suspects, suspects

#: How much of the map is shown around a patch: its own size to each side, but at least this.
LEAST_MARGIN_M = 300


class Suspicion:
    """Looks for suspicious labels, lists them, and leads to them on the map."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.found: Suspects | None = None
        self.begin = button("Look for suspicious labels", on_click=self._look)
        self.patch = select("Patch", width=330)
        self.lead = button("Show it on the map", on_click=self._lead)
        self.said, self.summary = alert(), words()
        self.list = pn.pane.HTML("", margin=(4, 10))
        self.results = pmui.Column(
            self.summary,
            pmui.FlexBox(self.patch, self.lead, align_items="center"),
            self.list,
            sizing_mode="stretch_width",
            visible=False,
        )
        self.panel = pmui.Column(
            about("Is the reference wrong?", "suspects"),
            words(
                object="<small>Patches of the reference that the activations contradict most. "
                "They are worth a look, no more: a map that is wrong in the same way "
                "everywhere makes right labels look wrong.</small>"
            ),
            self.begin, self.said, self.results,
            sizing_mode="stretch_width",
        )  # fmt: skip
        state.param.watch(self._forget, ["run", "reference", "codes", "level"])

    def _forget(self, *_: Any) -> None:
        self.found, self.results.visible = None, False
        say(self.said, "")

    async def _look(self, _event: Any) -> None:
        state = self.state
        run = self.shelf.run(state.run)
        reference = self.shelf.references.get(state.reference)
        if run is None or reference is None:
            say(self.said, "Choose a run and a reference (files in references/ of the workspace).")
            return
        self.begin.param.update(disabled=True, label="Looking …")
        try:
            self.found = await asyncio.to_thread(
                suspects, run, reference, codes=state.codes or None, level=state.level
            )
            say(self.said, " ".join(self.found.warnings), "warning")
            state.changed()
        except LulcError as error:
            self.found = None
            say(self.said, str(error), "warning")
        finally:
            self.begin.param.update(disabled=False, label="Look for suspicious labels")
        self._show()

    def _show(self) -> None:
        found = self.found
        self.results.visible = found is not None
        if found is None:
            return
        self.summary.object = (
            f"<small>{len(found.suspects)} of {found.patches:,} patches are suspicious; "
            f"all of them are in {found.path.name} of the run, the first {SHOWN} here.</small>"
        )
        first = found.suspects[:SHOWN]
        choose(self.patch, {title(s): s.rank for s in first}, 1)
        self.lead.disabled = not first
        self.list.object = table(
            ["Rank", "Labelled", "Activations say", "Score, 0.5 to 1", "Area (ha)", "Lon, lat (°)"],
            [
                [str(s.rank), s.given.name, s.suggested.name, f"{s.score:.2f}", f"{s.area:.2f}",
                 f"{s.lon:.5f}, {s.lat:.5f}"]
                for s in first
            ],
            left=3,
        )  # fmt: skip

    def _lead(self, _event: Any) -> None:
        run = self.shelf.run(self.state.run)
        if self.found is None or run is None or not self.patch.value:
            return
        suspect = self.found.suspects[self.patch.value - 1]
        self.state.param.update(
            overlay=SUSPECTS, extent=surroundings(suspect, str(run.grid.crs)), place="Explore"
        )


def title(suspect: Suspect) -> str:
    """A patch in a few words."""
    return f"{suspect.rank}: {suspect.given.name} or {suspect.suggested.name}?"


def surroundings(suspect: Suspect, crs: str) -> tuple[float, float, float, float]:
    """The patch with what lies around it: west, south, east, north in degrees."""
    box = Geometry(suspect.outline, crs).to_crs(MERCATOR).boundingbox
    margin = max(box.span_x, box.span_y, LEAST_MARGIN_M)
    low = degrees(box.left - margin, box.bottom - margin)
    high = degrees(box.right + margin, box.top + margin)
    west, south, east, north = (float(value) for value in (*low, *high))
    return west, south, east, north
