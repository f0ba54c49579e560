"""What large areas take, on paper, from measured rates.

    python -m benchmarks.continent --rate 1.06 --assemble 3.2 --size 2.3

The rates are those of one machine: see docs/benchmarks.md. The areas are Finland's (338 000
km2) and that of the 39 countries of the European Environment Agency (5.8 million km2), in
pixels of 10 m.
"""

from __future__ import annotations

from math import ceil

import click
from rasterio.windows import Window

from lulc import config
from lulc.mapfile import ROOM
from lulc.model import Model
from lulc.tiling import fit_tile

#: Pixels of 10 m.
AREAS = {"Finland": 3.4e9, "EEA-39": 58e9}


@click.command()
@click.option("--rate", required=True, type=float, help="Mpx/s of one worker, assembly left out.")
@click.option("--assemble", required=True, type=float, help="Mpx/s of assembling.")
@click.option("--size", required=True, type=float, help="Bytes of a pixel's bands in a block.")
def main(rate: float, assemble: float, size: float) -> None:
    """Print worker-hours, bytes and files for a country and a continent."""
    network = Model.load(config.ASSETS / "models" / "lakeland").card.network
    pixels = config.BLOCK_MIB * 2**20 // network.bytes_per_pixel
    click.echo("| area | Gpx | blocks | worker-hours | with 100 workers | assembling | "
               "blocks, GB | room, GB |")  # fmt: skip
    click.echo("|---|---|---|---|---|---|---|---|")
    for name, area in AREAS.items():
        side = ceil(area**0.5)
        tile = fit_tile(
            Window(0, 0, side, side), halo=network.halo, stride=network.stride, pixels=pixels
        )
        hours, gigabytes = area / rate / 3.6e9, area * size / 1e9
        click.echo(
            f"| {name} | {area / 1e9:g} | {ceil(side / tile) ** 2:,} | {hours:,.1f} | "
            f"{hours / 100:.1f} h | {area / assemble / 3.6e9:.1f} h | {gigabytes:,.0f} | "
            f"{gigabytes * (1 + ROOM):,.0f} |"
        )


if __name__ == "__main__":
    main()
