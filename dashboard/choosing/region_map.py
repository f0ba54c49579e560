"""Regions on the map: the chosen one, the one drawn by hand, and the outlines of the scenes.

What is drawn here is Bokeh's own, on the map's figure: corners move under the pointer without
a word to the server, and the server hears of them when they have come to rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import panel as pn
import shapely
from bokeh.events import SelectionGeometry, Tap
from bokeh.models import BoxSelectTool, ColumnDataSource, HoverTool, PanTool, PointDrawTool

from dashboard import catalog
from dashboard.choosing import edges, regions
from dashboard.mapping.canvas import Canvas
from dashboard.shelf import Shelf
from dashboard.state import BOX, POLYGON, State
from lulc.errors import LulcError

#: Lines are seen on water and on snow: dark or bright, on a white casing.
_REGION, _DRAWN, _SCENE = "#111111", "#d55e00", "#0b6e75"

#: Pixels of the screen from a scene's mark that still count as on it.
_REACH = 12

#: What changes the outline of the region.
_CHOICES = ["region_mode", "region_name", "typed", "typed_crs", "corners"]


class RegionMap:
    """Outlines and drawing on a canvas."""

    def __init__(self, state: State, shelf: Shelf, canvas: Canvas) -> None:
        self.state, self.shelf, self.canvas = state, shelf, canvas
        self.footprints: dict[str, Any] = {}
        self._region = ColumnDataSource({"xs": [], "ys": []})
        self._corners = ColumnDataSource({"x": [], "y": []})
        self._scenes = ColumnDataSource({"xs": [], "ys": [], "x": [], "y": [], "name": []})
        self._draw_on(canvas.figure)
        self._set_gesture()
        state.param.watch(self._outline, _CHOICES)
        state.param.watch(self._gesture, ["region_mode", "corners"])
        state.param.watch(self._outlines, ["scene"])
        canvas.param.watch(self._outlines, ["view"])
        shelf.param.watch(self.start, ["scenes"])

    async def start(self, *_: Any) -> None:
        """Look where the scenes lie, and show what the state says."""
        self.footprints = await asyncio.to_thread(catalog.footprints)
        await self._outlines()
        await self._outline()

    def show_all(self) -> None:
        """Zoom out until every scene is in view."""
        if self.footprints:
            self.canvas.zoom_to(shapely.union_all(list(self.footprints.values())).bounds)

    # The figure.

    def _draw_on(self, figure: Any) -> None:
        outlines = figure.patches(
            "xs", "ys", source=self._scenes, fill_alpha=0, line_color=_SCENE, line_width=2
        )
        marks = figure.scatter(
            "x", "y", source=self._scenes, marker="diamond", size=11, color=_SCENE,
            line_color="white",
        )  # fmt: skip
        for color, width in (("white", 5), (_REGION, 2.5)):
            figure.multi_line("xs", "ys", source=self._region, color=color, line_width=width)
        self._draft = [
            figure.patch("x", "y", source=self._corners, fill_alpha=0, line_color=color, **how)
            for color, how in (
                ("white", {"line_width": 5}),
                (_DRAWN, {"line_width": 2.5, "line_dash": "dashed"}),
            )
        ]
        halves = figure.scatter(
            "x", "y", source=edges.follow(figure, self._corners), size=7, fill_color="white",
            line_color=_DRAWN, line_width=1.5,
        )  # fmt: skip
        handles = figure.scatter(
            "x", "y", source=self._corners, size=11, fill_color="white", line_color=_DRAWN,
            line_width=2.5,
        )  # fmt: skip
        self._draft += [halves, handles]
        for drawn in self._draft:
            drawn.nonselection_glyph = None  # one corner was touched: the others do not fade
        self._box = BoxSelectTool(renderers=[], description="Draw a box")
        self._points = PointDrawTool(renderers=[handles], description="Set and drag corners")
        tip = HoverTool(renderers=[outlines, marks], tooltips="@name (click to choose this scene)")
        tip.visible = False
        figure.add_tools(tip, self._box, self._points)
        figure.on_event(SelectionGeometry, self._boxed)
        figure.on_event(Tap, self._tapped)
        self._corners.on_change("data", self._moved)

    def _locked(self, change: Callable[[], None]) -> None:
        """Models of a page may only change while its document is locked."""
        pn.state.execute(change, schedule=True)

    def _gesture(self, *_: Any) -> None:
        self._locked(self._set_gesture)

    def _set_gesture(self) -> None:
        drawing, polygon = self.state.region_mode, self.state.region_mode == POLYGON
        self.canvas.drawing = drawing in (BOX, POLYGON)
        toolbar = self.canvas.figure.toolbar
        pan = next(tool for tool in toolbar.tools if isinstance(tool, PanTool))
        toolbar.active_drag = self._box if drawing == BOX else pan
        toolbar.active_multi = self._points if polygon else None
        for drawn in self._draft:
            drawn.visible = polygon
        data = {axis: [corner[i] for corner in self.state.corners] for i, axis in enumerate("xy")}
        if {axis: list(values) for axis, values in self._corners.data.items()} != data:
            self._corners.data = data

    # What the page says.

    def _boxed(self, event: SelectionGeometry) -> None:
        drawn: Any = event.geometry
        if self.state.region_mode == BOX and event.final and drawn["type"] == "rect":
            west, east, south, north = (drawn[side] for side in ("x0", "x1", "y0", "y1"))
            self.state.corners = [(west, south), (east, south), (east, north), (west, north)]

    def _moved(self, attr: str, old: Any, new: Any) -> None:  # noqa: ARG002 (Bokeh's signature)
        corners = [(float(x), float(y)) for x, y in zip(new["x"], new["y"], strict=True)]
        if corners != self.state.corners:
            self.state.corners = corners

    def _tapped(self, event: Tap) -> None:
        if self.state.region_mode != POLYGON and event.x is not None and event.y is not None:
            view = self.canvas.view
            reach = _REACH * (view.east - view.west) / view.width
            name = scene_at(self.footprints, self.state.scene, event.x, event.y, reach)
            if name:
                self.state.scene = name

    # What the state says.

    async def _outline(self, *_: Any) -> None:
        """Outline the chosen region; a polygon that is drawn has its own."""
        lines: list[Any] = []
        if self.state.region_mode != POLYGON:
            try:
                region = await asyncio.to_thread(regions.chosen, self.state)
                lines = regions.rings(region) if region else []
            except LulcError:
                lines = []  # the form says why
        data = {"xs": [line[:, 0] for line in lines], "ys": [line[:, 1] for line in lines]}
        self._locked(lambda: self._region.update(data=data))

    async def _outlines(self, *_: Any) -> None:
        """Outline the scenes that are not shown, or too small on the screen to be seen."""
        view, here = self.canvas.view, self.footprints.get(self.state.scene)
        least = _REACH * (view.east - view.west) / view.width
        seen = here is not None and here.area > least**2
        shapes = {n: s for n, s in self.footprints.items() if not seen or n != self.state.scene}
        if list(shapes) == list(self._scenes.data["name"]):
            return
        lines = [shapely.get_coordinates(shape.exterior) for shape in shapes.values()]
        middles = [shape.centroid for shape in shapes.values()]
        data: dict[str, Any] = {
            "xs": [line[:, 0] for line in lines],
            "ys": [line[:, 1] for line in lines],
            "x": [middle.x for middle in middles],
            "y": [middle.y for middle in middles],
            "name": list(shapes),
        }
        self._locked(lambda: self._scenes.update(data=data))


def scene_at(footprints: dict[str, Any], shown: str, x: float, y: float, reach: float) -> str:
    """The smallest scene at a point of the map or within reach of it, "" if there is none.

    Where the scene that is shown lies, a click means that scene. All in Web Mercator metres.
    """
    point = shapely.Point(x, y)
    if shown in footprints and footprints[shown].contains(point):
        return ""
    near = {
        name: shape
        for name, shape in footprints.items()
        if name != shown and (shape.contains(point) or shape.centroid.distance(point) <= reach)
    }
    return min(near, key=lambda name: near[name].area, default="")
