"""What lies in the workspace: scenes, references, regions, models and runs.

Everything here is read anew when asked for, so that a file put into the workspace appears
at the next look. One broken file must not hide the others: it is listed with its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import pyogrio
from pyogrio.errors import DataSourceError
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError
from shapely import Polygon, box

from lulc import config, region
from lulc.bandfiles import RASTER_SUFFIXES, open_raster
from lulc.card import ModelCard
from lulc.errors import CalibrationError, LulcError, SceneError
from lulc.grid import grid_of
from lulc.model import Model, models
from lulc.region import Region
from lulc.runs import Run
from lulc.scene import Scene

#: What a reference may be: a raster, or polygons with a code.
REFERENCE_SUFFIXES = (*RASTER_SUFFIXES, ".gpkg", ".shp", ".geojson")


@dataclass(frozen=True)
class Reading:
    """How to read a scene whose files do not say it themselves; empty where they do."""

    bands: str = ""
    """Names of the bands in the order of the files, with commas between."""
    scale: float | None = None
    """reflectance = number * scale + offset"""
    offset: float | None = None
    """reflectance = number * scale + offset"""

    def arguments(self) -> list[str]:
        """As options of `lulc classify`."""
        made = ["--bands", self.bands] if self.bands else []
        made += ["--scale", repr(self.scale)] if self.scale is not None else []
        return made + (["--offset", repr(self.offset)] if self.offset is not None else [])


def scenes() -> dict[str, list[Path]]:
    """The rasters of every scene by its name: a raster in `scenes/`, or a folder of them."""
    found = {}
    for entry in _entries("scenes"):
        if entry.is_dir():
            rasters = [p for p in sorted(entry.iterdir()) if p.suffix.lower() in RASTER_SUFFIXES]
            if rasters:
                found[entry.name] = rasters
        elif entry.suffix.lower() in RASTER_SUFFIXES:
            found[entry.stem] = [entry]
    return found


def open_scene(name: str, reading: Reading = Reading()) -> Scene:
    """The scene of that name. Raises SceneError."""
    return _opened(name, completed(name, reading))


def seen_scene(name: str, reading: Reading = Reading()) -> tuple[Scene, CalibrationError | None]:
    """The scene for the eye, and why its numbers are no reflectance: where nothing tells their
    scale, they are left as they are stored. Raises SceneError."""
    try:
        return open_scene(name, reading), None
    except CalibrationError as error:
        return _opened(name, replace(reading, scale=1.0, offset=0.0)), error


def completed(name: str, reading: Reading) -> Reading:
    """How a scene is read: where neither its files nor the reading say the scale, as for the
    newest run of it."""
    try:
        _opened(name, reading)
    except SceneError:
        known = None if reading.scale is not None else _calibration(name)
        return replace(reading, scale=known[0], offset=known[1]) if known else reading
    return reading


def _calibration(scene: str) -> tuple[float, float] | None:
    """Scale and offset that the newest run of a scene had for all of its bands."""
    run = next((run for run in runs() if run.scene == scene), None)
    bands = run.properties["lulc:scene"].get("bands", []) if run else []
    known = {(float(band["scale"]), float(band["offset"])) for band in bands}
    return known.pop() if len(known) == 1 else None


def _opened(name: str, reading: Reading) -> Scene:
    paths = tuple(scenes().get(name, ()))
    stamps = tuple(path.stat().st_mtime_ns for path in paths)
    return _open_scene(name, paths, stamps, reading)


@lru_cache(maxsize=16)
def _open_scene(
    name: str,
    paths: Sequence[Path],
    stamps: Sequence[int],  # noqa: ARG001 (a changed file is another key)
    reading: Reading,
) -> Scene:
    bands = [b.strip() for b in reading.bands.split(",") if b.strip()]
    return Scene.open(
        paths, bands=bands or None, scale=reading.scale, offset=reading.offset, name=name
    )


def footprints() -> dict[str, Polygon]:
    """The outline of every scene in Web Mercator; one that cannot be opened is passed over."""
    found = {}
    for name, paths in scenes().items():
        with suppress(RasterioError, LulcError, OSError):
            found[name] = _footprint(paths[0], paths[0].stat().st_mtime_ns)
    return found


@lru_cache(maxsize=256)
def _footprint(path: Path, stamp: int) -> Polygon:  # noqa: ARG001 (a changed file is another key)
    """From the header of one file: a scene need not be calibrated to lie somewhere."""
    with open_raster(str(path)) as file:
        grid = grid_of(file)
    if grid.crs is None:
        raise SceneError(f"{path} has no coordinate reference system")
    return Region(path.stem, grid.extent.geom, str(grid.crs)).to("EPSG:3857")


def references() -> dict[str, Path]:
    """The files in `references/` by their name."""
    return {
        entry.stem: entry
        for entry in _entries("references")
        if entry.is_file() and entry.suffix.lower() in REFERENCE_SUFFIXES
    }


def reference_for(scene: str, wanted: str = "") -> str:
    """The reference that is wanted if it meets the scene, else the first that does; or none."""
    place = footprints().get(scene)
    known = references()
    ordered = [name for name in (wanted, *known) if name in known]
    return next((name for name in ordered if place and _meets(known[name], place)), "")


def _meets(reference: Path, place: Polygon) -> bool:
    """Whether a reference's box meets a place in Web Mercator."""
    try:
        found = _extent(reference, reference.stat().st_mtime_ns)
    except (RasterioError, LulcError, OSError, DataSourceError, CRSError):
        return False
    return bool(found.intersects(place))


@lru_cache(maxsize=256)
def _extent(path: Path, stamp: int) -> Polygon:
    if path.suffix.lower() in RASTER_SUFFIXES:
        return _footprint(path, stamp)
    about = pyogrio.read_info(path, force_total_bounds=True)
    return Region(path.stem, box(*about["total_bounds"]), about["crs"]).to("EPSG:3857")


def regions() -> list[str]:
    """Names of the regions in the workspace and of those bundled."""
    return region.regions()


def cards() -> dict[str, ModelCard | str]:
    """The card of every model by its name, or in one sentence why it cannot be used."""
    return {name: _card(name) for name in models()}


def _card(name: str) -> ModelCard | str:
    try:
        return Model.load(name).card
    except LulcError as error:
        return str(error)


def runs() -> list[Run]:
    """The finished runs, the newest first; a folder that holds none is passed over."""
    found = []
    for entry in _entries("runs"):
        if (entry / "run.json").is_file():
            try:
                found.append(Run.open(entry))
            except LulcError:
                continue
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def find_run(identifier: str) -> Run | None:
    """The run of that id, or None."""
    return next((run for run in runs() if run.id == identifier), None)


def broken() -> dict[str, str]:
    """Folders with a `run.json` that cannot be opened, and why."""
    found = {}
    for entry in _entries("runs"):
        if (entry / "run.json").is_file():
            try:
                Run.open(entry)
            except LulcError as error:
                found[entry.name] = str(error)
    return found


def call_path(identifier: str) -> Path:
    """Where the call that makes a run is kept, so that a stopped one can go on."""
    return config.workspace() / "logs" / f"{identifier}.json"


def log_path(identifier: str) -> Path:
    """Where the log of a run's classification is kept."""
    return config.workspace() / "logs" / f"{identifier}.log"


def _entries(folder: str) -> list[Path]:
    place = config.workspace() / folder
    if not place.is_dir():
        return []
    return sorted(entry for entry in place.iterdir() if not entry.name.startswith("."))
