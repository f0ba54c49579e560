"""What the map draws, as HoloViews elements: images, and places looked into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Image, ImageRGBA

from dashboard.mapping.warp import View
from dashboard.painting.picture import NOTHING, Probe

#: An element that brings no tools of its own.
_BARE: dict[str, Any] = {"tools": [], "default_tools": []}

#: Seen on water and on snow: dark lines on white ones.
_DARK, _LIGHT = "#111111", "white"


def image(view: View, pixels: np.ndarray | None, tools: Sequence[str] = ()) -> hv.RGB:
    """An image (y, x, 4) that fills a view; transparent where there is none."""
    if pixels is None:
        pixels = np.zeros((2, 2, 4), np.uint8)
    vdims = [*hv.RGB.vdims, hv.RGB.alpha_dimension]
    return hv.RGB(pixels, bounds=view.bounds, vdims=vdims).opts(tools=list(tools), default_tools=[])


def probe(found: Probe, tool: HoverTool) -> hv.Image:
    """What is read out under the pointer: an image of five numbers that is not seen."""
    numbers = np.dstack(_numbers(found)).astype(np.uint16)
    vdims = ["class_id", "percent", "second", "second_percent", "label"]
    read = hv.Image(numbers, bounds=found.view.bounds, vdims=vdims)
    return read.opts(alpha=0, tools=[tool], default_tools=[], clim=(0, 255))


def columns(view: View, pixels: np.ndarray | None) -> dict[str, list[Any]]:
    """What the glyph of `image` draws, as HoloViews would give it."""
    if pixels is None:
        pixels = np.zeros((2, 2, 4), np.uint8)
    upward = np.ascontiguousarray(pixels[::-1]).view(np.uint32)[..., 0]
    return {"image": [upward], **_frame(view)}


def probe_columns(found: Probe) -> dict[str, list[Any]]:
    """What the glyph of `probe` holds, as HoloViews would give it."""
    names = ("image", "percent", "second", "second_percent", "label")
    parts = (np.ascontiguousarray(value[::-1]) for value in _numbers(found))
    return {**{name: [part] for name, part in zip(names, parts, strict=True)}, **_frame(found.view)}


def _numbers(found: Probe) -> tuple[np.ndarray, ...]:
    return found.numbers or (np.full((2, 2), NOTHING, np.uint8),) * 5


def sources(figure: Any) -> dict[str, ColumnDataSource]:
    """The sources of the two images and the probe in a figure that HoloViews has made."""
    found: dict[str, ColumnDataSource] = {}
    for renderer in figure.renderers:
        if isinstance(renderer.glyph, ImageRGBA):
            found["overlay" if "base" in found else "base"] = renderer.data_source
        elif isinstance(renderer.glyph, Image):
            found["probe"] = renderer.data_source
    return found


def _frame(view: View) -> dict[str, list[Any]]:
    size = {"dw": [view.east - view.west], "dh": [view.north - view.south]}
    return {"x": [view.west], "y": [view.south], **size}


def discs(pins: Sequence[tuple[float, float, str]]) -> hv.Points:
    """The ground of the letters."""
    points = hv.Points([pin[:2] for pin in pins])
    return points.opts(color=_LIGHT, line_color=_DARK, line_width=2, size=20, **_BARE)


def letters(pins: Sequence[tuple[float, float, str]]) -> hv.Labels:
    """The letter of each place."""
    labels = hv.Labels([*pins], ["x", "y"], "letter")
    return labels.opts(text_color=_DARK, text_font_size="9pt", text_font_style="bold", **_BARE)
