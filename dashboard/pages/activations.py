"""Activations: every class as a small map, and one of them, or three, on the large one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import panel_material_ui as pmui

from dashboard import catalog
from dashboard.activity import contact
from dashboard.activity import tally as tallies
from dashboard.activity.gallery import Gallery
from dashboard.activity.tally import Tally
from dashboard.help import about
from dashboard.mapping import extent, warp
from dashboard.mapping.canvas import Canvas
from dashboard.painting import masks
from dashboard.painting.composites import NO_BASE, composites
from dashboard.painting.masks import LOOKS, MASK, TRIO, Wanted
from dashboard.shelf import Shelf, labelled
from dashboard.state import LEVELS, State
from dashboard.ties import SIDE, SIMULATED, alert, choose, say, select, tie, words
from lulc.census import pixel_areas
from lulc.errors import LulcError
from lulc.runs import Run

#: Pixels that a small map is wide.
_WIDTH = 200

#: How the small maps can be ordered.
ORDERS = {"by average precision": "ap", "as in the legend": "legend", "by area": "area"}

#: What changes the large map.
_SHOWN = ["run", "scene", "class_id", "threshold", "look", "trio", "bare", "place"]


class Activations:
    """The page with the activations of one run."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.canvas = Canvas(paint=masks.paint, point=masks.point)
        extent.share(self.canvas, state, "Activations")
        self.tally: Tally | None = None
        self._hectares = float("nan")
        self._counted: Any = None
        self.run = tie(select("Run", width=250), state, "run")
        self.reference = tie(select("Reference", width=150), state, "reference")
        self.level = tie(select("Scored as", options=LEVELS, width=170), state, "level")
        self.order = tie(select("Order", options=ORDERS, width=190), state, "order")
        self.look = tie(select("Shown", options=LOOKS, width=150), state, "look")
        self.one = tie(select("Class", width=250), state, "class_id")
        self.threshold = tie(
            pmui.FloatSlider(label="Least activation", start=0, end=1, step=0.01, width=220,
                             size="small", margin=(10, 20)),
            state, "threshold",
        )  # fmt: skip
        self.trio = [select(name, width=160) for name in ("Red", "Green", "Blue")]
        for widget in self.trio:
            widget.param.watch(self._chose_trio, "value")
        self.said, self.title, self.figures = alert(), words(), words(min_height=44)
        self.gallery = Gallery(self._picked, sizing_mode="stretch_width", margin=(4, 10))
        self._turn = 0
        self.panel = self._layout()
        for name in ("run", "reference", "codes", "level", "place", "stamp"):
            state.param.watch(self.start, name)
        state.param.watch(self._draw, _SHOWN)
        state.param.watch(self._arrange, "look")
        state.param.watch(self._told, ["class_id", "threshold", "look"])
        state.param.watch(self._cards, ["order", "threshold", "class_id", "look"])
        self.canvas.param.watch(self._cards, "view")
        self.canvas.param.watch(lambda event: say(self.said, event.new, "warning"), "error")
        shelf.param.watch(self._lists, ["runs", "references"])
        self._lists()
        self._arrange()

    def _layout(self) -> pmui.Row:
        choices = pmui.FlexBox(
            self.look, self.one, self.threshold, *self.trio, sizing_mode="stretch_width",
            align_items="center", min_height=58,
        )  # fmt: skip
        left = pmui.Column(
            pmui.FlexBox(self.run, self.reference, self.level, margin=(8, 0, 0, 0),
                         sizing_mode="stretch_width"),
            self.said, about("A class on the map", "mask"), choices, self.figures,
            self.canvas.pane,
            sizing_mode="stretch_both", min_width=380,
        )  # fmt: skip
        right = pmui.Column(
            self.title, about("All classes", "activations"), self.order, self.gallery,
            sizing_mode="stretch_both", scroll="y", styles=SIDE,
        )  # fmt: skip
        return pmui.Row(left, right, sizing_mode="stretch_both")

    def _lists(self, *_: Any) -> None:
        choose(self.run, {"none": "", **labelled(self.shelf.runs)}, self.state.run)
        known = {"none": "", **{name: name for name in self.shelf.references}}
        choose(self.reference, known, self.state.reference)
        run = self.shelf.run(self.state.run)
        if run is not None:
            self._list_classes(run)

    async def start(self, *_: Any) -> None:
        """Show the run, then count its pixels; only while the page is open."""
        if self.state.place != "Activations":
            return
        run = self.shelf.run(self.state.run)
        if run is None:
            self.gallery.items = []
            say(self.said, "Classify a region first (Explore), or choose a run.")
            return
        self._list_classes(run)
        self.title.object = f"<b>{SIMULATED}</b>" if run.simulated else ""
        if not extent.shows(self.state.extent, run.grid):
            self.canvas.zoom_to(warp.mercator_bounds(run.grid))
        if self._counted and self._counted[0] != run.id:
            self.tally = None
        await self._draw()
        await self._cards()
        await self._count(run)

    def _arrange(self, *_: Any) -> None:
        self.threshold.visible = self.state.look == MASK
        self.one.visible = self.state.look != TRIO
        for widget in self.trio:
            widget.visible = self.state.look == TRIO

    def _list_classes(self, run: Run) -> None:
        names = {c.name: c.id for c in run.legend.classes}
        if self.one.options != names:
            choose(self.one, names, self.state.class_id)
            ids = run.legend.ids
            wanted = self.state.trio if set(self.state.trio or [0]) <= set(ids) else None
            for widget, value in zip(self.trio, wanted or (ids * 3)[:3], strict=True):
                choose(widget, names, value)

    def _chose_trio(self, *_: Any) -> None:
        chosen = tuple(widget.value for widget in self.trio)
        if all(chosen):
            self.state.trio = chosen

    def _picked(self, class_id: int) -> None:
        self.state.class_id = class_id

    async def _count(self, run: Run) -> None:
        reference = self.shelf.references.get(self.state.reference)
        codes, trouble = self.state.codes or None, ""
        at = self.state.level
        key = (run.id, reference, codes, at, self.state.stamp)
        if key == self._counted:
            return
        self._counted, self.tally = key, None
        self._told()
        try:
            try:
                found = await asyncio.to_thread(tallies.tally, run, reference, codes, at)
            except LulcError as error:
                trouble = f"{error}"
                found = await asyncio.to_thread(tallies.tally, run)
        except LulcError as error:
            say(self.said, str(error), "warning")
            return
        hectares = await asyncio.to_thread(lambda: float(pixel_areas(run.grid).mean()))
        if key == self._counted:
            self.tally, self._hectares = found, hectares
            say(self.said, trouble, "warning")
            self._told()
            await self._draw()
            await self._cards()

    async def _draw(self, *_: Any) -> None:
        run = self.shelf.run(self.state.run)
        if self.state.place != "Activations" or run is None:
            return
        state = self.state
        try:
            scene = await asyncio.to_thread(catalog.open_scene, run.scene)
        except LulcError:
            scene = None
        names = composites(scene)
        base = state.base if state.base in names else next(iter(names), NO_BASE)
        classes = state.trio or () if state.look == TRIO else (state.class_id,)
        if state.look == MASK and self.tally is not None:
            classes = self.tally.together(state.class_id)
        if state.bare or not set(classes) <= set(run.legend.ids):
            classes = ()
        self.canvas.order = Wanted(scene, base, run, state.look, tuple(classes), state.threshold)

    async def _cards(self, *_: Any) -> None:
        run = self.shelf.run(self.state.run)
        if self.state.place != "Activations" or run is None:
            return
        self._turn += 1
        turn, view, chosen = self._turn, self.canvas.view, self.state.class_id
        height = max(1, round(_WIDTH * view.height / view.width))
        small = replace(view, width=_WIDTH, height=height)
        mark = self.state.threshold if self.state.look == MASK else None
        made = await asyncio.to_thread(
            contact.cards, run, self.tally, small, self.state.order, mark, chosen
        )
        if turn == self._turn:  # nothing newer was asked for meanwhile
            self.gallery.items = made

    def _told(self, *_: Any) -> None:
        run = self.shelf.run(self.state.run)
        if run is None or self.state.class_id not in run.legend.ids:
            return
        index = run.legend.ids.index(self.state.class_id)
        text = contact.told(self.tally, run, index, self.state.threshold, self._hectares)
        self.figures.object = text if self.state.look == MASK else ""
