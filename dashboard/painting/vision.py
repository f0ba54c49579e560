"""How far apart two colours look, also to eyes that lack a kind of cone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: What a person without the cones for long (protan) or medium (deutan) waves sees of linear
#: red, green, blue. Machado, Oliveira and Fernandes (2009), "A physiologically-based model for
#: simulation of color vision deficiency", IEEE TVCG 15(6), table of severity 1.0.
WITHOUT = {
    "protan": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deutan": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip

#: Linear sRGB to CIE XYZ with the white point D65 (IEC 61966-2-1).
_TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip


def linear(colors: ArrayLike) -> NDArray[np.float64]:
    """sRGB colours 0..255 (..., 3) as linear light 0..1 (IEC 61966-2-1)."""
    share = np.asarray(colors, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(light: ArrayLike) -> NDArray[np.float64]:
    """Linear light 0..1 (..., 3) as CIE L*a*b* (CIE 15:2004), in which 1 is just noticeable."""
    relative = np.asarray(light) @ _TO_XYZ.T / _TO_XYZ.sum(axis=1)
    cube = np.cbrt(relative)
    root = np.where(relative > (6 / 29) ** 3, cube, relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def seen(colors: ArrayLike, eyes: str = "") -> NDArray[np.float64]:
    """L*a*b* of sRGB colours 0..255 (..., 3) as `protan` or `deutan` eyes see them."""
    light = linear(colors)
    if eyes:
        light = np.clip(light @ WITHOUT[eyes].T, 0, 1)
    return lab(light)


def distances(colors: ArrayLike, eyes: str = "") -> NDArray[np.float64]:
    """Distances in L*a*b* (n, n) between n colours (n, 3), CIE 1976."""
    places = seen(colors, eyes)
    return np.linalg.norm(places[:, None] - places[None], axis=-1)
