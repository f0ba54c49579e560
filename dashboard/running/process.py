"""The process that works for a job: started here, or found at work by a later server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import lulc

#: Seconds that a process gets to end by itself when it is stopped: less than the two within which
#: a job is cancelled, on a machine that is busy with it. Every file of a run is whole or not there.
_GRACE = 0.7

#: How much a worker gives way to the server and to whoever sits at the machine (see nice(1)).
_NICE = 5


@dataclass
class Process:
    """A process. It belongs to no terminal: Ctrl-C in the server's is for the server."""

    pid: int
    """Its number."""
    began: str
    """When it began, as the system tells it: numbers are used again. Empty if not told."""
    process: subprocess.Popen[bytes] | None = None
    """Its handle where this server started it."""

    @classmethod
    def start(cls, command: Sequence[str], log: Path, user: str = "") -> Process:
        """Start a command that writes what it says to the end of `log`, for a user if given."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                list(command),
                stdout=subprocess.DEVNULL,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=_environment(user),
                start_new_session=True,
            )
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        # Where Linux shares the time out between sessions first, a process's own priority says
        # nothing to those of others: the session's does (sched(7), the autogroup feature).
        group = Path(f"/proc/{process.pid}/autogroup")
        with suppress(OSError):
            if group.exists():
                group.write_text(str(_NICE), encoding="ascii")
        return cls(process.pid, _began(process.pid) or "", process)

    @classmethod
    def me(cls) -> Process:
        """This process."""
        return cls(os.getpid(), _began(os.getpid()) or "")

    @classmethod
    def find(cls, mark: Any) -> Process | None:
        """The process of a mark, if it still runs."""
        if not mark:
            return None
        found = cls(int(mark[0]), str(mark[1]))
        return found if found.running else None

    @property
    def mark(self) -> list[Any]:
        """What finds it again."""
        return [self.pid, self.began]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        if self.process is not None:
            return self.process.poll() is None
        return _began(self.pid) == self.began

    @property
    def code(self) -> int | None:
        """What it ended with; None where it runs, or another server started it."""
        return None if self.process is None else self.process.poll()

    def stop(self) -> None:
        """Ask it to end, and end it when it does not within a moment."""
        for number, send in ((signal.SIGINT, os.kill), (signal.SIGKILL, os.killpg)):
            if not self.running:
                return
            with suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)  # a group of its own, with what it has started
            end = monotonic() + _GRACE
            while self.running and monotonic() < end:
                sleep(0.02)


def _began(pid: int) -> str | None:
    """When a process began, in the system's own ticks; "" where it is not told, None if gone."""
    try:
        # proc(5): after the name in brackets, the state is the 1st field, the start the 20th.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        if sys.platform == "linux":
            return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        return ""
    except OSError:
        return None
    return ""


def _environment(user: str) -> dict[str, str]:
    """This process's environment, in which the same lulc is found; a user's, if one is given."""
    place = str(Path(lulc.__file__).resolve().parent.parent)
    paths = [place, os.environ.get("PYTHONPATH", "")]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    return {**found, "LOGNAME": user} if user else found  # see getpass.getuser
