"""Scoring a map against a reference: one grid, one grouping, one pass over the pixels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lulc import files
from lulc.activations import Activations
from lulc.attainable import Attainable
from lulc.confusion import Confusion
from lulc.counts import ORIENTATION
from lulc.errors import ReferenceDataError
from lulc.generalised import Generalised
from lulc.grouping import Grouping, common_grouping
from lulc.leakage import Leakage, Zones
from lulc.parts import PARTS
from lulc.reference import LabelMap, open_reference
from lulc.region import Region
from lulc.rollup import resolved, rolled_up
from lulc.runs import Run
from lulc.scores import Evaluation
from lulc.sheet import ZoneTally
from lulc.strips import Part, Strips

__all__ = [
    "ORIENTATION",
    "Evaluation",
    "confusion",
    "count",
    "evaluate",
    "evaluate_labels",
    "evaluation_path",
    "strips_of",
]


def confusion(
    prediction: LabelMap,
    reference: LabelMap,
    grouping: Grouping,
    mask: LabelMap | None = None,
    zones: Zones | None = None,
) -> Evaluation:
    """Count class against code, strip by strip in flat memory, then fold into groups.

    Args:
        prediction, reference: on one grid.
        mask: on the same grid; where it has nodata nothing is counted.
        zones: what the model has seen; the counts are then those of the unseen part, and
            `leakage` has them by zone.

    Raises:
        ReferenceDataError: grids that differ.
    """
    return count(Strips(prediction, reference, grouping, mask, zones))


def count(strips: Strips, parts: Collection[str] = ()) -> Evaluation:
    """The confusion matrix and the parts of these names (`lulc.parts.PARTS`), in one pass.

    Parts are of the pixels that are scored. Where not one of them is unseen these are all
    pixels, which only the count itself tells: the parts are then counted in a second pass.
    """
    matrix = Confusion(strips)
    tallies = {name: tally for name in parts if (tally := PARTS[name].tally(strips))}
    by_zone = [ZoneTally(strips)] if strips.zones and "intervals" in tallies else []
    strips.count([matrix, *by_zone, *tallies.values()])
    if strips.zones is None:
        leakage, [counts] = None, matrix.result()
    else:
        squares = tuple(tally.result() for tally in by_zone)
        unseen, buffer, seen = matrix.result()
        leakage = Leakage(unseen, buffer, seen, strips.zones.halo, squares)
        counts = leakage.counted
        if not leakage.only_unseen and tallies:
            strips = replace(strips, only_unseen=False)
            tallies = {name: tally for name in parts if (tally := PARTS[name].tally(strips))}
            strips.count(list(tallies.values()))
    found: dict[str, Part] = {name: tally.result() for name, tally in tallies.items()}
    grouping = strips.grouping
    return Evaluation(
        **vars(counts),
        level=grouping.level,
        legend=grouping.prediction.name,
        codes=grouping.reference.name,
        notes=tuple(grouping.notes()),
        leakage=leakage,
        choices={"rollup": "winners", "crosswalks": dict(grouping.crosswalks)},
        parts=found,
    )


def evaluate_labels(
    prediction: LabelMap,
    reference: str | Path,
    *,
    codes: str | None = None,
    level: str = "class",
    layer: str | None = None,
    mask: LabelMap | None = None,
    zones: Zones | None = None,
    activations: Activations | None = None,
    rollup: str | None = None,
    parts: Collection[str] = (),
    block: float | None = None,
    mmu: float | Literal["reference"] | None = None,
) -> Evaluation:
    """Score a map against a reference file of any CRS, pixel size and known code system.

    With zones, the scores are those of the unseen part, and `leakage` has them by zone.

    Args:
        activations: of the map, for the roll-up and the parts that need them.
        rollup: one of `lulc.rollup.ROLLUPS`; None sums activations at a CORINE level, where
            the map stores them, and scores the map's own classes as they are drawn.
        parts: names of `lulc.parts.PARTS` to count as well.
        block: side in metres of the blocks that intervals are from (`lulc.blocks`); None takes
            it from the errors.
        mmu: hectares below which patches of the map go to their neighbours for scores of
            their own (`lulc.generalised`); 'reference' takes what its legend states.

    Raises:
        ReferenceDataError: a reference that cannot be read or does not overlap, ambiguous
            codes, not one pixel to score, or a block or unit not above 0.
        LegendError: legends with nothing in common, a level that one does not reach, or a
            roll-up that is none or that the map does not allow.
    """
    way = resolved(rollup, level, activations)
    labels = open_reference(reference, prediction.grid, codes, layer, known=[prediction.legend])
    strips = strips_of(prediction, labels, level, way, mask, zones, activations)
    found = count(strips, parts)
    if not found.pixels.scored:
        raise ReferenceDataError(
            f"{reference} has no pixel to score the map by: {found.pixels.nodata} are without "
            f"data, {found.pixels.ignored_reference} of codes and "
            f"{found.pixels.ignored_prediction} of classes that are not scored"
        )
    chosen = {
        **found.choices,
        "rollup": way,
        "codes_named": codes,
        "layer": layer,
        "mask": mask is not None,
        "block": block,
        "block_side": None,
        "mmu": None,
    }
    kept = dict(found.parts)
    if found.blocks is not None:
        kept["intervals"] = blocks = found.blocks.sized(block)
        chosen["block_side"] = blocks.side
    if mmu is not None:
        kept["generalised"] = smooth = Generalised.of(strips, None if mmu == "reference" else mmu)
        chosen["mmu"] = smooth.mmu
    return replace(found, reference=file_facts(Path(reference)), choices=chosen, parts=kept)


def strips_of(
    prediction: LabelMap,
    reference: LabelMap,
    level: str,
    rollup: str,
    mask: LabelMap | None = None,
    zones: Zones | None = None,
    activations: Activations | None = None,
) -> Strips:
    """What is gone through to score a map at a level, by a way of `lulc.rollup.ROLLUPS`.

    Raises LegendError for legends with nothing in common or a level that one does not reach.
    """
    grouping = common_grouping(prediction.legend, reference.legend, level)
    if activations is not None and rollup == "activations":
        prediction = rolled_up(prediction, activations, grouping)
    return Strips(prediction, reference, grouping, mask, zones, activations)


def evaluate(
    run: Run | str | Path,
    reference: str | Path,
    *,
    codes: str | None = None,
    level: str = "class",
    layer: str | None = None,
    region: Region | None = None,
    rollup: str | None = None,
    parts: Collection[str] = tuple(PARTS),
    label_accuracy: tuple[float, float] | None = None,
    block: float | None = None,
    mmu: float | Literal["reference"] | None = None,
) -> Evaluation:
    """Score a run and save `evaluation.json` (or `evaluation-<level>.json`) in its folder.

    Pixels that the model has seen while it was trained, or nearly, are scored apart.

    With a region, only its pixels are scored, and nothing is saved: the run's scores are
    those of the whole run.

    Args:
        rollup, block, mmu: as in `evaluate_labels`.
        parts: what to count beside the confusion matrix; all there is.
        label_accuracy: share of the reference's labels that are right, from and to, for the
            F1 that these allow at all (`lulc.attainable`).
    """
    opened = Run.open(run) if isinstance(run, str | Path) else run
    labels, activations, mask = opened.labels(), Activations.of(opened), None
    if region is not None:
        window = region.window(labels.grid)
        mask = _outline(labels, region)
        labels = labels.crop(window)
        activations = activations.crop(window) if activations else None
    found = evaluate_labels(
        labels,
        reference,
        codes=codes,
        level=level,
        layer=layer,
        mask=mask,
        zones=Zones.of([opened], labels.grid),
        activations=activations,
        rollup=rollup,
        parts=parts,
        block=block,
        mmu=mmu,
    )
    outline = None if region is None else region.to_dict()
    band = None if label_accuracy is None else list(label_accuracy)
    found = replace(found, choices={**found.choices, "region": outline, "label_accuracy": band})
    if label_accuracy is not None:
        attainable = Attainable.of(found, *label_accuracy)
        found = replace(found, parts={**found.parts, "attainable": attainable})
    if region is None:
        found.save(evaluation_path(opened.path, level))
    return found


def _outline(labels: LabelMap, region: Region) -> LabelMap | None:
    """What a region's outline keeps of its window of a map; None is everything."""
    window = region.window(labels.grid)
    inside = region.mask(labels.grid, window)
    if inside is None:
        return None
    kept = np.where(inside, labels.legend.ids[0], labels.legend.nodata)
    grid = labels.crop(window).grid
    return LabelMap.from_array(kept.astype(labels.legend.dtype), grid, labels.legend)


def evaluation_path(folder: str | Path, level: str = "class") -> Path:
    """Where a run keeps its scores of a level."""
    return Path(folder) / ("evaluation.json" if level == "class" else f"evaluation-{level}.json")


def file_facts(path: Path) -> dict[str, Any]:
    """Path, size and sha256 of a file, so that two scores can be known to share a reference."""
    return {"path": str(path), "size": path.stat().st_size, "sha256": files.sha256(path)}
