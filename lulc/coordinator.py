"""The one coordinator of a run: hands its blocks to an executor, counts them, can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lulc import mapfile
from lulc.errors import RunError
from lulc.runs import SPOOL
from lulc.task import Seconds, Task

#: Called with the blocks done and the blocks of the run, those found done included.
Progress = Callable[[int, int], None]

#: Blocks handed to a cluster at once: enough for some hundreds of workers, and for a cluster
#: that grows with its queue. Here, for each thread: enough to keep it busy.
_AHEAD_ELSEWHERE, _AHEAD_A_THREAD = 1000, 2

#: Seconds between two looks at whether the run is to stop.
_LOOK_S = 0.25


class CancelledError(RunError):
    """The run was stopped on request; it can go on."""


def silent(done: int, total: int) -> None:
    """No progress."""


@dataclass(frozen=True)
class Coordinator:
    """Sees to it that every block of a run is computed once, and assembled."""

    executor: Executor | None = None
    """Computes the blocks; None for threads of this process."""
    threads: int = 2
    """How many: one more than the devices, so that reading goes on beside the network."""
    progress: Progress = silent
    """Called after every block."""
    cancelled: Callable[[], bool] = lambda: False
    """Whether the run is to stop."""

    def compute(self, task: Task) -> Seconds:
        """Have every block computed that is not in the spool. Returns seconds, all added up.

        Raises CancelledError, and what a block raises.
        """
        blocks, there = task.blocks(), task.spool.names()
        waiting = [block for block in blocks if block.name not in there]
        total = len(blocks)
        done, spent = total - len(waiting), Seconds(0, 0, 0)
        self.progress(done, total)
        todo = iter(waiting)
        ahead = _AHEAD_ELSEWHERE if self.executor else _AHEAD_A_THREAD * self.threads
        with self._pool() as pool:
            running: set[Future[Seconds]] = set()
            try:
                while True:
                    while len(running) < ahead and (block := next(todo, None)) is not None:
                        running.add(pool.submit(task.compute, block))
                    if not running:
                        return spent
                    finished, running = wait(running, _LOOK_S, return_when=FIRST_COMPLETED)
                    for future in finished:
                        spent = Seconds(*map(sum, zip(spent, future.result(), strict=True)))
                        done += 1
                        self.progress(done, total)
                    self._look(f"after {done} of {total} blocks")
            finally:
                for future in running:
                    future.cancel()

    def assemble(self, task: Task, target: Path) -> None:
        """Make the map of the finished blocks. Raises CancelledError, RunError or OSError."""
        folder = target.parent / SPOOL

        def make() -> None:
            blocks = task.blocks()
            task.spool.fetch([block.name for block in blocks], folder)
            places = [(folder / f"{block.name}.tif", task.place(block)) for block in blocks]
            mapfile.assemble(places, target, task.layout, task.grid)

        pool = ThreadPoolExecutor(1, thread_name_prefix="lulc-assemble")
        try:
            made = pool.submit(make)
            while not wait([made], _LOOK_S).done:
                self._look("while the map was assembled")
            made.result()
        finally:
            pool.shutdown(wait=False)

    def _look(self, when: str) -> None:
        if self.cancelled():
            raise CancelledError(f"cancelled {when}")

    @contextmanager
    def _pool(self) -> Iterator[Executor]:
        if self.executor is not None:
            yield self.executor
            return
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="lulc-block")
        try:
            yield pool
        finally:
            # After an error or a cancel, a block under way is not waited for.
            pool.shutdown(wait=False, cancel_futures=True)
