"""The command line. Results go to standard output; progress and warnings to standard error."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lulc import __version__, config
from lulc.errors import LulcError, RegionError, RunError, TrainingError
from lulc.progress import STYLES, report


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Exits with 0 when done, 2 on the user's error, 1 on ours."""
    try:
        code = cli.main(args=arguments, prog_name="lulc", standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message())
    except click.exceptions.Abort:
        _fail("stopped", 130)
    except LulcError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{error.filename or 'a file'} cannot be written: {error.strerror}")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int = 2) -> None:
    click.echo(f"lulc: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _warn(message: str) -> None:
    click.echo(f"warning: {message}", err=True)


def _print(data: dict[str, Any]) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lulc")
@click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of scenes, references, regions, models and runs (LULC_WORKSPACE, ./workspace).",
)
def cli(workspace: Path | None) -> None:
    """Explore land cover: classify a region, look inside the map, score it, compare runs."""
    if workspace is not None:
        os.environ["LULC_WORKSPACE"] = str(workspace)


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def _progress_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--progress",
        "style",
        type=click.Choice(STYLES),
        default="auto",
        show_default=True,
        help="How to show progress on standard error.",
    )(command)


def _scene_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.argument("scene", nargs=-1, required=True),
        click.option("--bands", help="Names of the bands in the files' order: B02,B03,..."),
        click.option("--scale", type=float, help="reflectance = number * SCALE + OFFSET"),
        click.option("--offset", type=float, help="reflectance = number * SCALE + OFFSET"),
        click.option("--nodata", type=float, help="The stored number that means no data."),
        click.option("--patch", multiple=True, help="A second mosaic to fill nodata from."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _region_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def _open_scene(scene, bands, scale, offset, nodata, patch):
    """The scene of the options; a name alone may be one of the workspace's."""
    from lulc.scene import Scene

    paths = [_in_workspace(path, "scenes") for path in scene]
    return Scene.open(
        paths,
        bands=[name.strip() for name in bands.split(",")] if bands else None,
        scale=scale,
        offset=offset,
        nodata=nodata,
        patch=[_in_workspace(path, "scenes") for path in patch] or None,
        name=scene[0] if paths[0] != scene[0] else None,
    )


def _in_workspace(path: str, folder: str) -> str:
    """The path itself, or the workspace's entry of that name where there is no such path."""
    if Path(path).exists() or Path(path).name != path:
        return path
    place = config.workspace() / folder
    named = [place / path, *sorted(place.glob(f"{path}.*"))]
    return next((str(p) for p in named if p.exists()), path)


def _open_region(bbox, crs, region):
    from lulc.region import SUFFIXES, Region

    if bbox and region:
        raise RegionError("expected --bbox or --region; got both")
    if bbox:
        return Region.box(bbox, crs)
    if region and (Path(region).suffix.lower() in SUFFIXES or Path(region).exists()):
        return Region.read(region)
    return Region.load(region) if region else None


@cli.command()
@click.option("--serve/--no-serve", default=True, help="Whether to serve the dashboard after.")
@click.option("--size", default=1024, show_default=True, help="Side of the sample in pixels.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", default=5006, show_default=True, help="Port to serve at.")
@_progress_option
def demo(serve: bool, size: int, address: str, port: int, style: str) -> None:
    """Make a sample workspace, classify and score it with two models, and serve it."""
    from lulc.demo import demo as make
    from lulc.serve import check_port
    from lulc.serve import serve as run_server

    if serve:
        check_port(address, port)
    runs = make(size=size, style=style, say=lambda line: click.echo(line, err=True))
    click.echo("Scores of the simulated sample against its CORINE-like reference")
    click.echo(f"{'run':32} {'macro F1':>9} {'micro F1':>9} {'weighted F1':>12}")
    for run in runs:
        scores = run.evaluations()["class"]
        figures = [scores[key] for key in ("macro_f1", "micro_f1", "weighted_f1")]
        click.echo(f"{run.id:32} {figures[0]:9.3f} {figures[1]:9.3f} {figures[2]:12.3f}")
    if serve:
        run_server(address, port)


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size", default=1024, show_default=True, help="Side in pixels of 10 m.")
@click.option("--seed", default=7, show_default=True, help="Which landscape.")
@_json_option
@_progress_option
def sample(directory: Path, size: int, seed: int, as_json: bool, style: str) -> None:
    """Simulate a region: bands.tif, indices.tif, corine.tif and truth.tif in DIRECTORY."""
    from lulc.sample import write

    with report("simulate", style) as progress:
        written = write(directory, size=size, seed=seed, progress=progress)
    if as_json:
        _print({"seed": seed, "size": size, "files": {k: str(v) for k, v in written.items()}})
    else:
        for path in written.values():
            click.echo(path)


@cli.command()
@_scene_options
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
@_region_options
@_json_option
@_progress_option
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
    opened = _open_scene(scene, bands, scale, offset, nodata, patch)
    target = Legend.load(legend)
    part = _open_region(bbox, crs, region)
    inside = None
    if part is not None:
        inside = samples.inside(part, opened.grid)
    truth = open_reference(_in_workspace(labels, "references"), opened.grid, codes, layer,
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
        _print({"model": model.card.name, "path": str(model.path), "scores": model.card.scores})
    else:
        click.echo(f"{model.path}: {_scores_line(model.card.scores)}")


@cli.command()
@_scene_options
@click.option("--model", "model_name", required=True, help="A model's name or folder.")
@_region_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (in the workspace).")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or gpu:N")
@click.option("--tile", type=int, help="Side of a block in pixels; by default from the memory.")
@click.option("--dtype", type=click.Choice(["uint8", "float32"]), default="uint8",
              show_default=True, help="How activations are stored.")  # fmt: skip
@click.option("--scheduler", help="Address of a Dask scheduler: tcp://...")
@_json_option
@_progress_option
def classify(
    scene, bands, scale, offset, nodata, patch, model_name, bbox, crs, region, out, device, tile,
    dtype, scheduler, as_json, style,
) -> None:  # fmt: skip
    """Classify a scene, or a region of it, into a run: classes and activations."""
    from lulc.classify import CancelledError
    from lulc.classify import classify as run_classify
    from lulc.cluster import executor
    from lulc.model import Model

    opened = _open_scene(scene, bands, scale, offset, nodata, patch)
    part = _open_region(bbox, crs, region)
    model = Model.load(model_name)
    stopped = _stop_on_signal()
    try:
        with executor(scheduler) as pool, report("classify", style) as progress:
            run = run_classify(
                opened, model, region=part, out=out, device=device, tile=tile, dtype=dtype,
                executor=pool, progress=progress, cancelled=lambda: bool(stopped), warn=_warn,
            )  # fmt: skip
    except CancelledError as error:
        click.echo(f"lulc: {error}", err=True)
        # A block under way cannot be interrupted and need not be waited for: what is not
        # renamed into the spool does not count.
        sys.stderr.flush()
        os._exit(130)
    if as_json:
        summary = run.summary()
        _print({
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


@cli.command()
@click.argument("run")
@click.option("--reference", required=True, help="Raster or vector of labels.")
@click.option("--codes", help="clc, clc-grid, clc-fi or a legend, where the file does not tell.")
@click.option("--level", type=click.Choice(["class", "3", "2", "1"]), default="class",
              show_default=True, help="Classes of the model, or CORINE levels.")  # fmt: skip
@click.option("--layer", help="The layer of a vector file of several.")
@_region_options
@_json_option
def evaluate(run, reference, codes, level, layer, bbox, crs, region, as_json) -> None:
    """Score a run, or a region of it, against a reference, class by class."""
    from lulc.evaluation import evaluate as run_evaluate

    path = _in_workspace(reference, "references")
    part = _open_region(bbox, crs, region)
    found = run_evaluate(run, path, codes=codes, level=level, layer=layer, region=part)
    if as_json:
        _print(found.to_dict())
    else:
        click.echo(found)


@cli.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option("--reference", help="Raster or vector of labels to score both by.")
@click.option("--codes", help="clc, clc-grid, clc-fi or a legend, where the file does not tell.")
@click.option("--level", type=click.Choice(["class", "3", "2", "1"]), default="class",
              show_default=True, help="Classes of the model, or CORINE levels.")  # fmt: skip
@_json_option
def compare(run_a, run_b, reference, codes, level, as_json) -> None:
    """Compare two runs: where they agree, and the difference of each class's F1."""
    from lulc.compare import compare as run_compare

    path = _in_workspace(reference, "references") if reference else None
    found = run_compare(run_a, run_b, path, codes=codes, level=level)
    if as_json:
        _print(found.to_dict())
    else:
        click.echo(found)


@cli.command()
@click.argument("run")
@click.option("--design", default="olofsson", show_default=True,
              type=click.Choice(["random", "proportional", "olofsson", "neyman"]),
              help="Over the whole map, or by one of three allocations.")  # fmt: skip
@click.option("--size", type=int, help="Number of points.")
@click.option("--standard-error", type=float,
              help="Wanted of the overall accuracy; gives the size (0.01).")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="A new .gpkg, .geojson or .csv (points.gpkg in the run's folder).")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The same seed, the same points.")
@_json_option
def points(run, design, size, standard_error, out, seed, as_json) -> None:
    """Draw points from a run's map, for someone to say what is there."""
    from lulc.points import points as draw

    if size is not None and standard_error is not None:
        raise click.UsageError("expected --size or --standard-error; got both")
    wanted = 0.01 if standard_error is None else standard_error
    sample, path = draw(run, out, design=design, size=size, standard_error=wanted, seed=seed)
    if as_json:
        _print({"path": str(path), "seed": seed, **sample.to_dict()})
    else:
        click.echo(path)


@cli.command()
@click.argument("run", required=False)
@click.option("--points", help="The points of `lulc points`, labelled.")
@click.option("--column", default="REFERENCE", show_default=True, help="Where the labels are.")
@click.option("--counts", help="Points counted already: JSON with counts and mapped.")
@_json_option
def areas(run, points, column, counts, as_json) -> None:
    """Areas of the classes and accuracies, with intervals, from labelled points."""
    from lulc.areas import areas as run_areas
    from lulc.areas import estimate_file

    if counts and not (run or points):
        found = estimate_file(counts)
    elif run and points and not counts:
        found = run_areas(run, points, column=column)
    else:
        raise click.UsageError("expected RUN --points FILE, or --counts FILE")
    if as_json:
        _print(found.to_dict())
    else:
        click.echo(found)


@cli.command()
@click.option("--bbox", type=float, nargs=4, metavar="W S E N", required=True,
              help="A box: west south east north in degrees.")  # fmt: skip
@click.option("--datetime", "period", required=True, metavar="A/B",
              help="From and to: 2024-06-01/2024-08-31.")  # fmt: skip
@click.option("--stac", help="Address of a STAC API (LULC_STAC, Earth Search).")
@click.option("--collection", default="sentinel-2-l2a", show_default=True,
              help="The API's collection of Sentinel-2 images.")  # fmt: skip
@click.option("--bands", help="Bands to fetch: B02,B03,... (those of the bundled models)")
@click.option("--max-cloud", default=40.0, show_default=True, help="Cloud in percent of an image.")
@click.option("--resolution", default=10.0, show_default=True, help="Pixel side in metres.")
@click.option("--out", type=click.Path(path_type=Path), help="Scene folder (in the workspace).")
@_json_option
@_progress_option
def fetch(
    bbox, period, stac, collection, bands, max_cloud, resolution, out, as_json, style
) -> None:
    """Compose a cloud-free Sentinel-2 scene of a box from a STAC API."""
    from lulc import stac as catalog

    names = [name.strip() for name in bands.split(",")] if bands else catalog.BANDS
    with report("fetch", style) as progress:
        found = catalog.fetch(
            bbox, period, url=stac, collection=collection, bands=names, max_cloud=max_cloud,
            resolution=resolution, out=out, progress=progress,
        )  # fmt: skip
    if found.clear < 1:
        _warn(f"{1 - found.clear:.1%} of the scene is nodata: it was never clear")
    if as_json:
        _print({
            "scene": found.path.parent.name, "path": str(found.path),
            "width": found.grid.shape.x, "height": found.grid.shape.y,
            "crs": str(found.grid.crs), "clear": found.clear, "items": list(found.items),
        })  # fmt: skip
    else:
        click.echo(found.path)


@cli.group()
def runs() -> None:
    """List, show, export and delete runs."""


@runs.command("list")
@_json_option
def runs_list(as_json: bool) -> None:
    """The finished runs of the workspace, the newest first."""
    from lulc.runs import runs as find

    found = [run.summary() for run in find()]
    if as_json:
        _print({"runs": found})
        return
    for run in found:
        macro = "   -  " if run["macro_f1"] is None else f"{run['macro_f1']:6.3f}"
        size = f"{run['width']} x {run['height']}"
        click.echo(f"{run['id']:40} {size:>15}  macro F1 {macro}  {run['created'][:16]}")
    if not found:
        click.echo(f"no runs in {config.workspace() / 'runs'} yet", err=True)


@runs.command("show")
@click.argument("run")
@_json_option
def runs_show(run: str, as_json: bool) -> None:
    """One run: what was classified, with what, and its scores."""
    from lulc.runs import Run

    opened = Run.open(run)
    if as_json:
        _print({**opened.summary(), "item": opened.item, "evaluations": opened.evaluations()})
        return
    for key, value in opened.summary().items():
        click.echo(f"{key:10} {value}")
    for warning in opened.warnings:
        click.echo(f"warning    {warning}")


@runs.command("export")
@click.argument("run")
@click.argument("target", type=click.Path(path_type=Path))
def runs_export(run: str, target: Path) -> None:
    """Copy a run to the folder TARGET."""
    from lulc.runs import Run, export

    click.echo(export(Run.open(run), target))


@runs.command("delete")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask.")
def runs_delete(run: str, yes: bool) -> None:
    """Delete a run."""
    from lulc.runs import Run, delete

    opened = Run.open(run)
    if not yes and not click.confirm(f"Delete {opened.path}?", err=True):
        raise RunError(f"{opened.id} was not deleted: expected yes")
    delete(opened)


@cli.group()
def models() -> None:
    """List, show and import models."""


@models.command("list")
@_json_option
def models_list(as_json: bool) -> None:
    """The models of the workspace and the bundled ones."""
    from lulc.model import Model
    from lulc.model import models as find

    cards = [Model.load(name).card for name in find()]
    if as_json:
        _print({"models": [
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
        click.echo(f"{card.name:24} {size:24} {card.title}; {_scores_line(card.scores)}")


@models.command("show")
@click.argument("model")
@_json_option
def models_show(model: str, as_json: bool) -> None:
    """One model's card."""
    from lulc.model import Model

    card = Model.load(model).card
    if as_json:
        _print(card.to_dict())
        return
    click.echo(f"{card.name}: {card.title}\n{_scores_line(card.scores)}")
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


@cli.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", default=5006, show_default=True, help="Port to serve at.")
@click.option("--public", is_flag=True, help="Listen on all interfaces. There is no login.")
def serve(address: str, port: int, public: bool) -> None:
    """Serve the dashboard."""
    from lulc.serve import serve as run_server

    if public:
        _warn("there is no login: whoever reaches this port can start jobs and delete runs")
    run_server(address, port, public=public)


def _scores_line(scores: Mapping[str, Any]) -> str:
    if not scores:
        return "no held-out scores"
    return (
        f"held out ({scores['on']}): macro F1 {scores['macro_f1']:.3f}, "
        f"accuracy {scores['accuracy']:.3f}"
    )
