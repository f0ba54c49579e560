"""Explore: the form, the map, and the layers with their legend."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

import panel_material_ui as pmui

from dashboard import catalog
from dashboard.choosing import plan as plans
from dashboard.choosing.form import Form
from dashboard.choosing.region_map import RegionMap
from dashboard.mapping import extent, warp
from dashboard.mapping.blocks import BlockLayer
from dashboard.mapping.canvas import Canvas
from dashboard.mapping.layer_form import LayerForm
from dashboard.painting import layers
from dashboard.painting.layers import Order
from dashboard.pixels.feature_view import FeatureView
from dashboard.pixels.inspector import Inspector
from dashboard.running.job import Job
from dashboard.running.progress import Progress
from dashboard.shelf import Shelf
from dashboard.state import State
from dashboard.ties import SIMULATED, say, spoken, words
from lulc.errors import LulcError

#: What changes the picture.
_SHOWN = [
    "scene", "run", "base", "overlay", "class_id", "reference", "codes", "bands", "scale", "offset",
    "triple", "scheme", "hidden", "bare",
]  # fmt: skip


class Explore:
    """The page with the map."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.progress = Progress(state, shelf)
        self.canvas = Canvas()
        extent.share(self.canvas, state, "Explore")
        self.regions = RegionMap(state, shelf, self.canvas)
        self.blocks = BlockLayer(state, self.canvas)
        self.form = Form(state, shelf, self._submitted, self.regions.show_all)
        self.layers = LayerForm(state, shelf, self.canvas)
        self.inspector = Inspector(state, self.canvas)
        self.bands = FeatureView(self.canvas)
        self.said = self.layers.said
        self.title = words()
        self._shown: tuple[str, str] = ("", "")
        self.panel = self._layout()
        state.param.watch(self._chosen_run, ["run"])
        state.param.watch(self._chosen_scene, ["scene"])
        state.param.watch(self._draw, _SHOWN)
        self.canvas.param.watch(self._painted, ["picture", "error"])
        self.sides.param.watch(self._side, "active")
        self.canvas.param.watch(lambda _: self.sides.param.update(active=1), "clicked")
        self.layers.lists()

    def _layout(self) -> pmui.Row:
        # The form scrolls by itself, so that a job is seen wherever the form stands.
        form = pmui.Column(
            self.form.panel, sizing_mode="stretch_width", scroll="y",
            styles={"flex": "1 1 0", "min-height": "0"},
        )  # fmt: skip
        left = pmui.Column(
            form, self.progress.panel, self.progress.dialog,
            width=290, sizing_mode="stretch_height", margin=(0, 4, 0, 0),
        )  # fmt: skip
        middle = pmui.Column(self.title, self.canvas.pane, sizing_mode="stretch_both")
        self.sides = pmui.Tabs(
            ("Layers", self.layers.panel), ("Pixel", self.inspector.panel),
            ("Bands", self.bands.panel),
            sizing_mode="stretch_width",
        )  # fmt: skip
        right = pmui.Column(self.sides, width=310, sizing_mode="stretch_height", scroll="y")
        return pmui.Row(left, middle, right, sizing_mode="stretch_both")

    async def start(self) -> None:
        """Show what the state says for the first time."""
        self.sides.active = 1 if self.state.pins else 0
        await self._draw()
        await self.regions.start()
        await self.form.plan_again()
        self.blocks.watch()
        self.progress.watch()

    def _newest(self) -> str:
        return next((r.id for r in self.shelf.runs if r.scene == self.state.scene), "")

    def _chosen_run(self, *_: Any) -> None:
        run = self.shelf.run(self.state.run)
        if run is not None:
            self.layers.classes()
            if run.scene in self.shelf.scenes:
                self.state.scene = run.scene

    def _chosen_scene(self, *_: Any) -> None:
        run = self.shelf.run(self.state.run)
        if run is None or run.scene != self.state.scene:
            self.state.run = self._newest()

    async def _draw(self, *_: Any) -> None:
        order, trouble = await asyncio.to_thread(self._order)
        say(self.said, trouble, "warning")
        self.layers.images(order.scene)
        self._notice(order)
        place = (self.state.scene, self.state.run)
        if place != self._shown:
            self._shown = place
            grid = order.run.grid if order.run else order.scene.grid if order.scene else None
            if grid is not None and not extent.shows(self.state.extent, grid):
                self.canvas.zoom_to(warp.mercator_bounds(grid))
        self.canvas.order = order
        await self.inspector.show(order)

    def _order(self) -> tuple[Order, str]:
        """What the state wants on the map; and what stands against a part of it."""
        state, trouble, scene, unscaled = self.state, "", None, None
        try:
            if state.scene:
                scene, unscaled = catalog.seen_scene(state.scene, plans.reading(state))
        except LulcError as error:
            trouble = spoken(error)
        run = self.shelf.run(state.run)
        reference = self.shelf.references.get(state.reference)
        if state.overlay in layers.OF_REFERENCE and reference is None:
            trouble = "Choose a reference at the lower left (Score against)."
        return (
            Order(
                scene, state.base, run, "None" if state.bare else state.overlay, state.class_id,
                reference, state.codes or None, tuple(filter(None, state.triple.split(","))),
                state.scheme,
                frozenset(state.hidden), unscaled is None,
            ),
            trouble,
        )  # fmt: skip

    def _notice(self, order: Order) -> None:
        simulated = (order.scene and order.scene.simulated) or (order.run and order.run.simulated)
        name = escape(self.state.scene or "No scene yet")
        said = f"<b>{name}</b>" + (f" · <b>{SIMULATED}</b>" if simulated else "")
        self.title.object = said
        if not self.state.scene:
            say(self.said, "Put a scene into the folder scenes/ of the workspace to begin.")
        elif order.run is None and not self.said.visible:
            say(self.said, "No run of this scene yet: choose a region and press Classify.")

    def _submitted(self, job: Job) -> None:
        self.progress.mine.add(job.id)
        self.progress.arrange()

    async def _side(self, *_: Any) -> None:
        await self.bands.look(self.sides.active == 2)

    def _painted(self, *_: Any) -> None:
        self.layers.show(self.canvas.picture)
        if self.canvas.error:
            say(self.said, self.canvas.error, "warning")
