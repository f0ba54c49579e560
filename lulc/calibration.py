"""How the numbers of a band become reflectance: reflectance = number * scale + offset.

The scale is never guessed from values. What is asked for counts first, then what the file
says, then the STAC item beside it, and at last what the name of a Sentinel-2 or Landsat product
tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import zip_longest
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from lulc import landsat
from lulc.errors import CalibrationError, SceneError

#: Sentinel-2 products hold reflectance in ten-thousandths (ESA, Sentinel-2 products
#: specification, PSD 14.9); since processing baseline 04.00 they hold 1000 more than that.
SCALE, OFFSET = 1e-4, -0.1

#: Baseline 04.00 is in force from this day. Products made anew since then carry its offset
#: for older dates too, and their names do not tell.
BASELINE_04_00 = "20220125"

_PRODUCT = re.compile(r"S2[A-D]_MSIL[12][AC]_(\d{8})T\d{6}", re.IGNORECASE)
_BASELINE = re.compile(r"_N(\d{4})_")

Calibration = tuple[float, float]


def calibrate(
    source: rasterio.DatasetReader,
    number: int,
    *,
    scale: float | None = None,
    offset: float | None = None,
) -> Calibration:
    """Scale and offset of band `number` of an open file, those given first.

    Raises CalibrationError where nothing tells the scale, SceneError where it is not above 0.
    """
    known: Calibration | None = None
    stored = (float(source.scales[number - 1]), float(source.offsets[number - 1]))
    dtype = source.dtypes[number - 1]
    if scale is not None:
        known = (scale, 0.0)
    elif stored != (1.0, 0.0):
        known = stored
    else:
        known = _beside(source.name, number)
        if known is None and np.issubdtype(np.dtype(dtype), np.floating) and _small(source, number):
            known = (1.0, 0.0)
        known = known or _of_product(source.name) or landsat.calibration(source.name)
    if known is None:
        raise CalibrationError(
            f"{source.name} does not say how its numbers ({dtype}) become reflectance 0..1; "
            "give --scale and --offset (Sentinel-2 L2A: --scale 0.0001, and --offset -0.1 "
            "since processing baseline 04.00; Landsat: --scale 2.75e-5, --offset -0.2)"
        )
    found = known[0], known[1] if offset is None else offset
    if not (0 < found[0] < inf and isfinite(found[1])):
        raise SceneError(
            f"expected a scale above 0 and a finite offset (reflectance = number * scale + "
            f"offset), got {found[0]:g} and {found[1]:g} for {source.name}; give other --scale and "
            "--offset"
        )
    return found


def of_asset(asset: Mapping[str, Any], properties: Mapping[str, Any]) -> list[Calibration | None]:
    """Scale and offset of each band of a STAC asset; None where the item does not tell.

    Reads STAC 1.1 (`bands`), the raster extension (`raster:bands`, or its fields on the asset
    itself) and, where there are none, the item's processing baseline.
    """
    # Earth Search removes the offset from the pixels but goes on declaring it.
    applied = bool(properties.get("earthsearch:boa_offset_applied"))
    pairs = zip_longest(asset.get("bands", ()), asset.get("raster:bands", ()))
    bands = [{**asset, **(newer or {}), **(raster or {})} for newer, raster in pairs]
    found: list[Calibration | None] = []
    for band in bands or [dict(asset)]:
        scale = band.get("raster:scale", band.get("scale"))
        offset = band.get("raster:offset", band.get("offset")) or 0.0
        known = _of_baseline(properties) if scale is None else (float(scale), float(offset))
        found.append((known[0], 0.0) if known and applied else known)
    return found


def _of_baseline(properties: Mapping[str, Any]) -> Calibration | None:
    """The calibration of a Sentinel-2 item that names its processing baseline (04.00, ...)."""
    try:
        baseline = float(properties["s2:processing_baseline"])
    except (KeyError, TypeError, ValueError):
        return None
    return SCALE, OFFSET if baseline >= 4 else 0.0


def _beside(path: str, number: int) -> Calibration | None:
    """What a STAC item beside the file says of a band, where there is one."""
    file = Path(path)
    for candidate in (file.with_suffix(".json"), *sorted(file.parent.glob("*.json"))[:8]):
        item = _item(candidate)
        for asset in item["assets"].values() if item else ():
            if item and str(asset.get("href", "")).rsplit("/", 1)[-1] == file.name:
                bands = of_asset(asset, item.get("properties") or {})
                return bands[number - 1] if number <= len(bands) else None
    return None


def _item(path: Path) -> dict[str, Any] | None:
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_item = isinstance(item, dict) and "stac_version" in item and "assets" in item
    return item if is_item else None


def _of_product(path: str) -> Calibration | None:
    """The calibration of a product from before baseline 04.00, by its name."""
    product = _PRODUCT.search(Path(path).name)
    baseline = _BASELINE.search(path)
    if product is None or product[1] >= BASELINE_04_00:
        return None
    return (SCALE, OFFSET) if baseline and int(baseline[1]) >= 400 else (SCALE, 0.0)


def _small(source: rasterio.DatasetReader, number: int) -> bool:
    """Whether a float band's middle holds reflectance: a read of at most 256 x 256 pixels."""
    side_x, side_y = min(256, source.width), min(256, source.height)
    window = Window((source.width - side_x) // 2, (source.height - side_y) // 2, side_x, side_y)
    values = source.read(number, window=window, masked=True).astype(np.float64).compressed()
    values = values[np.isfinite(values)]
    return values.size == 0 or float(np.percentile(np.abs(values), 99)) <= 2.0
