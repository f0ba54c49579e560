"""Constants, each with the environment variable that overrides it on the same line."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _bundled(name: str) -> Path:
    """The folder `name` inside an installed package, or beside it in a checkout."""
    inside = _PACKAGE / "_bundled" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


ASSETS = Path(os.environ.get("LULC_ASSETS", _bundled("assets")))
DASHBOARD = _bundled("dashboard")


def workspace() -> Path:
    """The workspace in force: read at each call, so that a test or a command can set it."""
    return Path(os.environ.get("LULC_WORKSPACE", "workspace"))


def served() -> str:
    """Where the server has the files of the runs, below its address; empty if it has not."""
    return os.environ.get("LULC_SERVED", "")


#: Memory one block of `classify` may take, in MiB: the tile size follows from it.
BLOCK_MIB = int(os.environ.get("LULC_BLOCK_MIB", "2000"))

#: GDAL's block cache in MiB. Its default, 5 % of memory, is most of the growth on large rasters.
GDAL_CACHE_MIB = int(os.environ.get("LULC_GDAL_CACHE_MIB", "64"))

#: The same in bytes, as rasterio takes it: GDAL itself would read a small number as MiB.
#: With too small a cache a decimated read of a map decodes every tile once a row.
GDAL_CACHE = GDAL_CACHE_MIB * 2**20

#: The STAC API that `fetch` asks: Earth Search, open to anyone.
STAC = os.environ.get("LULC_STAC", "https://earth-search.aws.element84.com/v1")

#: Map tiles that the dashboard can show below its map, with {Z}, {X} and {Y}, and whose they are.
BASEMAP = os.environ.get("LULC_BASEMAP", "https://tile.openstreetmap.org/{Z}/{X}/{Y}.png")
BASEMAP_ATTRIBUTION = os.environ.get("LULC_BASEMAP_ATTRIBUTION", "© OpenStreetMap contributors")

#: `off`: neither measure how TensorFlow computes fastest here nor heed what was measured.
TUNING = os.environ.get("LULC_TUNING", "auto")

#: `auto`: half precision on a large region, where the device has it and a check allows it.
PRECISION = os.environ.get("LULC_PRECISION", "auto")
