"""What a run was asked for, as JSON in its spool: to know it again, and to go on with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import shapely
from rasterio.windows import Window

from lulc import files
from lulc.bandfiles import BandFile, open_raster
from lulc.device import precision_of
from lulc.grid import grid_from_dict, grid_to_dict
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.region import Region
from lulc.scene import Scene
from lulc.spool import Spool
from lulc.task import Task


def request_of(task: Task) -> dict[str, Any]:
    """All that a run's map depends on, and where it is computed."""
    window, region, card = task.window, task.region, task.model.card
    return {
        "scene": _scene_dict(task.scene),
        "stamps": dict(task.stamps),
        "model": str(task.model.path.resolve()),
        "weights": card.weights,
        "card": hashlib.sha256(card.to_json().encode()).hexdigest(),
        "region": region
        and {"name": region.name, "crs": region.crs, "outline": region.outline.wkb_hex},
        "window": [int(v) for v in (window.col_off, window.row_off, window.width, window.height)],
        "dtype": task.layout.dtype,
        "tile": task.tile,
        "blocks": len(task.blocks()),
        "spool": task.spool.place if task.spool.is_remote else None,
        "device": task.device,
        "precision": precision_of(task.device),
    }


def task_of(request: Mapping[str, Any], folder: Path) -> Task:
    """The task of a request, whose local spool is `folder`, with the files as they are now.

    Raises LulcError for a model or files that are no longer there.
    """
    region = request["region"]
    scene, model = _scene(request["scene"]), Model.load(Path(request["model"]))
    return Task(
        scene=scene,
        model=model,
        device=request["device"],
        region=region
        and Region(region["name"], shapely.from_wkb(region["outline"]), region["crs"]),
        window=Window(*request["window"]),
        layout=MapFormat(model.card.legend, request["dtype"]),
        tile=request["tile"],
        spool=Spool(request["spool"] or str(folder)),
        stamps=stamps(scene),
    )


def stamps(scene: Scene) -> dict[str, list[int]]:
    """Size and time of change of the local files that a scene is read from, by path.

    With the sources of a virtual raster; without sidecars, which viewers write at any time.
    """
    names: set[str] = set()
    for path in {file.path for part in (scene, scene.patch) if part for file in part.files}:
        with open_raster(path) as source:
            names.update(name for name in source.files if not name.endswith((".aux.xml", ".ovr")))
    return {name: stamp for name in sorted(names) if (stamp := files.stamp(name))}


def absolute(scene: Scene) -> Scene:
    """The scene with its local files' paths in full, for whoever works in another folder."""

    def in_full(file: BandFile) -> BandFile:
        path = Path(file.path)
        return replace(file, path=str(path.absolute())) if path.exists() else file

    patch = absolute(scene.patch) if scene.patch else None
    return replace(scene, files=tuple(in_full(file) for file in scene.files), patch=patch)


def _scene_dict(scene: Scene) -> dict[str, Any]:
    return {
        "name": scene.name,
        "grid": grid_to_dict(scene.grid),
        "files": [{**vars(file), "grid": grid_to_dict(file.grid)} for file in scene.files],
        "patch": _scene_dict(scene.patch) if scene.patch else None,
    }


def _scene(data: Mapping[str, Any]) -> Scene:
    bands = [BandFile(**{**file, "grid": grid_from_dict(file["grid"])}) for file in data["files"]]
    patch = _scene(data["patch"]) if data["patch"] else None
    return Scene(data["name"], tuple(bands), grid_from_dict(data["grid"]), patch)
