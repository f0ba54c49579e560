"""A place on a page for a chart, which is drawn when there are data for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import holoviews as hv
import panel as pn
from bokeh.events import Tap
from bokeh.models import CustomJS, HoverTool

from dashboard.patience import turn

#: Pixels that a chart with a row for every class is high, about, and a square one.
TALL, SQUARE = 500, 300

#: Makes the words under the pointer anew, and thereby not shown.
_UNSAY = """
const renderers = hover.renderers
if (renderers.length) {  // else it was clicked just before
  hover.setv({renderers: []}, {sync: false})
  setTimeout(() => hover.setv({renderers}, {sync: false}), 500)
}
"""


class Chart:
    """A chart of numbers, by HoloViews; nothing until it is shown some.

    `tapped` is called with Bokeh's event where it is clicked.
    """

    def __init__(
        self,
        draw: Callable[..., Any],
        height: int,
        *,
        tapped: Callable[[Tap], None] | None = None,
        **pane: Any,
    ) -> None:
        self._draw, self._height, self._tapped = draw, height, tapped
        pane = {"sizing_mode": "stretch_width", **pane}
        self.pane = pn.pane.Bokeh(min_height=height, autodispatch=False, **pane)

    async def show(self, *data: Any) -> None:
        """Draw these data; others have their turn before the chart is made, and sent."""
        await turn()
        figure = hv.render(self._draw(*data), backend="bokeh")
        if self._tapped is not None:
            # Before it is in the page, where no events can be added. A click may lead to another
            # page, and what is said under the pointer would be left behind on that.
            figure.on_event(Tap, self._tapped)
            hover = figure.select_one(HoverTool)
            figure.js_on_event(Tap, CustomJS(args={"hover": hover}, code=_UNSAY))
        await turn()
        self.pane.param.update(object=figure, min_height=figure.height or self._height)
