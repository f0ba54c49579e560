"""What the classes of a run look like in the bands of its scene: mean and spread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from dashboard.painting.picture import NOTHING
from lulc.indices import is_index
from lulc.runs import Run
from lulc.scene import Scene

#: Centre wavelengths of Sentinel-2's bands in nm (ESA, Sentinel-2 User Handbook, 2015).
WAVELENGTHS = {
    "B01": 443, "B02": 490, "B03": 560, "B04": 665, "B05": 705, "B06": 740, "B07": 783,
    "B08": 842, "B8A": 865, "B09": 945, "B10": 1375, "B11": 1610, "B12": 2190,
}  # fmt: skip

#: The scene is looked at in this many windows each way, each of this many pixels a side:
#: whole pixels, for an average over a class's edge is of no class.
_WINDOWS, _SIDE = 6, 48


@dataclass(frozen=True, eq=False)
class Signatures:
    """Reflectance of the classes, from a subsample of the scene under the run."""

    bands: tuple[str, ...]
    """The bands, by wavelength where it is known."""
    ids: tuple[int, ...]
    """The classes."""
    mean: NDArray[np.float64]
    """(class, band) reflectance; NaN for a class that was not met."""
    std: NDArray[np.float64]
    """(class, band) standard deviation."""
    count: NDArray[np.int64]
    """(class,) pixels met."""

    @property
    def spread(self) -> NDArray[np.float64]:
        """(band,) standard deviation within the classes, pooled over all of them."""
        variance = np.nansum(self.std**2 * self.count[:, None], axis=0) / max(1, self.count.sum())
        return np.sqrt(np.maximum(variance, 1e-12))

    def distances(self, spectrum: NDArray) -> NDArray[np.float64]:
        """(class,) how far a spectrum (band,) is from each class's mean.

        The root mean square over the bands of its difference, in standard deviations within
        the classes (standardised Euclidean distance).
        """
        away = (np.asarray(spectrum) - self.mean) / self.spread
        return np.sqrt((away**2).mean(axis=1))


def reflectance_bands(scene: Scene) -> tuple[str, ...]:
    """The bands of a scene that are no index, by wavelength where it is known."""
    bands = [name for name in scene.bands if not is_index(name)]
    return tuple(sorted(bands, key=lambda name: WAVELENGTHS.get(name, 10_000)))


def signatures(scene: Scene, run: Run) -> Signatures | None:
    """Mean and spread of the run's classes; None where the run is not on the scene's grid."""
    bands = reflectance_bands(scene)
    stamp = run.map_path.stat().st_mtime_ns
    return _signatures(scene.select(bands), run.map_path, stamp, run.grid, run.legend.ids)


@lru_cache(maxsize=16)
def _signatures(
    scene: Scene,
    path: Path,
    stamp: int,  # noqa: ARG001 (a changed file is another key)
    grid: GeoBox,
    ids: tuple[int, ...],
) -> Signatures | None:
    place = offset(grid, scene.grid)
    if place is None:
        return None
    spectra, classes = [], []
    with rasterio.open(path) as file:
        for window in _windows(grid):
            moved = _within(window, place, scene.shape)
            if moved is None:
                continue
            found = file.read(1, window=window)
            values, valid = scene.read(moved)
            there = valid & (found != NOTHING) & (found == found)
            spectra.append(values[:, there])
            classes.append(found[there].astype(int))
    pixels = np.concatenate(spectra, axis=1) if spectra else np.zeros((len(scene.bands), 0))
    return summary(pixels, np.concatenate(classes or [np.zeros(0, int)]), scene.bands, ids)


def summary(
    pixels: NDArray, classes: NDArray, bands: tuple[str, ...], ids: tuple[int, ...]
) -> Signatures:
    """Mean and spread of spectra (band, pixel) by their classes (pixel,)."""
    mean = np.full((len(ids), len(bands)), np.nan)
    std, count = mean.copy(), np.zeros(len(ids), np.int64)
    for row, number in enumerate(ids):
        own = pixels[:, classes == number].astype(np.float64)
        count[row] = own.shape[1]
        if count[row]:
            mean[row], std[row] = own.mean(axis=1), own.std(axis=1)
    return Signatures(bands, ids, mean, std, count)


def offset(grid: GeoBox, whole: GeoBox) -> tuple[int, int] | None:
    """Column and row of a grid's corner in the grid it is a part of; None if it is of another."""
    inside = ~whole.affine @ grid.affine
    alike = np.allclose((inside.a, inside.b, inside.d, inside.e), (1, 0, 0, 1), atol=1e-6)
    if whole.crs != grid.crs or not alike:
        return None
    return round(inside.c), round(inside.f)


def _windows(grid: GeoBox) -> list[Window]:
    height, width = grid.shape
    tall, wide = min(_SIDE, height), min(_SIDE, width)
    rows = np.unique(np.linspace(0, height - tall, _WINDOWS).astype(int))
    columns = np.unique(np.linspace(0, width - wide, _WINDOWS).astype(int))
    return [Window(int(x), int(y), wide, tall) for y in rows for x in columns]


def _within(window: Window, place: tuple[int, int], shape: tuple[int, int]) -> Window | None:
    x, y = window.col_off + place[0], window.row_off + place[1]
    fits = x >= 0 and y >= 0 and x + window.width <= shape[1] and y + window.height <= shape[0]
    return Window(x, y, window.width, window.height) if fits else None
