"""What is said and drawn of a look inside the network."""

from __future__ import annotations

from html import escape

import numpy as np

from dashboard.activity import thumbs
from dashboard.activity.gallery import card
from dashboard.activity.worker import WORKER
from dashboard.ramps import BLUE, VERMILION
from lulc import tables
from lulc.features import FeatureMaps, Occlusion
from lulc.runs import Run
from lulc.scene import Scene


def described(found: FeatureMaps, scene: Scene) -> str:
    """Which maps are shown, of what."""
    size = scene.pixel_size
    w, h = found.window.width, found.window.height
    return (
        f"<small>{len(found.channels)} of the {found.total} maps of <b>{escape(found.layer)}</b>, "
        f"the largest variance first, for the {w} × {h} px ({w * size / 1000:.1f} × "
        f"{h * size / 1000:.1f} km) outlined on the map; a pixel of a map spans "
        f"{found.step * size:.0f} m. Numbers: lowest to highest, without a unit.</small>"
    )


def cards(found: FeatureMaps) -> list[dict[str, object]]:
    """The maps for a gallery, each stretched over its own range."""
    return [
        card(
            channel, f"Map {channel}", thumbs.png(thumbs.ramped(values, low, high)),
            values.shape[1] / values.shape[0], note=f"{low:.3g} to {high:.3g}",
            title=f"Map {channel} of {found.layer}: {low:.3g} (dark) to {high:.3g} (bright)",
        )
        for channel, values, (low, high) in zip(
            found.channels, found.values, found.ranges, strict=True
        )
    ]  # fmt: skip


def told(found: Occlusion, run: Run, index: int) -> str:
    """What the bars are about."""
    hectares = found.window.width * found.window.height * abs(run.grid.resolution.x) ** 2 / 1e4
    return (
        f"<small>Mean activation of <b>{escape(run.legend.classes[index].name)}</b> in the dashed "
        f"window ({found.window.width} × {found.window.height} px, {hectares:.1f} ha): "
        f"<b>{found.activation[index]:.3f}</b> of 0 to 1. Each bar: its change when the band is "
        "replaced by its mean in the training data.</small>"
    )


def bars(found: Occlusion, index: int) -> str:
    """The change by band, the largest first, as a table with bars."""
    change = found.change[:, index]
    longest = max(float(np.abs(change).max()), 1e-9)
    rows = []
    for band in np.argsort(-np.abs(change), kind="stable"):
        value = float(change[band])
        width = abs(value) / longest * 50
        left = 50 - width if value < 0 else 50
        color = VERMILION if value < 0 else BLUE
        rows.append(
            f'<tr><th scope="row" style="text-align:left;font-weight:400;padding:1px 8px 1px 0">'
            f"{escape(found.bands[band])}</th>"
            '<td style="width:100%"><div aria-hidden="true" style="position:relative;height:13px;'
            "background:linear-gradient(to right,transparent calc(50% - 0.5px),currentColor 0 "
            'calc(50% + 0.5px),transparent 0)">'
            f'<div style="position:absolute;top:1px;bottom:1px;left:{left:.2f}%;'
            f'width:{width:.2f}%;background:{color}"></div></div></td>'
            '<td style="text-align:right;padding-left:8px;font-variant-numeric:tabular-nums;'
            f'white-space:nowrap">{tables.number(value, signed=True)}</td></tr>'
        )
    return (
        '<table style="border-collapse:collapse;width:100%;font-size:0.85rem">'
        '<thead><tr><th scope="col" style="text-align:left">Band</th><th scope="col" '
        'style="font-weight:400">less activation without it · more without it</th>'
        '<th scope="col" style="text-align:right">Change</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def busy(what: str) -> str:
    more = "" if WORKER.warm else " The network is being loaded: the first time takes a moment."
    return f"<small>{what} …{more}</small>"


def sentence(error: Exception) -> str:
    text = str(error)
    return f"<small>{escape(text[:1].upper() + text[1:])}</small>"
