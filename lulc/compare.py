"""Two runs against each other: where they agree, and which one the reference prefers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import tables
from lulc.activations import Activations
from lulc.bounds import Bounds
from lulc.errors import LegendError, RunError
from lulc.evaluation import confusion, evaluate_labels, evaluation_path
from lulc.grouping import common_grouping
from lulc.leakage import Zones
from lulc.reference import LabelMap, Part, crs_of
from lulc.runs import Run
from lulc.scores import Evaluation

#: How far, in pixels, two grids may be off each other and still be the same grid.
SHIFT_TOLERANCE = 0.01

#: The ratios compared.
METRICS = ("precision", "recall", "f1", "iou")

#: The averages compared.
AVERAGES = ("accuracy", "micro_f1", "macro_f1", "weighted_f1")

#: Marks a difference whose interval excludes 0.
DIFFERS = "*"

#: Said beside every matrix of transitions.
TRANSITION_ORIENTATION = "rows are run A, columns run B"


@dataclass(frozen=True)
class Comparison:
    """Run B against run A; every difference is B minus A."""

    name_a: str
    """Id of run A."""
    name_b: str
    """Id of run B."""
    transitions: Evaluation | None
    """Counts of A's classes (rows) by B's (columns); None if their legends share nothing."""
    a: Evaluation | None = None
    """Scores of A; None without a common reference."""
    b: Evaluation | None = None
    """Scores of B."""
    notes: tuple[str, ...] = ()
    """What to know before reading it, a sentence each."""

    @property
    def agreement(self) -> float | None:
        """Share of the pixels that both map alike; None if that cannot be told."""
        if self.transitions is None or not self.transitions.pixels.scored:
            return None
        return self.transitions.accuracy

    @property
    def deltas(self) -> list[dict[str, Any]]:
        """For each class scored in both: every ratio of A (`f1_a`), of B, and B - A (`f1`)."""
        if self.a is None or self.b is None:
            return []
        left = {(c["id"], c["name"]): c for c in self.a.figures["classes"]}
        rows = []
        for i, c in enumerate(self.b.figures["classes"]):
            other = left.get((c["id"], c["name"]))
            if other is not None:
                row = {"id": c["id"], "name": c["name"], "color": c["color"]}
                for metric in METRICS:
                    row |= _delta(metric, other[metric], c[metric])
                if self.bounds is not None:
                    row |= _told(self.bounds.of_group(i))
                rows.append(row | {"support": c["support"]})
        return rows

    @cached_property
    def bounds(self) -> Bounds | None:
        """The intervals of the differences, drawn from the same blocks for both runs; None
        where blocks were not counted, or not of the same groups and pixels."""
        if self.a is None or self.b is None or not self.a.blocks or not self.b.blocks:
            return None
        try:
            return self.b.blocks.less(self.a.blocks)
        except LegendError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `lulc compare`."""
        averages: dict[str, Any] = {}
        if self.a is not None and self.b is not None:
            left, right = self.a.figures, self.b.figures
            for key in AVERAGES:
                averages |= _delta(key, left[key], right[key])
            if self.bounds is not None:
                known = _told(self.bounds.of_all())
                for key in AVERAGES:
                    averages |= {name: known[name] for name in (f"{key}_ci", f"{key}_differs")}
                averages["cautious"] = [key for key in AVERAGES if key in known["cautious"]]
        moved = self.transitions
        return {
            "a": {"run": self.name_a, "evaluation": self.a.to_dict() if self.a else None},
            "b": {"run": self.name_b, "evaluation": self.b.to_dict() if self.b else None},
            "agreement": self.agreement,
            "classes": self.deltas,
            **averages,
            "transitions": moved
            and {
                "classes": [{"id": g.id, "name": g.name, "color": g.color} for g in moved.groups],
                "matrix": moved.matrix.tolist(),
                "orientation": TRANSITION_ORIENTATION,
            },
            "notes": [*self.notes, *self._cautious()],
        }

    def _cautious(self) -> list[str]:
        """A sentence on the differences whose interval is cautious, if there are any."""
        if self.a is None or self.bounds is None:
            return []
        said = self.bounds.said([group.name for group in self.a.groups])
        return [said] if said else []

    def __str__(self) -> str:
        lines = [f"A {self.name_a}", f"B {self.name_b}"]
        if self.agreement is not None:
            lines.append(f"The two maps agree on {self.agreement:.1%} of the pixels they share.")
        data = self.to_dict()
        if self.deltas:
            rows = [["id", "class", "F1 of A", "F1 of B", "B - A", "95 %", "", "support"]]
            for c in self.deltas:
                f1 = [tables.number(c["f1_a"]), tables.number(c["f1_b"])]
                rows.append(
                    [
                        str(c["id"]),
                        c["name"],
                        *f1,
                        tables.number(c["f1"], True),
                        *interval(c, "f1"),
                        f"{c['support']:,}",
                    ]
                )
            for key, title in {"macro_f1": "macro average", "accuracy": "accuracy"}.items():
                pair = [tables.number(data[f"{key}_a"]), tables.number(data[f"{key}_b"])]
                delta = tables.number(data[key], True)
                rows.append(["", title, *pair, delta, *interval(data, key), ""])
            lines += ["", *tables.aligned(rows)]
            if self.bounds is not None:
                lines.append(f"{DIFFERS}: the interval of the difference does not hold 0.")
        return "\n".join([*lines, *data["notes"]])


def compare(
    run_a: Run | str | Path,
    run_b: Run | str | Path,
    reference: str | Path | None = None,
    *,
    codes: str | None = None,
    level: str = "class",
    layer: str | None = None,
    rollup: str | None = None,
    block: float | None = None,
) -> Comparison:
    """Compare two runs on the pixels that both have.

    Args:
        reference: scores both on their common pixels; without it, the stored evaluations are
            used if they were made against the same reference and area.
        codes, level, layer, rollup, block: as in `lulc.evaluation.evaluate_labels`.

    Raises:
        RunError: grids that differ in CRS or pixel size, are shifted, or do not overlap.
        ReferenceDataError, LegendError: as `lulc.evaluation.evaluate_labels`.
    """
    first = Run.open(run_a) if isinstance(run_a, str | Path) else run_a
    second = Run.open(run_b) if isinstance(run_b, str | Path) else run_b
    whole_a, whole_b = first.labels(), second.labels()
    a, b = on_common_grid(whole_a, whole_b)
    notes: list[str] = []
    same_area = a.grid.shape == whole_a.grid.shape == whole_b.grid.shape
    if not same_area:
        height, width = a.grid.shape
        notes.append(f"Compared on the {width} x {height} pixels that both runs cover.")
    transitions = None
    try:
        transitions = confusion(b, a, common_grouping(b.legend, a.legend))
    except LegendError:
        notes.append(f"Legends {a.legend.name} and {b.legend.name} share nothing to compare.")
    if reference is not None:
        # What either model has seen is left out of both, so that both have the same pixels.
        zones = Zones.of([first, second], a.grid)
        settings: dict[str, Any] = {
            "codes": codes,
            "level": level,
            "layer": layer,
            "zones": zones,
            "rollup": rollup,
            "block": block,
            "parts": ["intervals"],
        }
        scores_a: Evaluation | None = evaluate_labels(
            a, reference, mask=b, activations=_activations(first, a), **settings
        )
        scores_b: Evaluation | None = evaluate_labels(
            b, reference, mask=a, activations=_activations(second, b), **settings
        )
    else:
        scores_a, scores_b, why = _stored(first, second, level, same_area)
        notes += [f"{why}: give --reference to score both."] if why else []
    return Comparison(first.id, second.id, transitions, scores_a, scores_b, tuple(notes))


def on_common_grid(a: LabelMap, b: LabelMap) -> tuple[LabelMap, LabelMap]:
    """Both maps cut to the pixels that they share.

    Raises:
        RunError: another CRS or pixel size, grids shifted by part of a pixel, or no overlap.
    """
    if crs_of(a.grid) != crs_of(b.grid):
        raise RunError(
            f"runs are compared pixel by pixel, but their CRS differ: {_crs(a.grid)} and "
            f"{_crs(b.grid)}; classify both on one grid"
        )
    # Corners of B in pixels of A: whole numbers, and B's own size apart, if it is one grid.
    height, width = b.grid.shape
    corners = np.array([(0, 0), (width, 0), (width, height)])
    placed = np.array([a.grid.wld2pix(*b.grid.pix2wld(*corner)) for corner in corners])
    column, row = (round(float(shift)) for shift in placed[0])
    if np.abs(placed - corners - (column, row)).max() > SHIFT_TOLERANCE:
        raise RunError(
            f"runs are compared pixel by pixel, but their grids differ: pixels of "
            f"{_size(a.grid)} and {_size(b.grid)}, shifted by {placed[0, 0]:g}, "
            f"{placed[0, 1]:g} pixels; classify both on one grid"
        )
    left, top = max(0, column), max(0, row)
    right = min(a.grid.shape.x, column + width)
    bottom = min(a.grid.shape.y, row + height)
    if right <= left or bottom <= top:
        raise RunError(
            f"the runs do not overlap: {tuple(a.grid.boundingbox)} and {tuple(b.grid.boundingbox)}"
        )
    part = a.crop(Window(left, top, right - left, bottom - top))
    other = b.crop(Window(left - column, top - row, right - left, bottom - top))
    return part, replace(other, grid=part.grid)


def _activations(run: Run, part: LabelMap) -> Activations | None:
    """The activations of what `on_common_grid` left of a run's map."""
    whole = Activations.of(run)
    cut = part.source
    return whole.crop(cut.window) if whole and isinstance(cut, Part) else whole


def _stored(
    first: Run, second: Run, level: str, same_area: bool
) -> tuple[Evaluation | None, Evaluation | None, str]:
    """Stored scores of both, or why they do not serve."""
    paths = [evaluation_path(run.path, level) for run in (first, second)]
    missing = [
        run.id for run, path in zip((first, second), paths, strict=True) if not path.exists()
    ]
    if missing:
        return None, None, f"No stored scores of {' and '.join(missing)}"
    a, b = (Evaluation.load(path) for path in paths)
    if not a.reference or not b.reference or a.reference["sha256"] != b.reference["sha256"]:
        return None, None, "The stored scores were made against different references"
    if a.codes != b.codes:
        return None, None, "The stored scores read the reference as different codes"
    if a.choices.get("rollup") != b.choices.get("rollup"):
        return None, None, "The stored scores were rolled up in different ways"
    if not same_area or any(e.leakage and e.leakage.share("unseen") < 1 for e in (a, b)):
        return None, None, "The stored scores are of different areas"
    return a, b, ""


def _delta(key: str, a: float | None, b: float | None) -> dict[str, float | None]:
    difference = None if a is None or b is None else b - a
    return {f"{key}_a": a, f"{key}_b": b, key: difference}


def _told(bounds: Mapping[str, list[Any] | None]) -> dict[str, Any]:
    """Intervals, which are cautious, and under `<ratio>_differs` whether each excludes 0; None
    where undefined."""
    differs = {
        key.removesuffix("_ci") + "_differs": pair and not pair[0] <= 0 <= pair[1]
        for key, pair in bounds.items()
        if key.endswith("_ci")
    }
    return {**bounds, **differs}


def interval(data: Mapping[str, Any], key: str) -> list[str]:
    """As text: the interval of a difference of a row or of `to_dict`, and whether it excludes 0."""
    pair = data.get(f"{key}_ci")
    if pair is None:
        return [tables.UNDEFINED, ""]
    low, high = (tables.number(bound, True) for bound in pair)
    mark = tables.CAUTIOUS * (key in data["cautious"])
    return [f"{mark}{low} to {high}", DIFFERS if data[f"{key}_differs"] else ""]


def _crs(grid: GeoBox) -> str:
    crs = crs_of(grid)
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else crs.to_wkt()[:40]


def _size(grid: GeoBox) -> str:
    return f"{abs(grid.affine.a):g} x {abs(grid.affine.e):g}"
