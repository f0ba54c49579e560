"""Whether half precision may be used: what it changes is measured on the scene itself first."""

from __future__ import annotations

import numpy as np
from rasterio.windows import Window

from lulc import config
from lulc.device import PRECISIONS, half_precision, in_precision, resolve
from lulc.errors import ModelError
from lulc.inputs import read_input
from lulc.model import Model
from lulc.scene import Scene

#: The share of pixels whose class half precision may change.
CHANGED = 0.001

#: The side of the block it is checked on, and how many such blocks make the check worth it.
_SIDE, _WORTH = 512, 32


def with_precision(
    device: str, scene: Scene, model: Model, window: Window, *, here: bool = True
) -> str:
    """The device with `/bfloat16` or `/float16` after it where that is faster and harmless.

    A precision that is asked for, in `device` or by `LULC_PRECISION`, is taken as it is. Else
    the middle of the region is computed on the device itself in both precisions, and float32
    stays unless at most CHANGED of its classes are others. Nothing is checked where the run is
    not computed `here`: a cluster's workers may differ. Raises ModelError.
    """
    if "/" in device:
        return device
    if config.PRECISION != "auto":
        if config.PRECISION not in PRECISIONS:
            raise ModelError(
                f"expected LULC_PRECISION to be auto or one of {', '.join(PRECISIONS)}; "
                f"got {config.PRECISION}"
            )
        return in_precision(device, config.PRECISION)
    if not here or window.width * window.height < _WORTH * _SIDE**2:
        return device
    half = half_precision(resolve(device))
    if half is None:
        return device
    side = min(_SIDE, int(window.width), int(window.height)) // model.card.stride
    side = max(1, side) * model.card.stride
    x, y = (
        min(int(start + size / 2 - side / 2), length - side)
        for start, size, length in (
            (window.col_off, window.width, scene.shape[1]),
            (window.row_off, window.height, scene.shape[0]),
        )
    )
    values, valid = read_input(scene, model.card, Window(max(0, x), max(0, y), side, side))
    changed = changed_by(half, device, model, values, valid)
    return in_precision(device, half) if changed <= CHANGED else device


def changed_by(
    precision: str, device: str, model: Model, values: np.ndarray, valid: np.ndarray
) -> float:
    """The share of valid pixels whose class another precision changes; 1 where none is valid."""
    if not valid.any():
        return 1.0
    plain, half = (
        model.predictor(place)(values, valid).argmax(axis=0)
        for place in (device, in_precision(device, precision))
    )
    return float((plain != half)[valid].mean())
