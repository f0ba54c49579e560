"""The command `classify`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import click

from lulc import config
from lulc.cli.options import (
    json_option,
    open_region,
    open_scene,
    print_json,
    progress_option,
    region_options,
    scene_options,
    warn,
)
from lulc.progress import report


@click.command()
@scene_options
@click.option("--model", "model_name", help="A model's name or folder.")
@region_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (in the workspace).")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
              help="Go on with the unfinished run in this folder; the rest is known.")  # fmt: skip
@click.option("--device", help="auto (unless given), cpu or gpu:N")
@click.option("--tile", type=int, help="Side of a block in pixels; by default from the memory.")
@click.option("--dtype", type=click.Choice(["uint8", "float32"]),
              help="How activations are stored; uint8 unless given.")  # fmt: skip
@click.option("--scheduler", help="Address of a Dask scheduler: tcp://...")
@click.option("--spool", help="URL of an object store for the blocks: s3://bucket/folder")
@json_option
@progress_option
def classify(
    scene, bands, scale, offset, nodata, patch, model_name, bbox, crs, region, out, resume, device,
    tile, dtype, scheduler, spool, as_json, style,
) -> None:  # fmt: skip
    """Classify a scene, or a region of it, into a run: classes and activations."""
    from lulc.classify import CancelledError
    from lulc.classify import classify as run_classify
    from lulc.classify import resume as run_resume
    from lulc.cluster import executor
    from lulc.model import Model
    from lulc.tuning import tune_once

    stopped = _stop_on_signal()
    if resume:
        said = (scene, bands, scale, offset, nodata, patch, model_name, bbox, region, out, tile,
                dtype, spool)  # fmt: skip
        if any(said):
            raise click.UsageError(
                "expected --resume RUN with --device, --scheduler, --json or --progress alone: "
                "the rest is as the run was begun"
            )
        job = partial(run_resume, _run_folder(resume), device=device)
    else:
        if not scene or not model_name:
            raise click.UsageError("expected SCENE and --model, or --resume RUN")
        opened = open_scene(scene, bands, scale, offset, nodata, patch)
        part, model = open_region(bbox, crs, region), Model.load(model_name)
        if scheduler is None:
            window = part.window(opened.grid) if part else opened.whole()
            tune_once(int(window.width * window.height), warn, style)
        job = partial(
            run_classify, opened, model, region=part, out=out,
            device=device or "auto", tile=tile, dtype=dtype or "uint8", spool=spool, warn=warn,
        )  # fmt: skip
    try:
        with executor(scheduler) as pool, report("classify", style) as progress:
            run = job(executor=pool, progress=progress, cancelled=lambda: bool(stopped))
    except CancelledError as error:
        click.echo(f"lulc: {error}", err=True)
        # A block under way cannot be interrupted and need not be waited for: what is not
        # renamed into the spool does not count.
        sys.stderr.flush()
        os._exit(130)
    if as_json:
        summary = run.summary()
        print_json({
            "run": run.id, "path": str(run.path), "map": str(run.map_path),
            "scene": run.scene, "model": run.model, "width": summary["width"],
            "height": summary["height"], "warnings": list(run.warnings),
            "timings": run.properties["lulc:timings"],
        })  # fmt: skip
    else:
        click.echo(run.path)


def _run_folder(path: Path) -> Path:
    """The folder itself, or the workspace's run of that name."""
    named = config.workspace() / "runs" / path
    return named if not path.is_dir() and len(path.parts) == 1 else path


def _stop_on_signal() -> list[int]:
    """A list that is no longer empty once the process was asked to stop.

    What does not look at it in time, as TensorFlow's start does not, is ended: every file of a
    run is whole or not there.
    """
    stopped: list[int] = []

    def stop(received: int, _frame: object) -> None:
        stopped.append(received)
        end = threading.Timer(1.5, os._exit, (130,))
        end.daemon = True
        end.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped
