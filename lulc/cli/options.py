"""What the commands share: options, what is opened by them, and how they speak."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lulc import config
from lulc.errors import RegionError
from lulc.progress import STYLES

if TYPE_CHECKING:
    from lulc.region import Region
    from lulc.scene import Scene


#: A click command under construction: takes and gives a function.
Command = Callable[..., Any]


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def progress_option(command: Command) -> Command:
    """`--progress`."""
    return click.option(
        "--progress",
        "style",
        type=click.Choice(STYLES),
        default="auto",
        show_default=True,
        help="How to show progress on standard error.",
    )(command)


def scene_options(command: Command) -> Command:
    """The scene's files, and what they do not say themselves."""
    options = (
        click.argument("scene", nargs=-1),
        click.option("--bands", help="Names of the bands in the files' order: B02,B03,..."),
        click.option("--scale", type=float, help="reflectance = number * SCALE + OFFSET"),
        click.option("--offset", type=float, help="reflectance = number * SCALE + OFFSET"),
        click.option("--nodata", type=float, help="The stored number that means no data."),
        click.option("--patch", multiple=True, help="A second mosaic to fill nodata from."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def region_options(command: Command) -> Command:
    """A part of the scene: a box, or polygons."""
    options = (
        click.option(
            "--bbox",
            type=float,
            nargs=4,
            metavar="W S E N",
            help="A box: west south east north, in degrees unless --crs is given.",
        ),
        click.option("--crs", default="EPSG:4326", show_default=True, help="CRS of --bbox."),
        click.option("--region", help="A file of polygons, or a region's name."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def open_scene(
    scene: Sequence[str],
    bands: str | None,
    scale: float | None,
    offset: float | None,
    nodata: float | None,
    patch: Sequence[str],
) -> Scene:
    """The scene of the options; a name alone may be one of the workspace's."""
    from lulc.scene import Scene

    if not scene:
        raise click.UsageError("expected SCENE: one raster or several, or a scene's name")
    paths = [in_workspace(path, "scenes") for path in scene]
    return Scene.open(
        paths,
        bands=[name.strip() for name in bands.split(",")] if bands else None,
        scale=scale,
        offset=offset,
        nodata=nodata,
        patch=[in_workspace(path, "scenes") for path in patch] or None,
        name=scene[0] if paths[0] != scene[0] else None,
    )


def in_workspace(path: str, folder: str) -> str:
    """The path itself, or the workspace's entry of that name where there is no such path."""
    if Path(path).exists() or Path(path).name != path:
        return path
    place = config.workspace() / folder
    named = [place / path, *sorted(place.glob(f"{path}.*"))]
    return next((str(p) for p in named if p.exists()), path)


def open_region(bbox: Sequence[float] | None, crs: str, region: str | None) -> Region | None:
    """The region of the options, or None for the whole scene. Raises RegionError."""
    from lulc.region import SUFFIXES, Region

    if bbox and region:
        raise RegionError("expected --bbox or --region; got both")
    if bbox:
        return Region.box(bbox, crs)
    if region and (Path(region).suffix.lower() in SUFFIXES or Path(region).exists()):
        return Region.read(region)
    return Region.load(region) if region else None


def scores_line(scores: Mapping[str, Any]) -> str:
    """The held-out scores of a model, for people."""
    if not scores:
        return "no held-out scores"
    return (
        f"held out ({scores['on']}): macro F1 {scores['macro_f1']:.3f}, "
        f"accuracy {scores['accuracy']:.3f}"
    )


def warn(message: str) -> None:
    """Say a warning on standard error."""
    click.echo(f"warning: {message}", err=True)


def print_json(data: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))
