"""The activations that a run stores beside its classes, read by window and summed into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc import config
from lulc.legend import Legend
from lulc.mapfile import ACTIVATION_SCALE, NODATA
from lulc.runs import Run


@dataclass(frozen=True)
class Activations:
    """The activation bands of a map file, or of a window of it."""

    path: Path
    """The map file."""
    legend: Legend
    """The classes, in the order of the bands."""
    row: int = 0
    """Where the part begins in the file, in pixels."""
    column: int = 0
    """The same, across."""

    @classmethod
    def of(cls, run: Run) -> Activations | None:
        """Those of a run; None where its map has no band of its own for every class."""
        with rasterio.open(run.map_path) as file:
            complete = file.count == 1 + len(run.legend.classes)
        return cls(run.map_path, run.legend) if complete else None

    def crop(self, window: Window) -> Activations:
        """The part in a window."""
        row, column = self.row + int(window.row_off), self.column + int(window.col_off)
        return Activations(self.path, self.legend, row, column)

    def stored(self, window: Window) -> NDArray[Any]:
        """As in the file, (class, y, x): uint8 0..250 with nodata 255, or float32 with NaN."""
        moved = Window(
            window.col_off + self.column, window.row_off + self.row, window.width, window.height
        )
        with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE), rasterio.open(self.path) as file:
            return file.read(range(2, file.count + 1), window=moved)


def summed(stored: NDArray[Any], groups: Sequence[Sequence[int]]) -> NDArray[Any]:
    """Stored activations (class, y, x) added up by groups of band indices: (group, y, x).

    Those of uint8 are added in uint16, which is exact and cannot overflow: a legend has at
    most 254 classes of at most 250 each.
    """
    dtype = np.uint16 if stored.dtype == np.uint8 else stored.dtype
    out = np.empty((len(groups), *stored.shape[1:]), dtype)
    for total, members in zip(out, groups, strict=True):
        total[:] = stored[members[0]]
        for member in members[1:]:
            total += stored[member]
    return out


def probabilities(stored: NDArray[Any], groups: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """As `summed`, as shares of one: float32 (group, y, x), NaN where there is no data."""
    found = summed(stored, groups)
    if stored.dtype != np.uint8:
        return found.astype(np.float32, copy=False)
    shares = found * np.float32(ACTIVATION_SCALE)
    shares[:, missing(stored)] = np.nan
    return shares


def missing(stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Where stored activations (class, y, x) have no data: (y, x)."""
    return stored[0] == NODATA if stored.dtype == np.uint8 else np.isnan(stored[0])
