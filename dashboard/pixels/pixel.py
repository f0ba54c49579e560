"""One pixel of the map, with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window

from dashboard.painting.labels import reference_labels
from dashboard.painting.picture import Order
from dashboard.pixels.signatures import reflectance_bands, signatures
from lulc.errors import LulcError
from lulc.mapfile import ACTIVATION_SCALE
from lulc.runs import Run
from lulc.scene import Scene

#: Classes of the legend that are named as the nearest.
_NEAREST = 5


@dataclass(frozen=True, eq=False)
class Pixel:
    """What lies at one place."""

    lon: float
    """Degrees."""
    lat: float
    """Degrees."""
    spectrum: NDArray[np.float64] | None = None
    """(band,) reflectance, of `signatures.reflectance_bands`; None outside or without data."""
    activations: NDArray[np.float64] | None = None
    """(class,) 0..1, in the order of the run's legend; None outside or without data."""
    class_id: int | None = None
    """The run's class."""
    reference: str = ""
    """What the reference says; empty where it says nothing."""
    nearest: tuple[tuple[int, float], ...] = ()
    """Class ids and their distances (`Signatures.distances`), the nearest first."""


@lru_cache(maxsize=64)
def look(order: Order, lon: float, lat: float) -> Pixel:
    """Look into the pixel at a longitude and latitude. Raises rasterio's errors."""
    scene, run = order.scene, order.run
    spectrum = None if scene is None else _spectrum(scene, lon, lat)
    class_id, activations = (None, None) if run is None else _classified(run, lon, lat)
    nearest: tuple[tuple[int, float], ...] = ()
    known = signatures(scene, run) if scene and run and spectrum is not None else None
    if known is not None and spectrum is not None:
        away = known.distances(spectrum)
        sorted_ = [i for i in np.argsort(away) if np.isfinite(away[i])][:_NEAREST]
        nearest = tuple((known.ids[i], float(away[i])) for i in sorted_)
    return Pixel(lon, lat, spectrum, activations, class_id, _label(order, lon, lat), nearest)


def subject(order: Order) -> Order:
    """What of an order decides what a pixel is: the colours do not."""
    return Order(
        order.scene, run=order.run, reference=order.reference, codes=order.codes,
        calibrated=order.calibrated,
    )  # fmt: skip


def window_at(grid: GeoBox, lon: float, lat: float) -> Window | None:
    """The pixel of a grid at a longitude and latitude; None outside."""
    assert grid.crs is not None  # a scene or run without one cannot be opened
    to_grid = Transformer.from_crs("EPSG:4326", grid.crs.to_wkt(), always_xy=True)
    x, y = to_grid.transform(lon, lat)
    if not np.isfinite((x, y)).all():
        return None
    column, row = (int(np.floor(part)) for part in ~grid.affine * (x, y))
    height, width = grid.shape
    inside = 0 <= column < width and 0 <= row < height
    return Window(column, row, 1, 1) if inside else None


def _spectrum(scene: Scene, lon: float, lat: float) -> NDArray[np.float64] | None:
    window = window_at(scene.grid, lon, lat)
    if window is None:
        return None
    values, valid = scene.select(reflectance_bands(scene)).read(window)
    return values[:, 0, 0].astype(np.float64) if valid[0, 0] else None


def _classified(run: Run, lon: float, lat: float) -> tuple[int | None, NDArray[np.float64] | None]:
    window = window_at(run.grid, lon, lat)
    if window is None:
        return None, None
    with rasterio.open(run.map_path) as file:
        values, nodata = file.read(window=window)[:, 0, 0], file.nodata
    if values[0] == nodata or values[0] != values[0]:
        return None, None
    scale = ACTIVATION_SCALE if values.dtype == np.uint8 else 1.0
    return int(values[0]), values[1:].astype(np.float64) * scale


def _label(order: Order, lon: float, lat: float) -> str:
    grid = order.run.grid if order.run else order.scene.grid if order.scene else None
    window = None if grid is None else window_at(grid, lon, lat)
    if order.reference is None or grid is None or window is None:
        return ""
    known = (order.run.legend,) if order.run else ()
    try:
        labels = reference_labels(order.reference, grid, order.codes, known)
        code = int(labels.read(window)[0, 0])
    except LulcError:
        return ""
    found = labels.legend.by_id.get(code)
    return found.name if found else ""
