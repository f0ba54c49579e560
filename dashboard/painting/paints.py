"""Class ids as colours, and how much of the view each class covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.painting.picture import Entry
from lulc.legend import Legend


def painted(ids: NDArray, legend: Legend, hidden: Iterable[str] = ()) -> NDArray[np.uint8]:
    """Ids (y, x) in the legend's colours, (y, x, 4); transparent where hidden or no class."""
    table = np.zeros((np.iinfo(ids.dtype).max + 1, 4), np.uint8)
    for c in legend.classes:
        if c.name not in hidden:
            table[c.id] = (*c.rgb, 255)
    # Four bytes at once: a quarter of the time.
    return table.view(np.uint32)[:, 0].take(ids).view(np.uint8).reshape(*ids.shape, 4)


def shares(ids: NDArray, legend: Legend, *, absent: bool) -> tuple[Entry, ...]:
    """A line for each class with its share of the pixels that have one.

    `absent` keeps the classes that are not in view.
    """
    counts = np.bincount(ids.ravel(), minlength=max(legend.ids) + 1)
    total = max(1, int(sum(counts[c.id] for c in legend.classes)))
    return tuple(
        Entry(c.name, c.color, float(counts[c.id] / total))
        for c in legend.classes
        if absent or counts[c.id]
    )


def masks(
    parts: Sequence[tuple[str, str, NDArray[np.bool_]]], hidden: Iterable[str] = ()
) -> tuple[NDArray[np.uint8], tuple[Entry, ...]]:
    """Parts of the view, each a name, a colour and where it is (y, x), that do not overlap.

    Returns the image (y, x, 4) and the lines of the legend; a part without a colour is
    counted and not painted.
    """
    image = np.zeros((*parts[0][2].shape, 4), np.uint8)
    total = max(1, sum(int(where.sum()) for _, _, where in parts))
    for name, color, where in parts:
        if color and name not in hidden:
            image[where] = (*bytes.fromhex(color[1:]), 255)
    return image, tuple(Entry(n, c, float(where.sum() / total)) for n, c, where in parts)
