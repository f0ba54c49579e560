"""The region that is chosen, however it is chosen; and regions kept in the workspace."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from numpy.typing import NDArray

from dashboard.mapping import warp
from dashboard.state import BOX, NAMED, POLYGON, TYPED, State
from lulc import config
from lulc.errors import RegionError
from lulc.region import Region, regions

#: The largest file of polygons that is taken, in MB: some hundred thousand corners.
LARGEST_MB = 20


def chosen(state: State) -> Region | None:
    """The region that is chosen; None is the whole scene. Raises RegionError."""
    if state.region_mode == NAMED:
        if not state.region_name:
            raise RegionError("choose a region, or a file of polygons")
        return Region.load(state.region_name)
    if state.region_mode == BOX:
        if len(state.corners) < 3:
            raise RegionError("draw a box on the map")
        west, south, east, north = shapely.Polygon(state.corners).bounds
        return Region.box((*warp.degrees(west, south), *warp.degrees(east, north)))
    if state.region_mode == POLYGON:
        return _polygon(state.corners)
    if state.region_mode == TYPED:
        numbers = state.typed.replace(",", " ").split()
        if len(numbers) != 4:
            raise RegionError("type four numbers: west south east north")
        return Region.box(numbers, state.typed_crs)  # type: ignore[arg-type]  # it turns them
    return None


def _polygon(corners: list[tuple[float, float]]) -> Region:
    if len(corners) < 3:
        raise RegionError(f"click three corners or more on the map; there are {len(corners)}")
    outline = shapely.Polygon([warp.degrees(x, y) for x, y in corners])
    if not outline.is_valid or outline.area == 0:
        raise RegionError("draw an outline that does not cross itself: drag a corner away")
    return Region("polygon", outline, "EPSG:4326")


def take(filename: str, content: bytes) -> str:
    """Keep a file of polygons as a region of the workspace; returns its name.

    Raises RegionError for a file that holds none, has no CRS, or several layers of them.
    """
    with TemporaryDirectory() as folder:
        # Under its own name: that is what an error is about, and what the region is called.
        path = Path(folder) / (Path(filename).name or "region")
        path.write_bytes(content)
        try:
            region = Region.read(path)
        except RegionError as error:
            raise RegionError(str(error).replace(f"{folder}/", "")) from error
    return keep(region, path.stem)


def keep(region: Region, name: str) -> str:
    """Keep a region in the workspace under a name that is free; returns that name."""
    wanted = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "region"
    taken = set(regions())
    numbered = (wanted if n == 1 else f"{wanted}-{n}" for n in range(1, 1000))
    free = next(name for name in numbered if name not in taken)
    folder = config.workspace() / "regions"
    Region(free, region.outline, region.crs).save(folder)
    return free


def rings(region: Region) -> list[NDArray[np.float64]]:
    """The rings of a region in Web Mercator, each (n, 2)."""
    outline = region.to(warp.MERCATOR)
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(outline)]
