"""The part of the form that chooses the region: how, which one, and its size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from html import escape
from typing import Any

import panel_material_ui as pmui

from dashboard.choosing import plan as plans
from dashboard.choosing import regions
from dashboard.choosing.estimate import Estimate
from dashboard.choosing.plan import Plan
from dashboard.shelf import Shelf
from dashboard.state import BOX, NAMED, POLYGON, TYPED, WHOLE, State
from dashboard.ties import alert, button, choose, say, select, sentence, spoken, tie, words
from lulc.errors import LulcError
from lulc.region import SUFFIXES
from lulc.scene import Scene

_GESTURES = {
    BOX: "<b>Drag</b> on the map from corner to corner. Drag again for another box; "
    "scroll to zoom.",
    POLYGON: "<b>Click</b> on the map, corner after corner; the outline closes by itself. "
    "<b>Drag</b> a corner to move it; click one and press <b>Backspace</b> to remove it. "
    "<b>Click</b> an edge to set a corner in it: anywhere, or on the mark in its middle. "
    "Scroll to zoom.",
}


class RegionForm:
    """Chooses the region."""

    def __init__(self, state: State, shelf: Shelf, show_all: Callable[[], None]) -> None:
        self.state, self.shelf = state, shelf
        self.scene = tie(select("Scene"), state, "scene")
        self.all = button("Show all", variant="text", on_click=lambda _: show_all())
        self.mode = tie(
            select("Region", options=[WHOLE, NAMED, BOX, POLYGON, TYPED]), state, "region_mode"
        )
        self.region = tie(select("Named region"), state, "region_name")
        self.upload = pmui.FileInput(
            label="Add a file of polygons …",
            accept=",".join(SUFFIXES),
            max_file_size=regions.LARGEST_MB * 2**20,
            size="small",
            variant="outlined",
            sizing_mode="stretch_width",
        )
        self.kinds = words()
        self.kinds.object = (
            "<small>GeoJSON, GeoPackage or zipped shapefile, up to "
            f"{regions.LARGEST_MB} MB; it is kept in the workspace.</small>"
        )
        self.typed = tie(
            pmui.TextInput(label="West south east north", size="small",
                           sizing_mode="stretch_width"),
            state, "typed",
        )  # fmt: skip
        self.crs = tie(select("Coordinates in"), state, "typed_crs")
        self.gesture = words()
        self.clear = button("Clear", on_click=self._clear)
        self.name = pmui.TextInput(
            label="Keep it as", placeholder="a name", size="small", sizing_mode="stretch_width"
        )
        self.keep = button("Keep", on_click=self._keep)
        self.kept = pmui.Row(
            self.name, self.keep, sizing_mode="stretch_width", align="center", visible=False
        )
        self.said = alert()
        self.size = words()
        self.panel = pmui.Column(
            pmui.Row(self.scene, self.all, sizing_mode="stretch_width"),
            self.mode, self.region, self.upload, self.kinds, self.typed, self.crs,
            self.gesture, self.clear, self.kept, self.said, self.size,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.upload.param.watch(self._uploaded, "value")
        state.param.watch(self._show, ["region_mode", "corners"])
        shelf.param.watch(self._lists, ["scenes", "regions"])
        self._lists()
        self._coordinates(None)
        self._show()

    def show(self, plan: Plan) -> None:
        """Say how large the region is, how long it takes and how much it writes."""
        lines = [f"<b>{plan.size}</b>"] if plan.size else []
        lines += [escape(cost(plan.cost))] if plan.cost else []
        self.size.object = f"<small>{'<br>'.join(lines)}</small>"
        whole = plan.region is None or self.state.region_mode == NAMED
        self._coordinates(plan.scene)
        self.kept.visible = not whole and bool(plan.grid)

    def _lists(self, *_: Any) -> None:
        choose(self.scene, self.shelf.scenes, self.state.scene)
        self.all.visible = len(self.shelf.scenes) > 1
        self._named()

    def _named(self) -> None:
        """Offer the named regions, the first of which is chosen only if one is wanted."""
        if self.state.region_mode == NAMED:
            choose(self.region, self.shelf.regions, self.state.region_name)
        self.region.visible = self.state.region_mode == NAMED and bool(self.shelf.regions)

    def _coordinates(self, scene: Scene | None) -> None:
        """Offer degrees and the CRS of the scene."""
        options = {"degrees": "EPSG:4326"}
        crs = str(scene.grid.crs) if scene else "EPSG:4326"
        if crs != "EPSG:4326":
            options[f"the scene's CRS ({crs[:24]})"] = crs
        if options != self.crs.options:
            choose(self.crs, options, self.state.typed_crs)

    def _show(self, *_: Any) -> None:
        mode = self.state.region_mode
        self._named()
        self.upload.visible = self.kinds.visible = mode == NAMED
        self.typed.visible = self.crs.visible = mode == TYPED
        self.gesture.visible = mode in _GESTURES
        self.gesture.object = f"<small>{_GESTURES.get(mode, '')}</small>"
        self.clear.visible = mode in _GESTURES and bool(self.state.corners)
        say(self.said, "")

    def _clear(self, _event: Any) -> None:
        self.state.corners = []

    async def _keep(self, _event: Any) -> None:
        try:
            region = regions.chosen(self.state)
            if region is not None:
                name = self.name.value_input or region.name
                await self._choose(await asyncio.to_thread(regions.keep, region, name))
        except (LulcError, OSError) as error:
            say(self.said, sentence(spoken(error)), "warning")

    async def _uploaded(self, event: Any) -> None:
        if not event.new:
            return
        try:
            name = await asyncio.to_thread(regions.take, self.upload.filename, event.new)
            await self._choose(name)
        except (LulcError, OSError) as error:
            say(self.said, sentence(spoken(error)), "warning")

    async def _choose(self, name: str) -> None:
        await self.shelf.refresh()
        self.state.param.update(region_mode=NAMED, region_name=name)
        say(self.said, "")
        self.name.value = ""


def cost(found: Estimate) -> str:
    """What a classification will take, in words that say how it is known."""
    if found.seconds is None:
        time = "Time unknown until a first run on this device"
    elif found.measured:
        time = f"About {plans.duration(found.seconds)}, as earlier runs took here"
    else:
        time = f"Perhaps {plans.duration(found.seconds)}: this model has not run here yet"
    size = plans.megabytes(found.size)
    return f"{time}; {'about' if found.size_measured else 'at most'} {size} on the disk."
