"""What a worker does: compute one block of a run and write it to the run's spool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import files, mapfile, tiling
from lulc.errors import RunError
from lulc.grid import cut
from lulc.inputs import read_input
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.predictor import as_input
from lulc.region import Region
from lulc.scene import Scene
from lulc.spool import Spool
from lulc.tiling import Block


class Seconds(NamedTuple):
    """Where the time of a block went."""

    read: float
    """Reading the scene."""
    network: float
    """In the network, with waiting for it."""
    write: float
    """Encoding, compressing and writing."""


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
    spool: Spool
    """Where blocks are written."""
    stamps: Mapping[str, list[int]]
    """Size in bytes and time of change in nanoseconds of the scene's local files, by path."""

    @property
    def grid(self) -> GeoBox:
        """The map's grid."""
        return cut(self.scene.grid, self.window)

    def blocks(self) -> list[Block]:
        """The blocks of the run, row by row."""
        card = self.model.card
        return tiling.blocks(
            self.scene.shape, self.window, tile=self.tile, halo=card.halo, stride=card.stride
        )

    def place(self, block: Block) -> Window:
        """The window of a block in the map."""
        core = block.core
        return Window(
            core.col_off - self.window.col_off,
            core.row_off - self.window.row_off,
            core.width,
            core.height,
        )

    def compute(self, block: Block) -> Seconds:
        """Compute one block and write it to the spool.

        Raises RunError when the scene's files are not those the run began with, or when the
        memory does not suffice.
        """
        begin = perf_counter()
        try:
            values, valid = read_input(
                self.scene, self.model.card, block.readable(self.scene.shape)
            )
            # After reading: what was read before a change counts, what may be mixed does not.
            self.check_unchanged()
            values, valid = block.pad(values), block.pad(valid)
            inside = block.crop(valid)
            mask = self.region.mask(self.scene.grid, block.core) if self.region else None
            inside = inside if mask is None else inside & mask
            read = network = perf_counter()
            if inside.any():
                image = as_input(self.model.card, values, valid)
                del values  # not held while waiting for the network
                activations = self.model.predictor(self.device).activations(image, block.inner)
                del image
                network = perf_counter()
                bands = self.layout.encode(activations, inside)
                del activations
            else:
                shape = (self.layout.count, *inside.shape)
                bands = np.full(shape, self.layout.nodata, self.layout.dtype)
            grid = cut(self.scene.grid, block.core)
            self.spool.write(block.name, mapfile.encoded(bands, self.layout, grid))
        except Exception as error:
            if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
                raise RunError(
                    f"out of memory on a block of {self.tile} pixels a side: free some memory and "
                    "give the command again (finished blocks are kept), or begin a new run with "
                    "a smaller --tile"
                ) from error
            raise
        return Seconds(read - begin, network - read, perf_counter() - network)

    def check_unchanged(self) -> None:
        """Raise RunError when a file of the scene is not as it was when the run began."""
        for path, stamp in self.stamps.items():
            if files.stamp(path) != stamp:
                raise RunError(
                    f"{path} changed while {self.scene.name} was classified: put it back as it "
                    "was (with its time of change) and give the command again, or delete the run"
                )
