"""The map file is a Cloud Optimized GeoTIFF whose bands lie one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import mapfile
from lulc.activations import Activations
from lulc.legend import Legend
from lulc.mapfile import MapFormat

LEGEND = Legend.load("lulc13")

#: Three tiles down and two across, and overviews of three levels.
SHAPE = (1100, 700)


def assembled(folder: Path, dtype: str = "uint8", shape: tuple[int, int] = SHAPE) -> Path:
    """A map of noise in two blocks, one above the other."""
    grid = GeoBox(shape, Affine(10, 0, 5e5, 0, -10, 6.8e6), "EPSG:3067")
    layout = MapFormat(LEGEND, dtype)
    random = np.random.default_rng(1)
    spool = folder / "spool"
    spool.mkdir()
    blocks = []
    half = shape[0] // 2
    for top, height in ((0, half), (half, shape[0] - half)):
        window = Window(0, top, shape[1], height)
        powers = random.random((len(LEGEND.classes), height, shape[1]), np.float32) ** 4
        valid = random.random((height, shape[1])) < 0.99
        bands = layout.encode(powers / powers.sum(axis=0), valid)
        rows, columns = window.toslices()
        path = spool / f"{top}-0.tif"
        path.write_bytes(mapfile.encoded(bands, layout, grid[rows, columns]))
        blocks.append((path, window))
    mapfile.assemble(blocks, folder / "map.tif", layout, grid)
    return folder / "map.tif"


def offset(file: rasterio.DatasetReader, item: str, band: int = 1, level: int = -1) -> int:
    """Where something lies in the file, in bytes; the overviews' levels count from 0."""
    where = {} if level < 0 else {"ovr": level}
    return int(file.get_tag_item(item, "TIFF", bidx=band, **where))


@pytest.mark.parametrize(("dtype", "predictor"), [("uint8", "2"), ("float32", "3")])
def test_directories_then_overviews_then_pixels_band_by_band(tmp_path, dtype, predictor):
    with rasterio.open(assembled(tmp_path, dtype)) as file:
        assert file.overviews(1) == [2, 4, 8]
        assert set(file.block_shapes) == {(512, 512)}
        structure = file.tags(ns="IMAGE_STRUCTURE")
        assert (structure["INTERLEAVE"], structure["COMPRESSION"]) == ("BAND", "ZSTD")
        assert structure["PREDICTOR"] == predictor
        directories = [offset(file, "IFD_OFFSET", level=level) for level in (-1, 0, 1, 2)]
        starts = [offset(file, "BLOCK_OFFSET_0_0", level=level) for level in (2, 1, 0, -1)]
        assert directories == sorted(directories)
        assert directories[-1] < starts[0]
        assert starts == sorted(starts)
        for band in range(1, file.count):
            last = offset(file, "BLOCK_OFFSET_1_2", band)
            assert offset(file, "BLOCK_OFFSET_0_0", band) < last
            assert last < offset(file, "BLOCK_OFFSET_0_0", band + 1)


def test_a_small_map_is_laid_out_alike(tmp_path):
    with rasterio.open(assembled(tmp_path, shape=(40, 30))) as file:
        assert not file.overviews(1)
        assert set(file.block_shapes) == {(512, 512)}
        assert file.tags(ns="IMAGE_STRUCTURE")["INTERLEAVE"] == "BAND"
        assert offset(file, "IFD_OFFSET") < offset(file, "BLOCK_OFFSET_0_0")


def test_maps_of_earlier_versions_pixel_by_pixel_are_read_alike(tmp_path):
    path = assembled(tmp_path)
    rasterio.shutil.copy(path, tmp_path / "earlier.tif", driver="COG", compress="ZSTD")
    with rasterio.open(tmp_path / "earlier.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["INTERLEAVE"] == "PIXEL"
    window = Window(100, 480, 300, 200)
    new, earlier = (
        Activations(where, LEGEND).stored(window) for where in (path, tmp_path / "earlier.tif")
    )
    assert np.array_equal(new, earlier)


#: Activations with many ties, as (class, y, x).
TIED = arrays.arrays(
    np.float32, (len(LEGEND.classes), 3, 4), elements=st.sampled_from([0, 0.002, 0.25, 0.5, 1])
)


@given(TIED)
def test_the_class_is_the_first_largest_and_activations_are_rounded(activations):
    valid = np.ones(activations.shape[1:], bool)
    bands = MapFormat(LEGEND).encode(activations, valid)
    assert np.array_equal(bands[0], np.array(LEGEND.ids)[activations.argmax(axis=0)])
    assert np.array_equal(bands[1:], np.rint(activations / mapfile.ACTIVATION_SCALE))
    whole = MapFormat(LEGEND, "float32").encode(activations, valid)
    assert np.array_equal(whole[0], bands[0])
    assert np.array_equal(whole[1:], activations)


@given(
    arrays.arrays(np.uint8, (3, 4, 6), elements=st.integers(0, 250)),
    arrays.arrays(np.bool_, (4, 6)),
)
def test_an_overview_holds_the_mean_of_what_is_there(pixels, there):
    pixels[:, ~there] = mapfile.NODATA
    halved = mapfile._halved(pixels, MapFormat(LEGEND))
    expected = np.full((2, 2, 3), float(mapfile.NODATA))
    for y, x in np.ndindex(2, 3):
        four = np.s_[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        if there[four].any():
            expected[:, y, x] = np.rint(pixels[1:, *four][:, there[four]].mean(axis=1))
    assert np.array_equal(halved[1:], expected)
    assert np.array_equal(halved[0] == mapfile.NODATA, (expected == mapfile.NODATA).all(axis=0))
