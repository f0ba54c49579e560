"""The whole job: `lulc.classify` against the reference system's way, written plainly.

    python -m benchmarks.classify [--width 6477] [--height 7068] [--limit 60]

Three flows over one simulated scene, each in a process of its own so that its peak memory is
its own: the reference way (the whole array in memory, Keras `predict` window by window, 14
float32 bands written at once) with the reference network; lulc with the same weights; lulc
with the bundled model. Weights of the reference network are random: speed does not depend on
them. The reference way has no halo, so its seams are wrong; lulc's result is exact.

Each flow first does a small part, which does not count and tells its rate; then as many of the
scene's rows as fit into `--limit` seconds. Ratios are of the time per pixel. lulc's shares are
of its wall time: reading and writing are added up over the threads, so they are what these
would take if nothing overlapped. "Exposed" is the share in which no network is computing, the
assembling left out: what reading and writing add to the wall time, but for what they take from the
network meanwhile on the same processors.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import click
import numpy as np
import rasterio
from rasterio.windows import Window

from benchmarks.engines import WINDOW
from benchmarks.scenes import repeated
from benchmarks.timing import machine
from lulc import config, predictor
from lulc.card import BandCard, ModelCard
from lulc.classify import classify
from lulc.contract import statistics
from lulc.grid import cut
from lulc.legend import Legend
from lulc.model import Model
from lulc.region import Region
from lulc.scene import Scene
from lulc.unet import UNet

FLOWS = ("reference way", "lulc, reference network", "lulc, bundled model")

#: Rows and columns of the part that does not count.
PILOT = 1024


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


def reference_way(folder: Path, model: Model, network, window: Window) -> None:
    """Read all, normalise all, predict window by window, hold all, write all."""
    card = model.card
    arrays = []
    for name in ("bands.tif", "indices.tif"):
        with rasterio.open(folder / name) as source:
            arrays.append(source.read(window=window).astype(np.float32))
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
    for (y, x), part in zip(corners, out, strict=True):
        whole[y : y + WINDOW, x : x + WINDOW] = part
    whole = whole[:height, :width]
    bands = np.concatenate([whole.argmax(-1)[None] + 1.0, whole.transpose(2, 0, 1)])
    profile = {key: profile[key] for key in ("driver", "crs", "transform")}
    profile |= {"count": 14, "dtype": "float32", "height": height, "width": width}
    with rasterio.open(folder / "reference-way.tif", "w", **profile) as target:
        target.write(bands.astype(np.float32))


def run_flow(folder: Path, flow: str, limit: float) -> dict[str, float]:
    """Run one flow in this process; its pixels, seconds, peak MiB, and lulc's own shares."""
    scene = Scene.open([folder / "bands.tif", folder / "indices.tif"])
    model = Model.load(folder / "model" if flow != FLOWS[2] else config.ASSETS / "models/lakeland")
    network = model.network() if flow == FLOWS[0] else None

    def work(window: Window, name: str) -> dict[str, float]:
        if network is not None:
            reference_way(folder, model, network, window)
            return {}
        bounds = tuple(cut(scene.grid, window).boundingbox)
        region = Region.box(bounds, str(scene.grid.crs))
        out = folder / f"{name}-{FLOWS.index(flow)}"
        run = classify(scene, model, region=region, out=out, device="cpu")
        return dict(run.properties["lulc:timings"])

    computing: list[float] = []
    computed = predictor._computed

    def timed(*given: Any) -> np.ndarray:
        begin = perf_counter()
        try:
            return computed(*given)
        finally:
            computing.append(perf_counter() - begin)

    predictor._computed = timed
    work(Window(0, 0, 256, 256), "start")  # starting TensorFlow is no part of either flow
    begin = perf_counter()
    work(Window(0, 0, PILOT, PILOT), "pilot")
    rows = int(limit / (perf_counter() - begin) * PILOT**2 / scene.shape[1])
    rows = max(PILOT // 2, min(scene.shape[0], rows))
    window = Window(0, 0, scene.shape[1], rows)
    computing.clear()
    wall, cpu = perf_counter(), process_time()
    shares = work(window, "run")
    wall, cpu = perf_counter() - wall, process_time() - cpu
    if shares:
        # One network at a time on a processor: their times add up.
        shares["exposed_s"] = wall - shares["assemble_s"] - sum(computing)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"mpx": rows * scene.shape[1] / 1e6, "wall": wall, "cpu": cpu, "peak": peak, **shares}


def report(flow: str, found: dict[str, float], base: dict[str, float]) -> None:
    """Print one flow's line."""
    wall, cpu = (base[k] / base["mpx"] / (found[k] / found["mpx"]) for k in ("wall", "cpu"))
    shares = ""
    if "read_s" in found:
        parts = [found[f"{part}_s"] / found["wall"] for part in ("read", "write", "assemble")]
        parts += [sum(parts), found["exposed_s"] / found["wall"]]
        shares = "".join(f"{part:8.1%}" for part in parts)
    click.echo(
        f"{flow:26}{found['mpx']:7.1f}{found['wall']:8.1f}{found['cpu']:8.1f}"
        f"{wall:8.2f}{cpu:8.2f}{found['peak']:10.0f}{shares}"
    )


@click.command()
@click.option("--width", default=6477, show_default=True, help="Columns of the scene.")
@click.option("--height", default=7068, show_default=True, help="Rows of the scene.")
@click.option("--limit", default=60.0, show_default=True, help="Seconds for each flow.")
@click.option("--flow", type=click.Choice(FLOWS), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(width: int, height: int, limit: float, flow: str | None, folder: Path | None) -> None:
    """Compare the whole flow with the reference system's."""
    if flow and folder:
        click.echo(json.dumps(run_flow(folder, flow, limit)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        repeated(place, width, height)
        scene = Scene.open([place / "bands.tif", place / "indices.tif"])
        make_reference_model(place / "model", scene)
        click.echo(f"{machine()}; scene of {width} x {height} px")
        click.echo(
            f"{'flow':26}{'Mpx':>7}{'wall s':>8}{'CPU s':>8}{'faster':>8}{'CPU':>8}{'peak MiB':>10}"
            f"{'read':>8}{'write':>8}{'assemb.':>8}{'sum':>8}{'exposed':>8}"
        )
        base: dict[str, float] = {}
        for name in FLOWS:
            call = [sys.executable, "-m", "benchmarks.classify", "--flow", name]
            done = subprocess.run(
                [*call, "--folder", str(place), "--limit", str(limit)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1])
            base = base or found
            report(name, found, base)


if __name__ == "__main__":
    main()
