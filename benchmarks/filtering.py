"""Winograd's filtering against direct convolutions: layer by layer, and what rounding does.

    python -m benchmarks.filtering [--size 512] [--runs 9]

The layers are those of the reference network for an image of that size. The rounding is that of the
whole network on a simulated region: random weights, normalised for the region, and the
temperature that makes the largest activation 0.68 on average, as sharp as a trained one's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import rasterio
from scipy.optimize import brentq
from scipy.special import softmax

from benchmarks.timing import interleaved, machine
from lulc import sample, winograd
from lulc.device import tensorflow
from lulc.frozen import freeze
from lulc.unet import UNet

#: The largest activation on average.
SHARP = 0.68

#: Side of the region for the rounding, and passes that its normalisation is from.
SIDE, PASSES = 256, 40


def layers(network: UNet, size: int) -> list[tuple[str, int, int, int]]:
    """The distinct wide layers: kind, channels in and out, side of what goes in."""
    found = []
    for layer in network.build().layers:
        name = type(layer).__name__
        if name in ("Conv2D", "Conv2DTranspose"):
            stage = layer.name.split("_")[1].removeprefix("stage")
            deep = int(stage) if stage.isdigit() else 0
            if layer.name.startswith("decoder"):
                deep = network.depth - 1 - deep + (name == "Conv2DTranspose")
            found.append((name, layer.input.shape[-1], layer.filters, size >> deep))
    return list(dict.fromkeys(found))


def ways(kind: str, channels: int, filters: int, side: int) -> dict[str, Callable[[], object]]:
    """A layer directly, and filtered."""
    tf = tensorflow()
    random = np.random.default_rng(0)
    image = tf.constant(random.normal(size=(1, side, side, channels)).astype(np.float32))
    if kind == "Conv2D":
        kernel = random.normal(size=(3, 3, channels, filters)).astype(np.float32)
        quick = winograd.convolution(kernel)

        def direct(values: Any) -> Any:
            return tf.nn.conv2d(values, kernel, 1, "SAME")
    else:
        kernel = random.normal(size=(4, 4, filters, channels)).astype(np.float32)
        quick = winograd.transposed(kernel)

        def direct(values: Any) -> Any:
            return tf.nn.conv2d_transpose(
                values, kernel, [1, 2 * side, 2 * side, filters], 2, "SAME"
            )

    graphs = {name: tf.function(way) for name, way in (("direct", direct), ("filtered", quick))}
    return {
        name: lambda graph=graph: graph(image)[0, 0, 0].numpy() for name, graph in graphs.items()
    }


def region() -> np.ndarray:
    """(1, SIDE, SIDE, 14) bands and indices of a simulated region, of mean 0 and deviation 1."""
    with TemporaryDirectory() as folder:
        sample.write(Path(folder), size=SIDE)
        read = []
        for name in ("bands", "indices"):
            with rasterio.open(Path(folder) / f"{name}.tif") as file:
                read.append(file.read().astype(np.float32))
    image = np.concatenate(read).transpose(1, 2, 0)
    return ((image - image.mean((0, 1))) / image.std((0, 1)))[None]


def rounding() -> dict[str, float]:
    """Largest errors of activations: differences to those computed in float64, by way."""
    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    image = region()
    network = UNet(bands=image.shape[-1], classes=13).build()
    for number in range(PASSES):
        row, column = np.random.default_rng(number).integers(0, SIDE - 128, 2)
        network(image[:, row : row + 128, column : column + 128], training=True)
    logits = np.log(freeze(network, quick=False)(image).numpy())
    temperature = brentq(
        lambda t: softmax(logits / t, axis=-1).max(axis=-1).mean() - SHARP, 1e-3, 1e3
    )
    frozen = {
        name: freeze(network, temperature=temperature, **options)(image).numpy()
        for name, options in {
            "exact": {"quick": False, "precision": "float64"},
            "direct convolutions": {"quick": False},
            "filtered": {},
        }.items()
    }
    exact = frozen.pop("exact")
    final = network.get_layer("final_conv")
    final.set_weights([weights / temperature for weights in final.get_weights()])
    found = {"Keras": network.predict(image, verbose=0), **frozen}
    return {name: float(abs(values - exact).max()) for name, values in found.items()}


@click.command()
@click.option("--size", default=512, show_default=True, help="Side of the image in pixels.")
@click.option("--runs", default=9, show_default=True, help="Rounds that count.")
def main(size: int, runs: int) -> None:
    """Compare wide layers, and the activations of the whole network."""
    click.echo(
        f"{machine()}\n{'layer':34}{'width':>7}{'direct, ms':>12}{'filtered':>10}{'ratio':>7}"
    )
    for kind, channels, filters, side in layers(UNet(bands=14, classes=13), size):
        times = interleaved(ways(kind, channels, filters, side), runs)
        ratio = median(b / a for a, b in zip(*times.values(), strict=True))
        width = channels * filters / (channels + filters)
        name = f"{kind} {channels} to {filters}, {side} x {side}"
        direct, quick = (median(seconds) * 1e3 for seconds in times.values())
        mark = "" if width >= winograd.WIDE else "  not used"
        click.echo(f"{name:34}{width:7.0f}{direct:12.1f}{quick:10.1f}{ratio:7.2f}{mark}")
    for name, off in rounding().items():
        click.echo(f"largest error of an activation, {name}: {off:.1e}")


if __name__ == "__main__":
    main()
