"""What a worker does: compute one block of a run and write it to the run's spool."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import mapfile
from lulc.grid import cut
from lulc.inputs import read_input
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.region import Region
from lulc.scene import Scene
from lulc.tiling import Block


@dataclass(frozen=True)
class Task:
    """What it takes to compute any block of a run. It can be pickled."""

    scene: Scene
    """The scene, reduced to the bands that are read."""
    model: Model
    """The model; its network is loaded once by each worker process."""
    device: str
    """`auto`, `cpu` or `gpu:N`, resolved by the worker."""
    region: Region | None
    """The region, whose outline cuts pixels out."""
    window: Window
    """The region's pixels in the scene."""
    layout: MapFormat
    """How classes and activations are stored."""
    tile: int
    """Side of a block in pixels, a multiple of the model's stride."""
    spool: Path
    """Where blocks are written."""

    def path(self, block: Block) -> Path:
        """The file of a block."""
        return self.spool / f"{block.name}.tif"

    def place(self, block: Block) -> Window:
        """The window of a block in the map."""
        core = block.core
        return Window(
            core.col_off - self.window.col_off,
            core.row_off - self.window.row_off,
            core.width,
            core.height,
        )

    @property
    def grid(self) -> GeoBox:
        """The map's grid."""
        return cut(self.scene.grid, self.window)

    def compute(self, block: Block) -> float:
        """Compute one block and write it to the spool. Returns the seconds in the network."""
        values, valid = read_input(self.scene, self.model.card, block.readable(self.scene.shape))
        values, valid = block.pad(values), block.pad(valid)
        inside = block.crop(valid)
        mask = self.region.mask(self.scene.grid, block.core) if self.region else None
        inside = inside if mask is None else inside & mask
        begin = perf_counter()
        if inside.any():
            predict = self.model.predictor(self.device)
            bands = self.layout.encode(block.crop(predict(values, valid)), inside)
        else:
            shape = (self.layout.count, *inside.shape)
            bands = np.full(shape, self.layout.nodata, self.layout.dtype)
        seconds = perf_counter() - begin
        grid = cut(self.scene.grid, block.core)
        mapfile.write_block(self.path(block), bands, self.layout, grid)
        return seconds

    def request(self) -> dict[str, Any]:
        """What makes two runs the same run: all that the map depends on, as it is now."""
        sources = []
        for scene in (self.scene, self.scene.patch):
            for file in scene.files if scene else ():
                path = Path(file.path)
                stamp = [path.stat().st_size, path.stat().st_mtime_ns] if path.exists() else []
                sources.append([file.name, file.path, file.number, file.scale, file.offset, stamp])
        window = self.window
        outline = self.region.outline.wkb if self.region else b""
        return {
            "sources": sources,
            "weights": self.model.card.weights,
            "card": hashlib.sha256(self.model.card.to_json().encode()).hexdigest(),
            "window": [
                int(v) for v in (window.col_off, window.row_off, window.width, window.height)
            ],
            "outline": hashlib.sha256(outline).hexdigest(),
            "dtype": self.layout.dtype,
            "tile": self.tile,
        }
