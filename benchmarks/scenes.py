"""Scenes of any size for measurements: a simulated region, repeated, written in flat memory."""

from __future__ import annotations

from pathlib import Path

import rasterio
from rasterio.windows import Window

from lulc import config, sample

#: Side of the simulated region that is repeated.
PATCH = 1024


def repeated(folder: Path, width: int, height: int) -> list[Path]:
    """bands.tif, indices.tif and truth.tif of that size in `folder`; gives their paths."""
    sample.write(folder / "patch", size=PATCH)
    made = []
    for name in ("bands", "indices", "truth"):
        with rasterio.open(folder / "patch" / f"{name}.tif") as source:
            patch, tags, names = source.read(), source.tags(), source.descriptions
            scales, profile = source.scales, source.profile
        profile |= {"width": width, "height": height, "BIGTIFF": "IF_SAFER"}
        path = folder / f"{name}.tif"
        with (
            rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE),
            rasterio.open(path, "w", **profile) as target,
        ):
            target.update_tags(**tags)
            target.descriptions, target.scales = names, scales
            for row in range(0, height, PATCH):
                for column in range(0, width, PATCH):
                    rows, columns = min(PATCH, height - row), min(PATCH, width - column)
                    window = Window(column, row, columns, rows)
                    target.write(patch[:, :rows, :columns], window=window)
        made.append(path)
    return made
