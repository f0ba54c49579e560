"""Executors: the machine's own threads, or a Dask cluster's workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from importlib import import_module

from lulc.errors import RunError


@contextmanager
def executor(scheduler: str | None, timeout_s: float = 10) -> Iterator[Executor | None]:
    """The executor of a Dask cluster, or None for the machine's own threads.

    Its workers need lulc installed, and the scene under the same path; the run's folder too,
    unless their blocks go to an object store. Raises RunError when Dask is not installed, the
    scheduler does not answer or is lost, or a block kills the workers that try it.
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
    kept = "finished blocks are kept: give the command again"
    with client:
        try:
            yield client.get_executor(pure=False)
        except distributed.KilledWorker as error:
            raise RunError(
                "one block after another worker died of it, most likely for want of memory: give "
                f"workers more, or begin a new run with a smaller --tile; {kept}"
            ) from error
        except (CancelledError, distributed.comm.CommClosedError) as error:
            raise RunError(f"the Dask scheduler at {scheduler} was lost; {kept}") from error
