"""Whether a scene is what a model was trained on: checked before anything is computed.

The usual mistakes of the field leave a trace in a scene's statistics: numbers that were never
divided by 10000, the offset of processing baseline 04.00, bands in another order, indices
coded differently. The first and the last are beyond doubt and refused; the others can be
unusual land, so they are warnings that stay with the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from rasterio.windows import Window

from lulc import indices
from lulc.card import ModelCard
from lulc.errors import SceneError
from lulc.inputs import needed, read_input
from lulc.scene import Scene

#: Windows looked at: so many a side, each of so many pixels.
_WINDOWS, _SIDE = 4, 96

#: A brightness this many times the card's is a matter of units, not of land: the brightest
#: land is about ten times as bright as the darkest.
_UNIT_FACTOR = 25.0

#: The offset of processing baseline 04.00 is 0.1; half of it is the threshold. In clear scenes,
#: simulated and real, the least changed band was within 0.02 of the card's.
_OFFSET = 0.05

#: Another order of the bands is believed where it takes this much off the given order's misfit,
#: absolutely and as a share, and then fits: nothing can be said of land unlike the card's.
#: On simulated regions and on the real scenes of tests/test_contract.py, the given order was
#: never more than 0.08 of its misfit from the best one, and reversing red, green and blue, the
#: least change looked for, costs 0.04 and more.
_GAIN, _SHARE, _FIT = 0.03, 0.1, 0.75


@dataclass(frozen=True)
class Statistics:
    """A scene's bands over a sample of windows."""

    mean: np.ndarray
    """Mean of each band, float64 (band,)."""
    std: np.ndarray
    """Standard deviation of each band, float64 (band,)."""
    low: np.ndarray
    """2nd percentile of each band, float64 (band,)."""
    high: np.ndarray
    """98th percentile of each band, float64 (band,)."""
    correlation: np.ndarray
    """Correlation of each band with each, float64 (band, band)."""


def statistics(pixels: np.ndarray) -> Statistics:
    """Statistics of pixels, (band, n); all of them valid."""
    pixels = pixels.astype(np.float64)
    low, high = np.percentile(pixels, (2, 98), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(np.corrcoef(pixels))
    return Statistics(
        pixels.mean(axis=1), pixels.std(axis=1), low, high, np.atleast_2d(correlation)
    )


def sample(scene: Scene, card: ModelCard, region: Window | None = None) -> np.ndarray:
    """Valid pixels from windows spread over a region, float32 (band, n), in the card's order."""
    region = region or scene.whole()
    pixels = []
    side_y, side_x = min(_SIDE, int(region.height)), min(_SIDE, int(region.width))
    for y in np.linspace(0, region.height - side_y, _WINDOWS).astype(int):
        for x in np.linspace(0, region.width - side_x, _WINDOWS).astype(int):
            window = Window(int(region.col_off + x), int(region.row_off + y), side_x, side_y)
            values, valid = read_input(scene, card, window)
            pixels.append(values[:, valid])
    return np.concatenate(pixels, axis=1)


def check(scene: Scene, card: ModelCard, region: Window | None = None) -> list[str]:
    """Check a scene, or a region of it, against a model's card.

    Returns warnings, one line each. Raises SceneError when bands are absent, the pixel size
    or a unit does not fit, or the region holds no valid pixel.
    """
    scene = needed(scene, card)
    smallest, largest = card.pixel_size
    if not smallest <= scene.pixel_size <= largest:
        raise SceneError(
            f"the model {card.name} is meant for pixels of {smallest:g} to {largest:g} m; "
            f"the scene's are {scene.pixel_size:.1f} m: resample it (gdalwarp -tr)"
        )
    pixels = sample(scene, card, region)
    if pixels.shape[1] < 100:
        # A region of scattered pixels may still be worth classifying; an empty one is not.
        if not _any_valid(scene, card, region or scene.whole()):
            raise SceneError("the region holds no valid pixel: all of it is nodata")
        return []
    found = statistics(pixels)
    _check_indices(scene, card, found)
    _check_unit(card, found)
    return [*_offset(card, found), *_order(card, found)]


def _any_valid(scene: Scene, card: ModelCard, region: Window) -> bool:
    step = 512
    for y in range(0, int(region.height), step):
        for x in range(0, int(region.width), step):
            window = Window(
                int(region.col_off) + x,
                int(region.row_off) + y,
                min(step, int(region.width) - x),
                min(step, int(region.height) - y),
            )
            if read_input(scene, card, window)[1].any():
                return True
    return False


def _reflectance(card: ModelCard) -> np.ndarray:
    return np.array([band.unit == "reflectance" for band in card.bands])


def _check_unit(card: ModelCard, found: Statistics) -> None:
    which = _reflectance(card)
    if not which.any():
        return
    expected = np.array([band.mean for band in card.bands])[which]
    ratio = float(np.median(found.mean[which] / expected))
    given = f"the scene's bands have a median of means of {np.median(found.mean[which]):.4g}, "
    given += f"the model {card.name} expects {np.median(expected):.3g}"
    if ratio > _UNIT_FACTOR:
        nearest = min((255.0, 10000.0, 65535.0), key=lambda s: abs(np.log(ratio / s)))
        raise SceneError(
            f"{given}: a missing division by {nearest:g}? Expected reflectance 0..1; "
            f"give --scale {1 / nearest:.6g}"
        )
    if 0 <= ratio < 1 / _UNIT_FACTOR:
        raise SceneError(f"{given}: divided twice? Expected reflectance 0..1; check --scale")


def _check_indices(scene: Scene, card: ModelCard, found: Statistics) -> None:
    """Refuse index bands whose range is that of another coding than the card's."""
    for number, band in enumerate(card.bands):
        if band.unit != "index" or band.name not in scene.bands:
            continue
        low, high = float(found.low[number]), float(found.high[number])
        coding = indices.coding_of(low, high)
        if coding != card.index_coding:
            add, times = indices.CODINGS[card.index_coding]
            raise SceneError(
                f"the index {band.name} runs from {low:.3g} to {high:.3g} in the scene, which "
                f"looks like the coding {coding!r}; the model {card.name} expects "
                f"{card.index_coding!r}, (index + {add:g}) * {times:g}: leave the index file "
                "out and the indices are computed from the bands"
            )


def _offset(card: ModelCard, found: Statistics) -> list[str]:
    """The darkest pixels tell: some band is near 0 in shadow, water or green leaves."""
    which = _reflectance(card)
    if not which.any():
        return []
    shift = float((found.low[which] - np.array([band.low for band in card.bands])[which]).min())
    if shift > _OFFSET:
        return [
            f"every band is {shift:.2f} or more brighter in its darkest pixels than the model "
            f"{card.name} expects: an offset that was not applied (processing baseline 04.00 "
            "of Sentinel-2: --offset -0.1), or cloud all over?"
        ]
    darkest = float(found.low[which].min())
    if darkest < -_OFFSET:
        return [
            f"the darkest pixels have a reflectance of {darkest:.2f}, the model {card.name} "
            "expects 0..1: an offset that was applied twice? Check --offset"
        ]
    return []


def _order(card: ModelCard, found: Statistics) -> list[str]:
    """Look for an order of the bands that fits the card much better than the given one."""
    which = np.flatnonzero(_reflectance(card))
    if len(which) < 3:
        return []
    mean = np.array([card.bands[i].mean for i in which])
    std = np.array([card.bands[i].std for i in which])
    correlation = np.array(card.correlation)[np.ix_(which, which)]
    seen_mean = np.maximum(found.mean[which], 1e-4)
    seen_std = np.maximum(found.std[which], 1e-5)
    seen_correlation = found.correlation[np.ix_(which, which)]

    def misfit(order: np.ndarray) -> float:
        # Logarithms less their mean: a brighter or hazier scene is not another order.
        brightness = np.log(seen_mean[order] / mean)
        spread = np.log(seen_std[order] / std)
        return float(
            brightness.var()
            + spread.var()
            + 2 * ((seen_correlation[np.ix_(order, order)] - correlation) ** 2).mean()
        )

    order = np.arange(len(which))
    given = best = misfit(order)
    improved = True
    while improved:
        improved = False
        for a, b in combinations(range(len(order)), 2):
            swapped = order.copy()
            swapped[[a, b]] = swapped[[b, a]]
            if (cost := misfit(swapped)) < best - 1e-9:
                order, best, improved = swapped, cost, True
    if given - best < max(_GAIN, _SHARE * given) or best > _FIT:
        return []
    names = [card.bands[i].name for i in which]
    moved = [
        f"{names[place]} looks like {names[int(np.flatnonzero(order == place)[0])]}"
        for place in range(len(order))
        if order[place] != place
    ]
    return [
        f"the bands look permuted against what the model {card.name} expects "
        f"({', '.join(moved)}): check their order (--bands)"
    ]
