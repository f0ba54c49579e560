"""Corners that are set in an edge of a polygon, which Bokeh's tool only adds behind the last.

The page does it before anyone hears of the corner: were it the server, an edge would be seen to
jump, and a corner that is dragged meanwhile would be another one.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, CustomJS

#: Pixels of the screen from an edge that still count as on it.
REACH = 12

_SCRIPT = """
const {x, y} = corners.data
const n = x.length
const grown = n === (corners.known ?? 0) + 1
corners.known = n
if (grown && n > 3) {  // there was a polygon before
  const pixel = (figure.x_range.end - figure.x_range.start) / figure.inner_width
  const [px, py] = [x[n - 1], y[n - 1]]
  let [edge, least] = [n - 2, reach * pixel]
  for (let i = 0; i < n - 1; i++) {
    const j = (i + 1) % (n - 1)
    const [dx, dy] = [x[j] - x[i], y[j] - y[i]]
    const along = ((px - x[i]) * dx + (py - y[i]) * dy) / (dx * dx + dy * dy || 1)
    const t = Math.min(Math.max(along, 0), 1)
    const away = Math.hypot(px - x[i] - t * dx, py - y[i] - t * dy)
    if (away <= least) [edge, least] = [i, away]
  }
  if (edge < n - 2) {  // the last edge is where it is already
    const placed = values => {
      const others = Array.from(values)
      others.splice(edge + 1, 0, others.pop())
      return others
    }
    corners.data = {x: placed(x), y: placed(y)}
    return
  }
}
const middle = values => Array.from(values, (value, i) => (value + values[(i + 1) % n]) / 2)
middles.data = n < 3 ? {x: [], y: []} : {x: middle(x), y: middle(y)}
"""


def follow(figure: Any, corners: ColumnDataSource) -> ColumnDataSource:
    """Set a new corner in the edge it lies on; the source returned has the middles of the edges.

    Both sources have the columns x and y.
    """
    middles = ColumnDataSource({"x": [], "y": []})
    models = {"figure": figure, "corners": corners, "middles": middles, "reach": REACH}
    corners.js_on_change("data", CustomJS(args=models, code=_SCRIPT))
    return middles
