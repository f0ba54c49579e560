"""Convolutions with fewer multiplications, for wide layers on processors.

Winograd's minimal filtering (Lavin and Gray 2016, "Fast algorithms for convolutional neural
networks"): pixels are made in tiles. What a tile sees and the kernel are polynomials, along
both axes; they are taken at a few points, multiplied there, and the products give the tile. A
3 x 3 convolution needs 36 products for 4 x 4 pixels, where the definition takes 144.

A 4 x 4 transposed convolution of stride 2 is a 2 x 2 convolution as well: between four of its
pixels in a square it makes the four pixels of twice the resolution there, each from the four.
It needs 36 products of each of them for 5 x 5 squares, where the definition takes 100.

Everything is a matrix product, which a processor is best at. The transforms of what goes in and
out are products with small matrices and cost little beside what they save in a wide layer. Where
the kernel is small, what a tile sees lies together, and the products at all points are one
convolution of single pixels in as many groups; a large one would be laid out anew for oneDNN each
time, so there points lie together, and each has a product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lulc.device import tensorflow

#: A layer pays where the product of its channels on both sides, which multiplications grow by, is
#: at least so many times their sum, by which data to move does: measured (docs/benchmarks.md).
#: With 128 channels on one side it takes 49 on the other; with as many on both, 70. Each layer
#: done here adds its rounding, so those that would gain little are not.
WIDE = 35

#: Bytes of a kernel at all points up to which it is small: measured (docs/benchmarks.md).
SMALL = 6 * 2**20

#: The points along an axis, beside the one at infinity. Two more need fewer products and round
#: twice as much, too much for probabilities good to 1e-4; of five these round least (Barabasz et
#: al. 2020, "Error analysis and improving the accuracy of Winograd convolution for deep neural
#: networks"; measured: two thirds of what 0, 1, -1, 2 and -2 do).
POINTS = (0, 1, -1, 2, -1 / 2)

#: The layers done here: their kernel and strides.
_DONE = {"Conv2D": ((3, 3), (1, 1)), "Conv2DTranspose": ((4, 4), (2, 2))}


def pays(layer: Any) -> bool:
    """Whether a Keras layer is one that is done here, and faster."""
    done = _DONE.get(type(layer).__name__)
    if done is None or done != (tuple(layer.kernel_size), tuple(layer.strides)):
        return False
    given, made = layer.input.shape[-1], layer.filters
    wide = given * made >= WIDE * (given + made)
    return wide and layer.padding == "same" and tuple(layer.dilation_rate) == (1, 1)


def convolution(kernel: np.ndarray, strips: int = 1) -> Callable[[Any], Any]:
    """A convolution with a 3 x 3 kernel, stride 1 and zeros around, as `tf.nn.conv2d`'s SAME.

    `kernel` is (3, 3, channels in, channels out); the function takes and gives tensors
    (1, y, x, channels) of its dtype. It differs from the definition by rounding, up to 1e-4
    of the output's standard deviation in float32. What the tiles see takes several times the
    image's memory, so it is done in that many strips, one after the other.
    """
    return _filtering(kernel[:, :, None, None], strips)


def transposed(kernel: np.ndarray, strips: int = 1) -> Callable[[Any], Any]:
    """A 4 x 4 transposed convolution of stride 2, as `tf.nn.conv2d_transpose`'s SAME.

    `kernel` is (4, 4, channels out, channels in); otherwise as `convolution`.
    """
    # Of two pixels, the finer one after the first sees them by taps 2 and 0, the next by 3 and 1.
    taps = np.array([[2, 3], [0, 1]])
    kernel = kernel[taps[:, None, :, None], taps[None, :, None, :]]
    return _filtering(kernel.swapaxes(-1, -2), strips)


def _filtering(kernel: np.ndarray, strips: int) -> Callable[[Any], Any]:
    """Correlation of an image with zeros around, where each of its steps makes finer pixels.

    `kernel` is (taps, taps, finer, finer, channels in, channels out): the finer pixels of a
    step lie beside each other; as many as there are beside one are cut off at every edge.
    """
    tf = tensorflow()
    taps, _, finer, _, channels, filters = kernel.shape
    into, weighted, out_of = transforms(POINTS, taps)
    made, seen = out_of.shape
    plain = kernel.astype(np.float64).transpose(0, 1, 4, 2, 3, 5).reshape(taps**2, -1)
    at_points = (np.kron(weighted, weighted) @ plain).reshape(seen**2, channels, -1)
    at_points = at_points.astype(kernel.dtype)
    together = at_points.nbytes <= SMALL
    in_groups = at_points.swapaxes(0, 1).reshape(1, 1, channels, -1)
    # Several times the kernel's size: as a part of the graph it would be copied again and again.
    with tf.init_scope():
        weights = tf.constant(in_groups if together else at_points)
    into, out_of = (tf.constant(np.kron(each, each), kernel.dtype) for each in (into, out_of))

    def filter_together(values: Any) -> Any:
        """(tile, pixel seen, channel in) -> (tile, pixel made, finer y, finer x, channel)."""
        values = tf.reshape(tf.matmul(into, values), [1, -1, 1, seen**2 * channels])
        values = tf.nn.conv2d(values, weights, 1, "VALID")
        return tf.matmul(out_of, tf.reshape(values, [-1, seen**2, finer**2 * filters]))

    def filter_by_point(values: Any) -> Any:
        """(pixel seen, tile, channel in) -> (pixel made, tile, finer y, finer x, channel)."""
        values = tf.matmul(into, tf.reshape(values, [seen**2, -1]))
        values = tf.matmul(tf.reshape(values, [seen**2, -1, channels]), weights)
        return tf.matmul(out_of, tf.reshape(values, [seen**2, -1]))

    def filtered(values: Any) -> Any:
        rows, columns = tf.shape(values)[1], tf.shape(values)[2]
        down = -(-(rows + 3 - taps) // (made * strips))  # rows of tiles in a strip
        across = -(-(columns + 3 - taps) // made)
        after = (made * strips * down + taps - 2 - rows, made * across + taps - 2 - columns)
        padded = tf.pad(values[0], [[1, after[0]], [1, after[1]], [0, 0]])
        # What every tile sees: where the tiles of a strip begin, and their pixels.
        width = tf.shape(padded)[1]
        begin = made * (width * tf.range(down)[:, None] + tf.range(across))
        pixels = width * tf.range(seen)[:, None] + tf.range(seen)
        places = tf.reshape(begin, [-1, 1]) + tf.reshape(pixels, [1, -1])
        padded = tf.reshape(padded, [-1, channels])

        # How far the finer pixels of the next tile are, and those of a tile's next pixel.
        tile, pixel = made**2 * finer**2, finer**2
        if not together:
            places = tf.transpose(places)
            tile, pixel = finer**2, down * across * finer**2

        def along(first: int, size: Any, steps: tuple) -> Any:
            # A pixel that is made is a finer one of a tile's pixel.
            at = tf.range(first, first + size)
            parts = at // (finer * made), at // finer % made, at % finer
            return sum(part * step for part, step in zip(parts, steps, strict=True))

        y = along(0, finer * made * down, (across * tile, made * pixel, finer))
        order = y[:, None] + along(finer - 1, finer * columns, (tile, pixel, 1))
        done: list[Any] = []
        for strip in range(strips):
            with tf.control_dependencies(done[-1:]):
                values = tf.gather(padded, places + strip * made * down * width)
                values = (filter_together if together else filter_by_point)(values)
                done.append(tf.gather(tf.reshape(values, [-1, filters]), order))
        return tf.concat(done, 0)[finer - 1 : finer * (rows + 1) - 1][None]

    return filtered


def transforms(points: Sequence[float], taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrices of a correlation of `taps` values by products at points and infinity.

    With `into` (products, seen), `weighted` (products, taps) and `out_of` (made, products),
    made = seen - taps + 1 and products = seen = points + 1, float64:
    `out_of @ ((weighted @ kernel) * (into @ seen))` is the correlation (Toom and Cook's
    multiplication of polynomials, transposed).
    """
    at = np.array(points, np.float64)
    others = [np.delete(at, place) for place in range(len(at))]
    # Polynomials that are zero at all the other points; the last one at all of them.
    into = np.array([*(np.append(np.poly(roots)[::-1], 0) for roots in others), np.poly(at)[::-1]])
    weighted, out_of = (np.vander(at, n, increasing=True) for n in (taps, len(at) - taps + 2))
    weighted /= [[np.prod(point - roots)] for point, roots in zip(at, others, strict=True)]
    infinity = np.eye(1, taps, taps - 1), np.eye(1, out_of.shape[1], out_of.shape[1] - 1)
    return into, np.vstack([weighted, infinity[0]]), np.vstack([out_of, infinity[1]]).T
