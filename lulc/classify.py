"""The main job: a scene, a region of it and a model become a run.

A run is divided into blocks. Whoever computes a block writes it to the run's spool; the
coordinator hands blocks to an executor, counts them, and assembles the map in the end. A
block that is in the spool is not computed again, so a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from rasterio.windows import Window

from lulc import config, contract, files, manifest, memory, tiling
from lulc.coordinator import CancelledError, Coordinator, Progress, silent
from lulc.device import block_bytes, describe, in_precision, precision_of, resolve
from lulc.errors import RunError
from lulc.inputs import needed
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.precision import with_precision
from lulc.region import Region
from lulc.request import absolute, request_of, stamps, task_of
from lulc.runs import CANCELLED, SPOOL, Run, new_folder
from lulc.scene import Scene
from lulc.spool import Spool, claimed, stored_request
from lulc.task import Task

__all__ = ["CancelledError", "classify", "resume"]

logger = logging.getLogger(__name__)


def classify(
    scene: Scene,
    model: Model,
    *,
    region: Region | None = None,
    out: Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    dtype: str = "uint8",
    spool: str | None = None,
    executor: Executor | None = None,
    progress: Progress = silent,
    cancelled: Callable[[], bool] = lambda: False,
    warn: Callable[[str], object] = logger.warning,
) -> Run:
    """Classify a region of a scene (all of it by default) into a run.

    `out` is the run's folder, by default a new one in the workspace. A folder that holds the
    same run unfinished is continued. `tile` is the side of a block in pixels, rounded to the
    model's stride; the result does not depend on it. `executor` computes the blocks, by
    default threads, so that one reads and writes while another is in the network. `spool` is
    a URL of an object store for the blocks, where workers and `out` share no folder.
    Raises LulcError for what does not fit, CancelledError when `cancelled()` turns true.
    """
    if dtype not in ("uint8", "float32"):
        raise RunError(f"expected --dtype uint8 or float32; got {dtype}")
    card = model.card
    window = region.window(scene.grid) if region else scene.whole()
    warnings = contract.check(scene, card, window)
    beyond = region.outside(scene.grid) if region else None
    warnings += [beyond] if beyond else []
    for message in warnings:
        warn(message)
    out = out or new_folder(scene.name, card.name)
    read = absolute(needed(scene, card))
    begun = stored_request(out)
    if begun is None:
        device = with_precision(device, scene, model, window, here=executor is None)
    else:
        device = in_precision(device, begun.get("precision", "float32"))
    task = Task(
        scene=read,
        model=model,
        device=device,
        region=region,
        window=window,
        layout=MapFormat(card.legend, dtype),
        tile=_tile(model, window, tile, out, None if executor else device),
        spool=Spool(str((out / SPOOL).absolute())),
        stamps=stamps(read),
    )
    if spool is not None:
        task = replace(task, spool=_remote(spool, task, out))
    return _run(task, out, warnings, executor, progress, cancelled)


def resume(
    out: Path,
    *,
    device: str | None = None,
    executor: Executor | None = None,
    progress: Progress = silent,
    cancelled: Callable[[], bool] = lambda: False,
) -> Run:
    """Go on with the unfinished run in a folder, as it was asked for; `device` may be another.

    Raises LulcError when the folder holds no such run, or the scene's files or the model are
    not those it began with.
    """
    request = stored_request(out)
    if request is None:
        finished = " (it is finished)" if (out / "run.json").is_file() else ""
        raise RunError(f"expected the folder of an unfinished run; got {out}{finished}")
    task = task_of(request, (out / SPOOL).absolute())
    warnings = contract.check(task.scene, task.model.card, task.window)
    if device is not None:
        task = replace(task, device=in_precision(device, precision_of(task.device)))
    return _run(task, out, warnings, executor, progress, cancelled)


def _run(
    task: Task,
    out: Path,
    warnings: list[str],
    executor: Executor | None,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Run:
    """Compute what is not there yet, assemble the map, describe the run."""
    begin = perf_counter()
    # Elsewhere, the workers have the devices, not necessarily this machine.
    place = None if executor else resolve(task.device)
    threads = len(place.names) + 1 if place else 0
    coordinator = Coordinator(executor, threads, progress, cancelled)
    with claimed(out, request_of(task)):
        try:
            # Unless a process was killed after its last line and before it had cleaned up.
            if not (out / "run.json").exists():
                if place:
                    task.model.predictor(task.device)  # a corrupt model ends it before any block
                spent = coordinator.compute(task)
                task.check_unchanged()
                computed = perf_counter()
                coordinator.assemble(task, out / "map.tif")
                seconds = {f"{part}_s": value for part, value in spent._asdict().items()}
                seconds["assemble_s"] = perf_counter() - computed
                seconds["total_s"] = perf_counter() - begin
                facts = {
                    "lulc:warnings": warnings,
                    "lulc:device": describe(place) if place else task.device,
                    "lulc:precision": precision_of(task.device),
                }
                _describe(task, out, facts, seconds)
        except CancelledError as error:
            (out / SPOOL / CANCELLED).touch()
            raise CancelledError(f"{error}; lulc classify --resume {out} goes on") from None
        task.spool.clear()
        shutil.rmtree(out / SPOOL, ignore_errors=True)
    return Run.open(out)


def _describe(
    task: Task, out: Path, facts: Mapping[str, Any], seconds: Mapping[str, float]
) -> None:
    """Write what is beside the map; `run.json`, with which the run is finished, last."""
    card = task.model.card
    facts = {
        **facts,
        "lulc:tile": task.tile,
        "lulc:halo": card.halo,
        "lulc:blocks": len(task.blocks()),
        "lulc:timings": {name: round(value, 3) for name, value in seconds.items()},
    }
    item = manifest.item(task, out / "map.tif", facts, datetime.now(UTC))
    files.write_text(out / "map.qml", manifest.qgis_style(card.legend))
    files.write_text(out / "run.json", json.dumps(item, indent=1, ensure_ascii=False) + "\n")


def _tile(model: Model, window: Window, tile: int | None, out: Path, device: str | None) -> int:
    """The tile asked for, rounded up to the stride; or the run's own; or one that fits here."""
    network = model.card.network
    if tile is not None:
        if tile < 1:
            raise RunError(f"expected --tile of at least 1 pixel; got {tile}")
        return -(-tile // network.stride) * network.stride
    begun = stored_request(out)
    if begun is not None:  # with the memory of another day, another tile would fit
        return int(begun["tile"])
    block = block_bytes(resolve(device)) if device else config.BLOCK_MIB * 2**20
    room = min(block, memory.available() // 2)
    pixels = room // network.bytes_per_pixel
    return tiling.fit_tile(window, halo=network.halo, stride=network.stride, pixels=pixels)


def _remote(url: str, task: Task, out: Path) -> Spool:
    """The run's own folder under a URL: no two runs share one."""
    if "://" not in url or url.startswith("file:"):
        raise RunError(
            f"expected --spool with the URL of an object store, such as s3://bucket/folder; got "
            f"{url} (a folder that all workers see needs no --spool: give it to --out)"
        )
    said = json.dumps([str(out.resolve()), request_of(task)], sort_keys=True)
    key = hashlib.sha256(said.encode()).hexdigest()[:12]
    return Spool(f"{url.rstrip('/')}/{out.name}-{key}")
