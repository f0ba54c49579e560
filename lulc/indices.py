"""Normalised difference indices, computed from reflectance and coded as a model's card asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lulc.errors import SceneError

Bands = Mapping[str, np.ndarray]


def _normalised_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b) / (a + b) in -1..1; 0 where both are 0, as for a pixel without any signal."""
    total = a + b
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(total == 0, 0, (a - b) / total)
    # Noise can make dark water's reflectance negative, and the ratio then leaves -1..1.
    return np.clip(ratio, -1, 1).astype(np.float32)


#: The index mosaics of the Finnish Environment Institute; NDBI there is the built-up index
#: less NDVI, hence -2..2. Bands are Sentinel-2 names.
FORMULAS: dict[str, tuple[tuple[str, ...], Callable[[Bands], np.ndarray]]] = {
    "NDVI": (("B08", "B04"), lambda b: _normalised_difference(b["B08"], b["B04"])),
    "NDTI": (("B11", "B12"), lambda b: _normalised_difference(b["B11"], b["B12"])),
    "NDMI": (("B08", "B11"), lambda b: _normalised_difference(b["B08"], b["B11"])),
    "NDBI": (
        ("B11", "B08", "B04"),
        lambda b: (
            _normalised_difference(b["B11"], b["B08"]) - _normalised_difference(b["B08"], b["B04"])
        ),
    ),
    "NDSI": (("B03", "B11"), lambda b: _normalised_difference(b["B03"], b["B11"])),
}

#: The order in which the index mosaics store them.
INDICES = tuple(FORMULAS)

#: How an index is stored: coded = (index + add) * times, cut to 0..255 for whole numbers.
CODINGS: dict[str, tuple[float, float]] = {
    "unit": (0.0, 1.0),  # the index itself
    "percent": (1.0, 100.0),  # (index + 1) * 100 as uint8, the Finnish mosaics
    "thousands": (0.0, 10000.0),  # index * 10000 as int16
}


def is_index(name: str) -> bool:
    """Whether a band of that name is an index and not a reflectance."""
    return name in FORMULAS


def required(names: Sequence[str]) -> tuple[str, ...]:
    """The reflectance bands that computing the named indices takes, each once."""
    return tuple(dict.fromkeys(band for name in names for band in FORMULAS[name][0]))


def code(index: np.ndarray, coding: str) -> np.ndarray:
    """Code an index as a mosaic stores it: float32, whole numbers in 0..255 for `percent`."""
    try:
        add, times = CODINGS[coding]
    except KeyError:
        raise SceneError(
            f"expected an index coding of {', '.join(CODINGS)}; got {coding!r}"
        ) from None
    coded = (index + add) * times
    if coding == "percent":
        coded = np.clip(np.floor(coded), 0, 255)
    return coded.astype(np.float32)


def coding_of(low: float, high: float) -> str:
    """The coding whose range an index that runs from `low` to `high` fits."""
    if max(abs(low), abs(high)) <= 2.5:
        return "unit"
    return "percent" if low >= 0 and high <= 255 else "thousands"


def compute(bands: Bands, names: Sequence[str] = INDICES, coding: str = "unit") -> np.ndarray:
    """Compute indices from reflectance.

    `bands` maps Sentinel-2 band names to float arrays (y, x) of reflectance 0..1. Returns
    float32 (index, y, x) in the order of `names`. Raises SceneError for an unknown index
    or an absent band.
    """
    unknown = [name for name in names if name not in FORMULAS]
    if unknown:
        raise SceneError(f"expected indices of {', '.join(INDICES)}; got {', '.join(unknown)}")
    absent = [band for band in required(names) if band not in bands]
    if absent:
        raise SceneError(
            f"the indices {', '.join(names)} are computed from {', '.join(required(names))}; "
            f"the scene lacks {', '.join(absent)}"
        )
    return np.stack([code(FORMULAS[name][1](bands), coding) for name in names])
