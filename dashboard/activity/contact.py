"""The contact sheet of a run: what is said and drawn of the activations of its classes."""

from __future__ import annotations

from html import escape

import numpy as np

from dashboard.activity import thumbs
from dashboard.activity.gallery import card
from dashboard.activity.tally import ELSEWHERE, THERE, UNKNOWN, Tally
from dashboard.mapping.warp import View
from dashboard.painting import masks
from dashboard.ramps import BLUE, GREY, ORANGE
from lulc import tables
from lulc.runs import Run

#: Classes that are named where they are scored as one; of more, their number is said.
_NAMED = 3


def told(tally: Tally | None, run: Run, index: int, threshold: float, hectares: float) -> str:
    """Area, precision and recall of a mask, and what they are computed over."""
    land = run.legend.classes[index]
    if tally is None:
        return f"<small>Counting the pixels of {escape(land.name)} …</small>"
    name = escape(tally.name(land.id) or land.name)
    pixels, precision, recall = tally.at(index, threshold)
    scores, over = "no reference to score it by", "the area is of the whole run"
    if tally.counts[index, :UNKNOWN].any():
        said = [tables.number(None if v != v else v) for v in (precision, recall)]
        scores = f"precision <b>{said[0]}</b>, recall <b>{said[1]}</b>"
        over = f"{escape(scope(tally, run, index))}; {over}"
    return (
        f"<small><b>{pixels * hectares:,.0f} ha</b> with at least {threshold:.2f} of {name}; "
        f"{scores}<br>{over[:1].upper()}{over[1:]}.</small>"
    )


def scope(tally: Tally, run: Run, index: int) -> str:
    """What precision and recall of a class are computed over, in words."""
    part = " that the model has not seen" if tally.unseen else ""
    at = tally.grouping.level if tally.grouping else "class"
    said = f"precision and recall are over the {tally.scored(index):,} scored pixels{part}"
    said += "" if at == "class" else f", at level {at} of CORINE"
    members = tally.together(run.legend.ids[index])
    if len(members) > 1:
        names = [run.legend.by_id[member].name for member in members]
        which = " and ".join(names) if len(names) <= _NAMED else f"{len(names)} classes"
        said += f", with the activations of {which} added up"
    return said


def cards(
    run: Run,
    tally: Tally | None,
    view: View,
    order: str,
    mark: float | None,
    chosen: int = 0,
) -> list[dict[str, object]]:
    """Every class as a card of a gallery, in order."""
    ids, names = run.legend.ids, run.legend.names
    steps, there = masks.activations(run, ids, view)
    precision = np.full(len(ids), np.nan) if tally is None else tally.average_precision()
    key = {"ap": -np.nan_to_num(precision, nan=-1.0), "legend": np.arange(len(ids)),
           "area": -areas(tally, len(ids))}[order]  # fmt: skip
    none = "counting …"
    if tally is not None:
        none = "no AP: not in the reference" if tally.compared else "no AP: no reference"
    found = []
    for i in np.argsort(key, kind="stable"):
        score = none if np.isnan(precision[i]) else f"AP {precision[i]:.3f}"
        chart = "" if tally is None else drawing(tally, int(i), names[i], mark)
        image = thumbs.png(masks.coloured(steps[i], there))
        title = f"{names[i]}: activation from 0 (dark) to 1 (bright) in the part of the map in view"
        found.append(
            card(ids[i], names[i], image, view.width / view.height, note=score,
                 title=title, chart=chart, chosen=ids[i] == chosen)
        )  # fmt: skip
    return found


def areas(tally: Tally | None, number: int) -> np.ndarray:
    """Expected pixels of every class, with those that are scored as one with it: the sum of
    their activation over the run."""
    if tally is None:
        return np.zeros(number)
    counts = tally.counts.sum(axis=1)
    return counts @ np.arange(counts.shape[1])


def drawing(tally: Tally, index: int, name: str, mark: float | None) -> str:
    """The histogram of a class."""
    counts = tally.counts[index]
    parts = [(counts[THERE], BLUE), (counts[ELSEWHERE], ORANGE), (counts[UNKNOWN], GREY)]
    said = f"Pixels of the run by activation of {escape(name)}, 0 to 1, logarithmic"
    return thumbs.histogram(parts, said, mark)
