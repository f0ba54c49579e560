"""What the map draws, as HoloViews elements: images, and places looked into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
from bokeh.models import HoverTool

from dashboard.picture import NOTHING, Probe
from dashboard.warp import View

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


def probe(view: View, found: Probe | None, tool: HoverTool) -> hv.Image:
    """What is read out under the pointer: an image of five numbers that is not seen."""
    none = np.full((2, 2), NOTHING, np.uint8)
    values = (none,) * 5 if found is None else tuple(vars(found).values())
    numbers = np.dstack(values).astype(np.uint16)
    vdims = ["class_id", "percent", "second", "second_percent", "label"]
    read = hv.Image(numbers, bounds=view.bounds, vdims=vdims)
    return read.opts(alpha=0, tools=[tool], default_tools=[], clim=(0, 255))


def discs(pins: Sequence[tuple[float, float, str]]) -> hv.Points:
    """The ground of the letters."""
    points = hv.Points([pin[:2] for pin in pins])
    return points.opts(color=_LIGHT, line_color=_DARK, line_width=2, size=20, **_BARE)


def letters(pins: Sequence[tuple[float, float, str]]) -> hv.Labels:
    """The letter of each place."""
    labels = hv.Labels([*pins], ["x", "y"], "letter")
    return labels.opts(text_color=_DARK, text_font_size="9pt", text_font_style="bold", **_BARE)
