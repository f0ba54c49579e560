"""One pass over a map and its reference for everything that is counted on their pixels.

The pixels come in strips, pieces of some rows, and every tally gets each strip once. What a tally
gives is a pure function of counts, so areas can be counted apart and added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window, intersection

from lulc.activations import Activations, probabilities
from lulc.errors import ReferenceDataError
from lulc.grouping import Grouping
from lulc.leakage import UNSEEN, Zones
from lulc.reference import BLOCK_PIXELS, LabelMap

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks

#: Pixels of a strip: a float32 of every one for 13 classes is 50 MB.
STRIP_PIXELS = 1 << 20

#: Rows of a strip at most: it is cut across rather than made flat, so that the margins that some
#: tallies look at cost as little in a wide map as in a narrow one.
STRIP_ROWS = 1024


class Part(Protocol):
    """A result beside the confusion matrix: a frozen dataclass of counts (see `lulc.parts`)."""

    @classmethod
    def tally(cls, strips: Strips) -> Tally | None:
        """What counts it; None where these strips lack what it needs, such as activations."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; figures are computed anew from the counts."""

    def to_dict(self, blocks: SpatialBlocks | None = None, /) -> dict[str, Any]:
        """Counts and figures as JSON; undefined ratios are None.

        Args:
            blocks: of the same pixels; with them, scores have intervals.
        """

    def text(self, blocks: SpatialBlocks | None = None, /) -> str:
        """The figures for a terminal; `blocks` as of `to_dict`."""

    def __add__(self, other: Self) -> Self:
        """That of both areas together."""


class Tally(Protocol):
    """Counts that are added to strip by strip."""

    @property
    def margin(self) -> int:
        """Pixels around a strip that it looks at, with `Strip.around`; 0 for none."""

    def add(self, strip: Strip) -> None:
        """Count a strip. No pixel comes twice; strips come from top to bottom."""

    def result(self) -> Any:
        """What was counted; for a tally of a part, the part."""


@dataclass(frozen=True, eq=False)
class Strip:
    """A piece of a map and its reference. Every array is (y, x) of the window."""

    strips: Strips
    """What it is part of: legends, groups, grid."""
    window: Window
    """Where it lies on the map's grid."""
    codes: NDArray[Any]
    """Codes of the reference, `strips.reference.legend.nodata` where there is none."""
    classes: NDArray[Any]
    """Class ids of the map, `strips.prediction.legend.nodata` where there is none."""
    inside: NDArray[np.bool_] | None
    """What the mask keeps; None is everything."""
    zone: NDArray[np.uint8] | None
    """`lulc.leakage.UNSEEN`, `BUFFER` or `SEEN`; None where the model does not tell."""
    slab: Strip | None = None
    """The rows that it was read with, which hold its margin."""
    core: Window | None = None
    """Of a slab: what lies within its margin."""

    @cached_property
    def reference(self) -> NDArray[np.int16]:
        """Index of the group in the reference; -1 where it is of none."""
        return self.strips.grouping.reference_lut[self.codes]

    @cached_property
    def prediction(self) -> NDArray[np.int16]:
        """Index of the group in the map; -1 where it is of none."""
        return self.strips.grouping.prediction_lut[self.classes]

    @cached_property
    def pairs(self) -> NDArray[np.int32]:
        """Where each pixel is in a confusion matrix, row by row, if it is `known`."""
        n = np.int32(len(self.strips.grouping.groups))
        return self.reference * n + self.prediction

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Of a group on both sides, and inside the mask."""
        known = (self.reference >= 0) & (self.prediction >= 0)
        return known if self.inside is None else known & self.inside

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """What is scored: what is `known`, and unseen."""
        if self.zone is None or not self.strips.only_unseen:
            return self.known
        return self.known & (self.zone == UNSEEN)

    def activations(self) -> NDArray[np.float32]:
        """Stored activations summed into the groups, (group, y, x); NaN where there is no data.

        Raises:
            ReferenceDataError: a map that stores none.
        """
        return probabilities(self.stored, self.strips.bands)

    @cached_property
    def stored(self) -> NDArray[Any]:
        """Activations as they are in the file, (class, y, x).

        Read once for a whole slab, but for its margin, which lies in other blocks of the file.
        """
        core = self.slab.core if self.slab else None
        if self.slab and core and _covers(core, self.window):
            return self.slab._core_stored[:, *_within(self.window, core)]
        return self._read_stored(self.window)

    @cached_property
    def _core_stored(self) -> NDArray[Any]:
        return self._read_stored(self.core or self.window)

    def _read_stored(self, window: Window) -> NDArray[Any]:
        if self.strips.activations is None:
            raise ReferenceDataError("expected a run with activations, got a map of classes only")
        return self.strips.activations.stored(window)

    def around(self, margin: int) -> Strip:
        """The strip with a margin on all four sides, less at the edges of the map.

        A tally may look as far as its own `margin` and no farther.
        """
        slab = self.slab or self
        grown = Window(
            self.window.col_off - margin,
            self.window.row_off - margin,
            self.window.width + 2 * margin,
            self.window.height + 2 * margin,
        )
        return slab.part(intersection(grown, slab.window))

    def inner(self, around: Strip) -> tuple[slice, slice]:
        """Where this strip lies in one made by `around`: rows and columns."""
        return _within(self.window, around.window)

    def part(self, window: Window) -> Strip:
        """The part in a window of the map's grid, which must lie in this one."""
        place = _within(window, self.window)
        return Strip(
            self.strips,
            window,
            self.codes[place],
            self.classes[place],
            None if self.inside is None else self.inside[place],
            None if self.zone is None else self.zone[place],
            self.slab or self,
        )


@dataclass(frozen=True)
class Strips:
    """A map and its reference on one grid, to be gone through."""

    prediction: LabelMap
    """The map."""
    reference: LabelMap
    """On the grid of the map."""
    grouping: Grouping
    """What of their legends is scored as one."""
    mask: LabelMap | None = None
    """Where it has nodata nothing is counted."""
    zones: Zones | None = None
    """What the model has seen."""
    activations: Activations | None = None
    """What the map was made of, if it is stored."""
    only_unseen: bool = True
    """Whether `Strip.kept` leaves out what the model has seen, or nearly."""

    def __post_init__(self) -> None:
        others = [m.grid for m in (self.reference, self.mask, self.zones) if m is not None]
        if any(grid != self.prediction.grid for grid in others):
            raise ReferenceDataError("a map and its reference must lie on one grid to be counted")

    @property
    def bands(self) -> list[list[int]]:
        """For each group, the indices of its classes in the legend of the map."""
        place = {i: k for k, i in enumerate(self.prediction.legend.ids)}
        return [[place[member] for member in group.members] for group in self.grouping.groups]

    def count(self, tallies: Sequence[Tally]) -> None:
        """Give every strip to every tally."""
        for strip in self.read(max((tally.margin for tally in tallies), default=0)):
            for tally in tallies:
                tally.add(strip)

    def read(self, margin: int = 0) -> Iterator[Strip]:
        """Strips that cover the grid from top to bottom, and each row of them from the left.

        Several are read together, as a slab of whole rows of blocks, so that no block of the
        file is decoded twice; each is small, so that a tally may use some times its memory. A slab
        of a wide map is cut across, so that it takes no more memory than a narrow one's.
        """
        height, width = self.prediction.grid.shape
        for window in self.prediction.strips():
            top, bottom = int(window.row_off), int(window.row_off + window.height)
            above, below = max(0, top - margin), min(height, bottom + margin)
            rows = min(STRIP_ROWS, bottom - top)
            columns = max(1, STRIP_PIXELS // rows)
            across = max(1, BLOCK_PIXELS // (below - above) // columns) * columns
            if (below - above) * width <= BLOCK_PIXELS or rows < bottom - top:
                across = width
            for begin in range(0, width, across):
                end = min(width, begin + across)
                left, right = max(0, begin - margin), min(width, end + margin)
                slab = self._slab(
                    Window(left, above, right - left, below - above),
                    Window(begin, top, end - begin, bottom - top),
                )
                for row, column in product(range(top, bottom, rows), range(begin, end, columns)):
                    size = min(columns, end - column), min(rows, bottom - row)
                    yield slab.part(Window(column, row, *size))

    def _slab(self, window: Window, core: Window) -> Strip:
        mask = self.mask
        return Strip(
            self,
            window,
            self.reference.read(window),
            self.prediction.read(window),
            None if mask is None else mask.read(window) != mask.legend.nodata,
            None if self.zones is None else self.zones.read(window),
            core=core,
        )


def _covers(whole: Window, part: Window) -> bool:
    (top, bottom), (left, right) = whole.toranges()
    (first, last), (begin, end) = part.toranges()
    return top <= first and last <= bottom and left <= begin and end <= right


def _within(inner: Window, outer: Window) -> tuple[slice, slice]:
    top, left = int(inner.row_off - outer.row_off), int(inner.col_off - outer.col_off)
    return slice(top, top + int(inner.height)), slice(left, left + int(inner.width))
