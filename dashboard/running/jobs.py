"""Classifications under way: one process each, one at a time, shared by all sessions.

A job runs `lulc classify`, and then `lulc evaluate`, in processes of their own: nothing they
do holds up the server. They write to a log file, and what finds them again is kept beside it.
A server that is ended stops its process, whose blocks are kept; one that is killed leaves it
at work, and the next server follows it to its end.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from dashboard import catalog
from dashboard.running.job import Job
from dashboard.running.process import Process
from lulc import files
from lulc.errors import LulcError


class Jobs:
    """A queue, one job at a time."""

    def __init__(self, program: Sequence[str] = (sys.executable, "-m", "lulc")) -> None:
        self._program = tuple(program)
        self._wake = threading.Condition()
        self._jobs: list[Job] = []
        self._thread: threading.Thread | None = None
        self._worker: Process | None = None
        self._restored = False
        self._listeners: tuple[Callable[[], object], ...] = ()
        atexit.register(self._end)

    def restore(self) -> None:
        """Look, once, for jobs that an earlier server left: at work, or stopped."""
        with self._wake:
            if self._restored:
                return
            self._restored = True
            paths = sorted(catalog.call_path("*").parent.glob("*.json"))
            found = [job for path in paths if (job := Job.kept(path)) is not None]
            self._jobs = [*found, *self._jobs]
            if any(not job.ended for job in found):
                self._begin()

    def listen(self, heard: Callable[[], object]) -> Callable[[], None]:
        """Have `heard` called, in any thread, when a job has changed; returns what ends that."""
        with self._wake:
            self._listeners = (*self._listeners, heard)

        def end() -> None:
            with self._wake:
                self._listeners = tuple(one for one in self._listeners if one is not heard)

        return end

    def submit(self, job: Job) -> Job:
        """Put a job at the end of the queue."""
        with self._wake:
            if any(j.id == job.id and not j.ended for j in self._jobs):
                raise LulcError(f"the run {job.id} is being classified already")
            files.write_text(job.log, "")
            job.keep()
            self._jobs = [j for j in self._jobs if j.id != job.id] + [job]
            self._begin()
        self._tell()
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
                job.keep()
        self._tell()

    def dismiss(self, job: Job) -> None:
        """Take an ended job from the list."""
        with self._wake:
            self._jobs = [j for j in self._jobs if j is not job or not j.ended]
            if job.state == "stopped" and catalog.call_path(job.id).exists():
                job.state = "cancelled"
                job.keep()
        self._tell()

    def wait(self, job: Job, timeout: float) -> Job:
        """Wait until a job has ended; for scripts and tests."""
        end = monotonic() + timeout
        with self._wake:
            while not job.ended and monotonic() < end:
                self._wake.wait(0.2)
        return job

    def _tell(self) -> None:
        for heard in self._listeners:
            heard()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="lulc-jobs", daemon=True)
            self._thread.start()
        self._wake.notify_all()

    def _next(self) -> Job | None:
        """One that is at work already, or else the first that waits."""
        waiting = [job for job in self._jobs if not job.ended]
        return next((job for job in waiting if job.worker), next(iter(waiting), None))

    def _work(self) -> None:
        while True:
            with self._wake:
                job = self._next()
                if job is None:
                    self._wake.wait()
                    continue
                job.state = "running"
            self._tell()
            try:
                state = self._run(job)
            except Exception as error:  # the queue must go on whatever one job meets
                state, job.message = "failed", f"{type(error).__name__}: {error}"
            with self._wake:
                job.state, job.worker = state, None
                with suppress(OSError):  # the workspace may be gone
                    job.keep()
                self._wake.notify_all()
            self._tell()

    def _run(self, job: Job) -> str:
        """Classify, and score what was classified; returns the job's last state."""
        reason = self._follow(job, job.arguments)
        if job.stop.is_set():
            return "cancelled"
        if reason:
            job.message = reason
            return "failed"
        if job.reference is not None:
            job.state = "scoring"
            self._tell()
            call = ["evaluate", str(job.out), "--reference", str(job.reference), "--json"]
            call += ["--codes", job.codes] if job.codes else []
            reason = self._follow(job, call)
            if reason or job.stop.is_set():
                job.message = f"Classified, but not scored: {reason or 'cancelled'}"
        return "done"

    def _follow(self, job: Job, arguments: Sequence[str]) -> str:
        """Run `lulc` to its end, or follow what runs already; returns why it failed, or ""."""
        begin = job.log.stat().st_size if job.worker is None and job.log.exists() else 0
        adopted = job.worker is not None
        worker = job.worker or Process.start([*self._program, *arguments], job.log, job.user)
        job.worker = self._worker = worker
        job.keep()
        reader = _Log(job)
        with job.log.open("r", encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            while worker.running:
                if reader.take(log.read()):
                    self._tell()
                if job.stop.wait(0.2):
                    worker.stop()
            reader.take(log.read() + "\n")
        job.worker = None
        failed = not (job.out / "run.json").is_file() if adopted else bool(worker.code)
        return (reader.reason or f"the process ended with {worker.code}") if failed else ""

    def _end(self) -> None:
        """The server stops: so does the process it started, which leaves a run that can go on."""
        if self._worker is not None and self._worker.process is not None:
            self._worker.stop()


class _Log:
    """Takes the lines of a process: progress, or words."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._rest = ""
        self.reason = ""

    def take(self, text: str) -> bool:
        """Take what was written; returns whether the job has changed."""
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
        return bool(lines)


#: The queue of this server.
JOBS = Jobs()
