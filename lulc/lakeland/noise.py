"""Randomness as a pure function of place: hashes, smooth noise, jittered cells.

Nothing here keeps a state, so any window of an endless plane can be computed by itself and
agrees with its neighbours. Only additions, multiplications and comparisons touch the pixels:
their result does not depend on how an array is laid out, as that of `exp` or `sin` may.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# Chosen among a few dozen so that seed 7, the region of the demonstration, shows a town, a lake
# with islands, fields, forest and a mire within its first 1024 pixels.
_SALT = 15

# The mean squared weight of cubic B-spline interpolation is 151/315 along each axis, and a
# uniform variate has variance 1/12: what brings `smooth` to variance 1.
_SMOOTH_GAIN = np.float32((12.0**0.5) * 315.0 / 151.0)
# Measured: brings `gradient` to variance 1.
_GRADIENT_GAIN = np.float32(5.7)


def key(seed: int, layer: str) -> int:
    """A 32-bit key that makes the layer called `layer` of `seed` independent of all others."""
    return zlib.crc32(f"{_SALT}:{seed}/{layer}".encode())


def hashed(k: int, iy: NDArray, ix: NDArray) -> NDArray[np.uint32]:
    """32 mixed bits for each pair of integers; `iy` and `ix` broadcast."""
    y = np.asarray(iy).astype(np.uint32) * np.uint32(0x9E3779B1)
    x = np.asarray(ix).astype(np.uint32) * np.uint32(0x85EBCA77)
    h = np.atleast_1d((y ^ np.uint32(k)) + x)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def uniform(k: int, iy: NDArray, ix: NDArray) -> Floats:
    """A variate in [0, 1) for each pair of integers."""
    return (hashed(k, iy, ix) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def white(k: int, iy: NDArray, ix: NDArray) -> Floats:
    """Independent noise of mean 0 and variance 1 (triangular, so never beyond 2.45)."""
    h = hashed(k, iy, ix)
    total = (h & np.uint32(0xFFFF)).astype(np.float32) + (h >> np.uint32(16)).astype(np.float32)
    return (total * np.float32(1 / 65536) - np.float32(1)) * np.float32(6.0**0.5)


def _taps(coordinates: Ints, scale: float) -> tuple[Ints, list[Floats]]:
    """The first lattice index and the four B-spline weights of each coordinate."""
    position = coordinates / scale
    first = np.floor(position).astype(np.int64)
    t = (position - first).astype(np.float32)
    s = 1 - t
    weights = (
        s * s * s / 6,
        (3 * t * t * t - 6 * t * t + 4) / 6,
        (3 * s * s * s - 6 * s * s + 4) / 6,
        t * t * t / 6,
    )
    return first, [w.astype(np.float32) for w in weights]


def smooth(k: int, y: Ints, x: Ints, scale: float) -> Floats:
    """Smooth noise over a grid, of mean 0 and variance 1, with features `scale` pixels wide.

    `y` (h, 1) and `x` (1, w) are the integer coordinates of the rows and columns.
    """
    iy, wy = _taps(y.ravel(), scale)
    ix, wx = _taps(x.ravel(), scale)
    rows = np.arange(iy[0], iy[-1] + 4)[:, None]
    columns = np.arange(ix[0], ix[-1] + 4)[None, :]
    table = uniform(k, rows, columns) - np.float32(0.5)
    across = sum(w[:, None] * table[iy - iy[0] + i] for i, w in enumerate(wy))
    out = np.zeros((iy.size, ix.size), np.float32)
    for i, w in enumerate(wx):
        out += np.take(across, ix - ix[0] + i, axis=1) * w
    return out * _SMOOTH_GAIN


def fractal(k: int, y: Ints, x: Ints, scale: float, octaves: int, gain: float = 0.5) -> Floats:
    """`smooth` noise summed over `octaves`, each half as wide; of mean 0 and variance 1."""
    total = np.zeros((y.size, x.size), np.float32)
    for i in range(octaves):
        total += np.float32(gain**i) * smooth(k + 7919 * i, y, x, scale / 2**i)
    return total / np.float32(sum(gain ** (2 * i) for i in range(octaves)) ** 0.5)


def gradient(k: int, y: NDArray[np.float64], x: NDArray[np.float64]) -> Floats:
    """Gradient noise at any points, in units of the lattice; of mean 0 and variance 1."""
    fy, fx = np.floor(y), np.floor(x)
    iy, ix = fy.astype(np.int64), fx.astype(np.int64)
    ty, tx = (y - fy).astype(np.float32), (x - fx).astype(np.float32)
    top, left = iy.min(), ix.min()
    rows = np.arange(top, iy.max() + 2)[:, None]
    columns = np.arange(left, ix.max() + 2)[None, :]
    bits = hashed(k, rows, columns)
    gy = (bits & np.uint32(0xFFFF)).astype(np.float32) / np.float32(32768) - 1
    gx = (bits >> np.uint32(16)).astype(np.float32) / np.float32(32768) - 1
    gy, gx = gy.ravel(), gx.ravel()
    at = (iy - top) * columns.size + (ix - left)
    sy = ty * ty * ty * (ty * (ty * 6 - 15) + 10)
    sx = tx * tx * tx * (tx * (tx * 6 - 15) + 10)

    def corner(offset: int, dy: Floats, dx: Floats) -> Floats:
        return np.take(gy, at + offset) * dy + np.take(gx, at + offset) * dx

    upper = corner(0, ty, tx)
    upper += sx * (corner(1, ty, tx - 1) - upper)
    lower = corner(columns.size, ty - 1, tx)
    lower += sx * (corner(columns.size + 1, ty - 1, tx - 1) - lower)
    return (upper + sy * (lower - upper)) * _GRADIENT_GAIN


def cells(k: int, y: NDArray, x: NDArray, spacing: float) -> tuple[Ints, Ints]:
    """The lattice index (row, column) of the nearest jittered point: Voronoi cells.

    `y` and `x` are coordinates in pixels of one shape; cells are about `spacing` wide.
    """
    y, x = np.broadcast_arrays(y / spacing, x / spacing)
    iy, ix = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    top, left = iy.min() - 1, ix.min() - 1
    rows = np.arange(top, iy.max() + 2)[:, None]
    columns = np.arange(left, ix.max() + 2)[None, :]
    bits = hashed(k, rows, columns)
    py = ((bits & np.uint32(0xFFFF)).astype(np.float32) / np.float32(65536)).ravel()
    px = ((bits >> np.uint32(16)).astype(np.float32) / np.float32(65536)).ravel()
    ty, tx = (y - iy).astype(np.float32), (x - ix).astype(np.float32)
    base = (iy - top) * columns.size + (ix - left)
    nearest = np.full(ty.shape, np.inf, np.float32)
    which = np.zeros(ty.shape, np.int64)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            at = base + dy * columns.size + dx
            ry, rx = np.take(py, at) + dy - ty, np.take(px, at) + dx - tx
            distance = ry * ry + rx * rx
            closer = distance < nearest
            np.copyto(nearest, distance, where=closer)
            np.copyto(which, at, where=closer)
    return which // columns.size + top, which % columns.size + left


def cuts(k: int, row: NDArray, along: NDArray) -> tuple[Ints, NDArray[np.float64]]:
    """A line cut at jittered integers: the piece each position lies in, and its middle.

    `row` names the line (each has cuts of its own); `along` is the position in mean pieces.
    """

    def cut(i: Ints) -> NDArray[np.float64]:
        return i + 0.7 * (uniform(k, row, i).astype(np.float64) - 0.5)

    piece = np.floor(along).astype(np.int64)
    piece = piece + (along >= cut(piece + 1)) - (along < cut(piece))
    return piece, (cut(piece) + cut(piece + 1)) / 2
