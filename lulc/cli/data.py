"""Commands that make scenes: `sample`, `fetch`."""

from __future__ import annotations

from pathlib import Path

import click

from lulc.cli.options import json_option, print_json, progress_option, warn
from lulc.progress import report


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size", default=1024, show_default=True, help="Side in pixels of 10 m.")
@click.option("--seed", default=7, show_default=True, help="Which landscape.")
@json_option
@progress_option
def sample(directory: Path, size: int, seed: int, as_json: bool, style: str) -> None:
    """Simulate a region: bands.tif, indices.tif, corine.tif and truth.tif in DIRECTORY."""
    from lulc.sample import write

    with report("simulate", style) as progress:
        written = write(directory, size=size, seed=seed, progress=progress)
    if as_json:
        print_json({"seed": seed, "size": size, "files": {k: str(v) for k, v in written.items()}})
    else:
        for path in written.values():
            click.echo(path)


@click.command()
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
@json_option
@progress_option
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
        warn(f"{1 - found.clear:.1%} of the scene is nodata: it was never clear")
    if as_json:
        print_json({
            "scene": found.path.parent.name, "path": str(found.path),
            "width": found.grid.shape.x, "height": found.grid.shape.y,
            "crs": str(found.grid.crs), "clear": found.clear, "items": list(found.items),
        })  # fmt: skip
    else:
        click.echo(found.path)
