"""Classifications under way: one process each, one at a time, shared by all sessions.

A job runs `lulc classify` in a process of its own, so that nothing it does holds up the
server; it writes to a log file, so that it goes on when a page, or even the server, is gone.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import lulc
from dashboard import catalog
from lulc import files
from lulc.errors import LulcError
from lulc.evaluation import evaluate

#: States of a job that will not change any more.
ENDED = ("done", "failed", "cancelled")

#: Seconds that a process gets to end by itself when it is cancelled.
_GRACE = 1.5


@dataclass
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
    state: str = "queued"
    """queued, running, scoring, done, failed or cancelled."""
    blocks_done: float = 0
    blocks: float = 0
    left_s: float | None = None
    """Seconds left, as the process estimates them."""
    message: str = ""
    """Why it failed, or what to know though it did not, in a sentence."""
    warnings: tuple[str, ...] = ()
    """What the process said on the way."""
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


class Jobs:
    """A queue with one worker."""

    def __init__(self, program: Sequence[str] = (sys.executable, "-m", "lulc")) -> None:
        self._program = tuple(program)
        self._wake = threading.Condition()
        self._jobs: list[Job] = []
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._end)

    def submit(self, job: Job) -> Job:
        """Put a job at the end of the queue."""
        with self._wake:
            if any(j.id == job.id and not j.ended for j in self._jobs):
                raise LulcError(f"the run {job.id} is being classified already")
            self._jobs = [j for j in self._jobs if j.id != job.id] + [job]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="lulc-jobs", daemon=True)
                self._thread.start()
            self._wake.notify_all()
        return job

    def list(self) -> tuple[Job, ...]:
        """All jobs since the server was started, the oldest first."""
        with self._wake:
            return tuple(self._jobs)

    def position(self, job: Job) -> int:
        """How many jobs run before this one."""
        waiting = [j for j in self.list() if not j.ended]
        return waiting.index(job) if job in waiting else 0

    def cancel(self, job: Job) -> None:
        """Stop a job within two seconds, or take it from the queue. Returns at once."""
        job.stop.set()
        with self._wake:
            if job.state == "queued":
                job.state = "cancelled"

    def dismiss(self, job: Job) -> None:
        """Take an ended job from the list."""
        with self._wake:
            self._jobs = [j for j in self._jobs if j is not job or not j.ended]

    def wait(self, job: Job, timeout: float) -> Job:
        """Wait until a job has ended; for scripts and tests."""
        end = monotonic() + timeout
        with self._wake:
            while not job.ended and monotonic() < end:
                self._wake.wait(0.2)
        return job

    def _work(self) -> None:
        while True:
            with self._wake:
                job = next((j for j in self._jobs if j.state == "queued"), None)
                if job is None:
                    self._wake.wait()
                    continue
                job.state = "running"
            try:
                state = self._classify(job)
                if state == "done" and job.reference is not None:
                    job.state = "scoring"
                    evaluate(job.out, job.reference, codes=job.codes)
            except LulcError as error:
                state, job.message = "done", f"Classified, but not scored: {error}"
            except Exception as error:  # the queue must go on whatever one job meets
                state, job.message = "failed", f"{type(error).__name__}: {error}"
            with self._wake:
                job.state = state
                self._wake.notify_all()

    def _classify(self, job: Job) -> str:
        """Run the process to its end; returns the job's last state."""
        call = catalog.call_path(job.id)
        files.write_text(call, json.dumps({"arguments": list(job.arguments), "title": job.title}))
        with job.log.open("wb") as log:
            self._process = process = subprocess.Popen(
                [*self._program, *job.arguments],
                stdout=subprocess.DEVNULL,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=_environment(),
                # Of its own group: Ctrl-C in the server's terminal is for the server.
                start_new_session=True,
            )
        with job.log.open("r", encoding="utf-8", errors="replace") as log:
            reader = _Log(job)
            while process.poll() is None:
                reader.take(log.read())
                if job.stop.wait(0.2):
                    _stop(process)
            reader.take(log.read() + "\n")
        if job.stop.is_set():
            return "cancelled"
        if process.returncode:
            job.message = reader.reason or f"the process ended with {process.returncode}"
            return "failed"
        return "done"

    def _end(self) -> None:
        """The server stops: so does the job, which leaves a run that can go on."""
        if self._process is not None and self._process.poll() is None:
            _stop(self._process)


class _Log:
    """Takes the lines of a process: progress, or words."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._rest = ""
        self.reason = ""

    def take(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                if line.startswith("{"):
                    said = json.loads(line)
                    self._job.blocks_done, self._job.blocks = (
                        float(said["done"]),
                        float(said["total"]),
                    )
                    self._job.left_s = said.get("left_s")
                    continue
            if line.strip():
                self.reason = line.strip().removeprefix("lulc: ")
                self._job.warnings = (*self._job.warnings, self.reason)[-20:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """This process's environment, in which the same lulc is found."""
    place = str(Path(lulc.__file__).resolve().parent.parent)
    paths = [place, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


#: The queue of this server.
JOBS = Jobs()
