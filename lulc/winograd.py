"""3 x 3 convolutions with a quarter of the multiplications, for wide layers on processors.

Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016, "Fast algorithms for convolutional
neural networks"): 36 products make 4 x 4 pixels, where the definition takes 144. Everything is
a matrix product, which a processor is best at: what goes in and out is transformed by one of
36 x 36 and one of 16 x 36. These cost little beside what they save where a layer is wide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lulc.device import tensorflow

#: A layer pays with at least so many channels on both sides: measured, 1.1 to 1.3 times as
#: fast from 192 to 128 channels, 2.5 from 768 to 512, and slower from 96 to 64.
WIDE = 128

#: Pixels along an axis of what is computed at once, and of what is seen for it.
_OUT, _SEEN = 4, 6

#: The transforms of the input, the kernel and the output along an axis (Lavin and Gray 2016).
_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float64,
)
_KERNEL = (
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float64)
    / 24
)
_OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float64
)


def pays(layer: Any) -> bool:
    """Whether a Keras layer is a convolution that this does, and faster."""
    if type(layer).__name__ != "Conv2D" or layer.padding != "same":
        return False
    wide = min(layer.filters, layer.input.shape[-1]) >= WIDE
    plain = (layer.strides, layer.dilation_rate) == ((1, 1), (1, 1))
    return wide and plain and tuple(layer.kernel_size) == (3, 3)


def convolution(kernel: np.ndarray) -> Callable[[Any], Any]:
    """A convolution with a 3 x 3 kernel, stride 1 and zeros around, as `tf.nn.conv2d`'s SAME.

    `kernel` is (3, 3, channels in, channels out); the function takes and gives tensors
    (1, y, x, channels) of its dtype. It differs from the definition by rounding, up to 1e-4
    of the output's standard deviation in float32.
    """
    tf = tensorflow()
    channels, filters = kernel.shape[2:]
    weights = np.einsum("ia,abcf,jb->ijcf", _KERNEL, kernel.astype(np.float64), _KERNEL)
    weights = tf.constant(weights.reshape(_SEEN**2, channels, filters), kernel.dtype)
    taken = np.kron(_INPUT, _INPUT)[:, [y * _SEEN + x for y, x in _GATHERED]]
    into = tf.constant(taken, kernel.dtype)
    out_of = tf.constant(np.kron(_OUTPUT, _OUTPUT), kernel.dtype)

    def convolve(values: Any) -> Any:
        rows, columns = tf.shape(values)[1], tf.shape(values)[2]
        # Tiles of 4 x 4 pixels, and one more each way for the two pixels that a tile sees of it.
        down, across = -(-rows // _OUT) + 1, -(-columns // _OUT) + 1
        padded = tf.pad(
            values,
            [[0, 0], [1, _OUT * down - rows - 1], [1, _OUT * across - columns - 1], [0, 0]],
        )
        seen = tf.matmul(into, _gather(padded, down, across, channels))
        products = tf.matmul(tf.reshape(seen, [_SEEN**2, -1, channels]), weights)
        made = tf.matmul(out_of, tf.reshape(products, [_SEEN**2, -1]))
        # The tiles left out by `_gather`: none of them is in the result.
        made = tf.pad(made, [[0, 0], [0, (across + 1) * filters]])
        made = tf.reshape(made, [_OUT, _OUT, down * across, filters])
        made = tf.reshape(tf.transpose(made, [0, 2, 1, 3]), [_OUT, down, across * _OUT * filters])
        made = tf.transpose(made, [1, 0, 2])
        made = tf.reshape(made, [1, _OUT * down, _OUT * across, filters])
        return made[:, :rows, :columns]

    return convolve


#: The order in which `_gather` puts the 6 x 6 pixels that a tile sees: its own, then those of the
#: tile below, of the one to the right, and of the one below that.
_GATHERED = [
    *((y, x) for y in range(4) for x in range(4)),
    *((y, x) for y in (4, 5) for x in range(4)),
    *((y, x) for y in range(4) for x in (4, 5)),
    *((y, x) for y in (4, 5) for x in (4, 5)),
]


def _gather(padded: Any, down: Any, across: Any, channels: int) -> Any:
    """The pixels that every tile sees, (36, tile and channel), of (1, y, x, channel).

    Tiles lie row by row, so the neighbour to the right is the next one and that below is
    `across` further: shifting a pixel's whole row gives it for all tiles at once. The last
    tiles have no neighbour and are left out, the last of each row gets a wrong one; both
    lie beyond the image.
    """
    tf = tensorflow()
    tiles = tf.transpose(tf.reshape(padded, [down, _OUT, -1]), [1, 0, 2])
    tiles = tf.reshape(tiles, [_OUT, down * across, _OUT, channels])
    tiles = tf.reshape(tf.transpose(tiles, [0, 2, 1, 3]), [_OUT**2, -1])
    right, below = channels, across * channels
    length = tf.shape(tiles)[1] - below - right
    return tf.concat(
        [
            tiles[:, :length],
            tiles[: 2 * _OUT, below : below + length],
            *(tiles[_OUT * y : _OUT * y + 2, right : right + length] for y in range(_OUT)),
            *(tiles[_OUT * y : _OUT * y + 2, below + right :] for y in range(2)),
        ],
        axis=0,
    )
