"""The part of the earth that all the maps of a session show, and windows of a scene in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from dashboard.mapping import warp
from dashboard.mapping.canvas import Canvas
from dashboard.mapping.positions import positions
from dashboard.mapping.warp import View
from dashboard.state import State

#: Digits of a degree that are kept: a tenth of a metre.
_DIGITS = 6

#: Share of the view that something must cover for the view to stay when it is opened.
_ENOUGH = 0.1


def share(canvas: Canvas, state: State, place: str) -> None:
    """Have a map show the session's extent while its page is open, and move it."""

    def moved(_: Any) -> None:
        # A map of another shape shows more; if that were kept, each page would zoom out further.
        if state.place == place and not _just_shows(canvas.view, state.extent):
            state.extent = of(canvas.view)

    def asked(*_: Any) -> None:
        if state.place == place and state.extent and not _just_shows(canvas.view, state.extent):
            show()

    def show() -> None:
        west, south, east, north = mercator(state.extent or of(canvas.view))
        canvas.show(replace(canvas.view, west=west, south=south, east=east, north=north))

    if state.extent:
        show()
    canvas.param.watch(moved, "view")
    state.param.watch(asked, ["extent", "place"])


def of(view: View) -> tuple[float, float, float, float]:
    """West, south, east, north of a view in degrees."""
    low, high = warp.degrees(view.west, view.south), warp.degrees(view.east, view.north)
    west, south, east, north = (round(float(value), _DIGITS) for value in (*low, *high))
    return west, south, east, north


def mercator(extent: Sequence[float]) -> tuple[float, float, float, float]:
    """The box of the map, in metres, of west, south, east, north in degrees."""
    west, south, east, north = extent
    return (*warp.mercator(west, south), *warp.mercator(east, north))


def shows(extent: Sequence[float] | None, grid: GeoBox) -> bool:
    """Whether an extent shows enough of a grid to stay where it is when the grid is opened."""
    if not extent:
        return False
    view, there = shapely.box(*mercator(extent)), shapely.box(*warp.mercator_bounds(grid))
    return bool(view.intersection(there).area >= _ENOUGH * view.area)


def window_in_view(view: View, grid: GeoBox, stride: int, most: int) -> Window | None:
    """The pixels of a grid in a view, at most the middle `most` x `most` of them.

    Whole strides where it was cut; None where the view shows nothing of the grid.
    """
    columns, rows = positions(view.grid, grid)
    spans = []
    for values, length in ((columns, grid.shape.x), (rows, grid.shape.y)):
        first, last = max(0, math.floor(values.min())), min(length, math.ceil(values.max()))
        if first >= last:
            return None
        if last - first > most - stride:
            first = max(0, int((first + last - most) / 2) // stride * stride)
            last = min(length, first + most // stride * stride)
        spans.append((first, last - first))
    (left, width), (top, height) = spans
    return Window(left, top, width, height)


def window_around(spot: tuple[float, float], grid: GeoBox, stride: int, side: int) -> Window | None:
    """About `side` pixels, whole strides, around a longitude and latitude; None outside."""
    x, y = warp.mercator(*spot)
    columns, rows = positions(View(x - 1, y - 1, x + 1, y + 1, 2, 2).grid, grid)
    column, row = float(columns.mean()), float(rows.mean())
    if not (0 <= column < grid.shape.x and 0 <= row < grid.shape.y):
        return None
    size = max(stride, side // stride * stride)
    left, top = (max(0, round((at - size / 2) / stride) * stride) for at in (column, row))
    left, top = (
        min(at, (length - 1) // stride * stride)
        for at, length in ((left, grid.shape.x), (top, grid.shape.y))
    )
    return Window(left, top, min(size, grid.shape.x - left), min(size, grid.shape.y - top))


def ring(window: Window, grid: GeoBox) -> NDArray[np.float64]:
    """The outline (n, 2) of a window of a grid on the map."""
    rows, columns = window.toslices()
    return shapely.get_coordinates(grid[rows, columns].extent.to_crs(warp.MERCATOR).geom)


def _just_shows(view: View, extent: Sequence[float] | None) -> bool:
    """Whether a view shows an extent, and no more than its own shape adds on two sides."""
    if not extent:
        return False
    west, south, east, north = mercator(extent)
    near = max(east - west, north - south) * 1e-3
    left, right, below, above = (
        west - view.west, view.east - east, south - view.south, view.north - north,
    )  # fmt: skip
    even = abs(left - right) <= near and abs(below - above) <= near
    return even and min(left, below) >= -near and min(abs(left), abs(below)) <= near
