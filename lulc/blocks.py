"""Blocks of ground: squares joined until their errors are unlike, from which intervals are drawn.

Squares (`lulc.squares`) are joined to blocks some times as long as errors are alike (`lulc.sheet`);
these are drawn anew in `lulc.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lulc.bootstrap import ENOUGH_BLOCKS, differences, intervals
from lulc.bounds import Bounds
from lulc.counts import defined
from lulc.errors import LegendError, ReferenceDataError
from lulc.grouping import Group
from lulc.sheet import Sheet, SheetTally
from lulc.squares import Squares
from lulc.strips import Strips
from lulc.tables import several
from lulc.units import LEVEL, Units

#: Length of a block in correlation lengths. Measured (docs/benchmarks.md): shorter blocks give
#: intervals that are too narrow, longer ones leave too few to draw from.
LENGTHS = 4.0


@dataclass(frozen=True, eq=False)
class SpatialBlocks:
    """Counts by blocks of ground, from which every score has an interval."""

    groups: tuple[Group, ...]
    """What rows and columns of the matrices stand for."""
    sheets: tuple[Sheet, ...]
    """Regions that were counted."""
    given: float | None = None
    """Side of a block in metres, if it was given; None takes it from the errors."""

    @classmethod
    def tally(cls, strips: Strips) -> BlockTally:
        """What counts them."""
        return BlockTally(strips)

    def __add__(self, other: Self) -> Self:
        """The blocks of both areas. Raises LegendError for other groups."""
        if self.groups != other.groups:
            raise LegendError("blocks of different groups cannot be added")
        given = self.given if self.given == other.given else None
        return replace(self, sheets=self.sheets + other.sheets, given=given)

    def sized(self, side: float | None) -> Self:
        """The same with blocks of a side in metres; None takes it from the errors.

        Raises:
            ReferenceDataError: a side that is not above 0, or endless.
        """
        if side is not None and not 0 < side < inf:
            raise ReferenceDataError(f"expected the side of a block in metres above 0, got {side}")
        return replace(self, given=side)

    @property
    def length(self) -> float:
        """Correlation length of the errors in metres, the longest of the sheets."""
        return max((sheet.length for sheet in self.sheets), default=0.0)

    @property
    def side(self) -> float:
        """Side of a block in metres: as given, or `LENGTHS` times the correlation length; the
        next multiple of the squares' that were counted."""
        wanted = LENGTHS * self.length if self.given is None else self.given
        base = max(sheet.side for sheet in self.sheets)
        return max(1, ceil(wanted / base - 1e-9)) * base

    @cached_property
    def matrices(self) -> NDArray[np.int64]:
        """(block, n, n) pixel counts of the blocks."""
        return self.joined([sheet.squares for sheet in self.sheets])

    def joined(self, regions: Sequence[Squares]) -> NDArray[np.int64]:
        """(block, ...): squares of the same regions, with other counts, joined to the blocks.

        Raises:
            LegendError: squares of other regions.
        """
        own = [sheet.squares.counts.shape[:2] for sheet in self.sheets]
        if [each.counts.shape[:2] for each in regions] != own:
            raise LegendError("squares of different regions cannot be joined to blocks")
        pairs = zip(regions, self.sheets, strict=True)
        return np.concatenate([each.joined(sheet.times(self.side)) for each, sheet in pairs])

    def bounds_of(self, matrices: NDArray[np.int64]) -> Bounds:
        """The interval of every score of other matrices (block, n, n) of the same blocks."""
        return intervals(matrices, self.stretch)

    @cached_property
    def bounds(self) -> Bounds:
        """The interval of every score."""
        return self.bounds_of(self.matrices)

    @property
    def stretch(self) -> float:
        """What standard errors from these blocks are too small by: likeness across their edges."""
        return max(1 / sheet.captured(self.side) ** 0.5 for sheet in self.sheets)

    @property
    def number(self) -> float:
        """Blocks that the accuracy rests on, partly filled ones counted as the parts they are."""
        units = Units(self.matrices)
        return float(units.effective[units.accuracy])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before reading the intervals."""
        said = []
        if self.number < ENOUGH_BLOCKS:
            said.append(
                f"The intervals rest on {several(self.number, 'block')} of {self.side:,.0f} m, "
                "which is too few to draw from."
            )
        cautious = self.bounds.said([group.name for group in self.groups])
        return (*said, cautious) if cautious else tuple(said)

    def text(self, _: SpatialBlocks | None = None, /) -> str:
        """What the intervals are from, in a sentence."""
        how = "as given" if self.given is not None else f"{LENGTHS:g} correlation lengths of errors"
        return (
            f"Intervals of {LEVEL:.0%}".replace("%", " %")
            + f" from {several(self.number, 'block')} of {self.side:,.0f} m ({how}; "
            f"errors are alike over {self.length:,.0f} m)."
        )

    def less(self, other: SpatialBlocks) -> Bounds:
        """The intervals of the differences, these minus the others, of the same pixels.

        Blocks are those of the longer side of the two.

        Raises:
            LegendError: blocks of other groups or of other pixels.
        """
        side = max(self.side, other.side)
        mine, theirs = (each.sized(side).matrices for each in (self, other))
        if self.groups != other.groups or mine.shape != theirs.shape:
            raise LegendError("blocks of different groups or regions cannot be compared")
        if (mine.sum(axis=(1, 2)) != theirs.sum(axis=(1, 2))).any():
            raise LegendError("blocks of different pixels cannot be compared")
        return differences(theirs, mine, max(self.sized(side).stretch, other.sized(side).stretch))

    def to_dict(self, _: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """How the blocks were chosen, and their counts."""
        return {
            "side": self.side,
            "given": self.given,
            "number": defined(self.number),
            "length": self.length,
            "stretch": self.stretch,
            "correlation": [
                [
                    {"distance": lag * sheet.step, "correlation": defined(value)}
                    for lag, value in enumerate(sheet.correlation)
                ]
                for sheet in self.sheets
            ],
            "groups": [asdict(group) for group in self.groups],
            "sheets": [sheet.to_dict() for sheet in self.sheets],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises KeyError, TypeError, ValueError."""
        groups = tuple(Group.from_dict(g) for g in data["groups"])
        sheets = tuple(Sheet.from_dict(sheet, len(groups)) for sheet in data["sheets"])
        return cls(groups, sheets, data["given"])


class BlockTally(SheetTally):
    """Counts `SpatialBlocks` strip by strip, on the pixels that are scored."""

    def result(self) -> SpatialBlocks:
        """What was counted."""
        return SpatialBlocks(self.groups, (self.sheet(),))
