"""Finished blocks of a run that goes on, on the map as they come."""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import rasterio
from bokeh.models import ColumnDataSource, LinearColorMapper
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from dashboard.mapping import warp
from dashboard.mapping.canvas import Canvas
from dashboard.mapping.positions import positions
from dashboard.mapping.warp import View
from dashboard.running.job import Job
from dashboard.running.jobs import JOBS
from dashboard.state import State
from lulc.legend import Legend
from lulc.runs import SPOOL

#: Longest side of what is kept of a run's blocks, in pixels: as many as a large map shows.
_SIDE = 1200

#: Milliseconds between two looks at the spool.
_PERIOD = 1500

_NOTHING: dict[str, list[Any]] = {"image": [], "x": [], "y": [], "dw": [], "dh": []}


class Mosaic:
    """The classes of the blocks that are finished, decimated; each block is read once."""

    def __init__(self, out: Path, grid: GeoBox, legend: Legend) -> None:
        self.out, self.legend = out, legend
        step = max(1, math.ceil(max(grid.shape) / _SIDE))
        self.grid = grid.zoom_out(step)
        self.places = np.zeros(self.grid.shape, np.uint8)
        """(y, x): the place of the class in the legend, counted from 1; 0 is none yet."""
        self.seen: set[str] = set()
        self._lock = threading.Lock()

    def look(self) -> int:
        """Read the blocks that are new; returns how many there are by now."""
        with self._lock:
            for path in sorted((self.out / SPOOL).glob("[0-9]*-[0-9]*.tif")):
                # One that is gone by now was assembled into the map.
                with suppress(RasterioError, OSError):
                    if path.name not in self.seen:
                        self._read(path)
                        self.seen.add(path.name)
            return len(self.seen)

    def _read(self, path: Path) -> None:
        with rasterio.open(path) as file:
            left, top = ~self.grid.affine @ (file.transform.c, file.transform.f)
            across, down = file.transform.a / self.grid.affine.a, file.transform.e
            right, bottom = (
                left + file.width * across,
                top + file.height * (down / self.grid.affine.e),
            )
            x0, y0, x1, y1 = (round(v) for v in (left, top, right, bottom))
            if x1 <= x0 or y1 <= y0:
                return
            classes = file.read(1, out_shape=(y1 - y0, x1 - x0))
        table = np.zeros(256, np.uint8)
        table[list(self.legend.ids)] = np.arange(1, len(self.legend.ids) + 1)
        # A float map has NaN where it has nothing: 255 here, as in a map of bytes.
        found = table[np.nan_to_num(classes, nan=255).astype(np.uint8)]
        part = self.places[max(0, y0) : y1, max(0, x0) : x1]
        part[...] = found[: part.shape[0], : part.shape[1]]

    def on(self, view: View) -> tuple[NDArray[np.uint8], View] | None:
        """The part of a view that the run covers, (y, x) as in `places`; None where none."""
        bounds = warp.mercator_bounds(self.grid)
        west, south = max(view.west, bounds[0]), max(view.south, bounds[1])
        east, north = min(view.east, bounds[2]), min(view.north, bounds[3])
        if west >= east or south >= north:
            return None
        pixel = (view.east - view.west) / view.width
        size = (math.ceil((east - west) / pixel), math.ceil((north - south) / pixel))
        part = replace(
            view, west=west, south=south, east=east, north=north, width=size[0], height=size[1]
        )
        columns, rows = positions(part.grid, self.grid)
        height, width = self.places.shape
        there = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        x, y = np.where(there, columns, 0).astype(int), np.where(there, rows, 0).astype(int)
        return np.where(there, self.places[y, x], 0).astype(np.uint8), part


class BlockLayer:
    """Shows the blocks of the job that runs on the scene in view."""

    def __init__(self, state: State, canvas: Canvas) -> None:
        self.state, self.canvas = state, canvas
        self._source = ColumnDataSource(_NOTHING)
        self._colors = LinearColorMapper(
            palette=["#000000"], low=0.5, high=1.5, low_color=(0, 0, 0, 0)
        )
        self._shown: Any = None
        self._busy = False
        canvas.figure.image(
            "image", "x", "y", "dw", "dh", source=self._source, color_mapper=self._colors,
            name="blocks",
        )  # fmt: skip

    def watch(self) -> None:
        """Look for blocks from now on; for a page that is served."""
        pn.state.add_periodic_callback(self.update, period=_PERIOD)  # type: ignore[arg-type]

    async def update(self) -> None:
        """Show what is finished by now."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._look(running(self.state.scene))
        finally:
            self._busy = False

    async def _look(self, job: Job | None) -> None:
        found, wanted = None, None
        if job is not None:
            kept = mosaic(job.out, job.grid, job.legend)
            view = self.canvas.view
            wanted = (job.id, await asyncio.to_thread(kept.look), view)
            if wanted == self._shown:
                return
            found = await asyncio.to_thread(kept.on, view)
        if wanted != self._shown:
            self._shown = wanted
            legend = job.legend if job else None
            pn.state.execute(partial(self._show, found, legend), schedule=True)

    def _show(self, found: tuple[NDArray[np.uint8], View] | None, legend: Legend | None) -> None:
        if found is None or legend is None:
            self._source.data = _NOTHING
            return
        colors = [c.color for c in legend.classes]
        self._colors.update(palette=colors, high=len(colors) + 0.5)
        places, view = found
        self._source.data = {
            "image": [places[::-1]],  # Bokeh's first row is the lowest
            "x": [view.west],
            "y": [view.south],
            "dw": [view.east - view.west],
            "dh": [view.north - view.south],
        }


def running(scene: str) -> Job | None:
    """The job that computes blocks of a scene at this moment."""
    jobs = (job for job in JOBS.list() if job.scene == scene and job.state == "running")
    return next((job for job in jobs if job.grid and job.legend), None)


@lru_cache(maxsize=4)
def mosaic(out: Path, grid: GeoBox, legend: Legend) -> Mosaic:
    """The mosaic of a run, one for all sessions."""
    return Mosaic(out, grid, legend)
