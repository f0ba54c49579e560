"""The index formulas and codings, against numbers worked out by hand and the stored mosaic."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window
from test_contract import make_card

from lulc import indices, inputs
from lulc.errors import SceneError
from lulc.sample import BANDS, write
from lulc.scene import Scene

#: A green leaf of nowhere, in percent.
LEAF = {"B03": 6.0, "B04": 4.0, "B08": 36.0, "B11": 18.0, "B12": 9.0}
BY_HAND = {
    "NDVI": 32 / 40,
    "NDTI": 9 / 27,
    "NDMI": 18 / 54,
    "NDBI": -18 / 54 - 32 / 40,
    "NDSI": -12 / 24,
}


def leaf(times: float = 0.01) -> dict[str, np.ndarray]:
    return {name: np.full((2, 3), value * times, np.float32) for name, value in LEAF.items()}


@pytest.mark.parametrize("name", indices.INDICES)
def test_formula(name):
    (index,) = indices.compute(leaf(), [name])
    assert index.dtype == np.float32 and index.shape == (2, 3)
    np.testing.assert_allclose(index, BY_HAND[name], rtol=1e-6)


def test_order_is_that_of_the_mosaics():
    assert indices.INDICES == ("NDVI", "NDTI", "NDMI", "NDBI", "NDSI")
    np.testing.assert_allclose(
        indices.compute(leaf())[:, 0, 0], [BY_HAND[name] for name in indices.INDICES], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("coding", "value", "coded"),
    [
        ("unit", -0.5, -0.5),
        ("percent", -0.5, 50), ("percent", 0.8, 180), ("percent", -1, 0), ("percent", 0.2345, 123),
        ("percent", -1.7, 0), ("percent", 1.9, 255),
        ("thousands", -0.5, -5000),
    ],
)  # fmt: skip
def test_coding(coding, value, coded):
    assert indices.code(np.float64(value), coding) == pytest.approx(coded)


def test_an_unknown_coding():
    with pytest.raises(SceneError, match="unit, percent, thousands; got 'bytes'"):
        indices.code(np.zeros(1), "bytes")


def test_a_pixel_without_signal_is_0():
    dark = {name: np.zeros((1, 1), np.float32) for name in LEAF}
    assert (indices.compute(dark) == 0).all()


def test_what_is_absent_is_named():
    with pytest.raises(SceneError, match=r"computed from B08, B11; .* lacks B11"):
        indices.compute({"B08": np.ones((1, 1))}, ["NDMI"])
    with pytest.raises(SceneError, match=r"expected indices of NDVI, .*; got EVI"):
        indices.compute(leaf(), ["NDVI", "EVI"])


@given(st.lists(st.floats(-0.0625, 1.25, width=32), min_size=5, max_size=5), st.floats(0.001, 1000))
def test_indices_are_bounded_and_do_not_depend_on_the_unit(values, times):
    bands = {name: np.array([[v]], np.float64) for name, v in zip(LEAF, values, strict=True)}
    found = indices.compute(bands)
    assert np.isfinite(found).all()
    assert (np.abs(found) <= [[[2 if name == "NDBI" else 1]] for name in indices.INDICES]).all()
    if min(values) > 0.001:
        scaled = {name: band * times for name, band in bands.items()}
        np.testing.assert_allclose(indices.compute(scaled), found, atol=1e-5)


class TestSample:
    """Indices that a scene lacks, against those that the sample stores."""

    @pytest.fixture(scope="class")
    @staticmethod
    def paths(tmp_path_factory):
        return write(tmp_path_factory.mktemp("sample"), size=128, seed=7)

    def test_computed_are_the_stored_within_rounding(self, paths):
        card = make_card((*BANDS, *indices.INDICES), "percent")
        window = Window(0, 0, 128, 128)
        read = {}
        for name, files in (("computed", ["bands"]), ("stored", ["bands", "indices"])):
            scene = inputs.needed(Scene.open([paths[file] for file in files]), card)
            read[name] = inputs.read_input(scene, card, window)
        values, valid = read["computed"]
        np.testing.assert_array_equal(valid, read["stored"][1])
        np.testing.assert_array_equal(values[:9], read["stored"][0][:9])
        difference = np.abs(values[9:] - read["stored"][0][9:])[:, valid]
        assert difference.max() <= 1  # a floor of two float32 roundings
        assert (difference == 0).mean() > 0.999

    def test_stored_are_read_as_they_are(self, paths):
        scene = Scene.open([paths["indices"], paths["bands"]]).select(indices.INDICES)
        with rasterio.open(paths["indices"]) as file:
            stored = file.read()
        values, valid = scene.read()
        np.testing.assert_array_equal(values[:, valid], stored[:, valid])

    @pytest.mark.parametrize("coding", list(indices.CODINGS))
    def test_the_card_names_the_coding(self, paths, coding):
        card = make_card(("NDVI", "B04"), coding)
        scene = inputs.needed(Scene.open(paths["bands"]), card)
        values, valid = inputs.read_input(scene, card, Window(0, 0, 128, 128))
        bands, _ = Scene.open(paths["bands"]).select(["B08", "B04"]).read()
        ndvi = (bands[0] - bands[1])[valid] / (bands[0] + bands[1])[valid]
        add, times = indices.CODINGS[coding]
        tolerance = 1.001 if coding == "percent" else times * 1e-6
        np.testing.assert_allclose(values[0][valid], (ndvi + add) * times, atol=tolerance)
        np.testing.assert_array_equal(values[1], bands[1])
        assert (values[:, ~valid] == 0).all()

    def test_only_what_is_needed_is_read(self, paths):
        card = make_card(("NDTI", "B02"))
        scene = inputs.needed(Scene.open([paths["bands"], paths["indices"]]), card)
        assert scene.bands == ("NDTI", "B02")
        assert inputs.needed(Scene.open(paths["bands"]), card).bands == ("B02", "B11", "B12")
