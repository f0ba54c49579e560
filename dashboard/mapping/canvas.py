"""The map: a picture of an order on the part of the earth that is in view.

Panning, zooming, resizing and a new order all end in the same place: one picture is painted
in a thread, the newest request wins, and only the images that changed travel to the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import panel as pn
import param
from bokeh.events import Tap

from dashboard.mapping import frame, marks
from dashboard.mapping.basemap import Basemap
from dashboard.mapping.pointer import Pointer
from dashboard.mapping.warp import View
from dashboard.newest import Newest
from dashboard.painting import layers
from dashboard.painting.layers import Order, Picture, Probe
from lulc.errors import LulcError

#: The view before the page has told its size, over the middle of Finland.
_SOMEWHERE = View(2_800_000, 8_500_000, 3_200_000, 8_800_000, 800, 600)

#: In the style, since Panel adds the `min_height` of all the pages up.
_TALL = {"min-height": "320px"}


class Canvas(param.Parameterized):
    """A map that shows `order`; read what it shows from `picture`.

    What else draws on it draws on its Bokeh figure, before that is in a page.
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
        toolbar: frame.Side | None = "right",
        paint: Callable[[Any, View], Picture] = layers.paint,
        point: Callable[[Any, View], Probe] = layers.point,
        **params: Any,
    ):
        super().__init__(**params)
        self._painter = paint
        self._newest = Newest(self._paint)
        self.pointer = Pointer(self.view, point)
        self.figure = frame.figure(self.view, toolbar)
        self.base, self.overlay = (marks.image(self.figure, self.view) for _ in range(2))
        probe = marks.probe(self.figure, self.pointer.probe, self.pointer.tool)
        self._pins = marks.pins(self.figure)
        self._wanted = frame.wire(self.figure, self._moved)
        self.pointer.attach(self.figure, probe.data_source)
        self.basemap = Basemap(self.figure)
        self.basemap.param.watch(self._switch_basemap, "wanted")
        self.figure.on_event(Tap, self._tapped)
        self.pane = pn.pane.Bokeh(
            self.figure, sizing_mode="stretch_both", styles=_TALL, margin=0, autodispatch=False
        )

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
        pn.state.execute(partial(self._show_box, view), schedule=True)

    def _show_box(self, view: View) -> None:
        # The ranges are for a page that is still to be sent, the box for one that is there.
        frame.set_ranges(self.figure, view)
        frame.move(self._wanted, view)

    def _switch_basemap(self, *_: Any) -> None:
        pn.state.execute(self.basemap.switch, schedule=True)

    @param.depends("pins", watch=True)
    def _pinned(self) -> None:
        columns = marks.pin_columns(self.pins)
        pn.state.execute(lambda: self._pins.update(data=columns), schedule=True)

    @param.depends("order", "view", watch=True)
    async def _ordered(self) -> None:
        await self._newest.want()

    async def _paint(self) -> None:
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

    def _send(self, order: Any, picture: Picture) -> None:
        # In one message: Bokeh walks through all models of the page for each.
        with pn.io.hold():
            self._show_picture(order, picture)

    def _show_picture(self, order: Any, picture: Picture) -> None:
        self.pointer.tell(order, picture)
        before, self.picture = self.picture, picture
        for name, layer in (("base", self.base), ("overlay", self.overlay)):
            pixels = getattr(picture, name)
            if pixels is not getattr(before, name) or picture.view is not before.view:
                layer.data_source.data = marks.columns(picture.view, pixels)


def link(a: Canvas, b: Canvas) -> None:
    """Make two maps of one size show the same place, whichever is moved."""
    frame.follow(a.figure, b.figure)
    frame.follow(b.figure, a.figure)
