"""The whole job: `lulc.classify` against the reference system's way, written plainly.

    python -m benchmarks.classify [--size 2048]

Three flows over one simulated scene, each in a process of its own so that its peak memory is
its own: the reference way (the whole array in memory, Keras `predict` window by window, 14
float32 bands written at once) with the reference network; lulc with the same weights; lulc
with the bundled model. Weights of the reference network are random: speed does not depend on
them. The reference way has no halo, so its seams are wrong; lulc's result is exact.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import click
import numpy as np
import rasterio

from benchmarks.engines import WINDOW
from benchmarks.timing import machine
from lulc import config, sample
from lulc.card import BandCard, ModelCard
from lulc.classify import classify
from lulc.contract import statistics
from lulc.legend import Legend
from lulc.model import Model
from lulc.scene import Scene
from lulc.unet import UNet

FLOWS = ("reference way", "lulc, reference network", "lulc, bundled model")


def make_reference_model(folder: Path, scene: Scene) -> None:
    """The reference network with random weights, for the sample's fourteen bands."""
    network = UNet(bands=14, classes=13)
    values, valid = scene.read(shape=(256, 256))
    found = statistics(values[:, valid])
    columns = zip(found.mean, found.std, found.low, found.high, strict=True)
    card = ModelCard(
        name="reference",
        title="Reference network, random weights",
        network=network,
        legend=Legend.load("lulc13"),
        bands=tuple(BandCard(b, *map(float, c)) for b, c in zip(scene.bands, columns, strict=True)),
        correlation=tuple(tuple(map(float, row)) for row in found.correlation),
        pixel_size=(5, 20),
        index_coding="percent",
    )
    Model.save(folder, network.build(), card)


def reference_way(folder: Path, model: Model) -> None:
    """Read all, normalise all, predict window by window, hold all, write all."""
    network, card = model.network(), model.card
    arrays = []
    for name in ("bands.tif", "indices.tif"):
        with rasterio.open(folder / name) as source:
            arrays.append(source.read().astype(np.float32))
            profile = source.profile
    arrays[0] *= 1e-4
    image = np.concatenate(arrays).transpose(1, 2, 0)
    image = (image - card.mean[:, 0, 0]) / card.std[:, 0, 0]
    height, width = image.shape[:2]
    rows, columns = -height % WINDOW, -width % WINDOW
    image = np.pad(image, ((0, rows), (0, columns), (0, 0)))
    corners = [
        (y, x) for y in range(0, image.shape[0], WINDOW) for x in range(0, image.shape[1], WINDOW)
    ]

    def windows():
        for y, x in corners:
            yield (image[None, y : y + WINDOW, x : x + WINDOW],)

    out = network.predict(windows(), steps=len(corners), verbose=0)
    whole = np.empty((*image.shape[:2], out.shape[-1]), np.float32)
    for (y, x), window in zip(corners, out, strict=True):
        whole[y : y + WINDOW, x : x + WINDOW] = window
    whole = whole[:height, :width]
    bands = np.concatenate([whole.argmax(-1)[None] + 1.0, whole.transpose(2, 0, 1)])
    profile = {key: profile[key] for key in ("driver", "crs", "transform")}
    profile |= {"count": 14, "dtype": "float32", "height": height, "width": width}
    with rasterio.open(folder / "reference-way.tif", "w", **profile) as target:
        target.write(bands.astype(np.float32))


def run_flow(folder: Path, flow: str) -> dict[str, float]:
    """Run one flow in this process; wall and CPU seconds, peak MiB, and lulc's own shares."""
    scene = Scene.open([folder / "bands.tif", folder / "indices.tif"])
    name = folder / "model" if flow != FLOWS[2] else config.ASSETS / "models" / "lakeland"
    model = Model.load(name)
    if flow != FLOWS[0]:
        model.predictor("cpu")  # starting TensorFlow is no part of either flow
    else:
        model.network()
    shares: dict[str, float] = {}
    wall, cpu = perf_counter(), process_time()
    if flow == FLOWS[0]:
        reference_way(folder, model)
    else:
        run = classify(scene, model, out=folder / flow.replace(" ", "-"), device="cpu")
        shares = dict(run.properties["lulc:timings"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": perf_counter() - wall, "cpu": process_time() - cpu, "peak": peak, **shares}


@click.command()
@click.option("--size", default=2048, show_default=True, help="Side of the scene in pixels.")
@click.option("--flow", type=click.Choice(FLOWS), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(size: int, flow: str | None, folder: Path | None) -> None:
    """Compare the whole flow with the reference system's."""
    if flow and folder:
        click.echo(json.dumps(run_flow(folder, flow)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        sample.write(place, size=size)
        scene = Scene.open([place / "bands.tif", place / "indices.tif"])
        make_reference_model(place / "model", scene)
        click.echo(f"{machine()}; {size} x {size} px")
        click.echo(
            f"{'flow':28}{'wall s':>8}{'CPU s':>8}{'peak MiB':>10}{'faster':>8}{'assembling':>12}"
        )
        base = 0.0
        for name in FLOWS:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.classify", "--flow", name, "--folder", place],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1])
            base = base or found["wall"]
            share = f"{found['assemble_s'] / found['wall']:12.0%}" if "assemble_s" in found else ""
            click.echo(
                f"{name:28}{found['wall']:8.1f}{found['cpu']:8.1f}{found['peak']:10.0f}"
                f"{base / found['wall']:8.2f}{share}"
            )


if __name__ == "__main__":
    main()
