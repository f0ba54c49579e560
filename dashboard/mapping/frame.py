"""The map's frame in the page: square pixels, longitude and latitude, what is under the pointer.

Only the page moves the map, or its own moves and the server's would cross: the server asks,
the page moves, and says where it has come to rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import bokeh.plotting
from bokeh.events import MouseMove
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    CustomJSHover,
    HoverTool,
    MercatorTicker,
    MercatorTickFormatter,
    Range1d,
    WheelZoomTool,
)

from dashboard.mapping.warp import View
from dashboard.painting.picture import Place

#: The size of a figure's frame in pixels: none before it is drawn, and asking then is an error.
_INNER = """
const inner = figure => ["inner_width", "inner_height"].map(
  side => figure.properties[side].is_unset ? 0 : figure[side])
"""

#: Keeps pixels square when the frame changes, and their size; but until someone moves the map,
#: all of what was asked for is shown, however often the page is laid out anew.
_SQUARE = """
{
  const [w, h] = inner(figure)
  const [x, y] = [figure.x_range, figure.y_range]
  if (w >= 20 && h >= 20) {
    const box = [x.start, y.start, x.end, y.end]
    if (!seen.width) seen.asked = seen.left = box
    const still = seen.left?.every((side, i) => side == box[i])
    const [west, south, east, north] = still ? seen.asked : box
    const pixel = still ? Math.max((east - west) / w, (north - south) / h)
                        : (east - west) / seen.width
    const [mx, my] = [(west + east) / 2, (south + north) / 2]
    seen.width = w
    x.setv({start: mx - pixel * w / 2, end: mx + pixel * w / 2})
    y.setv({start: my - pixel * h / 2, end: my + pixel * h / 2})
    seen.left = still ? [x.start, y.start, x.end, y.end] : null
  }
}
"""
_SHOW = (
    """
const [west, south, east, north] = wanted.data.box
figure.x_range.setv({start: west, end: east})
figure.y_range.setv({start: south, end: north})
seen.width = null
"""
    + _SQUARE
)

#: Tells the server what is shown, once the map has come to rest for a moment.
_SEEN = """
clearTimeout(seen.timer)
seen.timer = setTimeout(() => {
  const [w, h] = inner(figure)
  const [x, y] = [figure.x_range, figure.y_range]
  if (w >= 20 && h >= 20)
    seen.data = {box: [x.start, y.start, x.end, y.end], size: [w, h, w, h]}
}, 60)
"""

#: Asks what is under the pointer once it rests where that is not known, pixel by pixel.
_POINTED = """
const {x, y, dw, dh, image} = read.data
const pixel = (figure.x_range.end - figure.x_range.start) / figure.inner_width
const within = (at, from, size) => from <= at && at < from + size
const known = within(cb_obj.x, x[0], dw[0]) && within(cb_obj.y, y[0], dh[0])
  && Math.abs(dw[0] / image[0].shape[1] / pixel - 1) < 0.05
const place = {x: [cb_obj.x], y: [cb_obj.y]}
clearTimeout(asked.timer)
if (!known) asked.timer = setTimeout(() => { asked.data = place }, 40)
"""

_LONGITUDE_LATITUDE = """
const lon = special_vars.x / 20037508.342789244 * 180
const lat = Math.atan(Math.exp(special_vars.y / 6378137)) * 360 / Math.PI - 90
return `${lon.toFixed(5)}° E, ${lat.toFixed(5)}° N`
"""

#: Interpolates the scene's coordinates between the knots of a `Place`.
_PLACE = """
const [west, south, east, north] = place.bounds
const [width, height] = place.size
const last = place.x.length - 1
const knot = (share, n) => Math.min(Math.max((share * n - 0.5) / (n - 1), 0), 1) * last
const u = knot((special_vars.x - west) / (east - west), width)
const v = knot((north - special_vars.y) / (north - south), height)
const [i, j] = [u, v].map(at => Math.min(Math.floor(at), last - 1))
const along = row => row[i] * (i + 1 - u) + row[i + 1] * (u - i)
const at = rows => along(rows[j]) * (j + 1 - v) + along(rows[j + 1]) * (v - j)
const [x, y] = [place.x, place.y].map(rows => at(rows).toFixed(place.digits))
return `${x}${place.unit} E, ${y}${place.unit} N (${place.crs})`
"""


#: Where a figure's tools are.
Side = Literal["above", "below", "left", "right"]


def figure(view: View, toolbar: Side | None) -> Any:
    """A figure with the axes of a map in Web Mercator, and nothing on it."""
    # Over an axis it would zoom that axis alone, and the map would be squeezed.
    wheel = WheelZoomTool(zoom_on_axis=False)
    made = bokeh.plotting.figure(
        x_range=Range1d(start=view.west, end=view.east),
        y_range=Range1d(start=view.south, end=view.north),
        x_axis_label="longitude (°E)",
        y_axis_label="latitude (°N)",
        tools=["pan", wheel, "save"],
        active_scroll=wheel,
        toolbar_location=toolbar,
        sizing_mode="stretch_both",
        background_fill_color=None,
    )
    # The page says where it has come to rest; each step on the way would be a message of its own.
    made.x_range.syncable = made.y_range.syncable = False
    made.grid.visible = False
    # Upright, they take one width whatever they say, and the frame keeps its size.
    made.yaxis[0].major_label_orientation = "vertical"
    across, down = made.xaxis[0], made.yaxis[0]
    across.ticker = MercatorTicker(dimension="lon", desired_num_ticks=5)
    across.formatter = MercatorTickFormatter(dimension="lon")
    down.ticker = MercatorTicker(dimension="lat", desired_num_ticks=5)
    down.formatter = MercatorTickFormatter(dimension="lat")
    return made


def wire(figure: Any, moved: Callable[[str, Any, Any], None]) -> ColumnDataSource:
    """Have a figure call `moved` when it has come to rest.

    Returns the source by which the page is told what to show (`move`).
    """
    wanted = ColumnDataSource(data={"box": [], "turn": []})
    seen = ColumnDataSource(data={"box": [], "size": []})
    seen.on_change("data", moved)
    # Naming the sources in a script brings them to the page together with the figure.
    models = {"figure": figure, "wanted": wanted, "seen": seen}
    for side in ("inner_width", "inner_height"):
        figure.js_on_change(side, CustomJS(args=models, code=_INNER + _SQUARE + _SEEN))
    for axis in (figure.x_range, figure.y_range):
        axis.js_on_change("start", CustomJS(args=models, code=_INNER + _SEEN))
        axis.js_on_change("end", CustomJS(args=models, code=_INNER + _SEEN))
    wanted.js_on_change("data", CustomJS(args=models, code=_INNER + _SHOW + _SEEN))
    return wanted


def ask(figure: Any, read: ColumnDataSource, asked: Callable[[str, Any, Any], None]) -> None:
    """Call `asked` with the place of the pointer where the image in `read` does not show it."""
    place = ColumnDataSource(data={"x": [], "y": []})
    place.on_change("data", asked)
    models = {"figure": figure, "read": read, "asked": place}
    figure.js_on_event(MouseMove, CustomJS(args=models, code=_POINTED))


def move(wanted: ColumnDataSource, view: View) -> None:
    """Have the page show a view, also when it was asked for that before and went elsewhere."""
    turn = max(wanted.data.get("turn", ()), default=0) + 1
    wanted.data = {"box": list(view.bounds), "turn": [turn] * 4}


def set_ranges(figure: Any, view: View) -> None:
    """Set what a figure shows before it is in a page."""
    figure.x_range.update(start=view.west, end=view.east)
    figure.y_range.update(start=view.south, end=view.north)


def follow(leader: Any, follower: Any) -> None:
    """Have one figure show what another does."""
    for name in ("x_range", "y_range"):
        mine, its = getattr(leader, name), getattr(follower, name)
        code = "its.setv({start: mine.start, end: mine.end})"
        for side in ("start", "end"):
            mine.js_on_change(side, CustomJS(args={"mine": mine, "its": its}, code=code))


def hover(classes: CustomJSHover, labels: CustomJSHover, place: CustomJSHover) -> HoverTool:
    """What is under the pointer: class and runner-up, reference and place."""
    percent = CustomJSHover(code="return value > 100 ? '' : value + ' %'")
    return HoverTool(
        tooltips=[
            ("Class", "@image{custom} @percent{custom}"),
            ("Second", "@second{custom} @second_percent{custom}"),
            ("Reference", "@label{custom}"),
            ("Lon, lat", "$x{custom}"),
            ("Scene", "$y{custom}"),
        ],
        formatters={
            "@image": classes,
            "@percent": percent,
            "@second": classes,
            "@second_percent": percent,
            "@label": labels,
            "$x": CustomJSHover(code=_LONGITUDE_LATITUDE),
            "$y": place,
        },
    )


def lookup(names: Sequence[tuple[int, str]]) -> str:
    """Code that gives the name of an id under the pointer."""
    return f"return ({json.dumps(dict(names))})[value] ?? '–'"


def coordinates(view: View, place: Place | None) -> str:
    """Code that gives the pointer's place in the scene's own coordinates."""
    if place is None:
        return "return '–'"
    known = {
        "bounds": view.bounds,
        "size": (view.width, view.height),
        "x": place.x,
        "y": place.y,
        "crs": place.crs,
        "unit": "°" if place.degrees else " m",
        "digits": 5 if place.degrees else 0,
    }
    return f"const place = {json.dumps(known)}\n{_PLACE}"
