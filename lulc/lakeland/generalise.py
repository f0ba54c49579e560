"""The simulated lakeland: what a CORINE-like map says of it, mistakes included.

The truth is taken to 20 m by majority; some patches are given a wrong class on purpose; patches
below the minimum mapping unit go to their neighbours; classes become Finnish level-4 codes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lulc.lakeland import landscape, noise
from lulc.lakeland.landscape import PEAT, ROCK, WATER, Ground
from lulc.lakeland.noise import key

#: The smallest patch on the map, in pixels of 20 m: 6 x 0.04 ha = 0.24 ha.
MINIMUM_PATCH = 6
#: The share of the land's area that is labelled wrong on purpose.
WRONG_SHARE = 0.06

#: What each class is mistaken for (water is not).
MISTAKEN = {1: 5, 2: 1, 3: 10, 4: 5, 5: 4, 6: 9, 7: 9, 8: 9, 9: 7, 10: 9, 11: 10, 12: 11}

# Patches are mistaken where they meet a cell this wide (pixels of 20 m): about 14 ha.
_UNIT = 19
# Patches are found in fixed blocks of this many pixels of 20 m, with a margin for their size.
_BLOCK = 256
_REACH = 24


def classes(seed: int, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
    """The 13 classes, mistakes included, of a window in pixels of 20 m: what is then coded."""
    return _assembled(seed, 2, top, left, height, width)


def codes(seed: int, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
    """Finnish level-4 codes of a window in pixels of 20 m."""
    return _assembled(seed, 0, top, left, height, width)


def wrong(seed: int, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
    """Where they would be another class but for the mistakes made on purpose."""
    return _assembled(seed, 1, top, left, height, width).astype(bool)


def _assembled(seed: int, layer: int, top: int, left: int, height: int, width: int) -> NDArray:
    out = np.empty((height, width), np.uint8)
    for row in range(top // _BLOCK * _BLOCK, top + height, _BLOCK):
        for column in range(left // _BLOCK * _BLOCK, left + width, _BLOCK):
            block = _block(seed, row, column)[layer]
            i = slice(max(row, top), min(row + _BLOCK, top + height))
            j = slice(max(column, left), min(column + _BLOCK, left + width))
            out[i.start - top : i.stop - top, j.start - left : j.stop - left] = block[
                i.start - row : i.stop - row, j.start - column : j.stop - column
            ]
    return out


@lru_cache(maxsize=16)
def _block(seed: int, top: int, left: int) -> NDArray[np.uint8]:
    """(3, y, x): the codes, where they are wrong, and the classes, of one fixed block."""
    y0, x0 = top - _REACH, left - _REACH
    size = _BLOCK + 2 * _REACH
    ground = landscape.survey(seed, 2 * y0, 2 * x0, 2 * size, 2 * size)
    honest = _majority(ground.truth)
    mistaken = _mistaken(seed, honest, y0, x0)
    right, final = _generalised(honest), _generalised(mistaken)
    inner = slice(_REACH, -_REACH)
    mistakes = (final != right).astype(np.uint8)
    layers = np.stack([_coded(seed, final, ground, y0, x0), mistakes, final])
    layers = layers[:, inner, inner].copy()
    layers.setflags(write=False)
    return layers


def _majority(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The commonest of each 2 x 2 pixels; of two pairs, the one that holds the upper left."""
    a, b, c, d = fine[::2, ::2], fine[::2, 1::2], fine[1::2, ::2], fine[1::2, 1::2]
    pair = (b == c) | (b == d)
    alone = (a != b) & (a != c) & (a != d)
    return np.where(alone & pair, b, np.where(alone & (c == d), c, a))


def _mistaken(seed: int, honest: NDArray[np.uint8], y0: int, x0: int) -> NDArray[np.uint8]:
    """The classes with a share of their patches mistaken, each as a whole within its unit."""
    y = np.arange(y0, y0 + honest.shape[0])[:, None]
    x = np.arange(x0, x0 + honest.shape[1])[None, :]
    unit = noise.cells(key(seed, "unit"), y, x, _UNIT)
    luck = noise.uniform(key(seed, "mistake"), unit[0] * 16 + honest, unit[1])
    table = np.arange(256, dtype=np.uint8)
    table[list(MISTAKEN)] = list(MISTAKEN.values())
    return np.where(luck < WRONG_SHARE, table[honest], honest)


def _small(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels of the patches (4-connected) below the minimum mapping unit."""
    small = np.zeros(classes.shape, bool)
    for c in np.unique(classes):
        labels, _ = ndimage.label(classes == c)
        sizes = np.bincount(labels.ravel())
        sizes[0] = MINIMUM_PATCH
        small |= (sizes < MINIMUM_PATCH)[labels]
    return small


def _generalised(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The classes with every patch below the minimum given to the nearest larger one."""
    small = _small(classes)
    if not small.any() or small.all():
        return classes
    near = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return classes[tuple(near)]


def _coded(
    seed: int, classes: NDArray[np.uint8], ground: Ground, y0: int, x0: int
) -> NDArray[np.uint8]:
    """Finnish codes: by class, soil and neighbourhood."""
    fine = np.s_[::2, ::2]
    soil, urban, height = ground.soil[fine], ground.urban[fine], ground.height[fine]
    cover = ground.cover[fine]
    y = np.arange(y0, y0 + classes.shape[0])[:, None]
    x = np.arange(x0, x0 + classes.shape[1])[None, :]
    lot = noise.uniform(key(seed, "code"), *noise.cells(key(seed, "code cells"), y, x, 12))
    peat, rock = soil == PEAT, soil == ROCK
    of = {
        1: np.where((urban < 0.15) & (height < 0.25), 13, 2),
        2: np.where(urban < 0.7, 5, np.where(urban > 1.25, 1, np.where(lot < 0.5, 3, 4))),
        3: np.where(peat, 44, np.where(rock, 39, 8)),
        4: np.where(lot < 0.6, 19, 31),
        5: np.full(classes.shape, 17),
        6: np.where(peat, 24, 23),
        7: np.where(peat, 26, np.where(rock, 27, 25)),
        8: np.where(peat, 26, np.where(rock, 27, 25)),
        9: np.where(peat, 29, np.where(rock, 30, 28)),
        10: np.where(peat, 35, np.where(rock, 36, np.where(cover < 0.2, 33, 34))),
        11: np.where(lot < 0.5, 41, 43),
        12: np.full(classes.shape, 42),
        WATER: np.where(ground.river[fine], 47, 48),
    }
    out = np.full(classes.shape, 255, np.uint8)
    for c, values in of.items():
        np.copyto(out, values.astype(np.uint8), where=classes == c)
    return out
