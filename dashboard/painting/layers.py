"""What the map shows: one function for each kind of layer. No Panel here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from dashboard.mapping import warp
from dashboard.mapping.warp import View
from dashboard.painting import certainty, paints
from dashboard.painting.composites import chosen, composite
from dashboard.painting.labels import NO_LABEL, label_ids, reference_labels
from dashboard.painting.picture import NOTHING, Entry, Order, Picture, Place, Probe
from dashboard.painting.schemes import recolored
from dashboard.ramps import ramp
from lulc.errors import LulcError, RunError
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.runs import Run
from lulc.suspects import LAYER

__all__ = [
    "NOTHING",
    "OF_REFERENCE",
    "OVERLAYS",
    "Entry",
    "Order",
    "Picture",
    "Probe",
    "paint",
    "point",
]

#: Layers of a run that need no reference, and those that do.
SUSPECTS = "Suspicious labels"
_OF_RUN = ("Classes", "Activation", *certainty.MEASURES, SUSPECTS)
OF_REFERENCE = ("Reference", "Agreement", "Disagreement")

#: What can lie over the image.
OVERLAYS = ("None", *_OF_RUN, *OF_REFERENCE)

#: Told apart by lightness too: where the map differs from the reference, where they agree,
#: and where their legends share no class.
DIFFERS, AGREES, UNSCORED = "#d7301f", "#9ecae1", "#9e9e9e"

_SOFTMAX = "activation, 0 to 1 (softmax)"


def paint(order: Order, view: View) -> Picture:
    """Paint an order on a view. Raises LulcError and rasterio's errors."""
    picture = Picture(view, place=_place(order, view))
    bands = chosen(order)
    if order.scene is not None and bands:
        picture = replace(picture, base=composite(order.scene, bands, view))
    run = order.run
    if run is not None:
        legend, note = recolored(run.legend, order.scheme)
        notes = (note,) if note else ()
        ids = certainty.class_ids(run, view)
        picture = replace(picture, classes=ids, legend=legend, notes=notes)
    try:
        return _over(picture, order)
    except LulcError as error:
        # What lies below is shown all the same.
        return replace(picture, title=order.overlay, notes=(str(error),))


def _over(picture: Picture, order: Order) -> Picture:
    needed = order.overlay in OF_REFERENCE
    return _with_overlay(_with_reference(picture, order) if needed else picture, order)


def point(order: Order, view: View) -> Probe:
    """What the pointer reads out on a view. Raises LulcError and rasterio's errors."""
    run = order.run
    if run is None:
        return Probe(view)
    labels, label_legend = np.full(view.shape, NO_LABEL, np.uint16), None
    # A reference that does not fit stands in the way of nothing else.
    with suppress(LulcError):
        picture = _with_reference(Picture(view), order)
        if picture.labels is not None:
            labels, label_legend = picture.labels, picture.label_legend
    return Probe(view, (*certainty.first_two(run, view), labels), run.legend, label_legend)


def _place(order: Order, view: View) -> Place | None:
    grid = _grid(order.run) if order.run else order.scene.grid if order.scene else None
    return None if grid is None else Place.of(view, grid)


@lru_cache(maxsize=16)
def _grid(run: Run) -> GeoBox:
    """The run's grid, without opening its map for every view."""
    return run.grid


def _with_overlay(picture: Picture, order: Order) -> Picture:
    run, name = order.run, order.overlay
    if name == "Reference":
        return _labelled(picture, order)
    if run is None or name == "None":
        return replace(picture, notes=())
    if name == "Classes":
        return _classes(picture, order)
    if name == "Activation":
        values = certainty.activation(run, picture.view, order.class_id)
        said = f"Activation of {run.legend.by_id[order.class_id].name}"
        return _numbers(picture, values, said, _SOFTMAX)
    if name in certainty.MEASURES:
        values = certainty.measure(run, picture.view, name)
        return _numbers(picture, values, *_MEANING[name])
    return _suspects(picture, run) if name == SUSPECTS else _agreement(picture, order, run)


#: Title of a measure, and what its numbers are.
_MEANING = {
    "Confidence": ("Confidence: the largest activation", _SOFTMAX),
    "Entropy": (
        "Entropy of the activations",
        "share of the largest entropy: 0 is one class alone, 1 is all classes alike",
    ),
    "Margin": (
        "Margin between the first two classes",
        "largest activation less the second: 0 is undecided, 1 is sure",
    ),
}


def _with_reference(picture: Picture, order: Order) -> Picture:
    """With the labels of the reference, where there are a reference and a grid."""
    grid: GeoBox | None = None
    known: tuple[Legend, ...] = ()
    if order.run is not None:
        grid, known = _grid(order.run), (order.run.legend,)
    elif order.scene is not None:
        grid = order.scene.grid
    if order.reference is None or grid is None:
        return picture
    labels = reference_labels(order.reference, grid, order.codes, known)
    ids = label_ids(labels, order.reference.stat().st_mtime_ns, picture.view)
    return replace(picture, labels=ids, label_legend=labels.legend)


def _classes(picture: Picture, order: Order) -> Picture:
    assert picture.classes is not None and picture.legend is not None and order.run is not None
    return replace(
        picture,
        overlay=paints.painted(picture.classes, picture.legend, order.hidden),
        entries=paints.shares(picture.classes, picture.legend, absent=True),
        title=f"Classes of {order.run.id}",
    )


def _labelled(picture: Picture, order: Order) -> Picture:
    if picture.labels is None or picture.label_legend is None or order.reference is None:
        return picture
    legend, note = recolored(picture.label_legend, order.scheme)
    return replace(
        picture,
        overlay=paints.painted(picture.labels, legend, order.hidden),
        entries=paints.shares(picture.labels, legend, absent=False),
        title=f"{order.reference.stem} ({legend.title})",
        notes=(note,) if note else (),
    )


def _numbers(picture: Picture, values: NDArray[np.uint8], title: str, unit: str) -> Picture:
    scale = ramp("0", "0.5", "1", unit)
    table = np.zeros((256, 4), np.uint8)
    table[:101] = scale.colors
    overlay = table.view(np.uint32)[:, 0].take(values).view(np.uint8).reshape(*values.shape, 4)
    return replace(picture, values=values, overlay=overlay, scale=scale, title=title, notes=())


def _suspects(picture: Picture, run: Run) -> Picture:
    """How far the activations contradict the label of each patch of the reference."""
    path = run.path / LAYER
    if not path.is_file():
        raise RunError(
            f"no labels were checked with {run.id} yet: look for suspicious labels on the page "
            f"Scores, or by lulc suspects {run.id} --reference FILE"
        )
    values, there = warp.read(path, (1,), picture.view)
    percent = np.where(there, values[0], np.uint8(NOTHING))
    said = "0.5 to 1: how far the activations contradict the label of the patch"
    return _numbers(picture, percent, f"Suspicious labels, checked with {run.id}", said)


def _agreement(picture: Picture, order: Order, run: Run) -> Picture:
    if picture.labels is None or picture.label_legend is None or order.reference is None:
        return replace(picture, notes=())
    assert picture.classes is not None
    grouping = common_grouping(run.legend, picture.label_legend)
    mapped = grouping.prediction_lut.take(picture.classes)
    ids = np.minimum(picture.labels, len(grouping.reference_lut) - 1)
    expected = grouping.reference_lut.take(ids)
    there = (picture.classes != NOTHING) & (picture.labels != NO_LABEL)
    scored = there & (mapped >= 0) & (expected >= 0)
    alike = mapped == expected
    both = order.overlay == "Agreement"
    agree = ("They agree", AGREES) if both else ("They agree (not painted)", "")
    parts = [
        ("Map and reference differ", DIFFERS, scored & ~alike),
        (*agree, scored & alike),
        ("Not scored", UNSCORED, there & ~scored),
    ]
    overlay, entries = paints.masks(parts, order.hidden)
    return replace(
        picture,
        overlay=overlay,
        entries=entries,
        title=f"{order.overlay} of {run.id} with {order.reference.stem}",
        notes=tuple(grouping.notes()),
    )
