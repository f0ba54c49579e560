"""Scoring a map against a reference: one grid, one grouping, one pass over the pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc import files
from lulc.errors import ReferenceDataError
from lulc.grouping import Grouping, common_grouping
from lulc.legend import Legend
from lulc.reference import LabelMap, open_reference
from lulc.region import Region
from lulc.runs import Run
from lulc.scores import ORIENTATION, Evaluation, Ignored, Pixels

__all__ = [
    "ORIENTATION",
    "Evaluation",
    "confusion",
    "evaluate",
    "evaluate_labels",
    "evaluation_path",
]

#: Pixels counted at once: small enough for the processor's cache, which gives a factor of 1.5.
CHUNK = 1 << 18


def confusion(
    prediction: LabelMap,
    reference: LabelMap,
    grouping: Grouping,
    mask: LabelMap | None = None,
) -> Evaluation:
    """Count class against code, strip by strip in flat memory, then fold into groups.

    Args:
        prediction, reference: on one grid.
        mask: on the same grid; where it has nodata nothing is counted.

    Raises:
        ReferenceDataError: grids that differ.
    """
    maps = [prediction, reference, *([mask] if mask else [])]
    if any(m.grid != prediction.grid for m in maps):
        raise ReferenceDataError("a map and its reference must lie on one grid to be counted")
    counts = np.zeros((256, 256), np.int64)
    for window in prediction.strips():
        rows = _places(reference.read(window), reference.legend)
        columns = _places(prediction.read(window), prediction.legend)
        if mask:
            kept = mask.read(window).ravel() != mask.legend.nodata
            rows, columns = rows[kept], columns[kept]
        for start in range(0, rows.size, CHUNK):
            # A code and a class side by side are one 16-bit number: one count finds every pair.
            piece = slice(start, start + CHUNK)
            pairs = np.stack([rows[piece], columns[piece]], axis=1, dtype=np.uint8)
            found = np.bincount(pairs.view(">u2")[:, 0], minlength=counts.size)
            counts += found.reshape(counts.shape)
    counts = counts[np.ix_(_order(reference.legend), _order(prediction.legend))]
    total = prediction.grid.shape.x * prediction.grid.shape.y
    return _folded(counts, total, grouping)


def evaluate_labels(
    prediction: LabelMap,
    reference: str | Path,
    *,
    codes: str | None = None,
    level: str = "class",
    layer: str | None = None,
    mask: LabelMap | None = None,
) -> Evaluation:
    """Score a map against a reference file of any CRS, pixel size and CORINE code system.

    Raises:
        ReferenceDataError: a reference that cannot be read or does not overlap, ambiguous
            codes, or not one pixel to score.
        LegendError: legends with nothing in common, or a level that one does not reach.
    """
    labels = open_reference(reference, prediction.grid, codes, layer, known=[prediction.legend])
    grouping = common_grouping(prediction.legend, labels.legend, level)
    found = confusion(prediction, labels, grouping, mask)
    if not found.pixels.scored:
        raise ReferenceDataError(
            f"{reference} has no pixel to score the map by: {found.pixels.nodata} are without "
            f"data, {found.pixels.ignored_reference} of codes and "
            f"{found.pixels.ignored_prediction} of classes that are not scored"
        )
    return replace(found, reference=file_facts(Path(reference)))


def evaluate(
    run: Run | str | Path,
    reference: str | Path,
    *,
    codes: str | None = None,
    level: str = "class",
    layer: str | None = None,
    region: Region | None = None,
) -> Evaluation:
    """Score a run and save `evaluation.json` (or `evaluation-<level>.json`) in its folder.

    With a region, only its pixels are scored, and nothing is saved: the run's scores are
    those of the whole run.
    """
    opened = Run.open(run) if isinstance(run, str | Path) else run
    labels, mask = opened.labels(), None
    if region is not None:
        labels, mask = _inside(labels, region)
    found = evaluate_labels(labels, reference, codes=codes, level=level, layer=layer, mask=mask)
    if region is None:
        found.save(evaluation_path(opened.path, level))
    return found


def _inside(labels: LabelMap, region: Region) -> tuple[LabelMap, LabelMap | None]:
    """The part of a map in a region's window, and what of it the outline keeps."""
    window = region.window(labels.grid)
    part, inside = labels.crop(window), region.mask(labels.grid, window)
    if inside is None:
        return part, None
    kept = np.where(inside, labels.legend.ids[0], labels.legend.nodata)
    return part, LabelMap.from_array(kept.astype(labels.legend.dtype), part.grid, labels.legend)


def evaluation_path(folder: str | Path, level: str = "class") -> Path:
    """Where a run keeps its scores of a level."""
    return Path(folder) / ("evaluation.json" if level == "class" else f"evaluation-{level}.json")


def file_facts(path: Path) -> dict[str, Any]:
    """Path, size and sha256 of a file, so that two scores can be known to share a reference."""
    return {"path": str(path), "size": path.stat().st_size, "sha256": files.sha256(path)}


def _places(ids: NDArray[Any], legend: Legend) -> NDArray[np.uint8]:
    """Flat bytes that stand for ids: byte ids themselves, 3-digit ones by their place."""
    if ids.dtype == np.uint8:
        return ids.ravel()
    table = np.full(legend.nodata + 1, 255, np.uint8)
    table[list(legend.ids)] = range(len(legend.ids))
    return table[ids].ravel()


def _order(legend: Legend) -> list[int]:
    """The bytes of `_places` in the order of the legend."""
    return list(legend.ids) if legend.dtype == np.uint8 else list(range(len(legend.ids)))


def _folded(counts: NDArray[np.int64], total: int, grouping: Grouping) -> Evaluation:
    """Sum counts of code by class, in the order of their legends, into the groups."""
    columns = grouping.prediction_lut[list(grouping.prediction.ids)]
    rows = grouping.reference_lut[list(grouping.reference.ids)]
    n = len(grouping.groups)
    matrix = np.zeros((n, n), np.int64)
    kept = np.ix_(rows >= 0, columns >= 0)
    np.add.at(matrix, np.ix_(rows[rows >= 0], columns[columns >= 0]), counts[kept])
    left_rows, left_columns = counts[rows < 0], counts[np.ix_(rows >= 0, columns < 0)]
    pixels = Pixels(
        scored=int(matrix.sum()),
        ignored_reference=int(left_rows.sum()),
        ignored_prediction=int(left_columns.sum()),
        nodata=total - int(counts.sum()),
    )
    classes = [
        c for c, column in zip(grouping.prediction.classes, columns, strict=True) if column < 0
    ]
    codes = [c for c, row in zip(grouping.reference.classes, rows, strict=True) if row < 0]
    return Evaluation(
        matrix,
        grouping.groups,
        pixels,
        tuple(
            Ignored(c.id, c.name, int(k)) for c, k in zip(classes, left_columns.sum(0), strict=True)
        ),
        tuple(Ignored(c.id, c.name, int(k)) for c, k in zip(codes, left_rows.sum(1), strict=True)),
        grouping.level,
        grouping.prediction.name,
        grouping.reference.name,
        tuple(grouping.notes()),
    )
