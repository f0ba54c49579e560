"""How much of a region has no data, from an overview of the scene."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc.grid import cut
from lulc.region import Region
from lulc.scene import Scene

#: Longest side of what is read, in pixels: a share of a region needs no more.
_SIDE = 512


def missing(scene: Scene, window: Window, region: Region | None) -> float:
    """The share of a region's pixels that have no data, 0..1.

    A region of up to 512 pixels a side is read as it is, and a larger one is looked up in an
    overview of the scene that is read once; of at most three bands, as many as the map shows.
    Raises SceneError for what cannot be read.
    """
    bands = tuple(dict.fromkeys(scene.bands[i] for i in (0, len(scene.bands) // 2, -1)))
    few = scene.select(bands)
    if max(window.width, window.height) <= _SIDE:
        valid, grid = few.read(window)[1], cut(scene.grid, window)
    else:
        valid, grid = _overview(few)
        step_y, step_x = (a / b for a, b in zip(scene.shape, valid.shape, strict=True))
        part = Window(
            int(window.col_off / step_x),
            int(window.row_off / step_y),
            max(1, round(window.width / step_x)),
            max(1, round(window.height / step_y)),
        )
        part = part.intersection(Window(0, 0, valid.shape[1], valid.shape[0]))
        valid, grid = valid[part.toslices()], cut(grid, part)
    whole = Window(0, 0, valid.shape[1], valid.shape[0])
    mask = region.mask(grid, whole) if region else None
    counted = valid[mask] if mask is not None else valid
    return float(1 - counted.mean()) if counted.size else 0.0


@lru_cache(maxsize=16)
def _overview(scene: Scene) -> tuple[NDArray[np.bool_], GeoBox]:
    """Where a scene is valid, bool (y, x) of at most 512 pixels a side, and its grid."""
    factor = min(1.0, _SIDE / max(scene.shape))
    shape = (max(1, round(scene.shape[0] * factor)), max(1, round(scene.shape[1] * factor)))
    return scene.read(shape=shape)[1], scene.grid.zoom_to(shape)
