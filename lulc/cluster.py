"""Executors: the machine's own threads, or a Dask cluster's workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module

from lulc.errors import RunError


@contextmanager
def executor(scheduler: str | None, timeout_s: float = 10) -> Iterator[Executor | None]:
    """The executor of a Dask cluster, or None for the machine's own threads.

    Its workers need lulc installed, and the scene's and the run's folders under the same
    paths. Raises RunError when Dask is not installed or the scheduler does not answer.
    """
    if scheduler is None:
        yield None
        return
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise RunError("--scheduler needs Dask: pip install 'lulc[cluster]'") from error
    try:
        client = distributed.Client(scheduler, timeout=timeout_s)
    except (OSError, ValueError) as error:
        raise RunError(f"no Dask scheduler answers at {scheduler}: {error}") from error
    with client:
        yield client.get_executor(pure=False)
