"""Three bands as a colour image of a view, stretched alike wherever the view is."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from dashboard import warp
from dashboard.warp import View
from lulc.bandfiles import BandFile
from lulc.scene import Scene

#: Bands shown as red, green and blue, by the name of the composite.
COMPOSITES = {
    "True colour": ("B04", "B03", "B02"),
    "Colour infrared": ("B08", "B04", "B03"),
    "Short-wave infrared": ("B12", "B08", "B04"),
}
NO_BASE = "None"


def composites(scene: Scene | None) -> dict[str, tuple[str, ...]]:
    """The composites that a scene has the bands for; its first bands if it has none of them."""
    if scene is None:
        return {}
    found: dict[str, tuple[str, ...]] = {
        name: c for name, c in COMPOSITES.items() if set(c) <= set(scene.bands)
    }
    first = (scene.bands * 3)[:3] if len(scene.bands) < 3 else scene.bands[:3]
    return found or {f"Bands {', '.join(dict.fromkeys(first))}": first}


@lru_cache(maxsize=8)
def composite(scene: Scene, bands: tuple[str, ...], view: View) -> NDArray[np.uint8]:
    """Three bands as an image (y, x, 4), stretched alike wherever the view is."""
    chosen = scene.select(bands)
    limits = stretch(chosen)
    image = np.zeros((*view.shape, 4), np.uint8)
    valid = np.ones(view.shape, bool)
    dark = np.ones(view.shape, bool)
    for number, (file, (low, high)) in enumerate(zip(chosen.files, limits, strict=True)):
        raw, there = _band(file, view)
        valid &= there
        dark &= (raw == 0) if file.zero_may_be_nodata else False
        values = raw.astype(np.float32) * np.float32(file.scale) + np.float32(file.offset)
        image[..., number] = np.clip((values - low) * (255 / (high - low)), 0, 255)
    image[..., 3] = (valid & ~dark) * np.uint8(255)
    return image


def _band(file: BandFile, view: View) -> tuple[NDArray, NDArray[np.bool_]]:
    values, there = warp.read(
        file.path, (file.number,), view, nodata=file.nodata, resampling=Resampling.average
    )
    there = there & np.isfinite(values[0])
    return np.where(there, values[0], 0), there


@lru_cache(maxsize=32)
def stretch(scene: Scene) -> tuple[tuple[float, float], ...]:
    """Lowest and highest reflectance shown of each band: 2nd and 98th percentile.

    Of the whole scene, from at most 512 x 512 pixels: colours mean the same in every view.
    """
    side = max(scene.shape)
    factor = min(1.0, 512 / side)
    shape = (max(1, int(scene.shape[0] * factor)), max(1, int(scene.shape[1] * factor)))
    values, valid = scene.read(shape=shape)
    if not valid.any():
        return tuple((0.0, 1.0) for _ in scene.bands)
    low, high = np.percentile(values[:, valid], (2, 98), axis=1)
    return tuple((float(a), float(max(b, a + 1e-6))) for a, b in zip(low, high, strict=True))
