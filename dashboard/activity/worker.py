"""The network at hand: one process beside the server's that keeps it loaded between questions.

TensorFlow's import alone would hold up every session for seconds, so the server never loads
it. The process starts with the first question and ends with the server, however that ends.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any, TypeVar

from rasterio.windows import Window

from lulc import features
from lulc.errors import LulcError
from lulc.features import FeatureMaps, Occlusion, Patch
from lulc.model import Model
from lulc.scene import Scene

T = TypeVar("T")

#: How much the process gives way to the server and to classifications.
_NICE = 5


class Worker:
    """Answers one question after the other in a process of its own."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    @property
    def warm(self) -> bool:
        """Whether the process has been started: the first answer takes seconds longer."""
        return self._pool is not None

    async def ask(self, question: Callable[..., T], *arguments: Any) -> T:
        """The answer of a function of a module, called in the process.

        Raises what it raises, and LulcError when the process ended before it answered. Who
        is cancelled while waiting takes the question back if nothing was done about it yet.
        """
        pool = self._started()
        try:
            return await asyncio.wrap_future(pool.submit(question, *arguments))
        except BrokenProcessPool:
            with self._lock:
                self._pool = None if self._pool is pool else self._pool
            raise LulcError(
                "the process with the network ended, perhaps for want of memory: try again, or "
                "zoom in first"
            ) from None

    def close(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                spawn = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin)
            return self._pool


def _begin() -> None:
    """In the process: stand back, and end when the server has ended without a word."""
    os.nice(_NICE)
    threading.Thread(target=_follow_server, name="lulc-follow", daemon=True).start()


def _follow_server() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)


# Questions. Scene, model and window are small and can be sent; the rest is read there.


def feature_maps(
    scene: Scene, model: Model, window: Window, layer: str, device: str
) -> FeatureMaps:
    """See `lulc.features.feature_maps`."""
    return features.feature_maps(model, _patch(scene, model, window), layer, device=device)


def occlusion(scene: Scene, model: Model, window: Window, device: str) -> Occlusion:
    """See `lulc.features.occlusion`."""
    return features.occlusion(model, _patch(scene, model, window), device=device)


@lru_cache(maxsize=2)
def _patch(scene: Scene, model: Model, window: Window) -> Patch:
    """Read once for all the layers that are looked at in a window."""
    return Patch.read(scene, model.card, window)


#: The process of this server, for all sessions.
WORKER = Worker()
