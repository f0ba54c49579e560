"""Colour schemes: the same legend in other colours."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from dashboard.painting import vision
from lulc.errors import LegendError
from lulc.legend import Legend, crosswalk

#: What one can choose: the legend's own colours, those of CORINE's level 3, and colours that
#: are told apart with any kind of colour vision.
OWN, CORINE, SAFE = "Own", "CORINE", "Colour-blind safe"
SCHEMES = (OWN, CORINE, SAFE)

#: Paul Tol, "Colour schemes", technical note SRON/EPS/TN/09-002, issue 3.2 (2021): the discrete
#: rainbow in its sets of 14 and of 23 colours, told apart by all three kinds of cones.
TOL = (
    (
        "#d1bbd7", "#ae76a3", "#882e72", "#1965b0", "#5289c7", "#7bafde", "#4eb265",
        "#90c987", "#cae0ab", "#f7f056", "#f6c141", "#f1932d", "#e8601c", "#dc050c",
    ),
    (
        "#e8ecfb", "#d9cce3", "#caaccb", "#ba8db4", "#aa6f9e", "#994f88", "#882e72", "#1965b0",
        "#437dbf", "#6195cf", "#7bafde", "#4eb265", "#90c987", "#cae0ab", "#f7f056", "#f7cb45",
        "#f4a736", "#ee8026", "#e65518", "#dc050c", "#a5170e", "#72190e", "#42150a",
    ),
)  # fmt: skip

#: Each further class of one CORINE code is this much darker, as in the Finnish legend.
_DARKER = 0.82


def recolored(legend: Legend, scheme: str) -> tuple[Legend, str]:
    """A legend in the colours of a scheme, and in a sentence what stood against it.

    The names and ids stay; where the scheme has no colours for it, the legend stays whole.
    """
    if scheme == CORINE:
        return _corine(legend)
    return _safe(legend) if scheme == SAFE else (legend, "")


@lru_cache(maxsize=32)
def _corine(legend: Legend) -> tuple[Legend, str]:
    """The official colour of the first level-3 code that a class may be."""
    try:
        codes = crosswalk(legend, "clc").pairs
    except LegendError:
        return legend, f"Own colours: no table reads {legend.name} as CORINE."
    official = Legend.load("clc").by_id
    met: Counter[int] = Counter()
    colors, without = [], []
    for c in legend.classes:
        code = next((code for code in codes.get(c.id, ()) if code in official), None)
        if code is None:
            colors.append(c.color)
            without.append(c.name)
        else:
            shade = _DARKER ** met[code]
            colors.append(_hex([round(part * shade) for part in official[code].rgb]))
            met[code] += 1
    note = f"In its own colour, having no code of level 3: {', '.join(without)}." if without else ""
    return _with(legend, colors), note


@lru_cache(maxsize=32)
def _safe(legend: Legend) -> tuple[Legend, str]:
    """The palette's colours, handed out so that all classes together change least."""
    n = len(legend.classes)
    palette = next((colors for colors in TOL if len(colors) >= n), None)
    if palette is None:
        return legend, f"Own colours: {n} classes are more than can be told apart ({len(TOL[-1])})."
    own = vision.seen([c.rgb for c in legend.classes])
    theirs = vision.seen([tuple(bytes.fromhex(color[1:])) for color in palette])
    change = np.linalg.norm(own[:, None] - theirs[None], axis=-1)
    _, chosen = linear_sum_assignment(change)
    return _with(legend, [palette[i] for i in chosen]), ""


def _with(legend: Legend, colors: list[str]) -> Legend:
    classes = zip(legend.classes, colors, strict=True)
    return replace(legend, classes=tuple(replace(c, color=color) for c, color in classes))


def _hex(rgb: list[int]) -> str:
    return f"#{bytes(rgb).hex()}"
