"""One classification, and what is kept of it on the disk so that it outlives the server."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from dashboard import catalog
from dashboard.running.process import Process
from lulc import files
from lulc.grid import grid_from_dict, grid_to_dict
from lulc.legend import Legend
from lulc.runs import SPOOL
from lulc.unfinished import Unfinished

#: States of a job that will not change any more.
ENDED = ("done", "failed", "cancelled", "stopped")

#: What reading a job raises that another version wrote, or that is half deleted.
_NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(eq=False)
class Job:
    """One classification. Only the queue's thread and `cancel` write to it."""

    out: Path
    """The run's folder."""
    arguments: tuple[str, ...]
    """What `lulc` is called with."""
    title: str
    """What people see."""
    reference: Path | None = None
    """Scored against it when it is done."""
    codes: str | None = None
    """Code system of the reference."""
    scene: str = ""
    """The scene's name."""
    grid: GeoBox | None = None
    """The map's grid, to show blocks on the map as they come."""
    legend: Legend | None = None
    """The map's classes, for the same."""
    user: str = ""
    """Who asked for it, where the server asks for names."""
    state: str = "queued"
    """queued, running, scoring, done, failed, cancelled; stopped when its server ended."""
    blocks_done: float = 0
    blocks: float = 0
    left_s: float | None = None
    """Seconds left, as the process estimates them."""
    message: str = ""
    """Why it failed, or what to know though it did not, in a sentence."""
    warnings: tuple[str, ...] = ()
    """What the process said on the way."""
    worker: Process | None = field(default=None, repr=False)
    """Its process, while there is one."""
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set to cancel."""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.out.name

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ENDED

    @property
    def share(self) -> float:
        """Share of the blocks that are finished, 0..1."""
        return self.blocks_done / self.blocks if self.blocks else 0.0

    @property
    def log(self) -> Path:
        """Everything that the process wrote."""
        return catalog.log_path(self.id)

    @property
    def resumable(self) -> bool:
        """Whether it ended before its map was finished."""
        return self.ended and self.state != "done" and not (self.out / "run.json").exists()

    def again(self) -> Job:
        """The same job once more, to wait for its turn; blocks that are finished are kept."""
        begun = Unfinished.open(self.out) is not None
        call = ("classify", "--resume", str(self.out), "--progress", "json", "--json")
        return replace(
            self, arguments=call if begun else self.arguments, state="queued", blocks_done=0,
            blocks=0, left_s=None, message="", warnings=(), worker=None, stop=threading.Event(),
        )  # fmt: skip

    def keep(self) -> None:
        """Write down what it takes to find the job again."""
        said: dict[str, Any] = {
            "arguments": list(self.arguments),
            "title": self.title,
            "out": str(self.out),
            "reference": str(self.reference) if self.reference else None,
            "codes": self.codes,
            "scene": self.scene,
            "legend": self.legend.to_dict() if self.legend else None,
            "grid": grid_to_dict(self.grid) if self.grid else None,
            "user": self.user,
            "state": self.state,
            "worker": self.worker.mark if self.worker else None,
            "server": Process.me().mark,
        }
        files.write_text(catalog.call_path(self.id), json.dumps(said, indent=1))

    @classmethod
    def kept(cls, path: Path) -> Job | None:
        """The job that a file keeps if it had not ended: at work, stopped, or None.

        None also where a server that still runs will come to it.
        """
        try:
            job, said = cls._read(path)
            worker = Process.find(said["worker"])
            if job.ended or (worker is None and Process.find(said["server"])):
                return None
        except _NOT_OURS:
            return None
        if worker is None and (job.out / "run.json").exists():
            return None
        why = "" if worker else "the server ended while it waited or ran"
        return replace(job, state="running" if worker else "stopped", message=why, worker=worker)

    @classmethod
    def called(cls, identifier: str) -> Job | None:
        """The job that once made, or began, the run of that id; None if none did from here."""
        try:
            return cls._read(catalog.call_path(identifier))[0]
        except _NOT_OURS:
            return None

    @classmethod
    def _read(cls, path: Path) -> tuple[Job, dict[str, Any]]:
        """The job in a file, and all that the file says. Raises what is in `_NOT_OURS`."""
        said = json.loads(path.read_text(encoding="utf-8"))
        job = cls(
            out=Path(said["out"]),
            arguments=tuple(said["arguments"]),
            title=said["title"],
            reference=Path(said["reference"]) if said["reference"] else None,
            codes=said["codes"],
            scene=said["scene"],
            grid=grid_from_dict(said["grid"]) if said["grid"] else None,
            legend=Legend.from_dict(said["legend"]) if said["legend"] else None,
            user=said.get("user", ""),
            state=said["state"],
        )
        return job, said

    def delete(self) -> None:
        """Remove what an unfinished job left: blocks, log, and the call itself."""
        if (self.out / SPOOL).is_dir() and not (self.out / "run.json").exists():
            Unfinished(self.out).delete()
        self.log.unlink(missing_ok=True)
        catalog.call_path(self.id).unlink(missing_ok=True)
        self.log.with_suffix(".geojson").unlink(missing_ok=True)
