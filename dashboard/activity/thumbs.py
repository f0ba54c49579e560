"""Small pictures in the page: arrays as PNG in a data URL, histograms as drawings."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dashboard.ramps import ramp

_RAMP = ramp("", "", "", "").colors


def png(pixels: NDArray[np.uint8]) -> str:
    """An image (y, x, 4) as a data URL."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def ramped(values: NDArray, low: float, high: float) -> NDArray[np.uint8]:
    """Numbers (y, x) on the maps' ramp as an image (y, x, 4); NaN is transparent."""
    there = np.isfinite(values)
    share = (np.where(there, values, low) - low) / max(high - low, 1e-12)
    image = _RAMP[np.clip(np.rint(share * 100), 0, 100).astype(np.intp)]
    image[~there] = 0
    return image


def histogram(
    parts: Sequence[tuple[NDArray, str]], said: str, mark: float | None = None, bars: int = 40
) -> str:
    """Counts over 0..1 as a drawing: each part (counts, colour) on those before it.

    Heights are logarithmic: nearly all pixels have nearly no activation of a class. `mark` is
    a value of 0..1 with a line; `said` is read to those who do not see it.
    """
    counts = np.array([_rebinned(part, bars) for part, _ in parts], float)
    total = counts.sum(axis=0)
    height = np.log1p(total) / max(np.log1p(total.max()), 1)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    tops = np.cumsum(share, axis=0) * height
    drawn = []
    for (_, colour), top, part in zip(parts, tops, share * height, strict=True):
        path = "".join(
            f"M{i} {1 - t:.3f}h.9v{p:.3f}h-.9z"
            for i, (t, p) in enumerate(zip(top, part, strict=True))
            if p > 0.001
        )
        drawn.append(f'<path d="{path}" fill="{colour}"/>')
    line = ""
    if mark is not None:
        line = f'<path d="M{mark * bars:.2f} 0V1" stroke="currentColor" stroke-width=".5"/>'
    return (
        f'<svg viewBox="0 0 {bars} 1" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f"{''.join(drawn)}{line}</svg>"
    )


def _rebinned(counts: NDArray, bars: int) -> NDArray:
    return np.bincount(np.arange(len(counts)) * bars // len(counts), counts, bars)
