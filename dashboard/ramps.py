"""Colour ramps that stay readable without colour vision, in the dark and in print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bokeh.palettes import cividis
from numpy.typing import NDArray

#: Okabe and Ito's colours (2008), told apart with any kind of colour vision.
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#7f7f7f"

#: Of fine lines, which are seen on white and on black alike.
LINES = "#777777"


@dataclass(frozen=True, eq=False)
class Ramp:
    """Colours for 0..100 per cent and what is written at the low end, the middle and the high."""

    colors: NDArray[np.uint8]
    """(101, 4), red green blue alpha."""
    low: str
    middle: str
    high: str
    unit: str
    """What the numbers are."""

    @property
    def css(self) -> str:
        """As a CSS gradient from left to right."""
        stops = [f"rgb({r},{g},{b})" for r, g, b, _ in self.colors[::10].tolist()]
        return f"linear-gradient(to right, {', '.join(stops)})"


def ramp(low: str, middle: str, high: str, unit: str) -> Ramp:
    """The one ramp of the maps: cividis, dark blue to yellow, even in lightness."""
    colors = [(*bytes.fromhex(c[1:]), 255) for c in cividis(101)]
    return Ramp(np.array(colors, np.uint8), low, middle, high, unit)
