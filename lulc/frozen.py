"""A frozen network: a graph of constants, without what only training needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lulc import winograd
from lulc.device import tensorflow
from lulc.unet import UNet

if TYPE_CHECKING:
    import keras

#: The layers whose output a normalisation after them only scales and shifts.
_CONVOLUTIONS = ("Conv2D", "Conv2DTranspose")

#: Where a stage of the decoder begins, which needs little of its surroundings.
_CUT = ("Conv2DTranspose", "Concatenate")

#: Strips of quick convolutions at the image's own resolution: what tiles see there would take
#: more memory than all else. Coarser ones are small, and strips would only delay them.
_STRIPS = 8


def freeze(
    network: keras.Model,
    device: str = "/CPU:0",
    *,
    temperature: float = 1.0,
    precision: str = "float32",
    xla: bool = False,
    quick: bool = True,
) -> Callable[..., Any]:
    """The network as a graph: (1, y, x, bands) float32 -> (1, y, x, classes) float32 softmax.

    The graph's second argument, `core`, says which rows and columns are asked for: y0, y1, x0,
    x1, the ends exclusive; all unless given. What else there is of the image is its halo. The
    decoder, where most of the work is, computes only `UNet.MARGIN` pixels of it.

    The batch normalisation is folded into the convolutions before it, exactly, and the
    weights are constants, which oneDNN lays out once for the processor. `precision`
    (`float32`, `bfloat16`, `float16`) is that of everything but the softmax. `network` ends
    with `final_conv` and a softmax, whose temperature (Guo et al. 2017) can be another.
    `quick` lets a processor compute wide layers by `winograd`, in float32 and without XLA.
    """
    tf = tensorflow()
    quick = quick and "CPU:" in device and precision == "float32" and not xla
    kernels, folded = _fold(network)
    final = network.get_layer("final_conv")

    def compute(image: Any, core: Any) -> Any:
        # What every layer gave, where in the image it begins, and the pixels one of it spans.
        held = {network.input.name: (tf.cast(image, precision), (0, 0), 1)}
        for layer in network.layers[1:]:
            given = layer.input if isinstance(layer.input, list) else [layer.input]
            parts = [held[tensor.name] for tensor in given]
            if type(layer).__name__ in _CUT:
                parts = [_cut(core, UNet.MARGIN, *part) for part in parts]
            values, begin, step = parts[0]
            if layer.name in kernels:
                strips = (_STRIPS if step == 1 else 1) if quick else 0
                values = _convolve(layer, *kernels[layer.name], values, strips)
            elif layer.name not in folded:
                # Other than calling the layer, this casts nothing.
                values = layer.call([part[0] for part in parts] if parts[1:] else values)
            if type(layer).__name__ == "Conv2DTranspose":
                begin = tuple(at * by for at, by in zip(begin, layer.strides, strict=True))
                step //= layer.strides[0]
            elif hasattr(layer, "strides"):
                step *= layer.strides[0]
            held[layer.output.name] = values, begin, step
            if layer is final:
                break
        logits, *_ = _cut(core, 0, *held[final.output.name])
        return tf.nn.softmax(tf.cast(logits, tf.float32) / temperature)

    with tf.device(device):
        image = tf.TensorSpec((1, None, None, network.input_shape[-1]), tf.float32)
        signature = [image, tf.TensorSpec(4, tf.int32)]
        function = tf.function(compute, input_signature=signature, jit_compile=xla)
        graph = function.get_concrete_function()

    def run(image: Any, core: Sequence[int] | None = None) -> Any:
        _, rows, columns, _ = image.shape
        return graph(image, tf.constant(core or (0, rows, 0, columns), tf.int32))

    return run


def _cut(core: Any, margin: int, values: Any, begin: tuple, step: int) -> tuple[Any, tuple, int]:
    """Cut what a layer gave to the core and `margin` pixels around, as far as there are any."""
    tf = tensorflow()
    low, high = [], []
    for axis in (0, 1):
        first, end = core[2 * axis] // step - margin, -(-core[2 * axis + 1] // step) + margin
        low.append(tf.maximum(first - begin[axis], 0))
        high.append(tf.minimum(end - begin[axis], tf.shape(values)[axis + 1]))
    values = values[:, low[0] : high[0], low[1] : high[1]]
    return values, (begin[0] + low[0], begin[1] + low[1]), step


def _convolve(layer: Any, kernel: np.ndarray, bias: np.ndarray, values: Any, strips: int) -> Any:
    """A convolution or a transposed one, and what its layer does with the result.

    By `winograd` in so many strips, where that is faster; by the definition for none.
    """
    tf = tensorflow()
    kernel, bias = (part.astype(values.dtype.as_numpy_dtype) for part in (kernel, bias))
    rows, columns = layer.strides
    up = type(layer).__name__ == "Conv2DTranspose"
    if strips and winograd.pays(layer):
        filtering = winograd.transposed if up else winograd.convolution
        values = filtering(kernel, strips)(values)
    elif up:
        shape = tf.shape(values)
        shape = [1, rows * shape[1], columns * shape[2], layer.filters]
        values = tf.nn.conv2d_transpose(values, kernel, shape, layer.strides, "SAME")
    else:
        padding = layer.padding.upper()
        values = tf.nn.conv2d(values, kernel, layer.strides, padding, "NHWC", layer.dilation_rate)
    return layer.activation(tf.nn.bias_add(values, bias))


def _fold(
    network: keras.Model,
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], set[str]]:
    """Kernel and bias of every convolution, and the names of the normalisations within them.

    A normalisation is gamma * (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy
    2015); one that follows something else than a convolution is left as it is.
    """
    maker = {layer.output.name: layer for layer in network.layers}
    kernels: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    folded: set[str] = set()
    for layer in network.layers:
        kind = type(layer).__name__
        if kind in _CONVOLUTIONS:
            kernel, *bias = layer.get_weights()
            kernels[layer.name] = (kernel, bias[0] if bias else np.zeros(layer.filters, "f4"))
        elif kind == "BatchNormalization":
            before = maker[layer.input.name]
            if before.name not in kernels:
                continue
            gamma, beta, mean, variance = layer.get_weights()
            scale = gamma / np.sqrt(variance + layer.epsilon)
            kernel, bias = kernels[before.name]
            # A transposed convolution keeps its outputs on the last axis but one.
            across = scale[:, None] if type(before).__name__ == "Conv2DTranspose" else scale
            kernels[before.name] = (kernel * across, (bias - mean) * scale + beta)
            folded.add(layer.name)
    return kernels, folded
