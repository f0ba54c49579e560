"""All patches of a reference on a run's grid, gone through window by window in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.features import shapes
from rasterio.windows import Window
from rasterio.windows import transform as window_transform
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from lulc import config, files
from lulc.activations import Activations, probabilities
from lulc.census import pixel_areas
from lulc.counts import defined, ratio
from lulc.grouping import Grouping
from lulc.leakage import SEEN, Zones
from lulc.patches import CELL, Patches, connected, measured
from lulc.reference import LabelMap

#: Side in pixels of what is read at once: whole cells, and whole blocks of a map.
WINDOW = 16 * CELL

#: The layer's value where there is no patch; scores are 0..100.
NODATA = 255

#: Side in pixels below which a further overview of the layer is of no use.
_SMALLEST = 256


@dataclass(frozen=True)
class Search:
    """A run's map and activations, and a reference on its grid."""

    prediction: LabelMap
    """The map, for where it has data."""
    activations: Activations
    """What it was made of."""
    reference: LabelMap
    """On the grid of the map."""
    grouping: Grouping
    """What of their legends is told apart."""

    def windows(self) -> Iterator[Window]:
        """Windows that cover the grid and begin on lines between cells."""
        height, width = self.reference.grid.shape
        for row in range(0, height, WINDOW):
            for column in range(0, width, WINDOW):
                yield Window(column, row, min(WINDOW, width - column), min(WINDOW, height - row))

    def groups(self, window: Window) -> NDArray[np.int16]:
        """Index of the group in the reference, (y, x); -1 for none and where the map is empty."""
        groups = self.grouping.reference_lut[self.reference.read(window)]
        empty = self.prediction.read(window) == self.prediction.legend.nodata
        return np.where(empty, np.int16(-1), groups)

    def measure(self, zones: Zones | None = None) -> tuple[Patches, list[int], float | None]:
        """All patches; the number of the first of each window; and the share that is seen.

        The share is that of the labelled pixels in the model's training areas, None without
        zones. Memory grows with the patches, by some 100 bytes each.
        """
        place = {i: k for k, i in enumerate(self.activations.legend.ids)}
        bands = [[place[member] for member in group.members] for group in self.grouping.groups]
        parts, firsts, first, labelled, seen = [], [], 0, 0, 0
        for window in self.windows():
            groups = self.groups(window)
            numbers, count = connected(groups)
            shares = probabilities(self.activations.stored(window), bands)
            parts.append(measured(numbers, count, groups, shares))
            firsts.append(first)
            first += count
            labelled += int((groups >= 0).sum())
            if zones is not None:
                seen += int(((zones.read(window) == SEEN) & (groups >= 0)).sum())
        share = defined(float(ratio(seen, labelled))) if zones is not None else None
        return Patches.joined(parts), firsts, share

    def draw(
        self, target: Path, patches: Patches, firsts: Sequence[int], wanted: NDArray[np.int64]
    ) -> dict[int, tuple[BaseGeometry, float]]:
        """Write the score of every patch in percent as a GeoTIFF.

        Args:
            target: the file.
            patches, firsts: of `measure`.
            wanted: numbers of patches.

        Returns:
            By number, the wanted patches' outlines in the grid's CRS and their hectares.
        """
        grid = self.reference.grid
        # The last entry is what the number -1 finds.
        percent = np.append(np.rint(100 * patches.score), NODATA).astype(np.uint8)
        chosen = np.isin(np.arange(len(percent)), wanted)
        areas, outlines = pixel_areas(grid), {}
        with files.replacing(target) as temporary:
            with files.MAKING_RASTER:
                file = rasterio.open(temporary, "w", **self._profile())
            with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE), file:
                file.descriptions = ("suspicion in percent",)
                file.update_tags(LULC_REFERENCE=str(self.reference.path))
                for window, first in zip(self.windows(), firsts, strict=True):
                    numbers, count = connected(self.groups(window))
                    rows = areas[window.toslices()[0]]
                    hectares = np.bincount(
                        (numbers + 1).ravel(),
                        weights=np.repeat(rows, numbers.shape[1]),
                        minlength=count + 1,
                    )
                    numbers[numbers >= 0] += first
                    file.write(percent[numbers], 1, window=window)
                    transform = window_transform(window, grid.affine)
                    for outline, patch in shapes(numbers, chosen[numbers], 4, transform):
                        place = int(patch)
                        outlines[place] = shape(outline), float(hectares[place - first + 1])
                levels = [2**i for i in range(1, 10) if max(grid.shape) >> i >= _SMALLEST]
                if levels:
                    file.build_overviews(levels, Resampling.average)
        return outlines

    def _profile(self) -> dict[str, Any]:
        grid = self.reference.grid
        return {
            "driver": "GTiff",
            "count": 1,
            "height": grid.shape.y,
            "width": grid.shape.x,
            "dtype": "uint8",
            "nodata": NODATA,
            "crs": str(grid.crs),
            "transform": grid.affine,
            "tiled": True,
            "blockxsize": 256,
            "blockysize": 256,
            "compress": "zstd",
            "bigtiff": "if_safer",
        }
