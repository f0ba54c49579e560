"""The main job: a scene, a region of it and a model become a run.

A run is divided into blocks. Whoever computes a block writes it to the run's spool; the one
coordinator here hands blocks to an executor, counts them, and assembles the map in the end.
A block that is in the spool is not computed again, so a run that was stopped goes on.
"""

from __future__ import annotations

import errno
import getpass
import hashlib
import json
import logging
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import config, contract, files, manifest, mapfile, tiling
from lulc.device import describe, resolve
from lulc.errors import RunError
from lulc.inputs import needed, read_input
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.region import Region
from lulc.runs import SPOOL, Run
from lulc.scene import Scene

logger = logging.getLogger(__name__)

#: Called with the blocks done and the blocks of the run, the ones found done included.
Progress = Callable[[int, int], None]

#: Bytes the network holds at once for each pixel and each filter of its widest stage:
#: measured on both bundled widths, see benchmarks/memory.py.
_BYTES_PER_FILTER = 24


class CancelledError(RunError):
    """The run was stopped on request; the same command goes on with it."""


@dataclass(frozen=True)
class Task:
    """What a worker has to know to compute any block of a run; it can be pickled."""

    scene: Scene
    """The scene, reduced to the bands that are read."""
    model: Model
    """The model; its network is loaded once by each worker process."""
    device: str
    """`auto`, `cpu` or `gpu:N`, resolved by the worker."""
    region: Region | None
    """The region, whose outline cuts pixels out."""
    window: Window
    """The region's pixels in the scene."""
    layout: MapFormat
    """How classes and activations are stored."""
    spool: Path
    """Where blocks are written."""

    def path(self, block: tiling.Block) -> Path:
        """The file of a block."""
        return self.spool / f"{block.name}.tif"

    def place(self, block: tiling.Block) -> Window:
        """The window of a block in the map."""
        core = block.core
        return Window(
            core.col_off - self.window.col_off,
            core.row_off - self.window.row_off,
            core.width,
            core.height,
        )


def compute(task: Task, block: tiling.Block) -> float:
    """Compute one block and write it to the spool. Returns the seconds in the network."""
    values, valid = read_input(task.scene, task.model.card, block.readable(task.scene.shape))
    core = block.core
    inside = block.crop(block.pad(valid))
    if task.region is not None:
        mask = task.region.mask(task.scene.grid, core)
        inside = inside if mask is None else inside & mask
    seconds = 0.0
    if inside.any():
        predict = task.model.predictor(task.device)
        begin = perf_counter()
        activations = block.crop(predict(block.pad(values), block.pad(valid)))
        seconds = perf_counter() - begin
        bands = task.layout.encode(activations, inside)
    else:
        bands = np.full((task.layout.count, *inside.shape), task.layout.nodata, task.layout.dtype)
    grid = cut(task.scene.grid, core)
    mapfile.write_block(task.path(block), bands, task.layout, grid)
    return seconds


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
    Raises LulcError for what does not fit, `CancelledError` when `cancelled()` turns true.
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
    # On a cluster the workers have the devices, not necessarily this machine.
    place = device if executor else describe(resolve(device))
    out = out or _new_folder(scene, model)
    task = Task(
        scene=needed(scene, card),
        model=model,
        device=device,
        region=region,
        window=window,
        layout=MapFormat(card.legend, dtype),
        spool=out / SPOOL,
    )
    tile = _tile(model, window, tile)
    blocks = tiling.blocks(scene.shape, window, tile=tile, halo=card.halo, stride=card.stride)
    request = _request(task, tile)
    with _claimed(out, request):
        try:
            network = _run_blocks(task, blocks, executor, progress, cancelled)
            computed = perf_counter()
            places = [(task.path(block), task.place(block)) for block in blocks]
            if _request(task, tile) != request:
                raise RunError(
                    f"the files of the scene {scene.name} changed while it was classified: "
                    f"delete {out} and classify again"
                )
            grid = cut(scene.grid, window)
            mapfile.assemble(places, out / "map.tif", task.layout, grid)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise RunError(
                    f"the disk of {out} is full: free some space and give the command again; "
                    "finished blocks are kept"
                ) from error
            raise
        timings = {
            "total_s": round(perf_counter() - begin, 3),
            "network_s": round(network, 3),
            "assemble_s": round(perf_counter() - computed, 3),
        }
        item = manifest.item(
            identifier=out.name,
            grid=grid,
            scene=task.scene,
            model=model,
            region=region,
            window=window,
            layout=task.layout,
            map_path=out / "map.tif",
            facts={
                "lulc:warnings": warnings,
                "lulc:device": place,
                "lulc:tile": tile,
                "lulc:halo": card.halo,
                "lulc:timings": timings,
                "lulc:host": platform.node(),
                "lulc:user": _user(),
            },
            created=datetime.now(UTC),
        )
        files.write_text(out / "map.qml", manifest.qgis_style(card.legend))
        files.write_text(out / "run.json", json.dumps(item, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(task.spool, ignore_errors=True)
    return Run.open(out)


def cut(grid: GeoBox, window: Window) -> GeoBox:
    """The grid of a window."""
    row, column = int(window.row_off), int(window.col_off)
    return grid[row : row + int(window.height), column : column + int(window.width)]


def _run_blocks(
    task: Task,
    blocks: Sequence[tiling.Block],
    executor: Executor | None,
    progress: Progress | None,
    cancelled: Callable[[], bool],
) -> float:
    """Have every block computed that is not in the spool. Returns seconds in the network."""
    waiting = [block for block in blocks if not task.path(block).is_file()]
    done, seconds = len(blocks) - len(waiting), 0.0
    report = progress or _silent
    report(done, len(blocks))
    with _executor(executor) as pool:
        running: set[Future[float]] = set()
        try:
            todo = iter(waiting)
            while True:
                # A few ahead of the workers: no long queue to take back when cancelled.
                for block in todo:
                    running.add(pool.submit(compute, task, block))
                    if len(running) >= _AHEAD:
                        break
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


#: Blocks handed to the executor at once.
_AHEAD = 4


@contextmanager
def _executor(executor: Executor | None) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    pool = ThreadPoolExecutor(2, thread_name_prefix="lulc-block")
    try:
        yield pool
    finally:
        # After an error or a cancel, a block under way is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _claimed(out: Path, request: dict[str, Any]) -> Iterator[None]:
    """Hold a run's folder for one process. RunError if it is another's, or another run."""
    spool = out / SPOOL
    if (out / "run.json").exists():
        raise RunError(f"the folder {out} already holds a finished run; choose another --out")
    known = spool / "request.json"
    if out.exists() and not known.exists() and any(p.name != SPOOL for p in out.iterdir()):
        raise RunError(f"the output folder {out} exists and is not an unfinished run")
    spool.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(spool / "lock", timeout=0):
            if not known.exists():
                files.write_text(known, json.dumps(request, indent=1))
            elif json.loads(known.read_text(encoding="utf-8")) != request:
                raise RunError(
                    f"the folder {out} holds another unfinished run (another scene, region, "
                    "model or setting); choose another --out"
                )
            yield
    except Timeout as error:
        raise RunError(f"another process is at work on the run in {out}") from error


def _request(task: Task, tile: int) -> dict[str, Any]:
    """What makes a run the same run: all that its map depends on."""
    sources = []
    for scene in (task.scene, task.scene.patch):
        for file in scene.files if scene else ():
            status = Path(file.path)
            stamp = [status.stat().st_size, status.stat().st_mtime_ns] if status.exists() else []
            sources.append([file.name, file.path, file.number, file.scale, file.offset, stamp])
    window = task.window
    outline = task.region.outline.wkb if task.region else b""
    return {
        "sources": sources,
        "model": task.model.card.weights,
        "card": hashlib.sha256(task.model.card.to_json().encode()).hexdigest(),
        "window": [int(v) for v in (window.col_off, window.row_off, window.width, window.height)],
        "outline": hashlib.sha256(outline).hexdigest(),
        "dtype": task.layout.dtype,
        "tile": tile,
    }


def _tile(model: Model, window: Window, tile: int | None) -> int:
    card = model.card
    if tile is not None:
        if tile < 1:
            raise RunError(f"expected --tile of at least 1 pixel; got {tile}")
        return -(-tile // card.stride) * card.stride
    widest = max(card.network.width * 2, (card.network.decoder_width or card.network.width * 2))
    pixels = config.BLOCK_MIB * 2**20 // (_BYTES_PER_FILTER * widest)
    return tiling.fit_tile(window, halo=card.halo, stride=card.stride, pixels=pixels)


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
