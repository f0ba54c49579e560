"""Tiles: every pixel once, every halo whole, whatever the region, the tile and the edge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from lulc import tiling

STRIDES = st.sampled_from([1, 2, 4, 8, 16])


@st.composite
def axes(draw, longest=400):
    """An axis, a part of it, and a tile and a halo that are multiples of a stride."""
    stride = draw(STRIDES)
    length = draw(st.integers(1, longest))
    start = draw(st.integers(0, length - 1))
    stop = draw(st.integers(start + 1, length))
    tile = stride * draw(st.integers(1, 12))
    halo = stride * draw(st.integers(0, 5))
    return length, start, stop, {"tile": tile, "halo": halo, "stride": stride}


@given(axes())
def test_every_pixel_is_written_exactly_once(axis):
    length, start, stop, sizes = axis
    written = np.zeros(length, int)
    for span in tiling.spans(length, start, stop, **sizes):
        written[span.start : span.stop] += 1
    assert (written[start:stop] == 1).all()
    assert written.sum() == stop - start


@given(axes())
def test_every_pixel_has_its_halo_or_the_scenes_edge(axis):
    length, start, stop, sizes = axis
    stride = sizes["stride"]
    padded = -(-length // stride) * stride
    for span in tiling.spans(length, start, stop, **sizes):
        assert span.read_start % stride == 0
        assert span.read_stop % stride == 0
        assert span.read_start == 0 or span.read_start <= span.start - sizes["halo"]
        assert span.read_stop == padded or span.read_stop >= span.stop + sizes["halo"]
        assert 0 <= span.read_start < span.read_stop <= padded


@given(axes(longest=40), axes(longest=40))
def test_padding_and_cropping_give_back_the_pixels_of_a_block(rows, columns):
    shape = (rows[0], columns[0])
    sizes = rows[3]
    region = Window(columns[1], rows[1], columns[2] - columns[1], rows[2] - rows[1])
    image = np.arange(shape[0] * shape[1]).reshape(1, *shape)
    found = np.full(shape, -1)
    for block in tiling.blocks(shape, region, **sizes):
        padded = block.pad(image[(..., *block.readable(shape).toslices())])
        assert padded.shape[1] % sizes["stride"] == padded.shape[2] % sizes["stride"] == 0
        found[block.core.toslices()] = block.crop(padded)[0]
    inside = region.toslices()
    assert np.array_equal(found[inside], image[0][inside])
    assert (found >= 0).sum() == region.width * region.height


def far_seeing(image: np.ndarray, stride: int, halo: int) -> np.ndarray:
    """What a network does at its worst, in whole numbers: every cell of stride x stride pixels
    sees all cells as far as the halo, with zeros beyond the edge; every pixel sees itself."""
    rows, columns = (side // stride for side in image.shape)
    cells = image.reshape(rows, stride, columns, stride).sum(axis=(1, 3))
    reach = halo // stride
    around = np.pad(cells, reach)
    seen = sum(
        (1 + 7 * dy + dx) * around[dy : dy + rows, dx : dx + columns]
        for dy in range(2 * reach + 1)
        for dx in range(2 * reach + 1)
    )
    return np.kron(seen, np.ones((stride, stride), int)) + 1000 * image


@given(axes(longest=60), axes(longest=60), st.integers(0, 9))
def test_blocks_of_any_region_equal_the_whole_scene(rows, columns, seed):
    """Exact for whatever depends on no more than the stride's cells and the halo around."""
    shape, sizes = (rows[0], columns[0]), rows[3]
    stride, halo = sizes["stride"], min(sizes["halo"], 2 * sizes["stride"])
    image = np.random.default_rng(seed).integers(1, 99, shape)
    beyond = [(0, -side % stride) for side in shape]
    whole = far_seeing(np.pad(image, beyond), stride, halo)
    region = Window(columns[1], rows[1], columns[2] - columns[1], rows[2] - rows[1])
    written = np.zeros(shape, int)
    for block in tiling.blocks(shape, region, **(sizes | {"halo": halo})):
        shown = block.pad(image[block.readable(shape).toslices()])
        found = block.crop(far_seeing(shown, stride, halo))
        assert np.array_equal(found, whole[block.core.toslices()])
        written[block.core.toslices()] += 1
    assert (written[region.toslices()] == 1).all()
    assert written.sum() == region.width * region.height


@given(st.integers(1, 20000), st.integers(1, 20000), STRIDES, st.integers(0, 4))
def test_a_fitted_tile_is_a_multiple_of_the_stride_and_fits(width, height, stride, halos):
    halo, pixels = stride * halos, 600**2
    tile = tiling.fit_tile(Window(0, 0, width, height), halo=halo, stride=stride, pixels=pixels)
    assert tile >= stride
    assert tile % stride == 0
    assert tile <= max(896, stride)
    assert (tile + 2 * halo) ** 2 <= max(pixels, (2 * halo + stride) ** 2)


@pytest.mark.parametrize(("side", "tile"), [(200, 256), (600, 304), (1000, 512), (1790, 896)])
def test_a_small_region_is_halved_without_slivers(side, tile):
    region = Window(0, 0, side, side // 2)
    assert tiling.fit_tile(region, halo=64, stride=16, pixels=2000**2) == tile


@pytest.mark.parametrize(("start", "stop", "tile"), [(5, 5, 16), (-1, 5, 16), (0, 99, 16)])
def test_a_part_outside_the_axis_is_refused(start, stop, tile):
    with pytest.raises(ValueError, match="expected"):
        tiling.spans(64, start, stop, tile=tile, halo=16, stride=16)


def test_a_tile_or_halo_off_the_stride_is_refused():
    with pytest.raises(ValueError, match="multiples of the stride 16"):
        tiling.spans(64, 0, 64, tile=24, halo=16, stride=16)
    with pytest.raises(ValueError, match="multiples of the stride 16"):
        tiling.spans(64, 0, 64, tile=32, halo=8, stride=16)
