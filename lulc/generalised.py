"""A map without the patches that its reference could not show, and the scores of that.

A reference with a minimum mapping unit gives smaller patches to their neighbours, so a map that
shows them is wrong by it and right in the field. Generalised to the same unit, the two say
things of one size.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.features import sieve
from rasterio.windows import Window

from lulc import tables
from lulc.confusion import Confusion
from lulc.counts import Counts
from lulc.errors import LegendError, ReferenceDataError
from lulc.grid import pixel_metres
from lulc.leakage import UNSEEN, Leakage
from lulc.reference import LabelMap
from lulc.sheet import ZoneTally
from lulc.squares import Squares, listed, together
from lulc.strips import Strips

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks

#: Pixels generalised at once, with a margin of this many sides of a square of the minimum
#: mapping unit. A map of no more pixels is generalised as a whole.
SLAB_PIXELS, MARGIN_SIDES = 1 << 26, 10


@dataclass(frozen=True, eq=False)
class Generalised:
    """Counts of a map whose patches below a minimum mapping unit went to their neighbours."""

    mmu: float
    """The minimum mapping unit in hectares."""
    counts: Counts
    """Of the pixels that are scored without it too."""
    by_square: tuple[Squares, ...] = ()
    """Its matrices by squares, (row, column, n, n), of each region that was counted."""

    @classmethod
    def tally(cls, strips: Strips) -> None:
        """Nothing: it is another map, counted by `Generalised.of` when a unit is given."""

    @classmethod
    def of(cls, strips: Strips, mmu: float | None) -> Self:
        """Generalise a map and count it against the same reference.

        Args:
            mmu: the unit in hectares; None takes what the reference's legend states.

        Raises:
            ReferenceDataError: a unit not above 0 or not below the map's area, or none stated.
        """
        legend = strips.reference.legend
        hectares = legend.mmu if mmu is None else mmu
        if hectares is None:
            raise ReferenceDataError(
                f"the legend {legend.name} states no minimum mapping unit: give one in hectares"
            )
        tall, wide = pixel_metres(strips.prediction.grid)
        height, width = strips.prediction.grid.shape
        pixels = hectares * 1e4 / (tall * wide)
        if not 0 < pixels <= height * width - 1:
            whole = height * tall * width * wide / 1e4
            raise ReferenceDataError(
                f"expected hectares above 0 and less than the map's {whole:,.0f}, got {hectares:g}"
            )
        strips = replace(strips, prediction=generalised(strips.prediction, round(pixels)))
        matrix, by_zone = Confusion(strips), ZoneTally(strips)
        strips.count([matrix, by_zone])
        matrices = by_zone.result().counts
        if strips.zones is None:
            return cls(hectares, matrix.result()[0], (Squares(matrices[:, :, 0]),))
        unseen, buffer, seen = matrix.result()
        zones = Leakage(unseen, buffer, seen, strips.zones.halo)
        scored = matrices[:, :, UNSEEN] if zones.only_unseen else matrices.sum(axis=2)
        return cls(hectares, zones.counted, (Squares(scored),))

    def __add__(self, other: Self) -> Self:
        """That of both areas. Raises LegendError for another unit or other groups."""
        if self.mmu != other.mmu:
            raise LegendError("maps of different minimum mapping units cannot be added")
        return replace(
            self,
            counts=self.counts + other.counts,
            by_square=together(self.by_square, other.by_square),
        )

    def figures(self, blocks: SpatialBlocks | None = None) -> dict[str, Any]:
        """Scores and counts as JSON; with blocks and squares, with their intervals."""
        scores = self.counts.to_dict()
        if blocks is None or not self.by_square:
            return scores
        return blocks.bounds_of(blocks.joined(self.by_square)).beside(scores)

    def to_dict(self, blocks: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """The unit, and the scores and counts of the generalised map."""
        by_square = [each.to_dict() for each in self.by_square]
        return {"mmu": self.mmu, **self.figures(blocks), "by_square": by_square}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises KeyError, TypeError, ValueError."""
        counts = Counts.from_dict(data)
        shape = len(counts.groups), len(counts.groups)
        return cls(data["mmu"], counts, listed(data, shape))

    def text(self, blocks: SpatialBlocks | None = None, /) -> str:
        """The averages in a sentence."""
        scores = self.figures(blocks)
        shown = {"accuracy": "accuracy", "macro F1": "macro_f1", "weighted F1": "weighted_f1"}
        said = ", ".join(f"{name} {tables.score(scores, key)}" for name, key in shown.items())
        return f"Without patches of the map below {self.mmu:g} ha: {said}."


def generalised(labels: LabelMap, pixels: int) -> LabelMap:
    """A map whose patches (4-connected) of fewer pixels went to their largest neighbour.

    The smallest go first, in steps of four times the size: so a mosaic of small patches
    becomes what most of it is. What has no data stays so and swallows nothing. The result
    lies in a temporary file that goes when nothing refers to it; memory stays flat.
    """
    height, width = labels.grid.shape
    dtype = labels.legend.dtype
    with tempfile.TemporaryFile() as file:
        ids: NDArray[Any] = np.memmap(file, dtype, "w+", shape=(height, width))
    margin = MARGIN_SIDES * max(1, round(pixels**0.5))
    rows = max(SLAB_PIXELS // width - 2 * margin, margin)
    if height * width <= SLAB_PIXELS:
        rows = height
    for top in range(0, height, rows):
        first, last = max(0, top - margin), min(height, top + rows + margin)
        slab = _sieved(labels.read(Window(0, first, width, last - first)), pixels, labels)
        bottom = min(height, top + rows)
        ids[top:bottom] = slab[top - first : bottom - first]
    return LabelMap.from_array(ids, labels.grid, labels.legend)


def _sieved(ids: NDArray[Any], pixels: int, labels: LabelMap) -> NDArray[Any]:
    known = ids != labels.legend.nodata
    size = 4
    while size < 4 * pixels:
        ids = sieve(ids, min(size, pixels), mask=known, connectivity=4)
        size *= 4
    return ids
