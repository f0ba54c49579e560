"""From labelled points and a run's map to the areas of its classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lulc import pointfiles
from lulc.census import census, degrees
from lulc.errors import PointsError
from lulc.estimators import ORIENTATION, Areas, estimate, estimate_file
from lulc.legend import Legend
from lulc.pointfiles import LabelledPoints, some
from lulc.reference import LabelMap
from lulc.runs import Run

__all__ = ["ORIENTATION", "Areas", "areas", "classes_at", "estimate", "estimate_file"]

#: How far the areas of the strata may be off those of the map, relatively: STRATUM_HA may have
#: been rounded on its way through a spreadsheet.
COVER = 0.001


def areas(
    run: Run | str | Path, points: str | Path, *, column: str = pointfiles.REFERENCE
) -> Areas:
    """Areas and accuracies of a run's map from a file of labelled points.

    Points drawn in the classes of this map, or at random over it, are counted class by class;
    points drawn in other strata (from another map, say) by stratum, with the areas of the
    strata that the file states.

    Raises:
        PointsError: a file as `lulc.pointfiles.read` refuses it, points that were drawn and are not
            there, labels that are missing or none of the legend's classes, points where the map
            has none, strata that do not cover the map, or a class without points.
    """
    opened = Run.open(run) if isinstance(run, str | Path) else run
    found = pointfiles.read(points, column)
    labels = opened.labels()
    seen = _classes(found, labels.legend)
    mapped_as = classes_at(labels, found)
    size = {stratum.id: stratum.area for stratum in census(labels)}
    ids = [i for i in labels.legend.ids if i in size or (seen == i).any()]
    k = len(ids)
    order = np.full(labels.legend.nodata + 1, -1)
    order[ids] = range(k)
    names = [labels.legend.by_id[i].name for i in ids]
    mapped = np.array([size.get(i, 0.0) for i in ids])
    rows, columns = order[mapped_as], order[seen]
    counts = np.zeros((k, k), np.int64)
    np.add.at(counts, (rows, columns), 1)
    design = _strata(found, mapped_as, size)
    _check_complete(found)
    if design is not None and len(design[1]) == 1 and (counts.sum(axis=1)[mapped > 0] > 1).all():
        design = None  # a random sample, which the classes divide afterwards
    split = None
    if design is not None:
        split = np.zeros((len(design[1]), k, k), np.int64)
        np.add.at(split, (design[0], rows, columns), 1)
    strata = None if split is None or design is None else (split, design[1])
    return estimate(counts, mapped, strata=strata, names=names, ids=ids, unit="ha")


def classes_at(labels: LabelMap, points: LabelledPoints) -> NDArray[np.int64]:
    """Classes of a map at points, (n,); raises PointsError for points where it has none."""
    height, width = labels.grid.shape
    found = np.full(len(points.plots), labels.legend.nodata, np.int64)
    with np.errstate(invalid="ignore"):  # where the CRS does not reach, pyproj says inf
        placed = degrees(str(labels.grid.crs)).transform(
            points.lon, points.lat, direction="INVERSE"
        )
        x, y = ~labels.grid.affine @ placed
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column, row = np.floor(np.where(inside, (x, y), -1)).astype(np.int64)
    for window in labels.strips():
        here = (row >= window.row_off) & (row < window.row_off + window.height)
        if here.any():
            found[here] = labels.read(window)[row[here] - int(window.row_off), column[here]]
    lost = [plot for plot, i in zip(points.plots, found, strict=True) if i == labels.legend.nodata]
    if lost:
        raise PointsError(
            f"expected points on the map; {some(lost)} lie{'s' * (len(lost) == 1)} outside or "
            "where it has no data"
        )
    return found


def _check_complete(points: LabelledPoints) -> None:
    """Raise PointsError where a stratum has not the points that were drawn in it: each stands for
    its share of the stratum."""
    if points.strata is None or points.stratum_areas is None or points.weights is None:
        return
    names = np.array([_whole(name) for name in points.strata])
    for name in np.unique(names):
        here = names == name
        area, weight = points.stratum_areas[here].max(), np.median(points.weights[here])
        drawn, there = area / weight if weight > 0 else np.nan, int(here.sum())
        # Half a point, and what rounding a weight can do, is nothing.
        if abs(drawn - there) > max(0.5, COVER * there):
            raise PointsError(
                f"expected the {drawn:.0f} points that were drawn in stratum {name}, got {there}: "
                "leaving some out changes the design (to take them as they are, remove the "
                "column WEIGHT_HA)"
            )


def _classes(points: LabelledPoints, legend: Legend) -> NDArray[np.int64]:
    """Class ids of the labels, (n,), from ids or names."""
    missing = [p for p, label in zip(points.plots, points.labels, strict=True) if not label]
    if missing:
        raise PointsError(
            f"expected a label for every point; {some(missing)} of {len(points.plots)} "
            f"{'has' if len(missing) == 1 else 'have'} none: label all, for leaving some out "
            "would change the design"
        )
    known = {c.name.casefold(): c.id for c in legend.classes} | {str(i): i for i in legend.ids}
    keys = [_whole(label).casefold() for label in points.labels]
    foreign = {label for label, key in zip(points.labels, keys, strict=True) if key not in known}
    if foreign:
        raise PointsError(
            f"expected labels that are ids or names of {legend.name}; got "
            f"{', '.join(map(repr, sorted(foreign)[:5]))}"
        )
    return np.array([known[key] for key in keys], np.int64)


def _strata(
    points: LabelledPoints, mapped_as: NDArray[np.int64], sizes: Mapping[int, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Number (n,) and areas (h,) of the points' strata; None where they are the map's classes."""
    if points.strata is None:
        return None
    total = sum(sizes.values())
    names = [_whole(name) for name in points.strata]
    kinds, first, place = np.unique(names, return_index=True, return_inverse=True)
    if points.stratum_areas is None:
        if len(kinds) > 1 and names != [str(i) for i in mapped_as]:
            raise PointsError(
                "expected the column STRATUM_HA, the area of each point's stratum, since the "
                "strata are not the classes of this map"
            )
        return None if len(kinds) > 1 else (place, np.array([total]))
    areas = points.stratum_areas[first]
    if not np.allclose(areas[place], points.stratum_areas, rtol=COVER):
        raise PointsError("expected one area for all points of a stratum in STRATUM_HA")
    if names == [str(i) for i in mapped_as] and np.allclose(
        areas, [sizes[int(kind)] for kind in kinds], rtol=COVER
    ):
        return None
    if not math.isclose(areas.sum(), total, rel_tol=COVER):
        raise PointsError(
            f"expected strata that cover the map's {total:,.0f} ha; those of the points cover "
            f"{areas.sum():,.0f} ha: were they drawn from another area?"
        )
    return place, areas


def _whole(text: str) -> str:
    """Tables turn 7 into 7.0."""
    return text.removesuffix(".0")
