"""What is under the pointer: read around it where it rests, and said beside it.

To read all activations of a view takes longer than to paint it, and few of them are looked
at: so they are read near the pointer, when it comes where they are not known yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import panel as pn
import param
from bokeh.models import ColumnDataSource, CustomJSHover

from dashboard.mapping import frame, marks
from dashboard.mapping.warp import View
from dashboard.newest import Newest
from dashboard.painting.picture import NOTHING, Picture, Probe
from lulc.legend import Legend


class Pointer(param.Parameterized):
    """Reads out one map; `tool` shows it there."""

    wanted = param.Parameter(doc="The order, the view, and the place (x, y) in it to read.")
    probe = param.Parameter(doc="What was read last.")

    def __init__(self, view: View, read: Callable[[Any, View], Probe]) -> None:
        super().__init__(probe=Probe(view))
        self._reader, self._newest = read, Newest(self._read)
        self._told: tuple[Any, View] = (None, view)
        self._names = CustomJSHover(code=frame.lookup(()))
        self._labels = CustomJSHover(code=frame.lookup(()))
        self._place = CustomJSHover(code=frame.coordinates(view, None))
        self.tool = frame.hover(self._names, self._labels, self._place)
        self._source = ColumnDataSource()

    def attach(self, figure: Any, source: ColumnDataSource) -> None:
        """Follow the pointer over a figure whose tool reads this source."""
        self._source = source
        frame.ask(figure, source, self._asked)

    def tell(self, order: Any, picture: Picture) -> None:
        """Say what the map shows now."""
        self._place.code = frame.coordinates(picture.view, picture.place)
        before, self._told = self._told[0], (order, picture.view)
        if self.wanted and order != before:
            self.wanted = (*self._told, *self.wanted[2:])

    def _asked(self, attr: str, old: Any, new: Any) -> None:  # noqa: ARG002 (Bokeh's signature)
        if new["x"] and new["y"]:
            self.wanted = (*self._told, float(new["x"][0]), float(new["y"][0]))

    @param.depends("wanted", watch=True)
    async def _pointed(self) -> None:
        await self._newest.want()

    async def _read(self) -> None:
        order, view, x, y = self.wanted
        near = view.near(x, y)
        try:
            found = await asyncio.to_thread(self._reader, order, near)
        except Exception:  # the map itself says what is wrong with a file
            found = Probe(near)
        # Models may only change while the document is locked.
        pn.state.execute(partial(self._send, found), schedule=True)

    def _send(self, found: Probe) -> None:
        self._names.code = frame.lookup(_names(found.legend))
        self._labels.code = frame.lookup(_names(found.label_legend))
        self.probe = found
        # Bokeh looks again under a pointer that rests whenever the map was painted anew.
        self._source.data = marks.probe_columns(found)


def _names(legend: Legend | None) -> list[tuple[int, str]]:
    """Names by id; where ids are codes that people know, with the code."""
    if legend is None:
        return []
    known = max(legend.ids) > NOTHING
    return [(c.id, f"{c.id} {c.name}" if known else c.name) for c in legend.classes]
