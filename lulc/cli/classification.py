"""The command `classify`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

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
@click.option("--model", "model_name", required=True, help="A model's name or folder.")
@region_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (in the workspace).")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or gpu:N")
@click.option("--tile", type=int, help="Side of a block in pixels; by default from the memory.")
@click.option("--dtype", type=click.Choice(["uint8", "float32"]), default="uint8",
              show_default=True, help="How activations are stored.")  # fmt: skip
@click.option("--scheduler", help="Address of a Dask scheduler: tcp://...")
@json_option
@progress_option
def classify(
    scene, bands, scale, offset, nodata, patch, model_name, bbox, crs, region, out, device, tile,
    dtype, scheduler, as_json, style,
) -> None:  # fmt: skip
    """Classify a scene, or a region of it, into a run: classes and activations."""
    from lulc.classify import CancelledError
    from lulc.classify import classify as run_classify
    from lulc.cluster import executor
    from lulc.model import Model

    opened = open_scene(scene, bands, scale, offset, nodata, patch)
    part = open_region(bbox, crs, region)
    model = Model.load(model_name)
    stopped = _stop_on_signal()
    try:
        with executor(scheduler) as pool, report("classify", style) as progress:
            run = run_classify(
                opened, model, region=part, out=out, device=device, tile=tile, dtype=dtype,
                executor=pool, progress=progress, cancelled=lambda: bool(stopped), warn=warn,
            )  # fmt: skip
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


def _stop_on_signal() -> list[int]:
    """A list that is no longer empty once the process was asked to stop."""
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: stopped.append(received))  # noqa: ARG005
    return stopped
