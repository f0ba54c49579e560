"""The command `train`."""

from __future__ import annotations

from pathlib import Path

import click

from lulc.cli.options import (
    in_workspace,
    json_option,
    open_region,
    open_scene,
    print_json,
    progress_option,
    region_options,
    scene_options,
    scores_line,
)
from lulc.errors import TrainingError
from lulc.progress import report


@click.command()
@scene_options
@click.option("--labels", required=True, help="Raster or vector of labels.")
@click.option("--codes", help="The labels' code system, where the file does not tell.")
@click.option("--layer", help="The layer of a vector file of several.")
@click.option("--legend", required=True, help="The classes to learn: a legend's name or file.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Model folder.")
@click.option("--minutes", type=float, help="Train for so long.")
@click.option("--epochs", type=float, help="Train for so many passes.")
@click.option("--loss", default="cross-entropy", show_default=True, help="See docs/training.md.")
@click.option("--width", default=16, show_default=True, help="Filters of the first stage.")
@click.option("--depth", default=4, show_default=True, help="Stages of the network.")
@click.option("--crop", default=128, show_default=True, help="Side of a training crop in pixels.")
@click.option("--batch", default=8, show_default=True, help="Crops in a step.")
@click.option("--rate", default=3e-3, show_default=True, help="Largest learning rate.")
@click.option("--hold-out", default=0.2, show_default=True, help="Share of blocks held out.")
@click.option("--seed", default=0, show_default=True, help="For the weights and the draws.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or gpu:N")
@region_options
@json_option
@progress_option
def train(
    scene, bands, scale, offset, nodata, patch, labels, codes, layer, legend, out, minutes, epochs,
    loss, width, depth, crop, batch, rate, hold_out, seed, device, bbox, crs, region, as_json,
    style,
) -> None:  # fmt: skip
    """Train a model on a scene with labels; --bbox or --region train on a part of it."""
    from lulc import samples
    from lulc import train as training
    from lulc.legend import Legend
    from lulc.reference import open_reference

    if out.exists():
        raise TrainingError(f"the model folder {out} exists; choose another --out")
    if minutes is not None and epochs is not None:
        raise TrainingError("expected --minutes or --epochs; got both")
    opened = open_scene(scene, bands, scale, offset, nodata, patch)
    target = Legend.load(legend)
    part = open_region(bbox, crs, region)
    inside = None
    if part is not None:
        inside = samples.inside(part, opened.grid)
    truth = open_reference(in_workspace(labels, "references"), opened.grid, codes, layer,
                           known=[target])  # fmt: skip
    patchwork = samples.load(opened, truth, target, hold_out=hold_out, inside=inside, seed=seed)
    settings = training.Settings(
        width=width, depth=depth, loss=loss, crop=crop, batch=batch, rate=rate, epochs=epochs,
        minutes=minutes, seed=seed,
    )  # fmt: skip
    with report("train", style) as progress:
        model = training.train(
            [patchwork], opened.bands, target, out, settings, device=device,
            progress=lambda share, _: progress(share, 1.0),
        )  # fmt: skip
    if as_json:
        print_json({"model": model.card.name, "path": str(model.path), "scores": model.card.scores})
    else:
        click.echo(f"{model.path}: {scores_line(model.card.scores)}")
