"""Where the pixels of one grid lie in another."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window

#: Knots a side of the net between which positions are interpolated.
KNOTS = 33


def net(target: GeoBox, source: GeoBox, knots: int = KNOTS) -> tuple[NDArray, NDArray]:
    """Columns and rows of the source, (knots, knots) each, at pixel centres of the target.

    The knots lie evenly from the first to the last pixel; rows of the net from north to south.
    """
    height, width = target.shape
    across, down = (np.linspace(0, n - 1, knots) for n in (width, height))
    at = target.affine
    x, y = np.meshgrid(at.c + at.a * (across + 0.5), at.f + at.e * (down + 0.5))
    columns, rows = ~source.affine * _between(_wkt(target), _wkt(source)).transform(x, y)
    return columns, rows


def positions(target: GeoBox, source: GeoBox) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Columns and rows of the source, (y, x) each, at every pixel centre of the target.

    Exact at the knots and bilinear between, which is off by far less than a target's pixel.
    """
    columns, rows = net(target, source)
    shape = (int(target.shape.y), int(target.shape.x))
    return spread(columns, shape), spread(rows, shape)


@lru_cache(maxsize=12)
def lookup(
    target: GeoBox, source: GeoBox
) -> tuple[Window | None, tuple[int, int], NDArray[np.intp]]:
    """The window of the source that shows the target, the shape to read it in, and the places.

    Places (y, x) are those of the target's pixels in the flattened pixels of that shape, and
    the one behind the last outside the source. The window is None where nothing is inside.
    """
    whole = (int(target.shape.y), int(target.shape.x))
    columns, rows = net(target, source)
    height, width = source.shape
    # Between the knots nothing lies further out than at them.
    spans = [(float(part.min()), float(part.max())) for part in (columns, rows)]
    if spans[0][1] < 0 or spans[1][1] < 0 or spans[0][0] >= width or spans[1][0] >= height:
        return None, (0, 0), np.zeros(whole, np.intp)
    (left, right), (top, bottom) = (
        (max(0, int(low)), min(n, int(high) + 1))
        for (low, high), n in zip(spans, (width, height), strict=True)
    )
    window = Window(left, top, right - left, bottom - top)
    # About a pixel of the file's for each of the screen's, and never more than there are.
    step = max(1.0, *((high - low) / n for (low, high), n in zip(spans, whole[::-1], strict=True)))
    shape = (math.ceil(window.height / step), math.ceil(window.width / step))
    x = spread((columns - left) * (shape[1] / window.width), whole)
    y = spread((rows - top) * (shape[0] / window.height), whole)
    beside = [part < 0 for part in (x, y)] if min(spans[0][0], spans[1][0]) < 0 else []
    beside += [x >= shape[1]] if spans[0][1] >= width else []
    beside += [y >= shape[0]] if spans[1][1] >= height else []
    # 32 bits are converted several times as fast as 64.
    x, y = x.astype(np.int32), y.astype(np.int32)
    np.minimum(x, shape[1] - 1, out=x)
    np.minimum(y, shape[0] - 1, out=y)
    y *= np.int32(shape[1])
    y += x
    if beside:
        y[np.logical_or.reduce(beside)] = shape[0] * shape[1]
    return window, shape, y.astype(np.intp)


def spread(table: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Numbers at the knots, at every pixel (y, x) between them.

    Not by products of matrices: their threads cost several times what they save.
    """
    height, width = shape
    along = _down(np.ascontiguousarray(table.T, np.float32), width)
    return _down(np.ascontiguousarray(along.T), height)


def _down(table: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Rows at the knots, as `n` rows between the first and the last."""
    at = np.linspace(0, len(table) - 1, n)
    above = np.minimum(at.astype(np.intp), len(table) - 2)
    share = (at - above).astype(np.float32)[:, None]
    out = np.empty((n, table.shape[1]), np.float32)
    ends = np.searchsorted(above, np.arange(len(table)))
    for knot, (first, last) in enumerate(pairwise(ends)):
        np.multiply(share[first:last], table[knot + 1] - table[knot], out=out[first:last])
        out[first:last] += table[knot]
    return out


@lru_cache(maxsize=32)
def _between(a: str, b: str) -> Transformer:
    """Making one takes longer than all the places of a view."""
    return Transformer.from_crs(a, b, always_xy=True)


def _wkt(grid: GeoBox) -> str:
    assert grid.crs is not None  # a scene or run without one cannot be opened
    return grid.crs.to_wkt()
