"""What the map draws: images, the numbers below them, and places looked into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool

from dashboard.mapping.warp import View
from dashboard.painting.picture import NOTHING, Probe

#: Seen on water and on snow: dark lines on white ones.
_DARK, _LIGHT = "#111111", "white"


def image(figure: Any, view: View) -> Any:
    """The renderer of an image that fills a view of a figure: its source takes `columns`."""
    source = ColumnDataSource(columns(view, None))
    return figure.image_rgba("image", "x", "y", "dw", "dh", source=source)


def probe(figure: Any, found: Probe, tool: HoverTool) -> Any:
    """The renderer of what a tool reads out, five numbers a pixel: takes `probe_columns`."""
    source = ColumnDataSource(probe_columns(found))
    palette = ["#000000", "#ffffff"]
    unseen = figure.image(
        "image", "x", "y", "dw", "dh", source=source, palette=palette, global_alpha=0
    )
    tool.renderers = [unseen]
    figure.add_tools(tool)
    return unseen


def columns(view: View, pixels: np.ndarray | None) -> dict[str, list[Any]]:
    """The columns of an image (y, x, 4) of a view; transparent where there is none."""
    if pixels is None:
        pixels = np.zeros((2, 2, 4), np.uint8)
    upward = np.ascontiguousarray(pixels[::-1]).view(np.uint32)[..., 0]
    return {"image": [upward], **_frame(view)}


def probe_columns(found: Probe) -> dict[str, list[Any]]:
    """The columns of a probe, by the names that a hover tool reads."""
    names = ("image", "percent", "second", "second_percent", "label")
    parts = (np.ascontiguousarray(value[::-1]) for value in _numbers(found))
    return {**{name: [part] for name, part in zip(names, parts, strict=True)}, **_frame(found.view)}


def _numbers(found: Probe) -> tuple[np.ndarray, ...]:
    return found.numbers or (np.full((2, 2), NOTHING, np.uint8),) * 5


def _frame(view: View) -> dict[str, list[Any]]:
    size = {"dw": [view.east - view.west], "dh": [view.north - view.south]}
    return {"x": [view.west], "y": [view.south], **size}


def pins(figure: Any) -> ColumnDataSource:
    """Draw places with letters on a figure: returns the source that says where (`pin_columns`)."""
    source = ColumnDataSource(pin_columns(()))
    ground = {"color": _LIGHT, "line_color": _DARK, "line_width": 2, "size": 20}
    figure.scatter("x", "y", source=source, **ground)
    look = {"text_color": _DARK, "text_font_size": "9pt", "text_font_style": "bold"}
    middle = {"text_align": "center", "text_baseline": "middle"}
    figure.text("x", "y", text="letter", source=source, **look, **middle)
    return source


def pin_columns(places: Sequence[tuple[float, float, str]]) -> dict[str, list[Any]]:
    """Places (x, y, letter) as `pins` draws them."""
    return {name: [place[i] for place in places] for i, name in enumerate(("x", "y", "letter"))}
