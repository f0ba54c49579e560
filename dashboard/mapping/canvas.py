"""The map: a picture of an order on the part of the earth that is in view.

Panning, zooming, resizing and a new order all end in the same place: one picture is painted
in a thread, the newest request wins, and only the images that changed travel to the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import holoviews as hv
import panel as pn
import param
from bokeh.events import Tap
from bokeh.models import ColumnDataSource

from dashboard.mapping import frame, marks
from dashboard.mapping.basemap import Basemap
from dashboard.mapping.pointer import Pointer
from dashboard.mapping.warp import View
from dashboard.painting import layers
from dashboard.painting.layers import Order, Picture, Probe
from lulc.errors import LulcError

#: The view before the page has told its size, over the middle of Finland.
_SOMEWHERE = View(2_800_000, 8_500_000, 3_200_000, 8_800_000, 800, 600)

#: In the style, since Panel adds the `min_height` of all the pages up.
_TALL = {"min-height": "320px"}


class Canvas(param.Parameterized):
    """A map that shows `order`; read what it shows from `picture`.

    What else draws on it is called with its Bokeh figure: append to `attached`.
    """

    order = param.Parameter(default=Order(), doc="What is to be shown.")
    view = param.Parameter(default=_SOMEWHERE, doc="The part of the map on the screen.")
    picture = param.Parameter(default=Picture(_SOMEWHERE), doc="What is shown.")
    error = param.String(doc="Why it could not be painted, in a sentence.")
    drawing = param.Boolean(default=False, doc="Whether a click draws, and asks for nothing.")
    clicked = param.Tuple(default=None, length=2, allow_None=True, doc="Where it was clicked.")
    pins = param.List(default=[], doc="Places to mark: (x, y, letter).")

    def __init__(
        self,
        *,
        toolbar: str | None = "right",
        paint: Callable[[Any, View], Picture] = layers.paint,
        point: Callable[[Any, View], Probe] = layers.point,
        **params: Any,
    ):
        super().__init__(**params)
        self._painter = paint
        self.figure: Any = None
        self._wanted = ColumnDataSource()
        self.partner: Canvas | None = None
        self.attached: list[Callable[[Any], None]] = []
        self._painting = self._stale = False
        self.pointer = Pointer(self.view, point)
        self.basemap = Basemap()
        self.basemap.param.watch(self._switch_basemap, "wanted")
        self._pipe = hv.streams.Pipe(data=None)
        self._made: dict[str, tuple[Any, Any]] = {}
        self._sources: dict[str, ColumnDataSource] = {}
        self._sent: dict[str, tuple[Any, ...]] = {}
        self.base = self._dynamic("base", self._base)
        self.overlay = self._dynamic("overlay", self._overlay)
        self.plot = self._plot(toolbar)
        self.pane = pn.pane.HoloViews(
            self.plot, sizing_mode="stretch_both", styles=_TALL, linked_axes=False, margin=0
        )

    def _dynamic(self, name: str, make: Callable[[], Any]) -> hv.DynamicMap:
        """One part of the plot, made anew only when what it shows has changed."""

        def element(data: Any) -> Any:  # noqa: ARG001 (the pipe only says that it is time)
            what = self._content(name)
            known = self._made.get(name)
            if known is None or any(a is not b for a, b in zip(known[0], what, strict=True)):
                self._made[name] = known = (what, make())
            return known[1]

        return hv.DynamicMap(element, streams=[self._pipe])

    def _content(self, name: str) -> tuple[Any, ...]:
        shown = self.picture
        return {
            "base": (shown.view, shown.base),
            "overlay": (shown.view, shown.overlay),
            "probe": (self.pointer.probe,),
            "pins": (self.pins,),
            "letters": (self.pins,),
        }[name]

    def _plot(self, toolbar: str | None) -> hv.Overlay:
        # With it, HoloViews leaves the ranges to the page when the images change.
        self._range = hv.streams.RangeXY(source=self.base)
        parts = self.base * self.overlay
        for name, make in (
            ("probe", lambda: marks.probe(self.pointer.probe, self.pointer.tool)),
            ("pins", lambda: marks.discs(self.pins)),
            ("letters", lambda: marks.letters(self.pins)),
        ):
            parts = parts * self._dynamic(name, make)
        view = self.view
        return parts.opts(
            hv.opts.Overlay(
                responsive=True,
                default_tools=[],
                # Only what never changes: HoloViews activates these again with every image.
                active_tools=["wheel_zoom"],
                toolbar=toolbar,
                xlim=(view.west, view.east),
                ylim=(view.south, view.north),
                xlabel="longitude (°E)",
                ylabel="latitude (°N)",
                show_legend=False,
                hooks=[self._hook],
            )
        )

    # What the page draws: each gives a valid element whatever happens, or the plot goes blank.

    def _base(self) -> hv.RGB:
        tools = ["pan", "wheel_zoom", "save"]
        return marks.image(self.picture.view, self.picture.base, tools)

    def _overlay(self) -> hv.RGB:
        return marks.image(self.picture.view, self.picture.overlay)

    def _hook(self, plot: Any, element: Any) -> None:  # noqa: ARG002 (HoloViews' signature)
        figure = plot.state
        if figure is self.figure:
            return
        self.figure = figure
        self._sources, self._sent = marks.sources(figure), {}
        self.pointer.attach(figure, self._sources.pop("probe"))
        frame.as_map(figure)
        frame.set_ranges(figure, self.view)
        self._wanted = frame.wire(figure, self._moved)
        self.basemap.attach(figure)
        figure.on_event(Tap, self._tapped)
        for attach in self.attached:
            attach(figure)
        if self.partner is not None and self.partner.figure is not None:
            frame.follow(figure, self.partner.figure)
            frame.follow(self.partner.figure, figure)

    # What the page says.

    def _moved(self, attr: str, old: Any, new: Any) -> None:  # noqa: ARG002 (Bokeh's signature)
        box, size = new["box"], new["size"]
        if len(box) == len(size) == 4:  # of one length, as a source's columns must be
            west, south, east, north = (float(value) for value in box)
            self.view = View(west, south, east, north, int(size[0]), int(size[1]))

    def _tapped(self, event: Tap) -> None:
        if not self.drawing and event.x is not None and event.y is not None:
            self.clicked = (float(event.x), float(event.y))

    # What the program wants.

    def zoom_to(self, bounds: Sequence[float]) -> None:
        """Show a box of Web Mercator, with a margin."""
        self.show(View.around(bounds, self.view.width, self.view.height))

    def show(self, view: View) -> None:
        """Show a view, with as many pixels as the page has."""
        # What is painted next is already of the new place, before the page says that it is there.
        self.view = view
        if self.figure is not None:
            pn.state.execute(partial(self._show_box, view), schedule=True)

    def _show_box(self, view: View) -> None:
        # The ranges are for a page that is still to be sent, the box for one that is there.
        frame.set_ranges(self.figure, view)
        frame.move(self._wanted, view)

    def _switch_basemap(self, *_: Any) -> None:
        pn.state.execute(self.basemap.switch, schedule=True)

    @param.depends("pins", watch=True)
    def _outlined(self) -> None:
        pn.state.execute(partial(self._pipe.send, None), schedule=True)

    @param.depends("order", "view", watch=True)
    async def _paint(self) -> None:
        """Paint until nothing newer is wanted; while one is painted, others only leave word."""
        self._stale = True
        if self._painting:
            return
        self._painting = True
        try:
            while self._stale:
                self._stale = False
                order, view = self.order, self.view
                try:
                    picture = await asyncio.to_thread(self._painter, order, view)
                except LulcError as error:
                    picture, self.error = Picture(view), str(error)
                except Exception as error:  # whatever a broken file does, the page stays
                    picture, self.error = Picture(view), f"{type(error).__name__}: {error}"
                else:
                    self.error = ""
                # Models may only change while the document is locked.
                pn.state.execute(partial(self._send, order, picture), schedule=True)
        finally:
            self._painting = False

    def _send(self, order: Any, picture: Picture) -> None:
        # In one message: Bokeh walks through all models of the page for each.
        with pn.io.hold():
            self._show_picture(order, picture)

    def _show_picture(self, order: Any, picture: Picture) -> None:
        self.pointer.tell(order, picture)
        self.picture = picture
        if self.figure is None:
            self._pipe.send(None)
            return
        # HoloViews made the plot; to have it make every image anew costs several times as much.
        for name, source in self._sources.items():
            what = self._content(name)
            if any(a is not b for a, b in zip(self._sent.get(name, (None,)), what, strict=False)):
                self._sent[name] = what
                source.data = marks.columns(*what)


def link(a: Canvas, b: Canvas) -> None:
    """Make two maps of one size show the same place, whichever is moved."""
    a.partner, b.partner = b, a
