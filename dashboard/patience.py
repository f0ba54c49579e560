"""A page that is filled bit by bit: what comes next waits until the page has what came before.

Bokeh takes a layout's new parts in while it does other things; given more of them meanwhile, it
may lose some. And whenever something on a page changes its size, Bokeh measures all plots on it:
one that has just come and was not drawn is an error that ends the measuring. A plot asks for it
again itself once it is drawn, so until then it is passed over.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import panel as pn
from bokeh.document import Document

#: Seconds until a page is asked again, and how often: it may not be there yet, be gone, or asleep.
_AGAIN, _TIMES = 0.5, 10

_SCRIPT = """
const plot = Bokeh.Models.get("Plot").prototype.default_view.prototype
if (!plot.patient) {
  plot.patient = true
  for (const name of ["_measure_layout", "_after_layout"]) {
    const measure = plot[name]
    plot[name] = function () { if (this.layout) measure.call(this) }
  }
}
export function render({ model }) {
  model.on("msg:custom", number => setTimeout(() => setTimeout(() => model.send_msg(number))))
  return document.createElement("span")
}
"""


class Patience(pn.custom.JSComponent):
    """Hears from the page that it is done with what it was given; has no looks of its own."""

    _esm = _SCRIPT

    def __init__(self, **params: Any) -> None:
        super().__init__(width=0, height=0, margin=0, **params)
        self._waiting: dict[int, asyncio.Event] = {}
        self._asked = 0
        if pn.state.curdoc is not None:
            _pages[pn.state.curdoc] = self

    async def ask(self) -> None:
        """Wait until the page has taken in what it was sent before."""
        self._asked += 1
        number, done = self._asked, asyncio.Event()
        self._waiting[number] = done
        for _ in range(_TIMES):
            pn.state.execute(partial(self._send_msg, number), schedule=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _AGAIN)
                break
        del self._waiting[number]

    def _handle_msg(self, msg: Any) -> None:
        if msg in self._waiting:
            self._waiting[msg].set()


#: The component of each page.
_pages: WeakKeyDictionary[Document, Patience] = WeakKeyDictionary()


async def turn() -> None:
    """Let the page take in what it was given, and everybody else have their turn."""
    page = _pages.get(pn.state.curdoc) if pn.state.curdoc is not None else None
    if page is not None:
        await page.ask()
