"""What of a map its model has seen while it was trained: scores there are no accuracy.

A model repeats what it was taught where it was taught. So the pixels of a run are told apart:
seen, inside the model's training footprints; buffer, so near that the network looked at
training pixels when it classified them; unseen, all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import geometry_mask
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from lulc.counts import Counts, defined, ratio
from lulc.region import Region
from lulc.runs import Run
from lulc.squares import Squares, listed, together

if TYPE_CHECKING:
    from lulc.blocks import SpatialBlocks

#: The zones by the number that stands for each.
ZONES = ("unseen", "buffer", "seen")
UNSEEN, BUFFER, SEEN = range(3)


@dataclass(frozen=True)
class Zones:
    """The zones of a grid, read when asked for."""

    grid: GeoBox
    """Where the pixels are."""
    footprints: tuple[tuple[BaseGeometry, int], ...]
    """For each model, its training footprints in the grid's CRS and its halo in pixels."""

    @classmethod
    def of(cls, runs: Sequence[Run], grid: GeoBox) -> Zones | None:
        """What the models of runs have seen of a grid; None if none of them tells.

        What one of several models has seen counts as seen.
        """
        known = [
            (_on_grid(shape(footprints), grid, halo), halo)
            for run in runs
            if (footprints := run.properties.get("lulc:footprints"))
            for halo in [int(run.properties.get("lulc:halo", 0))]
        ]
        return cls(grid, tuple(known)) if known else None

    @property
    def halo(self) -> int:
        """Width of the buffer in pixels, of the widest."""
        return max(halo for _, halo in self.footprints)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Zones (y, x) of a window: `UNSEEN`, `BUFFER` or `SEEN`."""
        height, width = int(window.height), int(window.width)
        found = np.zeros((height, width), np.uint8)
        for outline, halo in self.footprints:
            # What lies outside the window, or the grid, has a halo that reaches in.
            corner = Affine.translation(window.col_off - halo, window.row_off - halo)
            transform = self.grid.affine @ corner
            frame = (height + 2 * halo, width + 2 * halo)
            part = GeoBox(frame, transform, self.grid.crs).extent.geom
            if outline.is_empty or not outline.intersects(part):
                continue
            inside = geometry_mask([outline], frame, transform, invert=True).view(np.uint8)
            # The network's view is a square: so is the neighbourhood.
            near = inside
            for axis in (0, 1):
                near = ndimage.maximum_filter1d(near, 2 * halo + 1, axis=axis)
            inner = np.s_[halo : halo + height, halo : halo + width]
            np.maximum(found, near[inner] + inside[inner], out=found)
        return found


@dataclass(frozen=True, eq=False)
class Leakage:
    """Counts by what the model has seen of the ground while it was trained."""

    unseen: Counts
    """Farther from its training areas than the network looks."""
    buffer: Counts
    """Within that distance of them."""
    seen: Counts
    """Inside them."""
    halo: int
    """That distance in pixels."""
    by_square: tuple[Squares, ...] = ()
    """Matrices by squares, (row, column, zone, n, n), of each region that was counted; none if
    intervals were not asked for."""

    def __add__(self, other: Leakage) -> Leakage:
        return Leakage(
            self.unseen + other.unseen,
            self.buffer + other.buffer,
            self.seen + other.seen,
            max(self.halo, other.halo),
            together(self.by_square, other.by_square),
        )

    @property
    def only_unseen(self) -> bool:
        """Whether the scores are those of unseen pixels: there are such."""
        return self.unseen.pixels.scored > 0

    @property
    def counted(self) -> Counts:
        """The unseen part, or where not one unseen pixel is scored, all there is."""
        return self.unseen if self.only_unseen else self.unseen + self.buffer + self.seen

    def share(self, zone: str) -> float:
        """Share of the scored pixels in 'unseen', 'buffer' or 'seen'; NaN when none was scored."""
        scored = [part.pixels.scored for part in (self.unseen, self.buffer, self.seen)]
        return float(ratio(getattr(self, zone).pixels.scored, sum(scored)))

    def warnings(self) -> list[str]:
        """What to know before reading the scores, a sentence each."""
        unseen, buffer, seen = (self.share(zone) for zone in ZONES)
        if np.isnan(unseen) or unseen == 1:
            return []
        where = (
            f"{seen:.1%} of the scored pixels lie in the model's training areas, {buffer:.1%} "
            f"within {self.halo} pixels of them"
        )
        if not self.only_unseen:
            return [f"This score is no accuracy: no pixel is unseen; {where}."]
        return [f"The scores are those of the {unseen:.1%} that are unseen: {where}."]

    def to_dict(self, blocks: SpatialBlocks | None = None) -> dict[str, Any]:
        """Shares, and counts and scores by zone; a zone without a pixel is None.

        Args:
            blocks: of the same regions; with them, and with squares, scores have intervals.
        """
        data: dict[str, Any] = {"halo": self.halo}
        matrices = blocks.joined(self.by_square) if blocks and self.by_square else None
        for place, zone in enumerate(ZONES):
            part: Counts = getattr(self, zone)
            scores = part.to_dict() if part.pixels else None
            if blocks and matrices is not None and scores:
                scores = blocks.bounds_of(matrices[:, place]).beside(scores)
            data |= {f"{zone}_share": defined(self.share(zone)), zone: scores}
        return {**data, "by_square": [each.to_dict() for each in self.by_square]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], whole: Counts) -> Leakage:
        """The inverse of `to_dict`; `whole` has the same groups. Raises KeyError, ValueError."""
        unseen, buffer, seen = (
            Counts.from_dict(data[zone]) if data[zone] else whole.nothing() for zone in ZONES
        )
        shape = len(ZONES), len(whole.groups), len(whole.groups)
        return cls(unseen, buffer, seen, data["halo"], listed(data, shape))


def _on_grid(footprints: BaseGeometry, grid: GeoBox, halo: int) -> BaseGeometry:
    """The part of footprints in degrees that matters to a grid, in the grid's CRS.

    The rest is cut away first: what is far from a grid may have no place in its CRS.
    """
    near = Region("grid", grid.pad(2 * halo + 1).extent.geom, str(grid.crs)).to("EPSG:4326")
    part = shapely.make_valid(footprints) & near
    return part if part.is_empty else Region("training", part, "EPSG:4326").to(grid.crs)
