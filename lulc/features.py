"""Inside the network: what a layer answers to a window, and which bands a class rests on.

Both see a window through `Patch`, which reads it with the network's halo from a multiple of
its stride: what is shown is what the whole scene would give, not what a cut-out would.

Occlusion is Zeiler and Fergus' (2014, https://arxiv.org/abs/1311.2901) along the bands instead
of across the image: a band is replaced by its mean in the training data, which the network
reads as "nothing unusual", and the change of the activations is what the band was worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc import tiling
from lulc.card import ModelCard
from lulc.device import resolve, tensorflow
from lulc.errors import ModelError, SceneError
from lulc.inputs import needed, read_input
from lulc.model import Model
from lulc.predictor import as_input
from lulc.scene import Scene
from lulc.tiling import Block
from lulc.unet import UNet

#: Pixels that a side of a window may have: the network holds every layer of it at once.
LARGEST = 512


@dataclass(frozen=True, eq=False)
class Patch:
    """A window of a scene with all that its result depends on. Read one with `Patch.read`."""

    block: Block
    """The window, and what was read for it."""
    values: NDArray[np.float32]
    """(band, y, x) of what was read, in the card's units."""
    valid: NDArray[np.bool_]
    """(y, x) of what was read."""

    @classmethod
    def read(cls, scene: Scene, card: ModelCard, window: Window) -> Patch:
        """Read a window, widened to multiples of the stride, as the model takes it.

        Raises SceneError for a window of more than `LARGEST` pixels a side, one without a
        valid pixel, and bands that the scene lacks.
        """
        aligned = align(window, scene.shape, card.stride)
        if max(aligned.width, aligned.height) > LARGEST:
            raise SceneError(
                f"expected a window of at most {LARGEST} x {LARGEST} pixels; got "
                f"{aligned.width} x {aligned.height}: zoom in"
            )
        side = max(aligned.width, aligned.height)
        tile = -(-side // card.stride) * card.stride
        (block,) = tiling.blocks(
            scene.shape, aligned, tile=tile, halo=card.halo, stride=card.stride
        )
        values, valid = read_input(needed(scene, card), card, block.readable(scene.shape))
        patch = cls(block, block.pad(values), block.pad(valid))
        if not patch.inside.any():
            raise SceneError("there is no valid pixel in this window of the scene: choose another")
        return patch

    @property
    def window(self) -> Window:
        """The window in the scene."""
        return self.block.core

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The valid pixels of the window, bool (y, x)."""
        return self.block.crop(self.valid)


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The maps of one layer that vary most over a window."""

    layer: str
    """Name of the layer."""
    window: Window
    """The window in the scene."""
    step: int
    """Pixels of the scene that a side of a map's pixel spans."""
    channels: tuple[int, ...]
    """Which of the layer's maps, from 0, the largest variance first."""
    total: int
    """How many maps the layer has."""
    values: NDArray[np.float32]
    """(map, y, x), without a unit; NaN where no pixel of the scene is valid."""

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Least and largest value of each map."""
        return tuple((float(np.nanmin(v)), float(np.nanmax(v))) for v in self.values)


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What the activations over a window change by when a band says nothing."""

    window: Window
    """The window in the scene."""
    bands: tuple[str, ...]
    """Names of the bands, in the card's order."""
    activation: NDArray[np.float64]
    """(class,): mean activation over the window's valid pixels, 0..1."""
    change: NDArray[np.float64]
    """(band, class): mean activation without the band less the one with it, -1..1."""


def layers(network: UNet) -> dict[str, int]:
    """The layers of a network by name, from the image on, with the pixels that one of theirs
    spans in the scene. Needs no TensorFlow: they follow from the settings."""
    found: dict[str, int] = {}
    for i in range(network.depth):
        for number in (1, 2):
            for kind in ("conv", "bn", "relu"):
                found[f"encoder_stage{i}_{kind}{number}"] = 2**i
        found[f"encoder_stage{i}_pool"] = 2 ** (i + 1)
    for i in range(network.depth):
        step = 2 ** (network.depth - 1 - i)
        for part in ("up", "bn1", "relu1", "concat", "conv2", "bn2", "relu2"):
            found[f"decoder_stage{i}_{part}"] = step
    return found | {"final_conv": 1, "softmax": 1}


def align(window: Window, shape: tuple[int, int], stride: int) -> Window:
    """The window of whole pixels that begins and ends at multiples of the stride, or where
    a scene of that shape (rows, columns) ends."""

    def along(offset: float, size: float, length: int) -> tuple[int, int]:
        first = max(0, int(offset) // stride * stride)
        last = min(length, -(-int(np.ceil(offset + size)) // stride) * stride)
        if last <= first:
            raise SceneError("the window lies outside the scene: choose another")
        return first, last

    top, bottom = along(window.row_off, window.height, shape[0])
    left, right = along(window.col_off, window.width, shape[1])
    return Window(left, top, right - left, bottom - top)


def feature_maps(
    model: Model, patch: Patch, layer: str, *, most: int = 12, device: str = "auto"
) -> FeatureMaps:
    """The `most` maps of a layer with the largest variance over a patch's window.

    Raises ModelError for a layer that the network does not have.
    """
    known = layers(model.card.network)
    if layer not in known:
        raise ModelError(
            f"expected a layer of {model.card.name} such as {next(iter(known))}; got {layer!r}"
        )
    step = known[layer]
    function = _layer(model.path.resolve(), model.card.weights, layer, resolve(device).names[0])
    found = function(as_input(model.card, patch.values, patch.valid)).transpose(2, 0, 1)
    maps = _cropped(found, patch.block, step)
    maps = np.where(_on(patch.inside, step), maps, np.float32(np.nan))
    order = np.argsort(-np.nanvar(maps.astype(np.float64), axis=(1, 2)), kind="stable")[:most]
    channels = tuple(int(i) for i in order)
    return FeatureMaps(layer, patch.window, step, channels, len(maps), maps[order])


def occlusion(model: Model, patch: Patch, *, device: str = "auto") -> Occlusion:
    """Replace every band in turn by its training mean and see what the activations do.

    An index that was computed from a band keeps its value when the band is replaced: each
    input of the network is asked for by itself.
    """
    predict = model.predictor(device)
    inside = patch.inside

    def mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
        activations = predict(values, patch.valid, patch.block.inner)
        return activations[:, inside].mean(axis=1, dtype=np.float64)

    whole = mean(patch.values)
    change = np.empty((len(patch.values), len(whole)))
    for band, level in enumerate(model.card.mean):
        without = patch.values.copy()
        without[band] = level
        change[band] = mean(without) - whole
    return Occlusion(patch.window, model.card.band_names, whole, change)


def _cropped(maps: NDArray[np.float32], block: Block, step: int) -> NDArray[np.float32]:
    """What of a layer's maps, (map, y, x), lies in the window; the last may pass its end."""

    def along(start: int, stop: int, read: int) -> slice:
        return slice((start - read) // step, -(-(stop - read) // step))

    y, x = block.y, block.x
    rows, columns = along(y.start, y.stop, y.read_start), along(x.start, x.stop, x.read_start)
    return maps[:, rows, columns]


def _on(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Which pixels of a layer have a valid one of the scene below them."""
    rows, columns = (-(-n // step) for n in mask.shape)
    padded = np.zeros((rows * step, columns * step), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.logical_or.reduce(padded.reshape(rows, step, columns, step), axis=(1, 3))


@lru_cache(maxsize=4)
def _network(path: Path, weights: str) -> Any:
    model = Model.load(path)
    if model.card.weights != weights:
        raise ModelError(f"the model in {path} changed while it was in use; start again")
    return model.network()


@lru_cache(maxsize=16)
def _layer(path: Path, weights: str, layer: str, device: str) -> Any:
    """A function from the network's input (1, y, x, band) to a layer's output (y, x, map)."""
    tf = tensorflow()
    network = _network(path, weights)
    part = type(network)(network.input, network.get_layer(layer).output)

    def apply(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with tf.device(device):
            return part(tf.constant(image), training=False).numpy()[0]

    return apply
