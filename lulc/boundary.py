"""What labels of 20 to 100 m can say about pixels of 10 m: scores by distance to a boundary.

A boundary in a coarse map may be off by a pixel of that map, so beside it nobody knows which of
the two is wrong. Pixels are told apart by how far they lie from the nearest boundary between
groups in the reference; those farther than any boundary can be off are its interior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, inf
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from lulc import codes, tables
from lulc.bounds import Bounds
from lulc.counts import Counts, Pixels, defined, ratio
from lulc.errors import LegendError
from lulc.grid import grid_of, pixel_metres
from lulc.grouping import Group
from lulc.reference import LabelMap
from lulc.squares import Squares, SquareTally, listed, together
from lulc.strips import Strip, Strips

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks

#: Where distance classes begin and end, in pixels of the reference: farther than, up to.
EDGES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, inf)

#: Where the interior begins. Moving the reference by one of its pixels, diagonally even (1.41),
#: changes nothing there.
INTERIOR = 1.5

#: What a distance class has beside the F1 of every group.
AVERAGES = ("accuracy", "macro_f1", "weighted_f1")

#: Index of what is beyond the map's edge.
NOWHERE = -2


@dataclass(frozen=True, eq=False)
class Boundary:
    """Counts by distance to the nearest boundary between groups in the reference."""

    groups: tuple[Group, ...]
    """What rows and columns of the matrices stand for."""
    size: float
    """Pixel of the reference in metres: what `EDGES` are multiples of."""
    matrices: NDArray[np.int64]
    """(distance class, n, n) pixel counts."""
    by_square: tuple[Squares, ...] = ()
    """The same by squares, (row, column, distance class, n, n), of each region that was counted."""

    @classmethod
    def tally(cls, strips: Strips) -> BoundaryTally:
        """What counts them."""
        return BoundaryTally(strips)

    def __add__(self, other: Self) -> Self:
        """That of both areas. Raises LegendError for other groups or another pixel size."""
        if (self.groups, self.size) != (other.groups, other.size):
            raise LegendError("distances of different groups or pixel sizes cannot be added")
        return replace(
            self,
            matrices=self.matrices + other.matrices,
            by_square=together(self.by_square, other.by_square),
        )

    @property
    def interior(self) -> Counts:
        """What is farther from a boundary than it can be off."""
        return self._counts(self.matrices[EDGES.index(INTERIOR) :].sum(axis=0))

    @property
    def curve(self) -> tuple[Counts, ...]:
        """The counts of each distance class, in the order of `EDGES`."""
        return tuple(self._counts(matrix) for matrix in self.matrices)

    def bounds(self, blocks: SpatialBlocks | None) -> list[Bounds]:
        """The intervals of each distance class, and last of the interior; none without squares.

        Args:
            blocks: of the same regions, if they were counted.
        """
        if blocks is None or not self.by_square:
            return []
        matrices = blocks.joined(self.by_square)
        parts = [*np.moveaxis(matrices, 1, 0), matrices[:, EDGES.index(INTERIOR) :].sum(axis=1)]
        return [blocks.bounds_of(part) for part in parts]

    def to_dict(self, blocks: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """The interior's scores, and those of every distance class with its counts."""
        total, interior, scores = int(self.matrices.sum()), self.interior, self.interior.to_dict()
        found: list[Bounds] | list[None] = self.bounds(blocks) or [None] * len(EDGES)
        *bounds, inner = found
        rows = []
        for (begin, end), counts, known in zip(pairwise(EDGES), self.curve, bounds, strict=True):
            rows.append(
                {
                    "from": begin * self.size,
                    "to": None if end == inf else end * self.size,
                    "pixels": counts.pixels.scored,
                    "share": defined(float(ratio(counts.pixels.scored, total))),
                    "accuracy": defined(counts.accuracy),
                    "macro_f1": defined(counts.average("f1", "macro")),
                    "weighted_f1": defined(counts.average("f1", "weighted")),
                    "f1": [defined(value) for value in counts.f1],
                    "matrix": counts.matrix.tolist(),
                    **({} if known is None else _intervals(known)),
                }
            )
        scores = scores if inner is None else inner.beside(scores)
        return {
            "pixel": self.size,
            "interior_from": INTERIOR * self.size,
            "interior_share": defined(float(ratio(interior.pixels.scored, total))),
            "interior": {key: scores[key] for key in scores if key not in ("ignored", "pixels")},
            "curve": rows,
            "by_square": [each.to_dict() for each in self.by_square],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises KeyError, TypeError, ValueError."""
        groups = tuple(Group.from_dict(c) for c in data["interior"]["classes"])
        matrices = np.array([row["matrix"] for row in data["curve"]], np.int64)
        shape = len(EDGES) - 1, len(groups), len(groups)
        by_square = listed(data, shape)
        return cls(groups, data["pixel"], matrices.reshape(shape), by_square)

    def text(self, blocks: SpatialBlocks | None = None, /) -> str:
        """Scores by distance, and F1 of the interior, as tables."""
        pixel, inner = tables.length(self.size), tables.length(INTERIOR * self.size)
        head = [
            f"By distance to the nearest boundary of the reference, whose pixel is {pixel} m "
            f"(interior: farther than {inner} m):"
        ]
        data = self.to_dict(blocks)
        rows = [["from m", "up to", "pixels", "accuracy", "macro F1", "weighted F1"]]
        for row in data["curve"]:
            end = "" if row["to"] is None else tables.length(row["to"])
            scores = [tables.score(row, name) for name in AVERAGES]
            rows.append([tables.length(row["from"]), end, f"{row['pixels']:,}", *scores])
        scores = [tables.score(data["interior"], name) for name in AVERAGES]
        rows.append(["", "interior", f"{self.interior.pixels.scored:,}", *scores])
        names = [["id", "class", "interior F1", "support"]]
        names += [
            [str(c["id"]), tables.short(c["name"]), tables.score(c, "f1"), f"{c['support']:,}"]
            for c in data["interior"]["classes"]
        ]
        return "\n".join([*head, *tables.aligned(rows), "", *tables.aligned(names)])

    def _counts(self, matrix: NDArray[np.int64]) -> Counts:
        return Counts(matrix, self.groups, Pixels(int(matrix.sum()), 0, 0, 0), (), ())


def _intervals(bounds: Bounds) -> dict[str, Any]:
    """Those of a distance class as JSON, and which of them are cautious."""
    averages = bounds.of_all()
    groups = [bounds.of_group(i) for i in range(len(bounds.ratios["f1"]))]
    return {
        **{f"{name}_ci": averages[f"{name}_ci"] for name in AVERAGES},
        "f1_ci": [group["f1_ci"] for group in groups],
        "cautious": [name for name in AVERAGES if name in (averages["cautious"] or ())],
        "cautious_f1": ["f1" in (group["cautious"] or ()) for group in groups],
    }


class BoundaryTally:
    """Counts `Boundary` strip by strip, on the pixels that are scored."""

    def __init__(self, strips: Strips) -> None:
        self.groups = strips.grouping.groups
        self.size = label_size(strips.reference)
        self.shape = strips.prediction.grid.shape
        self.pixel = pixel_metres(strips.prediction.grid)
        shape = len(EDGES) - 1, len(self.groups), len(self.groups)
        self.squares = SquareTally(strips.prediction.grid, shape)

    @property
    def margin(self) -> int:
        """The largest distance that is told from others, in pixels."""
        return ceil(EDGES[-2] * self.size / min(self.pixel)) + 2

    def add(self, strip: Strip) -> None:
        """Count a strip."""
        around = strip.around(self.margin)
        metres = self._distances(around)[strip.inner(around)]
        edges = np.array(EDGES[1:-1]) * self.size
        # Nothing rounded may part two windows: distances are told apart to a micrometre.
        part = np.searchsorted(edges, metres - 1e-6).astype(np.int32)
        places = part * np.int32(len(self.groups) ** 2) + strip.pairs
        self.squares.add(strip.window, places, strip.kept)

    def _distances(self, strip: Strip) -> NDArray[np.float64]:
        """Distances (y, x) in a strip. Beyond the map's edge is no group, as where there is no
        data: what lies there is not known."""
        height, width = self.shape
        top, left = int(strip.window.row_off), int(strip.window.col_off)
        bottom, right = top + int(strip.window.height), left + int(strip.window.width)
        edges = ((top == 0, bottom == height), (left == 0, right == width))
        padded = np.pad(strip.reference, np.array(edges, int), constant_values=NOWHERE)
        inner = tuple(slice(int(a), int(a) + size) for (a, _), size in zip(
            edges, strip.reference.shape, strict=True))  # fmt: skip
        return distances(padded, self.pixel)[inner]

    def result(self) -> Boundary:
        """What was counted."""
        found = self.squares.result()
        matrices = found.counts.sum(axis=(0, 1), dtype=np.int64)
        return Boundary(self.groups, self.size, matrices, (found,))


def distances(groups: NDArray[np.int16], pixel: tuple[float, float]) -> NDArray[np.float64]:
    """Metres (y, x) from a pixel's centre to the nearest boundary between groups; inf for none.

    Pixels beside a boundary are half a pixel away from it, and all others by the distance to
    the nearest of these more. What is of no group (-1) has boundaries too.

    Args:
        groups: indices, (y, x).
        pixel: height and width of a pixel in metres.
    """
    beside = np.zeros(groups.shape, bool)
    down, across = groups[1:] != groups[:-1], groups[:, 1:] != groups[:, :-1]
    beside[1:] |= down
    beside[:-1] |= down
    beside[:, 1:] |= across
    beside[:, :-1] |= across
    if not beside.any():
        return np.full(groups.shape, inf)
    return distance_transform_edt(~beside, sampling=pixel) + min(pixel) / 2


def label_size(labels: LabelMap) -> float:
    """The finest detail of labels in metres: the longest of their file's pixel, of the map's, and
    of what their legend states."""
    sizes = [*pixel_metres(labels.grid), labels.legend.detail or 0.0]
    if labels.path is not None and not codes.is_vector(labels.path):
        with codes.open_raster(labels.path) as file:
            sizes += pixel_metres(grid_of(file))
    return max(sizes)
