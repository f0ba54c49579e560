"""The legend: what the colours on the map mean, and how much of the view they cover."""

from __future__ import annotations

from html import escape

import panel as pn

from dashboard.layers import Entry, Picture
from dashboard.ramps import Ramp


class LegendView:
    """Shows the legend of a picture."""

    def __init__(self) -> None:
        self.panel = pn.pane.HTML("", sizing_mode="stretch_width", margin=(2, 10))

    def show(self, picture: Picture) -> None:
        """Explain this picture."""
        self.panel.object = html(picture)


def html(picture: Picture) -> str:
    """The legend of a picture."""
    if not picture.title:
        return "<small>No layer over the image.</small>"
    parts = [f'<div style="font-size:0.8rem;margin-bottom:4px">{escape(picture.title)}</div>']
    if picture.scale is not None:
        parts.append(_ramp(picture.scale))
    elif picture.overlay is not None:
        parts.append(_entries(picture.entries))
    else:
        parts.append("<small>Nothing to show here.</small>")
    parts += [f"<small>{escape(note)}</small><br>" for note in picture.notes]
    return "".join(parts)


def _entries(entries: tuple[Entry, ...]) -> str:
    lines = "".join(
        f'<li style="display:flex;align-items:baseline;gap:6px;padding:1px 0;'
        f'opacity:{1 if entry.share else 0.75}">'
        f'<span aria-hidden="true" style="flex:none;width:14px;height:12px;'
        f"background:{entry.color or 'transparent'};border:1px solid rgba(128,128,128,0.8);"
        f'align-self:center"></span>'
        f'<span style="flex:1;line-height:1.2">{escape(entry.name)}</span>'
        f'<span style="font-variant-numeric:tabular-nums">{_share(entry.share)}</span></li>'
        for entry in entries
    )
    return (
        '<ul aria-label="Legend" style="list-style:none;margin:0;padding:0;font-size:0.82rem">'
        f"{lines}</ul>"
        '<div style="font-size:0.75rem;opacity:0.8;text-align:right">share of the map in view</div>'
    )


def _ramp(scale: Ramp) -> str:
    ticks = "".join(f"<span>{text}</span>" for text in (scale.low, scale.middle, scale.high))
    return (
        f'<div style="height:14px;background:{scale.css};border:1px solid rgba(128,128,128,0.8)">'
        '</div><div style="display:flex;justify-content:space-between;font-size:0.8rem">'
        f"{ticks}</div>"
        '<div style="font-size:0.75rem;opacity:0.8">activation, 0 to 1 (softmax)</div>'
    )


def _share(share: float) -> str:
    if share == 0:
        return "–"
    return "&lt; 0.1 %" if share < 0.001 else f"{share * 100:.1f} %"
