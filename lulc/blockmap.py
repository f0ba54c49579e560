"""Where a map agrees with its reference: the blocks of ground, and what was counted in each.

They are the blocks that intervals are drawn from (`lulc.blocks`), so an evaluation has all that
is needed: nothing is read or counted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, prod
from typing import Self

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from lulc.blocks import SpatialBlocks
from lulc.counts import ratio
from lulc.errors import ReferenceDataError
from lulc.grid import pixel_metres
from lulc.squares import squares


@dataclass(frozen=True, eq=False)
class BlockMap:
    """Blocks of ground with scored pixels, row by row from the north-west."""

    outlines: NDArray[np.object_]
    """(block,) polygons in the CRS of the map; the last of a row or column may be smaller."""
    matrices: NDArray[np.int64]
    """(block, n, n) pixel counts; rows are the reference, columns the map."""
    pixel: float
    """Square kilometres of a pixel."""
    side: float
    """Of a block in metres."""
    joined: int
    """How many of the blocks that intervals are drawn from a side of one of these has."""

    @cached_property
    def scored(self) -> NDArray[np.int64]:
        """(block,) pixels that were scored."""
        return self.matrices.sum(axis=(1, 2))

    @property
    def area(self) -> NDArray[np.float64]:
        """(block,) square kilometres of the scored pixels."""
        return self.scored.astype(np.float64) * self.pixel

    @cached_property
    def right(self) -> NDArray[np.int64]:
        """(block,) those on which map and reference agree."""
        return np.trace(self.matrices, axis1=1, axis2=2)

    @property
    def agreement(self) -> NDArray[np.float64]:
        """(block,) share of the scored pixels on which map and reference agree, 0..1."""
        return ratio(self.right, self.scored)

    def at(self, x: float, y: float) -> int | None:
        """The place in the arrays of the block at a point in the CRS of the map; None outside."""
        found = np.flatnonzero(shapely.contains_xy(self.outlines, x, y))
        return int(found[0]) if found.size else None

    def worst(self, number: int) -> list[int]:
        """The places in the arrays of the blocks with most pixels that differ, those first."""
        wrong = self.scored - self.right
        order = np.argsort(-wrong, kind="stable")
        return [int(block) for block in order[:number] if wrong[block]]

    def confused(self, block: int) -> tuple[int, int, int]:
        """What a block most often has wrong: row and column of the matrix, and how many pixels."""
        wrong = self.matrices[block] * ~np.eye(self.matrices.shape[1], dtype=bool)
        row, column = divmod(int(wrong.argmax()), len(wrong))
        return row, column, int(wrong[row, column])

    @classmethod
    def of(cls, blocks: SpatialBlocks, grid: GeoBox, most: int | None = None) -> Self:
        """The blocks of a map on its grid.

        Args:
            most: blocks at most; where there are more, neighbours are joined.

        Raises:
            ReferenceDataError: blocks that were not counted on this grid.
        """
        tall, wide = squares(grid)
        shape = ceil(grid.shape.y / tall), ceil(grid.shape.x / wide)
        if [sheet.squares.counts.shape[:2] for sheet in blocks.sheets] != [shape]:
            raise ReferenceDataError(
                f"expected counts of {shape[0]} x {shape[1]} squares of one map of "
                f"{grid.shape.y} x {grid.shape.x} pixels, got those of another: score it again"
            )
        [sheet] = blocks.sheets
        joined = 1
        while True:
            side = blocks.side * joined
            times = sheet.times(side)
            rows, columns = (ceil(length / times) for length in shape)
            if most is None or rows * columns <= most:
                break
            joined += 1
        matrices = sheet.joined(side)
        kept = matrices.any(axis=(1, 2))
        outlines = _outlines(grid, times * tall, times * wide)
        return cls(outlines[kept], matrices[kept], prod(pixel_metres(grid)) / 1e6, side, joined)


def _outlines(grid: GeoBox, tall: int, wide: int) -> NDArray[np.object_]:
    """Rectangles of so many rows and columns of pixels, row by row; the rest at the far edges."""
    height, width = (int(side) for side in grid.shape)
    rows, columns = [*range(0, height, tall), height], [*range(0, width, wide), width]
    found = [_outline(grid, up, down) for up in pairwise(rows) for down in pairwise(columns)]
    return np.array(found, object)


def _outline(grid: GeoBox, rows: Sequence[int], columns: Sequence[int]) -> shapely.Polygon:
    (top, bottom), (left, right) = rows, columns
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return shapely.Polygon([grid.affine @ corner for corner in corners])
