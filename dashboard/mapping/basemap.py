"""Map tiles below everything, once they are known to answer.

It is the reader's browser that fetches them, so it is the browser that is asked whether it
can: one tile of the place in view, with a short time limit. Until then nothing is requested.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import param
from bokeh.models import ColumnDataSource, CustomJS, WMTSTileSource
from bokeh.models.renderers import TileRenderer

from lulc import config

#: Milliseconds that the tile server has to send one tile.
PATIENCE = 4000

#: Asks for the tile in the middle of the view, and says whether it came.
_ASK = """
const [url] = ask.data.url
if (url) {
  const half = 20037508.342789244
  const [x, y] = [figure.x_range, figure.y_range]
  const pixel = (x.end - x.start) / Math.max(figure.inner_width, 1)
  const zoom = Math.min(Math.max(Math.round(Math.log2(2 * half / 256 / pixel)), 0), 18)
  const place = share => Math.min(Math.max(Math.floor(share * 2 ** zoom), 0), 2 ** zoom - 1)
  const column = place(((x.start + x.end) / 2 + half) / (2 * half))
  const row = place((half - (y.start + y.end) / 2) / (2 * half))
  const tile = new Image()
  const say = came => {
    clearTimeout(timer)
    tile.onload = tile.onerror = null
    answer.data = {came: [came], asked: ask.data.asked}
  }
  const timer = setTimeout(() => { say(false); tile.src = '' }, patience)
  tile.onload = () => say(true)
  tile.onerror = () => say(false)
  tile.src = url.replace('{Z}', zoom).replace('{X}', column).replace('{Y}', row)
}
"""


class Basemap(param.Parameterized):
    """The tiles below a figure, which is still to be sent to its page."""

    wanted = param.Boolean(default=False, doc="Whether the reader switched them on.")
    said = param.String(doc="What stands against them, in a sentence.")

    def __init__(self, figure: Any, **params: Any) -> None:
        super().__init__(**params)
        self._figure = figure
        self._tiles: TileRenderer | None = None
        self._asked = 0
        self._ask = ColumnDataSource(data={"url": [], "asked": []})
        self._answer = ColumnDataSource(data={"came": [], "asked": []})
        models = {"figure": figure, "ask": self._ask, "answer": self._answer, "patience": PATIENCE}
        self._ask.js_on_change("data", CustomJS(args=models, code=_ASK))
        self._answer.on_change("data", self._answered)
        figure.tags = [*figure.tags, self._ask]  # so that it reaches the page with the figure

    def switch(self) -> None:
        """Show or hide the tiles as wanted; the document must be locked."""
        self.said = ""
        if self._tiles is not None:
            self._tiles.visible = self.wanted
        if self.wanted:
            self.said = f"Asking {_host()} …"
            self._asked += 1
            self._ask.data = {"url": [config.BASEMAP], "asked": [self._asked]}

    def _answered(self, attr: str, old: Any, new: Any) -> None:  # noqa: ARG002 (Bokeh's signature)
        if not self.wanted or list(new["asked"]) != [self._asked]:
            return
        came = bool(new["came"][0])
        self.said = "" if came else f"No basemap: {_host()} does not answer. The map needs none."
        if came and self._tiles is None:
            source = WMTSTileSource(url=config.BASEMAP, attribution=config.BASEMAP_ATTRIBUTION)
            self._tiles = TileRenderer(tile_source=source, level="underlay")
            self._figure.renderers = [self._tiles, *self._figure.renderers]
        if self._tiles is not None:
            self._tiles.visible = came


def _host() -> str:
    return urlsplit(config.BASEMAP).netloc or config.BASEMAP
