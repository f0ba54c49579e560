"""The inspector: what is known of the pixels that were clicked on the map."""

from __future__ import annotations

import asyncio
from functools import partial
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
from rasterio.errors import RasterioError

from dashboard.help import about
from dashboard.mapping import warp
from dashboard.mapping.canvas import Canvas
from dashboard.newest import Newest
from dashboard.painting.layers import Order
from dashboard.pixels.pixel import Pixel, look, subject
from dashboard.pixels.signatures import Signatures, reflectance_bands, signatures
from dashboard.pixels.spectra import COLORS, LETTERS, Charts
from dashboard.state import State
from dashboard.ties import button, table, words
from lulc.errors import LulcError
from lulc.legend import Legend

_HINT = (
    "Click the map to look into a pixel: its spectrum, the activations of all classes, the "
    "reference. Up to four stay pinned, to be compared; a further click moves the last one."
)
_BEHIND = "<small>Shaded: mean ± standard deviation of the pixel's class.</small>"
_MEASURE = (
    "Distance of the spectrum to the class's mean: root mean square over the bands, in standard "
    "deviations within the classes (of a subsample of the scene, by the run's classes)."
)


class Inspector:
    """Pins pixels and shows what is known of them."""

    def __init__(self, state: State, canvas: Canvas) -> None:
        self.state, self.canvas = state, canvas
        self.order = Order()
        self._newest = Newest(self._look)
        self.hint = words()
        self.clear = button("Clear", on_click=lambda _: state.param.update(pins=[]), margin=(2, 10))
        self.places, self.nearest = words(), words()
        self.charts = Charts()
        self.found = pmui.Column(
            self.clear, self.places,
            about("Spectrum", "spectrum"), self.charts.panes[0],
            words(object=_BEHIND),
            about("Activations", "pixel"), self.charts.panes[1],
            about("Nearest classes", "nearest"), self.nearest,
            sizing_mode="stretch_width", visible=False,
        )  # fmt: skip
        self.panel = pmui.Column(self.hint, self.found, sizing_mode="stretch_width")
        self.hint.object = _HINT
        canvas.param.watch(self._clicked, "clicked")
        state.param.watch(self._again, "pins")

    async def show(self, order: Order) -> None:
        """Look into the pins of another scene, run or reference."""
        wanted = subject(order)
        if wanted != self.order:
            self.order = wanted
            await self._again()

    def _clicked(self, *_: Any) -> None:
        if self.canvas.clicked is None:
            return
        lon, lat = warp.degrees(*self.canvas.clicked)
        place = (round(lon, 6), round(lat, 6))
        self.state.pins = [*self.state.pins[: len(LETTERS) - 1], place]

    async def _again(self, *_: Any) -> None:
        await self._newest.want()

    async def _look(self) -> None:
        pins, order = [tuple(pin) for pin in self.state.pins], self.order
        self.canvas.pins = [
            (*warp.mercator(*pin), letter) for pin, letter in zip(pins, LETTERS, strict=False)
        ]
        self.found.visible = bool(pins)
        self.hint.visible = not pins
        if not pins:
            return
        try:
            pixels, known = await asyncio.to_thread(_look, order, pins)
        except (LulcError, RasterioError, OSError) as error:
            self.hint.param.update(object=escape(str(error)), visible=True)
            return
        if not self._newest.outdated:
            self._show(order, pixels, known)

    def _show(self, order: Order, pixels: list[Pixel], known: Signatures | None) -> None:
        legend = order.run.legend if order.run else None
        bands = reflectance_bands(order.scene) if order.scene else ()
        self.places.object = places(pixels, legend)
        self.nearest.object = nearest(pixels, legend)
        draw = partial(self.charts.show, pixels, bands, known, legend, order.unit)
        pn.state.execute(draw, schedule=True)  # models may only change in a locked document


def _look(order: Order, pins: list[Any]) -> tuple[list[Pixel], Signatures | None]:
    known = signatures(order.scene, order.run) if order.scene and order.run else None
    return [look(order, *pin) for pin in pins[: len(LETTERS)]], known


def places(pixels: list[Pixel], legend: Legend | None) -> str:
    """Letter, class, reference and place of each pixel; HTML."""
    lines = []
    for letter, color, pixel in zip(LETTERS, COLORS, pixels, strict=False):
        name = legend.by_id[pixel.class_id].name if legend and pixel.class_id else "no class here"
        reference = f" · reference: {escape(pixel.reference)}" if pixel.reference else ""
        lines.append(
            '<div style="margin-bottom:4px;font-size:0.82rem">'
            f'<b style="background:{color};color:white;padding:0 5px;border-radius:8px">'
            f"{letter}</b> {escape(name)}{reference}<br>"
            f"<small>{pixel.lon:.5f}° E, {pixel.lat:.5f}° N</small></div>"
        )
    return "".join(lines)


def nearest(pixels: list[Pixel], legend: Legend | None) -> str:
    """The nearest classes of each pixel with their distances; HTML."""
    if legend is None or not any(pixel.nearest for pixel in pixels):
        return "<small>Needs a run on the scene's own grid.</small>"
    names = legend.by_id
    rows = [
        [letter if not place else "", names[number].name, f"{distance:.2f}"]
        for letter, pixel in zip(LETTERS, pixels, strict=False)
        for place, (number, distance) in enumerate(pixel.nearest)
    ]
    return table(["", "Class", "Distance"], rows, left=2) + f"<small>{_MEASURE}</small>"
