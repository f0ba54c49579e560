"""A model ready to compute: bands in, activations out, on as many devices as there are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.windows import Window

from lulc import tiling
from lulc.card import ModelCard
from lulc.device import Place, describe, tensorflow
from lulc.errors import ModelError
from lulc.frozen import freeze
from lulc.machine import settings

if TYPE_CHECKING:
    import keras


#: Bytes at whose multiples TensorFlow wants memory to begin that it does not copy.
_ALIGNED = 64

#: Pixels normalised at once: few enough to stay in a processor's cache.
_CHUNK = 1 << 14


def as_input(card: ModelCard, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Bands, float32 (band, y, x) in the card's units, as the network takes them.

    Returns float32 (1, y, x, band), normalised. `valid` is bool (y, x): an invalid pixel is
    the training data's mean, like the network's own padding.
    """
    bands, height, width = values.shape
    image = _empty((height, width, bands))
    rows = max(1, _CHUNK // width)
    for top in range(0, height, rows):
        part = np.s_[top : top + rows]
        normal = values[:, part] - card.mean
        normal /= card.std
        normal *= valid[part]
        image[part] = normal.transpose(1, 2, 0)
    return image[None]


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array that TensorFlow can take as it is."""
    size = 4 * int(np.prod(shape))
    room = np.empty(size + _ALIGNED, np.uint8)
    begin = -room.ctypes.data % _ALIGNED
    return room[begin : begin + size].view(np.float32).reshape(shape)


class Predictor:
    """Computes the activations of a block; can be called by several threads at once.

    One block at a time on each device: it uses all of it by itself, and two would take twice
    the memory. Other threads wait for a device, or read and write meanwhile: n devices are
    kept busy by n + 1 threads.
    """

    def __init__(self, network: keras.Model, card: ModelCard, place: Place) -> None:
        self.place = place
        self._card = card
        self._tile: int | None = None
        self._free: SimpleQueue = SimpleQueue()
        self._begun: set[str] = set()
        for name in place.names:
            function = freeze(
                network,
                name,
                temperature=card.temperature,
                precision=place.precision,
                xla=settings().xla,
                quick=settings().quick,
            )
            self._free.put((name, function))

    def __call__(
        self, values: np.ndarray, valid: np.ndarray, inner: tuple[slice, slice] | None = None
    ) -> np.ndarray:
        """Activations as float32 (class, y, x), which sum to 1 in every pixel.

        `values` are bands as float32 (band, y, x) in the card's units, `valid` a bool (y, x);
        both sides are multiples of the stride. `inner` are the rows and columns that are asked
        for, by default all; the rest is halo. What is too large for a device's memory is
        computed in pieces, to the same result; raises ModelError when no piece fits.
        """
        rows, columns = inner or (slice(0, valid.shape[0]), slice(0, valid.shape[1]))
        return self.activations(as_input(self._card, values, valid), (rows, columns))

    def activations(self, image: np.ndarray, inner: tuple[slice, slice]) -> np.ndarray:
        """The same of what `as_input` gives: who has no use for the bands need not keep them."""
        return self._fitting(image[0], inner)

    def _fitting(self, image: np.ndarray, inner: tuple[slice, slice]) -> np.ndarray:
        """Compute (y, x, band) -> (class, y, x), in pieces that fit once one did not."""
        exhausted = tensorflow().errors.ResourceExhaustedError
        tile = self._tile or max(image.shape[:2])
        while True:
            try:
                return self._pieces(image, inner, tile)
            except exhausted as error:
                smaller = tile // 2 // self._card.stride * self._card.stride
                # A smaller piece would be mostly halo and save no memory.
                if smaller < max(self._card.halo, self._card.stride):
                    raise ModelError(
                        f"out of memory on {describe(self.place)}, even with pieces of {tile} "
                        "pixels a side: choose a smaller --tile or another --device"
                    ) from error
                tile = self._tile = smaller

    def _pieces(self, image: np.ndarray, inner: tuple[slice, slice], tile: int) -> np.ndarray:
        rows, columns = inner
        card, shape = self._card, image.shape[:2]
        if max(shape) <= tile:
            return self._compute(image, inner)
        window = Window.from_slices(rows, columns)
        whole = np.empty((len(card.legend.classes), window.height, window.width), np.float32)
        for block in tiling.blocks(shape, window, tile=tile, halo=card.halo, stride=card.stride):
            given = image[block.readable(shape).toslices()]
            piece = _empty(given.shape)
            piece[:] = given
            part = self._compute(piece, block.inner)
            y, x = block.core.toslices()
            whole[
                :,
                y.start - rows.start : y.stop - rows.start,
                x.start - columns.start : x.stop - columns.start,
            ] = part
        return whole

    def _compute(self, image: np.ndarray, inner: tuple[slice, slice]) -> np.ndarray:
        """Compute on the device that is free first."""
        name, function = self._free.get()
        try:
            if name not in self._begun:
                self._begun.add(name)
                _reserve(name, self._card.network.bytes_per_pixel * image[..., 0].size)
            return _computed(name, function, image, inner)
        finally:
            self._free.put((name, function))


def _reserve(device: str, size: int) -> None:
    """Have TensorFlow take memory of so many bytes in one piece, where nothing uses it yet.

    Left alone, it takes ever larger pieces; what fits into none of them makes it take another.
    Where there is not so much memory at once, it is left alone.
    """
    tf = tensorflow()
    if "CPU:" in device:
        with suppress(tf.errors.ResourceExhaustedError), tf.device(device):
            tf.raw_ops.Empty(shape=(size,), dtype=tf.uint8)


def _computed(
    device: str, function: Callable[..., Any], image: np.ndarray, inner: tuple[slice, slice]
) -> np.ndarray:
    """Activations (class, y, x) of an image (y, x, band), with no tensor left behind.

    TensorFlow takes more memory, for good, when two blocks do not fit into what it has: it is
    lent the image's own, and before the next block begins, this one's tensors are gone.
    """
    tf = tensorflow()
    with tf.device(device):
        core = [end for along in inner for end in (along.start, along.stop)]
        given = tf.experimental.dlpack.from_dlpack(image[None].__dlpack__())
        found = function(given, core)
        del given
        # All processors turn it.
        return np.array(tf.transpose(found[0], (2, 0, 1)))
