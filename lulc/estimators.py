"""Areas of classes and accuracies of a map from sample points, with their 95 % intervals.

Counting the pixels of a map gives wrong areas wherever one class is confused more often with
another than the other way round. Points that someone looked at, drawn with known
probabilities, correct for it: Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015) where the
strata are the classes of the map, Stehman 2014 (doi:10.1080/01431161.2014.930207) where they
are not. Stehman's estimators are those of Olofsson when strata and classes coincide, so there
is one implementation here. The finite population correction is left out: points are few.
Beside the half-widths of these papers stand the intervals of `lulc.limits`, which hold the truth
for rare classes too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lulc import limits, tables
from lulc.errors import PointsError
from lulc.limits import Z

#: Said beside the counts. It is the literature's, and not that of a confusion matrix here.
ORIENTATION = "rows are the map, columns the reference"

#: How each interval beside a half-width was made.
INTERVALS = (
    "score and likelihood-ratio limits of stratified proportions, ratios by Donner and Zou 2012"
)


@dataclass(frozen=True, eq=False)
class Areas:
    """Estimates for k classes; NaN is undefined.

    A field that ends in `_interval` has from and to, at 95 %, and is the one to trust; one that
    ends in `_ci` is the half-width of the symmetric interval of the literature.
    """

    names: tuple[str, ...]
    """Names of the classes."""
    ids: tuple[int, ...]
    """Their ids."""
    mapped: NDArray[np.float64]
    """(k,) areas of the classes on the map, by counting pixels."""
    counts: NDArray[np.int64]
    """(k, k) points; rows are the map, columns the reference."""
    area: NDArray[np.float64]
    """(k,) areas of the classes on the ground, in the unit of `mapped`."""
    area_ci: NDArray[np.float64]
    """(k,) their half-widths."""
    area_interval: NDArray[np.float64]
    """(k, 2) from and to."""
    users_accuracy: NDArray[np.float64]
    """(k,) of the area mapped as a class, the share that is it."""
    users_accuracy_ci: NDArray[np.float64]
    """(k,) their half-widths."""
    users_accuracy_interval: NDArray[np.float64]
    """(k, 2) from and to."""
    producers_accuracy: NDArray[np.float64]
    """(k,) of the area that is a class, the share mapped as it."""
    producers_accuracy_ci: NDArray[np.float64]
    """(k,) their half-widths."""
    producers_accuracy_interval: NDArray[np.float64]
    """(k, 2) from and to."""
    overall_accuracy: float
    """Share of the area that is mapped right."""
    overall_accuracy_ci: float
    """Its half-width."""
    overall_accuracy_interval: NDArray[np.float64]
    """(2,) from and to."""
    unit: str | None = None
    """Unit of the areas: 'ha', or None where the counts came without one."""
    strata: int | None = None
    """Strata of the design where they are not the classes of the map."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `lulc areas`; what is undefined is None."""
        columns = {name: _listed(getattr(self, name)) for name in _COLUMNS}
        return {
            **columns,
            "overall_accuracy": _number(self.overall_accuracy),
            "overall_accuracy_ci": _number(self.overall_accuracy_ci),
            "overall_accuracy_interval": _pair(self.overall_accuracy_interval),
            "classes": [
                {"id": i, "name": name, **{column: columns[column][k] for column in _COLUMNS}}
                for k, (i, name) in enumerate(zip(self.ids, self.names, strict=True))
            ],
            "counts": self.counts.tolist(),
            "orientation": ORIENTATION,
            "points": int(self.counts.sum()),
            "confidence": 0.95,
            "unit": self.unit,
            "method": "Olofsson et al. 2014"
            if self.strata is None
            else f"Stehman 2014, {self.strata} strata other than the classes of the map",
            "interval_method": INTERVALS,
        }

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        data = self.to_dict()
        head = ["id", "class", f"mapped{unit}", f"area{unit}", "95 %", "user's", "95 %"]
        rows = [[*head, "producer's", "95 %", "points"]]
        widths = [["id", "class", "area", "user's", "producer's"]]
        for c, points in zip(data["classes"], self.counts.sum(axis=1), strict=True):
            name = [str(c["id"]), tables.short(c["name"])]
            cells = [_size(c["mapped"]), _size(c["area"]), _range(c["area_interval"])]
            for key in ("users_accuracy", "producers_accuracy"):
                cells += [tables.number(c[key]), tables.interval(c[f"{key}_interval"])]
            rows.append([*name, *cells, str(points)])
            ratios = (c["users_accuracy_ci"], c["producers_accuracy_ci"])
            widths.append([*name, _size(c["area_ci"]), *map(tables.number, ratios)])
        overall, half = (data[f"overall_accuracy{end}"] for end in ("", "_ci"))
        return "\n".join(
            [
                *tables.aligned(rows),
                "",
                f"Overall accuracy {tables.number(overall)} "
                f"({tables.interval(data['overall_accuracy_interval'])}), "
                f"{data['points']:,} points; 95 % intervals.",
                "",
                f"± of {data['method']}, which is too narrow for rare classes "
                f"(overall accuracy {tables.number(overall)} ± {tables.number(half)}):",
                *tables.aligned(widths),
            ]
        )


#: The fields with a value for each class.
_COLUMNS = (
    "mapped",
    "area",
    "area_ci",
    "area_interval",
    "users_accuracy",
    "users_accuracy_ci",
    "users_accuracy_interval",
    "producers_accuracy",
    "producers_accuracy_ci",
    "producers_accuracy_interval",
)


def estimate(
    counts: ArrayLike,
    mapped: ArrayLike,
    *,
    strata: tuple[ArrayLike, ArrayLike] | None = None,
    names: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    unit: str | None = None,
) -> Areas:
    """Areas and accuracies from points counted class by class.

    Args:
        counts: (k, k) points; rows are the map, columns the reference. Drawn at random in
            each class of the map, or at random over the map.
        mapped: (k,) area of each class on the map, in any unit.
        strata: for strata that are not the classes: counts (h, k, k) of each stratum, and
            the (h,) areas of the strata; `counts` is then their sum.
        names, ids: of the classes; numbers from 1 unless given.

    Raises:
        PointsError: counts that are no square of whole numbers from 0 up, areas that do not
            fit, or a class (or stratum) with an area and without a point.
    """
    table, areas = _checked(counts, mapped)
    k = len(areas)
    if strata is None:
        split, sizes = np.zeros((k, k, k)), areas
        split[range(k), range(k)] = table
    else:
        split, sizes = np.asarray(strata[0], float), np.asarray(strata[1], float)
        if split.shape != (len(sizes), k, k) or (split.sum(axis=0) != table).any():
            raise PointsError("expected counts of the strata that add up to those of the classes")
    points = split.sum(axis=(1, 2))
    named = tuple(names or (f"class {i + 1}" for i in range(k)))
    empty = [h for h in range(len(sizes)) if sizes[h] and not points[h]]
    if empty:
        listed = ", ".join(named[h] if strata is None else f"stratum {h + 1}" for h in empty)
        raise PointsError(
            f"expected points in every class of the map; {listed} has an area and no point: "
            "label some there"
        )
    used = sizes > 0
    classwise = np.eye(k, dtype=bool)
    same = np.array_equal(sizes, areas) and not split.sum(axis=2)[~classwise].any()
    on_map = classwise if same else np.ones((len(sizes), k), bool)
    held = limits.intervals(split[used], sizes[used], on_map[used])
    split, sizes, points = split[used], sizes[used], points[used]
    share = split / points[:, None, None]
    right = share[:, range(k), range(k)]
    truly, called = share.sum(axis=1), share.sum(axis=2)
    total = sizes.sum()
    hits = right.sum(axis=1, keepdims=True)
    area, area_sd = _total(sizes, points, truly)
    overall, overall_sd = _total(sizes, points, hits)
    users, users_sd = _ratio(sizes, points, right, called)
    producers, producers_sd = _ratio(sizes, points, right, truly)
    return Areas(
        named,
        tuple(ids or range(1, k + 1)),
        areas,
        table,
        area,
        Z * area_sd,
        held["area"],
        users,
        Z * users_sd,
        held["users_accuracy"],
        producers,
        Z * producers_sd,
        held["producers_accuracy"],
        float(overall[0] / total),
        float(Z * overall_sd[0] / total),
        held["overall_accuracy"],
        unit,
        None if strata is None else len(sizes),
    )


def estimate_file(path: str | Path) -> Areas:
    """Estimates from a JSON file with `counts`, `mapped` and, if wanted, `names` and `unit`.

    Raises:
        PointsError: no such file, no JSON, or as `estimate`.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        counts, mapped = data["counts"], data["mapped"]
        names, unit = data.get("names"), data.get("unit")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PointsError(
            f"expected a JSON file with the keys counts and mapped; {path} fails at {error!r}"
        ) from None
    if names is not None and (
        not isinstance(names, list) or len(names) != len(np.atleast_1d(mapped))
    ):
        raise PointsError(f"expected a name for each mapped area in {path}; got {names!r}")
    return estimate(counts, mapped, names=names and [str(n) for n in names], unit=unit)


def _checked(counts: ArrayLike, mapped: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        table, areas = np.asarray(counts, float), np.asarray(mapped, float)
    except (TypeError, ValueError):
        raise PointsError("expected counts and mapped areas to be numbers, in even rows") from None
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise PointsError(
            f"expected a square of counts, {ORIENTATION}; got the shape {table.shape}"
        )
    if not (np.isfinite(table) & (table >= 0) & (table == np.floor(table))).all():
        raise PointsError("expected counts that are whole numbers from 0 up; got others")
    if areas.shape != table.shape[:1]:
        raise PointsError(
            f"expected a mapped area for each of {len(table)} classes; got the shape {areas.shape}"
        )
    if not (np.isfinite(areas) & (areas >= 0)).all() or not areas.any():
        raise PointsError("expected mapped areas from 0 up, not all of them 0; got others")
    nowhere = np.flatnonzero((areas == 0) & (table.sum(axis=1) > 0)) + 1
    if nowhere.size:
        raise PointsError(
            f"expected points on the map only; row {nowhere[0]} has points and no mapped area"
        )
    return table.astype(np.int64), areas


def _total(sizes: NDArray, points: NDArray, share: NDArray) -> tuple[NDArray, NDArray]:
    """Estimated totals of indicators and their standard errors, both (c,).

    `share` is (h, c): of the points of a stratum, those with the indicator. Olofsson et al.
    2014, equations 9 to 12; Stehman 2014, with indicator variables.
    """
    everywhere = np.ones(share.shape, bool)
    return sizes @ share, np.sqrt(_variance(sizes, points, share * (1 - share), everywhere))


def _ratio(
    sizes: NDArray, points: NDArray, above: NDArray, below: NDArray
) -> tuple[NDArray, NDArray]:
    """Estimated ratios of two totals and their standard errors, both (c,); NaN for x / 0.

    Whatever counts above counts below too. Combined ratio estimator: Stehman 2014.
    """
    total = sizes @ below
    undefined = np.full(total.shape, np.nan)
    ratio = np.divide(sizes @ above, total, out=undefined.copy(), where=total > 0)
    residual = above * (1 - above) + ratio**2 * below * (1 - below)
    residual -= 2 * ratio * above * (1 - below)
    # Where the two terms cancel, rounding may leave less than nothing.
    spread = np.sqrt(_variance(sizes, points, np.maximum(residual, 0), below > 0))
    return ratio, np.divide(spread, total, out=undefined, where=total > 0)


def _variance(
    sizes: NDArray, points: NDArray, spread: NDArray, touched: NDArray[np.bool_]
) -> NDArray:
    """Variances of totals, (c,); a single point tells none for what its stratum touches."""
    alone = np.where(touched, np.nan, 0)
    free = (points - 1)[:, None]
    within = np.divide(spread, free, out=alone, where=free > 0)
    return (sizes[:, None] ** 2 * within).sum(axis=0)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _listed(values: NDArray) -> list[Any]:
    return [_number(value) if np.ndim(value) == 0 else _pair(value) for value in values]


def _pair(interval: NDArray[np.float64]) -> list[float] | None:
    return [float(end) for end in interval] if np.isfinite(interval).all() else None


def _size(value: float | None) -> str:
    return tables.UNDEFINED if value is None else f"{value:,.0f}"


def _range(interval: Sequence[float]) -> str:
    return "–".join(map(_size, interval))
