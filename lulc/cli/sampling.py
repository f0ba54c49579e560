"""Commands from points that someone looked at: `points`, `areas`."""

from __future__ import annotations

from pathlib import Path

import click

from lulc.cli.options import json_option, print_json


@click.command()
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
@json_option
def points(run, design, size, standard_error, out, seed, as_json) -> None:
    """Draw points from a run's map, for someone to say what is there."""
    from lulc.points import points as draw

    if size is not None and standard_error is not None:
        raise click.UsageError("expected --size or --standard-error; got both")
    wanted = 0.01 if standard_error is None else standard_error
    sample, path = draw(run, out, design=design, size=size, standard_error=wanted, seed=seed)
    if as_json:
        print_json({"path": str(path), "seed": seed, **sample.to_dict()})
    else:
        click.echo(path)


@click.command()
@click.argument("run", required=False)
@click.option("--points", help="The points of `lulc points`, labelled.")
@click.option("--column", default="REFERENCE", show_default=True, help="Where the labels are.")
@click.option("--counts", help="Points counted already: JSON with counts and mapped.")
@json_option
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
        print_json(found.to_dict())
    else:
        click.echo(found)
