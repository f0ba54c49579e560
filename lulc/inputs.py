"""A scene as a model takes it: its bands in the card's order, absent indices computed."""

from __future__ import annotations

import numpy as np
from rasterio.windows import Window

from lulc import indices
from lulc.card import ModelCard
from lulc.errors import SceneError
from lulc.scene import Scene


def needed(scene: Scene, card: ModelCard) -> Scene:
    """The scene with just the bands to read: the card's, and those its indices need.

    Raises SceneError naming the bands that are absent.
    """
    direct = [name for name in card.band_names if name in scene.bands]
    computed = scene.with_indices(card.band_names)
    names = dict.fromkeys([*direct, *indices.required(computed)])
    wanted = dict.fromkeys(
        [n for n in card.band_names if n not in computed] + list(indices.required(computed))
    )
    absent = [name for name in wanted if name not in scene.bands]
    if absent:
        raise SceneError(
            f"the model {card.name} takes the {len(card.bands)} bands "
            f"{' '.join(card.band_names)}; the scene has {len(scene.bands)} "
            f"({' '.join(scene.bands)}) and lacks {' '.join(absent)}"
        )
    return scene.select(list(names))


def read_input(scene: Scene, card: ModelCard, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of a scene from `needed` as the model's input, not yet normalised.

    Returns float32 (band, y, x) in the card's order and units, and valid as bool (y, x).
    """
    values, valid = scene.read(window)
    if scene.bands == card.band_names:
        return values, valid
    bands = dict(zip(scene.bands, values, strict=True))
    computed = scene.with_indices(card.band_names)
    if computed:
        coded = indices.compute(bands, computed, card.index_coding)
        bands |= dict(zip(computed, coded, strict=True))
    stacked = np.stack([bands[name] for name in card.band_names])
    np.copyto(stacked, 0, where=~valid)
    return stacked, valid
