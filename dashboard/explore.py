"""Explore: the form, the map, and the layers with their legend."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

import panel_material_ui as pmui
import shapely

from dashboard import catalog, layers, warp
from dashboard import plan as plans
from dashboard.canvas import Canvas
from dashboard.form import Form
from dashboard.inspector import Inspector
from dashboard.jobs import Job
from dashboard.layer_form import LayerForm
from dashboard.layers import Order
from dashboard.progress import Progress
from dashboard.shelf import Shelf
from dashboard.state import DRAWN, State
from dashboard.ties import SIMULATED, say, words
from lulc.errors import LulcError
from lulc.region import Region

#: What changes the picture.
_SHOWN = [
    "scene", "run", "base", "overlay", "class_id", "reference", "codes", "bands", "scale", "offset",
    "triple", "scheme", "hidden",
]  # fmt: skip


class Explore:
    """The page with the map."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.progress = Progress(state, shelf)
        self.form = Form(state, shelf, self._submitted)
        self.canvas = Canvas(drawing=True)
        self.layers = LayerForm(state, shelf, self.canvas)
        self.inspector = Inspector(state, self.canvas)
        self.said = self.layers.said
        self.title = words()
        self._shown: tuple[str, str] = ("", "")
        self.panel = self._layout()
        state.param.watch(self._chosen_run, ["run"])
        state.param.watch(self._chosen_scene, ["scene"])
        state.param.watch(self._draw, _SHOWN)
        state.param.watch(self._region, ["region_mode", "region_name", "box", "typed", "drawn"])
        self.canvas.param.watch(self._painted, ["picture", "error"])
        self.canvas.param.watch(lambda _: self.sides.param.update(active=1), "clicked")
        self.canvas.param.watch(self._drawn, ["drawn"])
        self.layers.lists()

    def _layout(self) -> pmui.Row:
        left = pmui.Column(
            self.form.panel, self.progress.panel, self.progress.dialog,
            width=290, sizing_mode="stretch_height", scroll="y", margin=(0, 4, 0, 0),
        )  # fmt: skip
        middle = pmui.Column(self.title, self.canvas.pane, sizing_mode="stretch_both")
        self.sides = pmui.Tabs(
            ("Layers", self.layers.panel), ("Pixel", self.inspector.panel),
            sizing_mode="stretch_width",
        )  # fmt: skip
        right = pmui.Column(self.sides, width=310, sizing_mode="stretch_height", scroll="y")
        return pmui.Row(left, middle, right, sizing_mode="stretch_both")

    async def start(self) -> None:
        """Show what the state says for the first time."""
        await self._draw()

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
            if grid is not None:
                self.canvas.zoom_to(warp.mercator_bounds(grid))
        self.canvas.order = order
        await self.inspector.show(order)

    def _order(self) -> tuple[Order, str]:
        """What the state wants on the map; and what stands against a part of it."""
        state, trouble, scene = self.state, "", None
        try:
            scene = catalog.open_scene(state.scene, plans.reading(state)) if state.scene else None
        except LulcError as error:
            trouble = str(error)
        run = self.shelf.run(state.run)
        reference = self.shelf.references.get(state.reference)
        if state.overlay in layers.OF_REFERENCE and reference is None:
            trouble = "Choose a reference at the lower left (Score against)."
        return (
            Order(
                scene, state.base, run, state.overlay, state.class_id, reference,
                state.codes or None, tuple(filter(None, state.triple.split(","))), state.scheme,
                frozenset(state.hidden),
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

    def _painted(self, *_: Any) -> None:
        self.layers.show(self.canvas.picture)
        if self.canvas.error:
            say(self.said, self.canvas.error, "warning")

    def _drawn(self, *_: Any) -> None:
        self.state.param.update(drawn=self.canvas.drawn, region_mode=DRAWN)

    async def _region(self, *_: Any) -> None:
        """Outline the region, and dashed the box that is drawn and not yet taken."""
        state = self.state
        self.canvas.drawing = state.region_mode == DRAWN
        draft = state.drawn if self.canvas.drawing and state.drawn != state.box else None
        self.canvas.drafts = [_ring(draft)] if draft else []
        try:
            region = await asyncio.to_thread(plans.chosen_region, state)
            self.canvas.outlines = rings(region) if region else []
        except LulcError:
            self.canvas.outlines = []


def rings(region: Region) -> list[Any]:
    """The rings of a region in Web Mercator, each (n, 2)."""
    outline = region.to(warp.MERCATOR)
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(outline)]


def _ring(box: tuple[float, ...]) -> Any:
    return shapely.get_coordinates(shapely.box(*box))
