"""Runs that were stopped: cancelled, killed or failed. They can go on, or be deleted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lulc import config
from lulc.errors import RunError
from lulc.runs import CANCELLED, LOCK, REQUEST, SPOOL
from lulc.spool import Spool, stored_request


@dataclass(frozen=True)
class Unfinished:
    """A run whose map is not there yet."""

    path: Path
    """The folder."""

    @classmethod
    def open(cls, path_or_id: str | Path) -> Unfinished | None:
        """The unfinished run in that folder, or of that id in the workspace; None if none is."""
        path = Path(path_or_id)
        if not path.is_dir() and len(path.parts) == 1:
            path = config.workspace() / "runs" / path
        begun = (path / SPOOL / REQUEST).is_file() and not (path / "run.json").exists()
        return cls(path) if begun else None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def state(self) -> str:
        """`running`, `cancelled` or `stopped` (killed, or by an error)."""
        try:
            with FileLock(self.path / SPOOL / LOCK, timeout=0):
                cancelled = (self.path / SPOOL / CANCELLED).exists()
                return "cancelled" if cancelled else "stopped"
        except Timeout:
            return "running"

    def summary(self) -> dict[str, Any]:
        """The line of the run in a list. Blocks in an object store are not counted: null."""
        request = self._request()
        local = not request.get("spool")
        done = len(Spool(str(self.path / SPOOL)).names()) if local else None
        return {
            "id": self.id,
            "path": str(self.path),
            "state": self.state,
            "scene": request.get("scene", {}).get("name"),
            "model": Path(request.get("model", "")).name,
            "blocks_done": done,
            "blocks": request.get("blocks"),
            "resume": f"lulc classify --resume {self.path}",
        }

    def _request(self) -> dict[str, Any]:
        """What was asked for; nothing where that cannot be read: it can be deleted all the same."""
        try:
            return stored_request(self.path) or {}
        except RunError:
            return {}

    def delete(self) -> None:
        """Remove the folder and the blocks, wherever they are. Raises RunError at work.

        Blocks in an object store stay there where the run no longer tells which one.
        """
        if self.state == "running":
            raise RunError(f"the run in {self.path} is being classified: stop it first")
        place = self._request().get("spool")
        if place:
            Spool(place).clear()
        doomed = self.path.with_name(f".{self.path.name}.deleted")
        self.path.rename(doomed)
        shutil.rmtree(doomed)


def unfinished() -> list[Unfinished]:
    """The unfinished runs of the workspace, by name."""
    folder = config.workspace() / "runs"
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [Unfinished.open(path) for path in entries if not path.name.startswith(".")]
    return [run for run in found if run is not None]
