"""The main job: a scene, a region of it and a model become a run.

A run is divided into blocks. Whoever computes a block writes it to the run's spool; the one
coordinator here hands blocks to an executor, counts them, and assembles the map in the end.
A block that is in the spool is not computed again, so a run that was stopped goes on.
"""

from __future__ import annotations

import getpass
import json
import logging
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from rasterio.windows import Window

from lulc import config, contract, files, manifest, mapfile, tiling
from lulc.device import describe, resolve
from lulc.errors import RunError
from lulc.inputs import needed
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.region import Region
from lulc.runs import SPOOL, Run
from lulc.scene import Scene
from lulc.spool import claimed
from lulc.task import Task
from lulc.tiling import Block

logger = logging.getLogger(__name__)

#: Called with the blocks done and the blocks of the run, those found done included.
Progress = Callable[[int, int], None]

#: Blocks handed to the executor at once: enough to keep workers busy, few to take back.
_AHEAD = 4


class CancelledError(RunError):
    """The run was stopped on request; the same command goes on with it."""


def classify(
    scene: Scene,
    model: Model,
    *,
    region: Region | None = None,
    out: Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    dtype: str = "uint8",
    executor: Executor | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    warn: Callable[[str], object] = logger.warning,
) -> Run:
    """Classify a region of a scene (all of it by default) into a run.

    `out` is the run's folder, by default a new one in the workspace. A folder that holds the
    same run unfinished is continued. `tile` is the side of a block in pixels, rounded to the
    model's stride; the result does not depend on it. `executor` computes the blocks, by
    default two threads, so that one reads and writes while the other is in the network.
    Raises LulcError for what does not fit, CancelledError when `cancelled()` turns true.
    """
    begin = perf_counter()
    if dtype not in ("uint8", "float32"):
        raise RunError(f"expected --dtype uint8 or float32; got {dtype}")
    card = model.card
    window = region.window(scene.grid) if region else scene.whole()
    warnings = contract.check(scene, card, window)
    beyond = region.outside(scene.grid) if region else None
    warnings += [beyond] if beyond else []
    for message in warnings:
        warn(message)
    out = out or _new_folder(scene, model)
    task = Task(
        scene=needed(scene, card),
        model=model,
        device=device,
        region=region,
        window=window,
        layout=MapFormat(card.legend, dtype),
        tile=_tile(model, window, tile),
        spool=out / SPOOL,
    )
    request = task.request()
    with claimed(out, request):
        if executor is None:
            place = describe(resolve(device))
            model.predictor(device)  # a corrupt model ends it here, before any block
        else:
            place = device  # the workers have the devices, not necessarily this machine
        blocks = tiling.blocks(
            scene.shape, window, tile=task.tile, halo=card.halo, stride=card.stride
        )
        network_s = _run_blocks(task, blocks, executor, progress, cancelled)
        if task.request() != request:
            raise RunError(
                f"the files of {scene.name} or {card.name} changed while it was classified: "
                f"delete {out} and classify again"
            )
        computed = perf_counter()
        places = [(task.path(block), task.place(block)) for block in blocks]
        mapfile.assemble(places, out / "map.tif", task.layout, task.grid)
        facts = {
            "lulc:warnings": warnings,
            "lulc:device": place,
            "lulc:tile": task.tile,
            "lulc:halo": card.halo,
            "lulc:blocks": len(blocks),
            "lulc:timings": {
                "total_s": round(perf_counter() - begin, 3),
                "network_s": round(network_s, 3),
                "assemble_s": round(perf_counter() - computed, 3),
            },
            "lulc:host": platform.node(),
            "lulc:user": _user(),
        }
        item = manifest.item(task, out / "map.tif", facts, datetime.now(UTC))
        files.write_text(out / "map.qml", manifest.qgis_style(card.legend))
        files.write_text(out / "run.json", json.dumps(item, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(task.spool, ignore_errors=True)
    return Run.open(out)


def _run_blocks(
    task: Task,
    blocks: Sequence[Block],
    executor: Executor | None,
    progress: Progress | None,
    cancelled: Callable[[], bool],
) -> float:
    """Have every block computed that is not in the spool. Returns seconds in the network."""
    waiting = [block for block in blocks if not task.path(block).is_file()]
    done, seconds = len(blocks) - len(waiting), 0.0
    report = progress or _silent
    report(done, len(blocks))
    todo = iter(waiting)
    with _pool(executor) as pool:
        running: set[Future[float]] = set()
        try:
            while True:
                while len(running) < _AHEAD and (block := next(todo, None)) is not None:
                    running.add(pool.submit(task.compute, block))
                if not running:
                    return seconds
                finished, running = wait(running, timeout=0.25, return_when=FIRST_COMPLETED)
                for future in finished:
                    seconds += future.result()
                    done += 1
                    report(done, len(blocks))
                if cancelled():
                    raise CancelledError(
                        f"cancelled after {done} of {len(blocks)} blocks; the same command "
                        f"with --out {task.spool.parent} goes on"
                    )
        finally:
            for future in running:
                future.cancel()


def _silent(done: int, total: int) -> None:
    """No progress."""


@contextmanager
def _pool(executor: Executor | None) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    pool = ThreadPoolExecutor(2, thread_name_prefix="lulc-block")
    try:
        yield pool
    finally:
        # After an error or a cancel, a block under way is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)


def _tile(model: Model, window: Window, tile: int | None) -> int:
    """The tile asked for, rounded up to the stride; or one that fits the memory."""
    network = model.card.network
    if tile is not None:
        if tile < 1:
            raise RunError(f"expected --tile of at least 1 pixel; got {tile}")
        return -(-tile // network.stride) * network.stride
    pixels = config.BLOCK_MIB * 2**20 // network.bytes_per_pixel
    return tiling.fit_tile(window, halo=network.halo, stride=network.stride, pixels=pixels)


def _new_folder(scene: Scene, model: Model) -> Path:
    """A folder in the workspace that does not exist: when, what, with what."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{stamp}-{scene.name}-{model.card.name}"
    folder = config.workspace() / "runs"
    candidates = (folder / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000))
    return next(path for path in candidates if not path.exists())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "unknown"
