"""A run read at a coarser level: activations are summed into groups, and the largest sum wins.

Two classes of a group share its probability, so a pixel of 0.3 pine, 0.3 spruce and 0.4 bog is
forest, though its largest activation is bog. Recoding the winners would call it bog.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc.activations import Activations, missing, summed
from lulc.errors import LegendError
from lulc.grouping import Grouping
from lulc.reference import LabelMap

#: Ways to a coarser level: sums of activations, or the map's classes recoded.
ROLLUPS = ("activations", "winners")

#: Rows of activations held at once: a row of blocks of the map file.
ROWS = 512


@dataclass(frozen=True)
class RolledUp:
    """Where the ids of a rolled-up map come from: a source of `lulc.reference.LabelMap`."""

    activations: Activations
    """Of the map."""
    groups: tuple[tuple[int, ...], ...]
    """Class ids that compete as one; every class is in one of them."""

    @property
    def path(self) -> Path:
        """The map file."""
        return self.activations.path

    def values(self, grid: GeoBox, window: Window) -> tuple[NDArray[np.uint8], float]:  # noqa: ARG002
        """Ids (y, x): the first class of the group with the largest sum, 255 without data."""
        height, width = int(window.height), int(window.width)
        ids = np.empty((height, width), np.uint8)
        place = {i: band for band, i in enumerate(self.activations.legend.ids)}
        bands = [[place[i] for i in group] for group in self.groups]
        for top in range(0, height, ROWS):
            rows = min(ROWS, height - top)
            part = Window(window.col_off, window.row_off + top, width, rows)
            stored = self.activations.stored(part)
            found = ids[top : top + rows]
            found[:] = self.groups[0][0]
            largest = summed(stored, bands[:1])[0]
            for group, members in zip(self.groups[1:], bands[1:], strict=True):
                # The first of equal sums wins, as the first of equal activations does in a map.
                total = summed(stored, [members])[0]
                found[total > largest] = group[0]
                np.maximum(largest, total, out=largest)
            found[missing(stored)] = self.activations.legend.nodata
        return ids, self.activations.legend.nodata


def rolled_up(labels: LabelMap, activations: Activations, grouping: Grouping) -> LabelMap:
    """A map by the largest summed activation of each group, as the id of the group's first class.

    A class of no group stays in the competition, on its own: where it wins, the map says
    something that the reference cannot confirm, and the pixel is not scored, as it is not where
    the winners are recoded. Were it left out, the map would be held to a class it did not name.

    Args:
        labels: the map.
        activations: those of the map, on its grid.
        grouping: what its classes are read as.
    """
    if labels.legend.dtype != np.uint8:
        raise LegendError(
            f"expected a map of at most 254 classes, got ids to {max(labels.legend.ids)}"
        )
    alone = [(i,) for i in grouping.ignored_classes]
    groups = tuple(sorted([*(g.members for g in grouping.groups), *alone]))
    return LabelMap(labels.grid, labels.legend, RolledUp(activations, groups))


def resolved(rollup: str | None, level: str, activations: Activations | None) -> str:
    """The way to a level: the one asked for, or what suits the level and the map.

    A map's own classes are scored as they are drawn; at a coarser level activations are summed,
    if the map stores them.

    Raises:
        LegendError: an unknown way, or sums of activations that the map does not store.
    """
    if rollup is None:
        return "winners" if level == "class" or activations is None else "activations"
    if rollup not in ROLLUPS:
        raise LegendError(f"the roll-up is one of {', '.join(ROLLUPS)}, not {rollup!r}")
    if rollup == "activations" and activations is None:
        raise LegendError(
            "expected a map with activations to sum, got one of classes only: roll it up by winners"
        )
    return rollup
