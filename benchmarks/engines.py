"""The network alone: our engine against the plain ways to run the same weights.

    python -m benchmarks.engines [--size 512] [--runs 5]

Ways: Keras `predict` on a generator, batches of one window of 256 pixels (how the reference
system does it); `tf.function` on the whole image; ours, the network frozen to constants. All
in one process with oneDNN as lulc sets it, in turn. The rate of a matrix product of the same
process says what the processor can do. OpenVINO and ONNX Runtime are not compared yet.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import click
import numpy as np

from benchmarks.timing import interleaved, machine, ratios
from lulc import config
from lulc.device import tensorflow
from lulc.model import Model, freeze
from lulc.unet import UNet

#: The reference system's window.
WINDOW = 256


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


def gemm_rate(side: int = 2048, runs: int = 12) -> float:
    """GFLOP/s of a float32 matrix product, the best of some: what the processor can do."""
    tf = tensorflow()
    a = tf.random.normal((side, side))
    seconds = []
    for _ in range(runs + 1):
        begin = perf_counter()
        tf.matmul(a, a)[0, 0].numpy()
        seconds.append(perf_counter() - begin)
    return 2 * side**3 / min(seconds[1:]) / 1e9


def ways(keras_model: Any, image: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """The ways to compute the activations of an image (1, y, x, band), by name."""
    tf = tensorflow()
    size = image.shape[1]
    tensor = tf.constant(image)
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
        "Keras predict, 256 px windows": reference_way,
        "tf.function": lambda: function(tensor).numpy(),
        "lulc": lambda: frozen(tensor)[0].numpy(),
    }


def measure(title: str, keras_model: Any, network: UNet, size: int, runs: int, gemm: float) -> None:
    """Print one network's table."""
    random = np.random.default_rng(0)
    image = random.normal(size=(1, size, size, network.bands)).astype(np.float32)
    compared = ways(keras_model, image)
    plain, ours = compared["tf.function"](), compared["lulc"]()
    seconds = interleaved(compared, runs)
    speed = ratios(seconds, "Keras predict, 256 px windows")
    kflop = flops_per_pixel(network) / 1e3
    click.echo(f"\n{title}: {keras_model.count_params() / 1e6:.2f} M parameters, ", nl=False)
    click.echo(f"{kflop:.0f} kFLOP a pixel, {size} x {size} px")
    click.echo(f"{'way':34}{'Mpx/s':>8}{'ratio':>8}{'of GEMM':>9}")
    for name, values in seconds.items():
        rate = size * size / median(values) / 1e6
        share = rate * kflop / gemm
        click.echo(f"{name:34}{rate:8.3f}{speed[name]:8.2f}{share:9.0%}")
    click.echo(f"largest difference of lulc to tf.function: {np.abs(plain - ours).max():.1e}")


@click.command()
@click.option("--size", default=512, show_default=True, help="Side of the image in pixels.")
@click.option("--runs", default=5, show_default=True, help="Rounds that count.")
def main(size: int, runs: int) -> None:
    """Compare ways to run the network on the processor."""
    tensorflow()
    gemm = gemm_rate()
    click.echo(f"{machine()}; matrix product {gemm:.0f} GFLOP/s")
    reference = UNet(bands=14, classes=13)
    measure("reference network", reference.build(), reference, size, runs, gemm)
    bundled = Model.load(config.ASSETS / "models" / "lakeland")
    measure("bundled model", bundled.network(), bundled.card.network, size, runs, gemm)


if __name__ == "__main__":
    main()
