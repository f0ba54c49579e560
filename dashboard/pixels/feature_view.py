"""The pixels in view in a plot of two bands: which classes lie apart, and which do not."""

from __future__ import annotations

import asyncio
from functools import partial
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure
from rasterio.errors import RasterioError

from dashboard.mapping import marks
from dashboard.mapping.canvas import Canvas
from dashboard.mapping.warp import View
from dashboard.newest import Newest
from dashboard.painting.layers import Order
from dashboard.pixels.feature_space import Cloud, axis, cloud
from dashboard.ties import choose, select, words
from lulc.errors import LulcError

_HINT = (
    "The pixels of the map in view, by two bands or indices, in the colours of their classes: "
    "where colours mix, these two bands do not tell the classes apart."
)
_EMPTY = "Nothing in view: choose a scene, or move the map to it."

#: Where it begins where the scene has them: red and near infrared part most classes.
_FIRST = "B04", "B08"


class FeatureView:
    """Plots what the canvas shows, while it is looked at."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas, self.active = canvas, False
        self.x, self.y = select("Across"), select("Up")
        self.said = words()
        self._source = ColumnDataSource({name: [] for name in ("image", "x", "y", "dw", "dh")})
        self._figure = self._plot()
        self._newest = Newest(self._draw)
        self.panel = pmui.Column(
            words(object=_HINT),
            pmui.Row(self.x, self.y, sizing_mode="stretch_width"),
            pn.pane.Bokeh(self._figure, sizing_mode="stretch_width", margin=(0, 4)),
            self.said,
            sizing_mode="stretch_width",
        )
        canvas.param.watch(self._again, "picture")
        for widget in (self.x, self.y):
            widget.param.watch(self._again, "value")

    def _plot(self) -> Any:
        shown = figure(
            tools="", toolbar_location=None, sizing_mode="stretch_width", height=300,
            x_range=Range1d(start=0, end=1), y_range=Range1d(start=0, end=1), min_width=200,
            background_fill_color=None, border_fill_color=None, outline_line_color=None,
        )  # fmt: skip
        shown.image_rgba("image", "x", "y", "dw", "dh", source=self._source)
        for side in (*shown.xaxis, *shown.yaxis):
            side.update(major_label_text_font_size="8pt", axis_label_text_font_size="9pt")
            side.update(minor_tick_line_color=None, axis_label_text_font_style="normal")
        return shown

    async def look(self, active: bool) -> None:
        """Begin or cease to follow the map."""
        self.active = active
        await self._again()

    async def _again(self, *_: Any) -> None:
        if self.active:
            await self._newest.want()

    async def _draw(self) -> None:
        order, view = self.canvas.order, self.canvas.view
        self._offer(order)
        x, y = self.x.value, self.y.value
        if not x or not y:
            self.said.object = _EMPTY
            return
        try:
            found = await asyncio.to_thread(cloud, order, view, x, y)
        except (LulcError, RasterioError, OSError) as error:
            self.said.object = escape(str(error))
            return
        # Models may only change while the document is locked.
        pn.state.execute(
            partial(self._show, found, axis(x, order.unit), axis(y, order.unit)), schedule=True
        )

    def _offer(self, order: Order) -> None:
        bands = list(order.scene.bands) if order.scene else []
        if bands != list(self.x.options):
            for widget, first in zip((self.x, self.y), _FIRST, strict=True):
                wanted = widget.value if widget.value in bands else first
                choose(widget, bands, wanted)

    def _show(self, found: Cloud | None, x: str, y: str) -> None:
        self.said.object = _EMPTY if found is None else f"{found.pixels:,} pixels of the screen."
        if found is None:
            self._source.data = {name: [] for name in self._source.data}
            return
        left, bottom, right, top = found.bounds
        rows, columns = found.image.shape[:2]
        view = View(left, bottom, right, top, columns, rows)
        self._source.data = marks.columns(view, found.image)
        self._figure.x_range.update(start=left, end=right)
        self._figure.y_range.update(start=bottom, end=top)
        self._figure.xaxis.axis_label, self._figure.yaxis.axis_label = x, y
