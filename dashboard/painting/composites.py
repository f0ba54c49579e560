"""Three bands as a colour image of a view, stretched alike wherever the view is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from dashboard.mapping import warp
from dashboard.mapping.warp import View
from dashboard.painting.picture import Order
from lulc.bandfiles import BandFile
from lulc.scene import Scene

#: Bands shown as red, green and blue, by the name of the composite.
COMPOSITES = {
    "True colour": ("B04", "B03", "B02"),
    "Colour infrared": ("B08", "B04", "B03"),
    "Short-wave infrared": ("B12", "B08", "B04"),
}
#: Taken in place of a band that a scene lacks: Landsat 8 has this near infrared only.
_INSTEAD = {"B08": "B8A"}

#: The alpha of what is seen, in red, green, blue and alpha as one number.
_OPAQUE = np.uint32(0xFF000000)

#: The middle of a scene is painted at least this bright, 0..1: snow or clouds in a corner would
#: else leave the land black. The brightening has an end, lest noise be seen for land.
_MIDDLE, _LEAST_GAMMA = 0.25, 0.4

TRIPLE = "Own triple"
NO_BASE = "None"


def composites(scene: Scene | None) -> dict[str, tuple[str, ...]]:
    """The composites that a scene has the bands for; its first bands if it has none of them."""
    if scene is None:
        return {}
    has = set(scene.bands)
    nearest = {
        name: tuple(band if band in has else _INSTEAD.get(band, band) for band in bands)
        for name, bands in COMPOSITES.items()
    }
    found: dict[str, tuple[str, ...]] = {name: c for name, c in nearest.items() if set(c) <= has}
    first = (scene.bands * 3)[:3] if len(scene.bands) < 3 else scene.bands[:3]
    return found or {f"Bands {', '.join(dict.fromkeys(first))}": first}


def chosen(order: Order) -> tuple[str, ...]:
    """The bands of the image that is wanted; none where there is none."""
    known = composites(order.scene)
    if order.base == TRIPLE and order.scene is not None:
        fits = len(order.triple) == 3 and set(order.triple) <= set(order.scene.bands)
        return order.triple if fits else next(iter(known.values()))
    return known.get(order.base, ())


@lru_cache(maxsize=8)
def composite(scene: Scene, bands: tuple[str, ...], view: View) -> NDArray[np.uint8]:
    """Three bands as an image (y, x, 4), stretched alike wherever the view is."""
    part = scene.select(bands)
    colors, alpha = np.zeros(view.shape, np.uint32), np.full(view.shape, _OPAQUE)
    dark = np.ones(view.shape, bool)
    known = stretch(part)
    parts = sorted(zip(part.files, known.limits, (0, 1, 2), strict=True), key=_reading)
    # Bands that lie together are read together; repr, as NaN is not equal to NaN.
    for _, group in groupby(parts, key=_reading):
        found = list(group)
        got = warp.fetch(
            found[0][0].path,
            tuple(file.number for file, _, _ in found),
            view,
            nodata=found[0][0].nodata,
            resampling=Resampling.average,
        )
        there = got.valid
        if got.raw.dtype.kind == "f":
            there &= np.isfinite(got.raw).all(axis=0)
        painted = np.zeros((*there.shape, 4), np.uint8)
        for (file, limit, place), raw in zip(found, got.raw, strict=True):
            painted[..., place] = _shown(raw, file, limit, known.gamma)
        painted[..., 3] = there * np.uint8(255)
        # Four bytes are looked up at once.
        packed = got.onto(painted.view(np.uint32)[..., 0])
        colors |= packed & ~_OPAQUE
        alpha &= packed
        if all(file.zero_may_be_nodata for file, _, _ in found):
            dark &= got.onto(np.logical_not(got.raw.any(axis=0)), True)
        else:
            dark[:] = False
    alpha[dark] = 0
    return (colors | alpha)[..., None].view(np.uint8)


def _shown(
    raw: NDArray, file: BandFile, limits: tuple[float, float], gamma: float
) -> NDArray[np.uint8]:
    """Stored numbers (y, x) as brightness 0..255 between the limits of reflectance."""
    if raw.dtype in (np.uint8, np.uint16):
        # There are fewer numbers than pixels.
        numbers = np.arange(np.iinfo(raw.dtype).max + 1, dtype=np.float32)
        return _brightness(numbers, file, limits, gamma).take(raw)
    return _brightness(raw.astype(np.float32), file, limits, gamma)


def _brightness(
    numbers: NDArray[np.float32], file: BandFile, limits: tuple[float, float], gamma: float
) -> NDArray[np.uint8]:
    low, high = limits
    factor = np.float32(file.scale / (high - low))
    shift = np.float32((file.offset - low) / (high - low))
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.clip(np.nan_to_num(numbers * factor + shift), 0, 1)
    return np.rint(255 * (values if gamma == 1 else values**gamma)).astype(np.uint8)


def _reading(part: tuple[BandFile, tuple[float, float], int]) -> tuple[str, str]:
    return part[0].path, repr(part[0].nodata)


@dataclass(frozen=True)
class Stretch:
    """How the reflectance of some bands becomes brightness."""

    limits: tuple[tuple[float, float], ...]
    """Of each band the reflectance shown black, and that shown in full: 2nd and 98th percentile."""
    gamma: float = 1.0
    """Exponent of the brightness 0..1 between them, of all bands alike; below 1 where most of
    the scene would be nearly black."""


@lru_cache(maxsize=32)
def stretch(scene: Scene) -> Stretch:
    """How a scene's bands are shown.

    Of the whole scene, from at most 512 x 512 pixels: colours mean the same in every view.
    """
    factor = min(1.0, 512 / max(scene.shape))
    shape = (max(1, int(scene.shape[0] * factor)), max(1, int(scene.shape[1] * factor)))
    values, valid = scene.read(shape=shape)
    if not valid.any():
        return Stretch(tuple((0.0, 1.0) for _ in scene.bands))
    low, middle, high = np.percentile(values[:, valid], (2, 50, 98), axis=1).astype(float)
    high = np.maximum(high, low + 1e-6)
    bright = float(np.clip((middle - low) / (high - low), 1e-6, 1).mean())
    gamma = max(_LEAST_GAMMA, np.log(_MIDDLE) / np.log(bright)) if bright < _MIDDLE else 1.0
    return Stretch(tuple(zip(low.tolist(), high.tolist(), strict=True)), float(gamma))
