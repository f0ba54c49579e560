"""The confusion matrix: class counted against code, strip by strip, then folded into groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.counts import Counts, Ignored, Pixels
from lulc.grouping import Grouping
from lulc.leakage import ZONES
from lulc.legend import Legend
from lulc.strips import Strip, Strips

#: Pixels counted at once: small enough for the processor's cache, which gives a factor of 1.5.
CHUNK = 1 << 18


class Confusion:
    """A tally of code against class; for each zone, if there are zones."""

    margin = 0

    def __init__(self, strips: Strips) -> None:
        self.strips = strips
        zones = len(ZONES) if strips.zones else 1
        self.counts = np.zeros((zones, 256, 256), np.int64)
        self.totals = [0] * zones

    def add(self, strip: Strip) -> None:
        """Count a strip, whatever its zone."""
        rows = _places(strip.codes, self.strips.reference.legend)
        columns = _places(strip.classes, self.strips.prediction.legend)
        kept = None if strip.inside is None else strip.inside.ravel()
        zone = None if strip.zone is None else strip.zone.ravel()
        for z, counts in enumerate(self.counts):
            here = None if zone is None else zone == z
            number = rows.size if here is None else int(np.count_nonzero(here))
            if not number:
                continue
            self.totals[z] += number
            chosen = [part for part in (here, kept) if part is not None and not part.all()]
            both = np.logical_and.reduce(chosen) if chosen else slice(None)
            _add_pairs(counts, rows[both], columns[both])

    def result(self) -> list[Counts]:
        """The counts of each zone, in the order of `ZONES`; of all, if there are no zones."""
        rows, columns = (_order(m.legend) for m in (self.strips.reference, self.strips.prediction))
        ordered = self.counts[np.ix_(range(len(self.counts)), rows, columns)]
        return [
            folded(counts, total, self.strips.grouping)
            for counts, total in zip(ordered, self.totals, strict=True)
        ]


def folded(counts: NDArray[np.int64], total: int, grouping: Grouping) -> Counts:
    """Counts of code by class, in the order of their legends, summed into the groups.

    Args:
        counts: (code, class) of the pixels that have both.
        total: all pixels, those without data too.
    """
    columns = grouping.prediction_lut[list(grouping.prediction.ids)]
    rows = grouping.reference_lut[list(grouping.reference.ids)]
    n = len(grouping.groups)
    matrix = np.zeros((n, n), np.int64)
    kept = np.ix_(rows >= 0, columns >= 0)
    np.add.at(matrix, np.ix_(rows[rows >= 0], columns[columns >= 0]), counts[kept])
    left_rows, left_columns = counts[rows < 0], counts[np.ix_(rows >= 0, columns < 0)]
    pixels = Pixels(
        scored=int(matrix.sum()),
        ignored_reference=int(left_rows.sum()),
        ignored_prediction=int(left_columns.sum()),
        nodata=total - int(counts.sum()),
    )
    classes = [
        c for c, column in zip(grouping.prediction.classes, columns, strict=True) if column < 0
    ]
    codes = [c for c, row in zip(grouping.reference.classes, rows, strict=True) if row < 0]
    return Counts(
        matrix,
        grouping.groups,
        pixels,
        tuple(
            Ignored(c.id, c.name, int(k)) for c, k in zip(classes, left_columns.sum(0), strict=True)
        ),
        tuple(Ignored(c.id, c.name, int(k)) for c, k in zip(codes, left_rows.sum(1), strict=True)),
    )


def _add_pairs(
    counts: NDArray[np.int64], rows: NDArray[np.uint8], columns: NDArray[np.uint8]
) -> None:
    """Count pairs of bytes into (256, 256)."""
    for start in range(0, rows.size, CHUNK):
        # A code and a class side by side are one 16-bit number: one count finds every pair.
        piece = slice(start, start + CHUNK)
        pairs = rows[piece].astype(np.uint16)
        pairs <<= 8
        pairs |= columns[piece]
        counts += np.bincount(pairs, minlength=counts.size).reshape(counts.shape)


def _places(ids: NDArray[Any], legend: Legend) -> NDArray[np.uint8]:
    """Flat bytes that stand for ids: byte ids themselves, 3-digit ones by their place."""
    if ids.dtype == np.uint8:
        return ids.ravel()
    table = np.full(legend.nodata + 1, 255, np.uint8)
    table[list(legend.ids)] = range(len(legend.ids))
    return table[ids].ravel()


def _order(legend: Legend) -> list[int]:
    """The bytes of `_places` in the order of the legend."""
    return list(legend.ids) if legend.dtype == np.uint8 else list(range(len(legend.ids)))
