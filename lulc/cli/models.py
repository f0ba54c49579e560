"""Commands on models."""

from __future__ import annotations

from pathlib import Path

import click

from lulc.cli.options import json_option, print_json, progress_option, scores_line


@click.group()
def models() -> None:
    """List, show and import models."""


@models.command("list")
@json_option
def models_list(as_json: bool) -> None:
    """The models of the workspace and the bundled ones."""
    from lulc.model import Model
    from lulc.model import models as find

    cards = [Model.load(name).card for name in find()]
    if as_json:
        print_json({"models": [
            {
                "name": card.name, "title": card.title, "bands": list(card.band_names),
                "classes": list(card.legend.names), "legend": card.legend.name,
                "pixel_size": list(card.pixel_size), "simulated": card.simulated,
                "scores": card.scores,
            }
            for card in cards
        ]})  # fmt: skip
        return
    for card in cards:
        size = f"{len(card.bands)} bands, {len(card.legend.classes)} classes"
        click.echo(f"{card.name:24} {size:24} {card.title}; {scores_line(card.scores)}")


@models.command("show")
@click.argument("model")
@json_option
def models_show(model: str, as_json: bool) -> None:
    """One model's card."""
    from lulc.model import Model

    card = Model.load(model).card
    if as_json:
        print_json(card.to_dict())
        return
    click.echo(f"{card.name}: {card.title}\n{scores_line(card.scores)}")
    click.echo(f"pixels of {card.pixel_size[0]:g} to {card.pixel_size[1]:g} m")
    for band in card.bands:
        click.echo(f"  {band.name:6} {band.unit:12} mean {band.mean:8.4f}  std {band.std:8.4f}")
    for entry in card.legend.classes:
        click.echo(f"  {entry.id:3} {entry.name}")


@models.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Another name for it in the workspace.")
def models_import(folder: Path, name: str | None) -> None:
    """Copy a model folder into the workspace, after checking it."""
    from lulc.model import import_model

    click.echo(import_model(folder, name).path)


@models.command("tune")
@json_option
@progress_option
def models_tune(as_json: bool, style: str) -> None:
    """Measure how TensorFlow computes fastest on this machine, and keep it."""
    from lulc.tuning import tune

    found, rates = tune(style)
    if as_json:
        print_json({"settings": vars(found), "rates": rates})
        return
    for onednn, ways in rates.items():
        for way, rate in ways.items():
            click.echo(f"oneDNN {onednn:4} {way:8} {rate:8.3f} Mpx/s")
    for name, on in vars(found).items():
        click.echo(f"{name}: {'on' if on else 'off'}")
