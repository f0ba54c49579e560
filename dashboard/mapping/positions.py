"""Where the pixels of one grid lie in another."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

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
    down, across = _shares(target.shape.y), _shares(target.shape.x).T
    return (
        down @ columns.astype(np.float32) @ across,
        down @ rows.astype(np.float32) @ across,
    )


@lru_cache(maxsize=32)
def _shares(n: int) -> NDArray[np.float32]:
    """Share of every knot in each of `n` pixels between them, (n, knots)."""
    position = np.linspace(0, KNOTS - 1, n)
    return np.maximum(0, 1 - abs(position[:, None] - np.arange(KNOTS))).astype(np.float32)


@lru_cache(maxsize=32)
def _between(a: str, b: str) -> Transformer:
    """Making one takes longer than all the places of a view."""
    return Transformer.from_crs(a, b, always_xy=True)


def _wkt(grid: GeoBox) -> str:
    assert grid.crs is not None  # a scene or run without one cannot be opened
    return grid.crs.to_wkt()
