"""The simulated lakeland: how high the ground is, and so where water lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lulc.lakeland import noise
from lulc.lakeland.noise import Floats, Ints, key

#: Of the lakes, in standard deviations of the relief.
LEVEL = -1.02
#: Distances are not told apart beyond this many pixels.
FAR = 48


def relief(seed: int, y: NDArray, x: NDArray) -> Floats:
    """The height at any points, stretched from north-west to south-east as ice left it."""
    y, x = np.broadcast_arrays(y.astype(np.float64), x.astype(np.float64))
    wy = noise.gradient(key(seed, "warp y"), y / 170, x / 170)
    wx = noise.gradient(key(seed, "warp x"), y / 170, x / 170)
    y, x = y + 22.0 * wy, x + 22.0 * wx
    u, v = (x + y) * 0.7071, (y - x) * 0.7071
    total = np.zeros(y.shape, np.float32)
    for i, gain in enumerate((0.62, 0.8, 0.8, 0.66, 0.44)):
        scale = 520.0 / 2**i
        stretch = 2.2 if i < 3 else 1.5
        octave = noise.gradient(key(seed, f"relief {i}"), v / scale, u / (scale * stretch))
        total += np.float32(gain) * octave
    # Some regions are lake country, others mostly land.
    offset = 0.9 * float(noise.uniform(key(seed, "wet"), np.zeros(1), np.zeros(1))[0]) - 0.45
    return total / np.float32(1.45) - np.float32(offset)


def _upsampled(coarse: Floats, step: int, shape: tuple[int, int]) -> Floats:
    """A grid of every `step`-th pixel, interpolated linearly to all of `shape`."""

    def stretch(a: Floats, n: int) -> Floats:
        i = np.arange(n)
        t = ((i % step) / step).astype(np.float32)[:, None]
        i = i // step
        return a[i] + t * (a[i + 1] - a[i])

    return stretch(stretch(coarse, shape[0]).T.copy(), shape[1]).T.copy()


def distance(mask: NDArray[np.bool_]) -> Floats:
    """Pixels to the nearest True, at most FAR."""
    if not mask.any():
        return np.full(mask.shape, FAR, np.float32)
    return np.minimum(ndimage.distance_transform_edt(~mask), FAR).astype(np.float32)


def terrain(seed: int, y: Ints, x: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """Height above the lakes over a grid whose first pixel is a multiple of 4, and the river."""
    coarse_y = np.arange(y[0, 0], y[-1, 0] + 9, 4)[:, None]
    coarse_x = np.arange(x[0, 0], x[0, -1] + 9, 4)[None, :]
    height = _upsampled(relief(seed, coarse_y, coarse_x), 4, (y.size, x.size)) - np.float32(LEVEL)
    height += np.float32(0.22) * noise.fractal(key(seed, "shore"), y, x, 36.0, 5)
    gy, gx = np.broadcast_arrays(coarse_y / 900 + 0.2, coarse_x / 900)
    stream = noise.gradient(key(seed, "river"), gy, gx)
    stream += np.float32(0.12) * noise.gradient(key(seed, "meander"), gy * 9, gx * 9)
    stream = _upsampled(stream, 4, (y.size, x.size))
    slope = np.hypot(*np.gradient(stream)) + np.float32(1e-4)
    stream = np.abs(stream) / slope
    width = np.clip(2.2 * noise.smooth(key(seed, "river width"), y, x, 300.0) - 0.3, 0, 4)
    river = (stream < width) & (height > 0)
    return height, river
