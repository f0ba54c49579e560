"""Network: what the layers of the model answer to the window in view, and to which bands."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard import catalog
from dashboard.activity import inside, worker
from dashboard.activity.gallery import Gallery
from dashboard.activity.worker import WORKER
from dashboard.choosing import plan as plans
from dashboard.help import about
from dashboard.mapping import extent, warp
from dashboard.mapping.canvas import Canvas
from dashboard.mapping.outline import Outline
from dashboard.painting.composites import NO_BASE, composites
from dashboard.painting.picture import Order
from dashboard.ramps import VERMILION
from dashboard.shelf import Shelf, labelled
from dashboard.state import State
from dashboard.ties import SIDE, SIMULATED, alert, choose, say, select, tie, words
from lulc import features
from lulc.errors import LulcError
from lulc.features import Occlusion
from lulc.model import Model
from lulc.runs import Run
from lulc.scene import Scene

#: Pixels a side, about, of the window around a click.
_SPOT = 32

#: Seconds for the map to come to rest before the network is asked.
_REST = 0.3


class Network:
    """The page inside the network."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        self.canvas = Canvas(toolbar="right")
        extent.share(self.canvas, state, "Network")
        self._asked_for = Outline(self.canvas, "#111111")
        self._clicked_at = Outline(self.canvas, VERMILION, "dashed")
        self.canvas.param.watch(self._clicked, "clicked")
        self.run = tie(select("Run", width=330), state, "run")
        self.layer = tie(select("Layer of the network", width=330), state, "inside")
        self.which = select("Class", options={"the class found there": 0}, value=0, width=300)
        self.said, self.title = alert(), words()
        self.maps_said, self.bands_said = words(), words()
        self.gallery = Gallery(sizing_mode="stretch_width", margin=(4, 10))
        self.bars = pn.pane.HTML("", sizing_mode="stretch_width", margin=(4, 10))
        self._asked = {"maps": 0, "bands": 0}
        self._found: tuple[Occlusion, Run] | None = None
        self.panel = self._layout()
        for name in ("run", "scene", "place"):
            state.param.watch(self.start, name)
        state.param.watch(self._maps, ["inside", "extent"])
        state.param.watch(self._bands, "spot")
        self.which.param.watch(self._show_bands, "value")
        shelf.param.watch(self._lists, ["runs"])
        self._lists()

    def _layout(self) -> pmui.Row:
        left = pmui.Column(
            pmui.FlexBox(self.run, margin=(8, 0, 0, 0), sizing_mode="stretch_width"),
            self.said, self.title, self.canvas.pane,
            sizing_mode="stretch_both", min_width=340,
        )  # fmt: skip
        right = pmui.Column(
            about("Bands that drive a class", "bands"), self.which, self.bands_said, self.bars,
            about("Feature maps", "maps"), self.layer, self.maps_said, self.gallery,
            sizing_mode="stretch_both", scroll="y", styles=SIDE,
        )  # fmt: skip
        return pmui.Row(left, right, sizing_mode="stretch_both")

    def _lists(self, *_: Any) -> None:
        choose(self.run, {"none": "", **labelled(self.shelf.runs)}, self.state.run)

    async def start(self, *_: Any) -> None:
        """Show the run's map and ask the network; only while the page is open."""
        if self.state.place != "Network":
            return
        run = self.shelf.run(self.state.run)
        trouble, scene = "", None
        if run is None:
            trouble = "Classify a region first (Explore), or choose a run."
        elif self.shelf.card(run.model) is None:
            trouble = f"The model {run.model} of this run is not in the workspace."
        else:
            try:
                scene = (await asyncio.to_thread(self._sources, run))[0]
            except LulcError as error:
                trouble = str(error)
        say(self.said, trouble)
        if run is None:
            return
        self._list_choices(run)
        simulated = f" · <b>{SIMULATED}</b>" if run.simulated else ""
        self.title.object = f"<b>{escape(run.scene)}</b>, {escape(run.model)}{simulated}"
        if not extent.shows(self.state.extent, run.grid):
            self.canvas.zoom_to(warp.mercator_bounds(run.grid))
        base = next(iter(composites(scene)), NO_BASE)
        self.canvas.order = Order(scene, base, run, "None")
        if scene is not None:
            await asyncio.gather(self._maps(), self._bands())

    def _list_choices(self, run: Run) -> None:
        model = self.shelf.card(run.model)
        if model is not None:
            size = run.grid.resolution.x
            named = {
                f"{name} ({step * size:.0f} m)": name
                for name, step in features.layers(model.network).items()
            }
            default = f"decoder_stage{model.network.depth - 1}_relu2"
            if self.layer.options != named:
                if self.state.inside not in named.values():
                    self.state.inside = default
                choose(self.layer, named, self.state.inside)
        classes = {"the class found there": 0, **{c.name: c.id for c in run.legend.classes}}
        if self.which.options != classes:
            choose(self.which, classes, self.which.value)

    def _sources(self, run: Run) -> tuple[Scene, Model]:
        reading = plans.reading(self.state) if run.scene == self.state.scene else catalog.Reading()
        return catalog.open_scene(run.scene, reading), Model.load(run.model)

    def _clicked(self, event: Any) -> None:
        lon, lat = warp.degrees(*event.new)
        self.state.spot = (round(lon, 6), round(lat, 6))

    async def _maps(self, *_: Any) -> None:
        """Feature maps of the window in view; the newest request wins."""
        turn = self._turn("maps")
        await asyncio.sleep(_REST)
        run = self._ready(turn, "maps")
        if run is None or not self.state.inside:
            return
        self.maps_said.object = inside.busy("Computing the feature maps")
        try:
            scene, model = await asyncio.to_thread(self._sources, run)
            window = extent.window_in_view(
                self.canvas.view, scene.grid, model.card.stride, features.LARGEST
            )
            if window is None:
                raise LulcError("The scene is not in view: move the map back to it.")
            found = await WORKER.ask(
                worker.feature_maps, scene, model, window, self.state.inside, self.state.device
            )
        except LulcError as error:
            if turn == self._asked["maps"]:
                self.maps_said.object, self.gallery.items = inside.sentence(error), []
            return
        cards = await asyncio.to_thread(inside.cards, found)
        if turn != self._asked["maps"]:
            return
        self._asked_for.show(extent.ring(found.window, scene.grid))
        self.maps_said.object = inside.described(found, scene)
        self.gallery.items = cards

    async def _bands(self, *_: Any) -> None:
        """Occlusion of the bands at the clicked window; the newest request wins."""
        turn = self._turn("bands")
        run = self._ready(turn, "bands")
        if run is None:
            return
        spot = self.state.spot
        if spot is None:
            self.bands_said.object = (
                "<small>Click the map: the window around the click is asked for.</small>"
            )
            return
        self.bands_said.object = inside.busy("Leaving out one band after the other")
        try:
            scene, model = await asyncio.to_thread(self._sources, run)
            window = extent.window_around(spot, scene.grid, model.card.stride, _SPOT)
            if window is None:
                raise LulcError("The click is outside the scene: click on the image.")
            found = await WORKER.ask(worker.occlusion, scene, model, window, self.state.device)
        except LulcError as error:
            if turn == self._asked["bands"]:
                self.bands_said.object, self.bars.object = inside.sentence(error), ""
            return
        if turn == self._asked["bands"]:
            self._clicked_at.show(extent.ring(found.window, scene.grid))
            self._found = found, run
            self._show_bands()

    def _show_bands(self, *_: Any) -> None:
        if self._found is None:
            return
        found, run = self._found
        index = int(found.activation.argmax())
        if self.which.value in run.legend.ids:
            index = run.legend.ids.index(self.which.value)
        self.bands_said.object = inside.told(found, run, index)
        self.bars.object = inside.bars(found, index)

    def _turn(self, what: str) -> int:
        self._asked[what] += 1
        return self._asked[what]

    def _ready(self, turn: int, what: str) -> Run | None:
        """The run to look into, if this is still what is wanted."""
        run = self.shelf.run(self.state.run)
        usable = run is not None and self.shelf.card(run.model) is not None
        wanted = self.state.place == "Network" and turn == self._asked[what]
        return run if usable and wanted else None
