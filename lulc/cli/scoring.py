"""Commands that score: `evaluate`, `compare`, and doubt the labels: `suspects`."""

from __future__ import annotations

from pathlib import Path

import click

from lulc.cli.options import in_workspace, json_option, open_region, print_json, region_options

codes_option = click.option(
    "--codes", help="clc, clc-grid, worldcover, ... where the file does not tell."
)
level_option = click.option(
    "--level",
    type=click.Choice(["class", "3", "2", "1"]),
    default="class",
    show_default=True,
    help="Classes of the model, or CORINE levels.",
)
layer_option = click.option("--layer", help="The layer of a vector file of several.")
block_option = click.option(
    "--block",
    type=float,
    metavar="METRES",
    help="Side of the blocks for intervals (from the errors).",
)
rollup_option = click.option(
    "--rollup",
    type=click.Choice(["activations", "winners"]),
    help="Sum activations (CORINE levels), or recode the map's classes.",
)


@click.command()
@click.argument("run")
@click.option("--reference", required=True, help="Raster or vector of labels.")
@codes_option
@level_option
@rollup_option
@layer_option
@click.option("--label-accuracy", type=float, nargs=2, metavar="LOW HIGH",
              help="Share of the labels that are right, for the F1 they allow at all.")  # fmt: skip
@block_option
@click.option("--mmu", metavar="HECTARES|reference",
              help="Score the map without smaller patches, too.")  # fmt: skip
@region_options
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the scores here, and the matrix beside it.")  # fmt: skip
@click.option("--markdown", "page", type=click.Path(dir_okay=False, path_type=Path),
              help="Write scores, matrix and remarks here.")  # fmt: skip
@json_option
def evaluate(
    run, reference, codes, level, rollup, layer, label_accuracy, block, mmu, bbox, crs, region,
    table, page, as_json,
) -> None:  # fmt: skip
    """Score a run, or a region of it, against a reference, class by class."""
    from lulc import tables
    from lulc.evaluation import evaluate as run_evaluate
    from lulc.parts import PARTS

    path = in_workspace(reference, "references")
    part = open_region(bbox, crs, region)
    found = run_evaluate(
        run, path, codes=codes, level=level, rollup=rollup, layer=layer, region=part,
        label_accuracy=label_accuracy, block=block, mmu=_unit(mmu),
    )  # fmt: skip
    tables.write(found, table, page)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(found)
        for name in PARTS:
            if name in found.parts:
                click.echo(found.parts[name].text(found.blocks))


def _unit(text):
    """Hectares, or 'reference'; None for no text."""
    if text in (None, "reference"):
        return text
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"expected hectares or 'reference', got {text!r}") from None


@click.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option("--reference", help="Raster or vector of labels to score both by.")
@codes_option
@level_option
@rollup_option
@block_option
@json_option
def compare(run_a, run_b, reference, codes, level, rollup, block, as_json) -> None:
    """Compare two runs: where they agree, and the difference of each class's F1."""
    from lulc.compare import compare as run_compare

    path = in_workspace(reference, "references") if reference else None
    found = run_compare(run_a, run_b, path, codes=codes, level=level, rollup=rollup, block=block)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(found)


@click.command()
@click.argument("run")
@click.option("--reference", required=True, help="Raster or vector of labels.")
@codes_option
@level_option
@layer_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="The list, a .gpkg (suspects.gpkg in the run's folder).")  # fmt: skip
@json_option
def suspects(run, reference, codes, level, layer, out, as_json) -> None:
    """List the patches of a reference whose labels a run contradicts most."""
    from lulc.suspects import suspects as find

    path = in_workspace(reference, "references")
    found = find(run, path, codes=codes, level=level, layer=layer, out=out)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(found)
