"""The charts of the inspector: spectra and activations of pixels, one colour a pin.

Bokeh's own figures: each glyph has a source that is given other columns, and nothing is made
anew when a pixel is pinned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure

from dashboard.pixels.pixel import Pixel
from dashboard.pixels.signatures import WAVELENGTHS, Signatures
from lulc.legend import Legend

#: Of the pins in turn: Okabe and Ito's colours (2008), told apart with any kind of colour vision.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
LETTERS = "ABCD"

#: Longest name of a class on an axis.
_LONGEST = 22

Columns = dict[str, list[Any]]


def spectra(
    pixels: Sequence[Pixel],
    bands: Sequence[str],
    known: Signatures | None = None,
    legend: Legend | None = None,
) -> Mapping[str, Columns]:
    """Columns of the spectra (`lines`, `dots`) and of what their classes look like (`ribbons`)."""
    across = list(range(len(bands)))
    ribbons: Columns = {"xs": [], "ys": [], "mean": [], "along": [], "color": []}
    lines: Columns = {"xs": [], "ys": [], "color": []}
    dots: Columns = {"x": [], "y": [], "color": [], "pin": [], "band": []}
    for number, pixel in enumerate(pixels):
        if pixel.spectrum is not None:
            values = pixel.spectrum.tolist()
            _append(lines, xs=across, ys=values, color=COLORS[number])
            for x, y, band in zip(across, values, bands, strict=True):
                _append(dots, x=x, y=y, color=COLORS[number], pin=LETTERS[number], band=band)
    classes = dict.fromkeys(pixel.class_id for pixel in pixels if pixel.class_id is not None)
    for number in classes if known and legend else ():
        assert known is not None and legend is not None
        row = known.ids.index(number)
        if known.count[row]:
            mean, std = known.mean[row], known.std[row]
            _append(
                ribbons,
                xs=across + across[::-1],
                ys=np.concatenate([mean - std, (mean + std)[::-1]]).tolist(),
                mean=mean.tolist(),
                along=across,
                color=legend.by_id[number].color,
            )
    return {"ribbons": ribbons, "lines": lines, "dots": dots}


def activations(pixels: Sequence[Pixel], legend: Legend | None) -> Columns:
    """Columns of the bars: a row for each class, the pins side by side in it."""
    bars: Columns = {"y": [], "right": [], "height": [], "color": [], "pin": [], "name": []}
    for number, pixel in enumerate(pixels):
        if pixel.activations is None or legend is None:
            continue
        height = 0.8 / len(pixels)
        for row, (c, value) in enumerate(zip(legend.classes, pixel.activations, strict=True)):
            _append(
                bars,
                y=row - 0.4 + height * (number + 0.5),
                right=float(value),
                height=height * 0.92,
                color=COLORS[number],
                pin=LETTERS[number],
                name=c.name,
            )
    return bars


class Charts:
    """The two figures, and what they show."""

    def __init__(self) -> None:
        self._sources = {
            name: ColumnDataSource(columns) for name, columns in spectra((), ()).items()
        }
        self._bars = ColumnDataSource(activations((), None))
        self.spectrum = self._spectrum()
        self.activation = self._activation()
        self.panes = [
            pn.pane.Bokeh(shown, sizing_mode="stretch_width", margin=(0, 4))
            for shown in (self.spectrum, self.activation)
        ]

    def _spectrum(self) -> Any:
        shown = _figure(height=230, x_range=Range1d(start=-0.4, end=1))
        shown.xaxis.axis_label = "band, with its centre wavelength in nm"
        shown.xaxis.major_label_orientation = 0.9
        ribbons, lines, dots = (self._sources[name] for name in ("ribbons", "lines", "dots"))
        shown.patches(
            "xs", "ys", color="color", fill_alpha=0.5, line_color="#888888", source=ribbons
        )
        shown.multi_line("along", "mean", color="#888888", line_dash="dashed", source=ribbons)
        shown.multi_line("xs", "ys", color="color", line_width=2, source=lines)
        points = shown.scatter("x", "y", color="color", size=7, line_color="black", source=dots)
        said = [("Pin", "@pin"), ("Band", "@band"), ("Value", "@y{0.[0000]}")]
        shown.add_tools(HoverTool(renderers=[points], tooltips=said))
        return shown

    def _activation(self) -> Any:
        shown = _figure(
            height=200, x_range=Range1d(start=0, end=1), y_range=Range1d(start=0.6, end=-0.6)
        )
        shown.xaxis.axis_label = "activation (softmax, 0 to 1)"
        shown.ygrid.visible = False
        bars = shown.hbar(
            y="y",
            right="right",
            height="height",
            fill_color="color",
            line_color=None,
            source=self._bars,
        )
        said = [("Pin", "@pin"), ("Class", "@name"), ("Activation", "@right{0.000}")]
        shown.add_tools(HoverTool(renderers=[bars], tooltips=said))
        return shown

    def show(
        self,
        pixels: Sequence[Pixel],
        bands: Sequence[str],
        known: Signatures | None,
        legend: Legend | None,
        unit: str,
    ) -> None:
        """Draw these pixels, `unit` being that of their bands; the document must be locked."""
        self.spectrum.yaxis.axis_label = unit
        names = [f"{band} {WAVELENGTHS.get(band, '')}".strip() for band in bands]
        _ticks(self.spectrum.xaxis[0], names)
        self.spectrum.x_range.end = max(len(bands), 2) - 0.6
        for name, columns in spectra(pixels, bands, known, legend).items():
            self._sources[name].data = columns
        classes = legend.classes if legend else ()
        _ticks(self.activation.yaxis[0], [_short(c.name) for c in classes])
        self.activation.y_range.start = max(len(classes), 1) - 0.4
        self.activation.height = 70 + 18 * max(len(classes), 4)
        self._bars.data = activations(pixels, legend)


def _figure(**params: Any) -> Any:
    shown = figure(
        tools="", toolbar_location=None, sizing_mode="stretch_width", min_width=200,
        background_fill_color=None, border_fill_color=None, outline_line_color=None, **params,
    )  # fmt: skip
    for axis in (*shown.xaxis, *shown.yaxis):
        axis.update(major_label_text_font_size="8pt", axis_label_text_font_size="9pt")
        axis.update(minor_tick_line_color=None, axis_label_text_font_style="normal")
    return shown


def _ticks(axis: Any, names: Sequence[str]) -> None:
    axis.ticker = FixedTicker(ticks=list(range(len(names))))
    axis.major_label_overrides = dict(enumerate(names))


def _append(columns: Columns, **row: Any) -> None:
    for name, value in row.items():
        columns[name].append(value)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"
