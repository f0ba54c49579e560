"""The files of the simulated region: how each is laid out, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from lulc.indices import INDICES
from lulc.legend import Legend

PIXEL = 10.0
CRS = "EPSG:3067"
SCALE = 0.0001  # of bands.tif: reflectance = value x SCALE


@dataclass(frozen=True)
class Layer:
    """How one of the four files is laid out."""

    grid: GeoBox
    dtype: str
    nodata: int
    names: tuple[str, ...]
    title: str
    resampling: Resampling
    legend: str = ""
    """Whose ids the values are, if they are classes."""
    tag: str = ""
    """The tag that names it."""

    def create(self, path: Path, seed: int) -> rasterio.io.DatasetWriter:
        """An empty file, open for writing."""
        file = rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=self.grid.height,
            width=self.grid.width,
            count=len(self.names),
            dtype=self.dtype,
            nodata=self.nodata,
            crs=CRS,
            transform=self.grid.affine,
            tiled=True,
            blockxsize=256,
            blockysize=256,
            compress="deflate",
            zlevel=4,
            predictor=2,
            interleave="band",
            bigtiff="if_safer",
        )
        file.descriptions = self.names
        title = f"Simulated region {seed}: {self.title}"
        file.update_tags(SIMULATED="yes", TITLE=title)
        if self.dtype == "uint16":
            file.scales = [SCALE] * len(self.names)
        if self.legend:
            file.update_tags(**{self.tag: self.legend})
            file.write_colormap(1, Legend.load(self.legend).colormap())
        return file

    def finish(self, path: Path) -> None:
        """Add the overviews."""
        levels = [2**i for i in range(1, 10) if max(self.grid.shape) // 2**i >= 128]
        if levels:
            with rasterio.open(path, "r+") as file:
                file.build_overviews(levels, self.resampling)


def layers(grid: GeoBox, bands: tuple[str, ...]) -> dict[str, Layer]:
    """The four files of a region by name; corine.tif has pixels twice as wide."""
    half = (-(-grid.height // 2), -(-grid.width // 2))
    coarse = GeoBox(half, Affine(2 * PIXEL, 0, grid.affine.c, 0, -2 * PIXEL, grid.affine.f), CRS)
    mean, nearest, label = Resampling.average, Resampling.nearest, ("land cover",)
    corine = "CORINE-like land cover, Finnish level-4 codes"
    return {
        "bands": Layer(grid, "uint16", 0, bands, "Sentinel-2-like surface reflectance", mean),
        "indices": Layer(grid, "uint8", 255, INDICES, "spectral indices", mean),
        "corine": Layer(coarse, "uint8", 255, label, corine, nearest, "clc-fi", "LULC_CODES"),
        "truth": Layer(
            grid, "uint8", 255, label, "true land cover", nearest, "lulc13", "LULC_LEGEND"
        ),
    }
