"""The network alone: our engine against the plain ways and other engines, with the same weights.

    python -m benchmarks.engines [--size 512] [--runs 5] [--network reference|bundled|all]

Ways: Keras `predict` on a generator, batches of one window of 256 pixels (how the reference
system does it); `tf.function` on the whole image; ours; and those of ONNX Runtime, OpenVINO
and PyTorch that are installed (`pip install 'lulc[bench]'`). All in one process, with the
flags TensorFlow has in it, in turn. The matrix product beside them, TensorFlow's own of 2048 x
2048 float32 with one side constant, says what the processor can do at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks import others
from benchmarks.timing import interleaved, machine, ratios
from lulc import config
from lulc.device import tensorflow
from lulc.frozen import freeze
from lulc.model import Model
from lulc.unet import UNet

#: The reference system's window.
WINDOW = 256

#: The side of the matrices of the matrix product, and how many products make a round.
GEMM = (2048, 4)

REFERENCE_WAY = "Keras predict, 256 px windows"
PRODUCT = "matrix product"


def flops_per_pixel(network: UNet) -> float:
    """Multiplications and additions of the convolutions for one pixel of the input."""
    total, deep = 0.0, network.bands
    for stage in range(network.depth):
        filters = network.width * 2**stage
        total += 2 * 9 * (deep * filters + filters * filters) / 4**stage
        deep = filters
    last = network.decoder_width or 2 * network.width
    for stage in reversed(range(network.depth)):
        filters, skip = last * 2**stage, network.width * 2**stage
        # A 4 x 4 transposed convolution of stride 2 uses 4 of its 16 taps for each pixel.
        total += 2 * (4 * deep * filters + 9 * (filters + skip) * filters) / 4**stage
        deep = filters
    return total + 2 * 9 * deep * network.classes


def product() -> Callable[[], object]:
    """Matrix products in float32: what the processor can do."""
    tf = tensorflow()
    side, times = GEMM
    a, b = (tf.random.normal((side, side)) for _ in range(2))
    constant = tf.constant(b.numpy())
    function = tf.function(lambda a: tf.matmul(a, constant))
    return lambda: [function(a)[0, 0].numpy() for _ in range(times)]


def ways(keras_model: Any, image: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """The ways of TensorFlow to compute the activations of an image (1, y, x, band), by name."""
    tf = tensorflow()
    size = image.shape[1]
    frozen = freeze(keras_model, "/CPU:0")
    function = tf.function(lambda x: keras_model(x, training=False))

    def reference_way() -> np.ndarray:
        corners = [(y, x) for y in range(0, size, WINDOW) for x in range(0, size, WINDOW)]

        def windows():
            for y, x in corners:
                yield (image[:, y : y + WINDOW, x : x + WINDOW],)

        out = keras_model.predict(windows(), steps=len(corners), verbose=0)
        whole = np.empty((1, size, size, out.shape[-1]), np.float32)
        for (y, x), window in zip(corners, out, strict=True):
            whole[0, y : y + WINDOW, x : x + WINDOW] = window
        return whole

    return {
        REFERENCE_WAY: reference_way,
        "tf.function": lambda: function(tf.constant(image)).numpy(),
        "lulc": lambda: frozen(tf.constant(image)).numpy(),
    }


def measure(title: str, keras_model: Any, network: UNet, size: int, runs: int) -> None:
    """Print one network's table."""
    random = np.random.default_rng(0)
    image = random.normal(size=(1, size, size, network.bands)).astype(np.float32)
    compared = ways(keras_model, image)
    installed, missing = others.engines(keras_model, image)
    compared |= {name: lambda run=run: run(image) for name, run in installed.items()}
    plain = compared["tf.function"]()
    off = {name: np.abs(plain - way()).max() for name, way in compared.items()}
    # The reference way has no halo: only the middle of its windows is the same.
    off[REFERENCE_WAY] = float("nan")
    seconds = interleaved({**compared, PRODUCT: product()}, runs)
    speed = ratios(seconds, REFERENCE_WAY)
    vino = next((name for name in installed if name.startswith("openvino")), None)
    against = ratios(seconds, vino) if vino else dict.fromkeys(seconds, float("nan"))
    against_product = ratios(seconds, PRODUCT)
    flops = flops_per_pixel(network)
    side, times = GEMM
    work = size * size * flops / (2 * side**3 * times)
    click.echo(f"\n{title}: {keras_model.count_params() / 1e6:.2f} M parameters, ", nl=False)
    click.echo(f"{flops / 1e3:.0f} kFLOP a pixel, {size} x {size} px, medians of {runs} rounds")
    click.echo(
        f"{'way':32}{'Mpx/s':>8}{'GFLOP/s':>9}{'ratio':>8}{'OpenVINO':>10}"
        f"{'of GEMM':>9}{'difference':>12}"
    )
    for name in compared:
        rate = size * size / median(seconds[name]) / 1e6
        click.echo(
            f"{name:32}{rate:8.3f}{rate * flops / 1e3:9.0f}{speed[name]:8.2f}"
            f"{against[name]:10.2f}{work * against_product[name]:9.0%}{off[name]:12.1e}"
        )
    peak = 2 * side**3 * times / median(seconds[PRODUCT]) / 1e9
    click.echo(f"{PRODUCT} of {side} x {side}: {peak:.0f} GFLOP/s")
    for name in missing:
        click.echo(f"not installed, left out: {name}")


@click.command()
@click.option("--size", default=512, show_default=True, help="Side of the image in pixels.")
@click.option("--runs", default=5, show_default=True, help="Rounds that count.")
@click.option("--network", type=click.Choice(["reference", "bundled", "all"]), default="all")
def main(size: int, runs: int, network: str) -> None:
    """Compare ways to run the network on the processor."""
    tf = tensorflow()
    click.echo(f"{machine()}, TensorFlow {tf.__version__}")
    if network != "bundled":
        reference = UNet(bands=14, classes=13)
        measure("reference network", reference.build(), reference, size, runs)
    if network != "reference":
        bundled = Model.load(config.ASSETS / "models" / "lakeland")
        measure("bundled model", bundled.network(), bundled.card.network, size, runs)


if __name__ == "__main__":
    main()
