"""Landsat's bands by the names of those of Sentinel-2 that lie where they do in the spectrum.

B5 is near infrared on Landsat 8 and 9, short-wave infrared on those before, and the red edge on
Sentinel-2: the number alone would make a wrong map without a word. Wavelengths are those of
USGS, "What are the band designations for the Landsat satellites?"; collection 2's scale that of its
Level-2 science products.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

#: Bands of the Operational Land Imager of Landsat 8 and 9, without pan and thermal ones.
OLI = {1: "B01", 2: "B02", 3: "B03", 4: "B04", 5: "B8A", 6: "B11", 7: "B12", 9: "B10"}

#: Bands of the Thematic Mapper of Landsat 4 and 5 and of its successor on 7.
TM = {1: "B02", 2: "B03", 3: "B04", 4: "B08", 5: "B11", 7: "B12"}

#: Reflectance of collection 2, level 2, is number * scale + offset.
CALIBRATION = 2.75e-5, -0.2

#: Products by their names: sensor, satellite, level, path and row, days, collection; and NASA's
#: harmonised ones of Landsat 8 and 9.
_PRODUCT = re.compile(r"L[COTE](0[4-9])_(L\w{3})_\d{6}_\d{8}_\d{8}_(\d{2})_", re.IGNORECASE)
_HARMONISED = re.compile(r"HLS\.L30\.", re.IGNORECASE)

#: Surface reflectance, by the name that a band has in catalogues and exports.
_SURFACE = re.compile(r"SR_B(\d)", re.IGNORECASE)


def numbering(path: str, descriptions: Sequence[str | None]) -> Mapping[int, str] | None:
    """What the numbers of a file's bands mean where they are Landsat's, else None.

    Where they are and nothing tells which Landsat's, none means anything.
    """
    product = _PRODUCT.search(path)
    if product:
        return OLI if product[1] in ("08", "09") else TM
    if _HARMONISED.search(path):
        return OLI
    found = [_SURFACE.fullmatch(text.strip()) for text in descriptions if text]
    numbers = {int(match[1]) for match in found if match}
    if not numbers:
        return None
    # The older ones have their thermal band there, which is no surface reflectance.
    return OLI if 6 in numbers else TM if numbers == TM.keys() else {}


def calibration(path: str) -> tuple[float, float] | None:
    """Scale and offset of a product's surface reflectance by its name; None for others."""
    product = _PRODUCT.search(path)
    level_2 = product and product[2].upper() in ("L2SP", "L2SR") and product[3] == "02"
    return CALIBRATION if level_2 else None
