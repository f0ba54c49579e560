"""What a classification leaves on disk: a folder with `run.json`, `map.tif` and its scores.

`run.json` is a STAC Item: https://github.com/radiantearth/stac-spec, with the projection,
raster, classification, mlm and file extensions. What is lulc's own begins with `lulc:`.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from lulc import config
from lulc.errors import RunError
from lulc.legend import Legend
from lulc.reference import LabelMap

logger = logging.getLogger(__name__)

#: Folder inside a run that holds its blocks until the map is assembled.
SPOOL = "spool"

#: Files in it: what is classified, who is at it, and that it was stopped on request.
REQUEST, LOCK, CANCELLED = "request.json", "lock", "cancelled"


@dataclass(frozen=True)
class Run:
    """A finished run. Open one with `Run.open`."""

    path: Path
    """The folder."""
    item: Mapping[str, Any] = field(hash=False)
    """The content of `run.json`."""

    @classmethod
    def open(cls, path_or_id: str | Path) -> Run:
        """The run in that folder, or of that id in the workspace. Raises RunError."""
        path = Path(path_or_id)
        if not path.is_dir() and len(path.parts) == 1:
            path = config.workspace() / "runs" / path
        if not path.is_dir():
            known = ", ".join(run.id for run in runs()) or "none yet"
            raise RunError(f"expected a run's folder or one of {known}; got {path_or_id}")
        if not (path / "run.json").is_file():
            if (path / SPOOL).is_dir():
                raise RunError(
                    f"the run in {path} is not finished: lulc classify --resume {path} goes on "
                    f"with it, lulc runs delete {path.name} removes it"
                )
            raise RunError(f"expected a run in {path}; there is no run.json")
        try:
            item = json.loads((path / "run.json").read_text(encoding="utf-8"))
            run = cls(path, item)
            if not run.map_path.is_file():
                raise RunError(f"the run in {path} has lost its map.tif: classify again")
            _ = run.legend, run.id
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path / 'run.json'} is not a run of lulc: {error}") from error
        return run

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self.item["id"])

    @property
    def properties(self) -> Mapping[str, Any]:
        """The properties of the STAC Item."""
        return self.item["properties"]

    @property
    def map_path(self) -> Path:
        """The classes and activations."""
        return self.path / "map.tif"

    @property
    def legend(self) -> Legend:
        """The classes, in the order of the activation bands."""
        return Legend.from_dict(self.properties["lulc:legend"])

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.properties["mlm:name"])

    @property
    def scene(self) -> str:
        """The scene's name."""
        return str(self.properties["lulc:scene"]["name"])

    @property
    def simulated(self) -> bool:
        """Whether the scene was simulated."""
        return bool(self.properties["lulc:simulated"])

    @property
    def created(self) -> datetime:
        """When it was finished."""
        return datetime.fromisoformat(self.properties["created"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the scene's check against the model's card found."""
        return tuple(self.properties.get("lulc:warnings", ()))

    @property
    def grid(self) -> GeoBox:
        """The map's grid."""
        return self.labels().grid

    def labels(self) -> LabelMap:
        """The class map."""
        return LabelMap.open(self.map_path, legend=self.legend, band=1)

    def evaluations(self) -> dict[str, Any]:
        """The stored evaluations by level, as in their files."""
        found = {}
        for path in sorted(self.path.glob("evaluation*.json")):
            data = json.loads(path.read_text(encoding="utf-8"))
            found[str(data["level"])] = data
        return found

    def summary(self) -> dict[str, Any]:
        """The line of the run in a list."""
        return {
            "id": self.id,
            "path": str(self.path),
            "scene": self.scene,
            "model": self.model,
            "created": self.properties["created"],
            "width": int(self.grid.shape.x),
            "height": int(self.grid.shape.y),
            "simulated": self.simulated,
            "macro_f1": self.evaluations().get("class", {}).get("macro_f1"),
        }


def runs() -> list[Run]:
    """The finished runs of the workspace, the newest first. A broken one is logged and left out."""
    folder = config.workspace() / "runs"
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if (path / "run.json").is_file():
            try:
                found.append(Run.open(path))
            except RunError as error:
                logger.warning("%s", error)
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def new_folder(scene: str, model: str) -> Path:
    """A folder in the workspace that does not exist yet: when, what, with what."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{stamp}-{scene}-{model}"
    folder = config.workspace() / "runs"
    candidates = (folder / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000))
    return next(path for path in candidates if not path.exists())


def delete(run: Run) -> None:
    """Remove a run's folder. It leaves the list at once, whatever happens to the files."""
    doomed = run.path.with_name(f".{run.path.name}.deleted")
    run.path.rename(doomed)
    shutil.rmtree(doomed)


def export(run: Run, target: Path) -> Path:
    """Copy a run's folder somewhere else, whole or not at all. Raises RunError."""
    if target.exists():
        raise RunError(f"{target} exists; choose another folder to export to")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(run.path, partial, ignore=shutil.ignore_patterns(SPOOL))
    partial.rename(target)
    return target
