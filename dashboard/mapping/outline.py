"""An outline on a map, dark or bright on a white casing: seen on water and on snow."""

from __future__ import annotations

from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource
from numpy.typing import NDArray

from dashboard.mapping.canvas import Canvas


class Outline:
    """A ring drawn on a canvas."""

    def __init__(self, canvas: Canvas, color: str, dash: str = "solid") -> None:
        self._source = ColumnDataSource({"x": [], "y": []})
        self._ring: Any = None
        line, look = canvas.figure.line, {"line_color": color, "line_dash": dash}
        line("x", "y", source=self._source, line_color="white", line_width=5)
        line("x", "y", source=self._source, line_width=2.5, **look)

    def show(self, ring: NDArray | None) -> None:
        """Draw this ring (n, 2) of Web Mercator, or none."""
        self._ring = ring
        # Models of a page may only change while its document is locked.
        pn.state.execute(self._put, schedule=True)

    def _put(self) -> None:
        ring = self._ring
        columns = ([], []) if ring is None else (ring[:, 0], ring[:, 1])
        self._source.data = dict(zip("xy", columns, strict=True))
