"""The input contract: each of the usual mistakes injected, found and named; no false alarm."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from lulc import contract, indices, inputs
from lulc.card import BandCard, ModelCard
from lulc.errors import SceneError
from lulc.legend import Legend
from lulc.sample import BANDS, Landscape
from lulc.scene import Scene
from lulc.unet import UNet

SIZE = 384
ALL = (*BANDS, *indices.INDICES)


@cache
def land(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return Landscape(seed).bands(Window(0, 0, SIZE, SIZE))


def make_card(names: tuple[str, ...] = BANDS, coding: str = "unit", **changes) -> ModelCard:
    """A card of a model trained on four simulated regions."""
    pixels = np.concatenate([values[:, valid] for values, valid in map(land, range(101, 105))], 1)
    bands = dict(zip(BANDS, pixels, strict=True))
    bands |= dict(zip(indices.INDICES, indices.compute(bands, coding=coding), strict=True))
    seen = contract.statistics(np.stack([bands[name] for name in names]))
    rows = zip(names, seen.mean, seen.std, seen.low, seen.high, strict=True)
    fields = {
        "name": "lakes",
        "title": "",
        "network": UNet(len(names), 13, width=4, depth=2),
        "legend": Legend.load("lulc13"),
        "bands": tuple(BandCard(name, *map(float, row)) for name, *row in rows),
        "correlation": tuple(map(tuple, seen.correlation.tolist())),
        "pixel_size": (8.0, 12.0),
        "index_coding": coding,
    } | changes
    return ModelCard(**fields)


def write_bands(path: Path, values, names=BANDS, nodata=None, res=10.0, crs="EPSG:3067") -> Path:
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype,
        nodata=nodata, crs=crs, transform=Affine(res, 0, 500_000, 0, -res, 6_800_000),
    ) as file:  # fmt: skip
        file.write(values)
        file.descriptions = tuple(names)
    return path


@pytest.fixture
def region(tmp_path):
    """Makes a scene of a seed whose values were changed: the mistake to find."""

    def make(seed=7, change=lambda values: values, names=BANDS, index=None, **options) -> Scene:
        values, valid = land(seed)
        changed = np.where(valid, change(values), np.nan).astype(np.float32)
        paths = [write_bands(tmp_path / "bands.tif", changed, names, res=options.pop("res", 10.0))]
        if index is not None:
            bands = dict(zip(BANDS, values, strict=True))
            coded = indices.compute(bands, coding=index)
            if index != "unit":
                coded = coded.astype("int16")
            paths.append(write_bands(tmp_path / "indices.tif", coded, indices.INDICES))
        return Scene.open(paths, **({"scale": 1.0} | options))

    return make


#: Where each band's numbers come from: the band named B02 holds the first one's, and so on.
PERMUTATIONS = {
    "B02 and B08 swapped": (6, 1, 2, 3, 4, 5, 0, 7, 8),
    "B04 and B08 swapped": (0, 1, 6, 3, 4, 5, 2, 7, 8),
    "red, green, blue": (2, 1, 0, 3, 4, 5, 6, 7, 8),
    "B11 and B12 swapped": (0, 1, 2, 3, 4, 5, 6, 8, 7),
    "reversed": (8, 7, 6, 5, 4, 3, 2, 1, 0),
    "one on": (1, 2, 3, 4, 5, 6, 7, 8, 0),
    "one back": (8, 0, 1, 2, 3, 4, 5, 6, 7),
}


class TestNoFalseAlarm:
    @pytest.mark.parametrize("seed", [7, 0, 1, 2, 3, 11, 12, 13])
    def test_simulated_regions(self, region, seed):
        assert contract.check(region(seed), make_card()) == []

    @pytest.mark.parametrize("coding", list(indices.CODINGS))
    def test_indices_stored_or_computed(self, region, coding):
        card = make_card(ALL, coding)
        assert contract.check(region(), card) == []
        assert contract.check(region(index=coding), card) == []

    def test_small_parts_of_regions(self):
        card, alarms, looked = make_card(), 0, 0
        for seed in (1, 2, 3, 7, 11, 12, 13):
            values, valid = land(seed)
            for row in range(0, SIZE, 128):
                for column in range(0, SIZE, 128):
                    part = np.s_[row : row + 128, column : column + 128]
                    seen = contract.statistics(values[:, *part][:, valid[part]])
                    alarms += bool(contract._order(card, seen) or contract._offset(card, seen))
                    looked += 1
        assert (looked, alarms) == (63, 0)

    def test_real_scenes(self, shared_data):
        aquileia = shared_data / "aquileia_sentinel2_l2a"
        scenes = [Scene.open([aquileia / f"{b}.tiff" for b in BANDS], scale=1 / 65535)]
        scenes += [Scene.open(f) for f in sorted((shared_data / "bigearthnet").iterdir())]
        card = make_card(pixel_size=(8.0, 15.0))
        assert {scene.name: contract.check(scene, card) for scene in scenes} == {
            scene.name: [] for scene in scenes
        }

    def test_real_scenes_of_other_dates_but_for_cloud(self, shared_data):
        folder = shared_data / "slovenia_sentinel2_lulc"
        scenes = np.load(folder / "REFERENCE_SCENES.npy")[..., [1, 2, 3, 4, 5, 6, 7, 11, 12]]
        found = [contract.statistics(scene.reshape(-1, 9).T) for scene in scenes]
        assert [contract._order(make_card(), seen) for seen in found] == [[]] * 5
        warned = [bool(contract._offset(make_card(), seen)) for seen in found]
        # Dates 0 and 1 are cloudy; date 0 is white all over, which is as bright as an offset.
        assert warned == [True, False, False, False, False]

    def test_a_region_of_few_valid_pixels(self, region):
        scene = region(change=lambda v: np.where(np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
                                                 % 30_000, np.nan, v))  # fmt: skip
        assert contract.check(scene, make_card()) == []


class TestPermutedBands:
    @pytest.mark.parametrize("order", PERMUTATIONS.values(), ids=list(PERMUTATIONS))
    @pytest.mark.parametrize("seed", [1, 2, 7])
    def test_is_found_and_undone(self, region, seed, order):
        (warning,) = contract.check(region(seed, lambda v: v[list(order)]), make_card())
        assert "permuted" in warning and "--bands" in warning
        for place, source in enumerate(order):
            said = f"{BANDS[place]} looks like {BANDS[source]}" in warning
            assert said == (place != source), warning

    @pytest.mark.parametrize("order", PERMUTATIONS.values(), ids=list(PERMUTATIONS))
    def test_is_found_in_a_real_scene(self, shared_data, order):
        folder = shared_data / "aquileia_sentinel2_l2a"
        paths = [folder / f"{BANDS[source]}.tiff" for source in order]
        scene = Scene.open(paths, bands=BANDS, scale=1 / 65535)
        (warning,) = contract.check(scene, make_card(pixel_size=(8.0, 15.0)))
        assert "permuted" in warning

    def test_by_names_given_in_the_wrong_order(self, region):
        swapped = ["B04", "B03", "B02", *BANDS[3:]]
        (warning,) = contract.check(region(bands=swapped), make_card())
        assert "B02 looks like B04, B04 looks like B02" in warning

    def test_bands_stored_in_another_order_under_their_names_are_fine(self, region):
        scene = region(change=lambda v: v[::-1], names=BANDS[::-1])
        assert contract.check(scene, make_card()) == []
        window = Window(5, 6, 20, 30)
        values, valid = inputs.read_input(inputs.needed(scene, make_card()), make_card(), window)
        expected = land(7)[0][:, 6:36, 5:25]
        np.testing.assert_array_equal(values[:, valid], expected[:, valid])


class TestUnit:
    @pytest.mark.parametrize("factor", [10_000, 65_535, 255])
    def test_a_missing_division(self, region, factor):
        with pytest.raises(SceneError, match=f"missing division by {factor}.*--scale"):
            contract.check(region(change=lambda v: v * factor), make_card())

    def test_a_missing_division_of_a_file_of_whole_numbers(self, tmp_path):
        digits = np.clip(np.rint(land(7)[0] * 10_000), 1, 65535).astype(np.uint16)
        path = write_bands(tmp_path / "m.tif", digits)
        with pytest.raises(SceneError, match="missing division by 10000"):
            contract.check(Scene.open(path, scale=1), make_card())
        assert contract.check(Scene.open(path, scale=1e-4), make_card()) == []

    def test_a_division_too_many(self, region):
        with pytest.raises(SceneError, match=r"divided twice.*--scale"):
            contract.check(region(change=lambda v: v / 10_000), make_card())

    @pytest.mark.parametrize("seed", [1, 2, 3, 7, 11, 12])
    def test_an_offset_that_was_not_applied(self, region, seed):
        (warning,) = contract.check(region(seed, lambda v: v + 0.1), make_card())
        assert "--offset -0.1" in warning and "brighter" in warning

    def test_an_offset_that_was_not_applied_in_a_real_scene(self, shared_data):
        for folder in sorted((shared_data / "bigearthnet").iterdir()):
            scene = Scene.open(folder, offset=0.1)
            warnings = contract.check(scene, make_card())
            assert any("--offset -0.1" in warning for warning in warnings)

    @pytest.mark.parametrize("seed", [1, 2, 3, 7])
    def test_an_offset_applied_twice(self, region, seed):
        warnings = contract.check(region(seed, lambda v: v - 0.1), make_card())
        assert any("applied twice" in warning for warning in warnings)


class TestIndices:
    @pytest.mark.parametrize("given", list(indices.CODINGS))
    @pytest.mark.parametrize("expected", list(indices.CODINGS))
    def test_another_coding(self, region, given, expected):
        card, scene = make_card(ALL, expected), region(index=given)
        if given == expected:
            assert contract.check(scene, card) == []
            return
        with pytest.raises(SceneError, match=f"coding '{given}'.*expects '{expected}'"):
            contract.check(scene, card)

    def test_bands_of_a_wrong_unit_are_named_where_indices_are_computed(self, region):
        with pytest.raises(SceneError, match="missing division by 10000"):
            contract.check(region(change=lambda v: v * 10_000), make_card(ALL, "percent"))


class TestWhatIsThere:
    def test_eight_bands_for_nine(self, region):
        scene = region(change=lambda v: v[:8], names=BANDS[:8])
        with pytest.raises(SceneError) as error:
            contract.check(scene, make_card())
        assert "takes the 9 bands" in str(error.value) and "has 8" in str(error.value)
        assert str(error.value).endswith("lacks B12")

    def test_a_band_that_only_an_index_needs(self, region):
        card = make_card(("B02", "B03", "NDMI"))
        scene = region(change=lambda v: v[:3], names=BANDS[:3])
        with pytest.raises(SceneError, match="lacks B08 B11"):
            contract.check(scene, card)

    @pytest.mark.parametrize("res", [5.0, 20.0, 60.0])
    def test_pixels_of_another_size(self, region, res):
        with pytest.raises(SceneError, match=rf"pixels of 8 to 12 m; the scene's are {res:.1f} m"):
            contract.check(region(res=res), make_card())

    def test_nothing_but_nodata(self, region):
        scene = region(change=lambda v: np.full_like(v, np.nan))
        with pytest.raises(SceneError, match="no valid pixel"):
            contract.check(scene, make_card())

    def test_a_part_that_is_nothing_but_nodata(self, region):
        def cloud(values):
            values = values.copy()
            values[:, :100, :100] = np.nan
            return values

        scene = region(change=cloud)
        assert contract.check(scene, make_card()) == []
        with pytest.raises(SceneError, match="no valid pixel"):
            contract.check(scene, make_card(), Window(0, 0, 100, 100))

    def test_without_a_crs(self, tmp_path):
        path = write_bands(tmp_path / "m.tif", land(7)[0], crs=None)
        with pytest.raises(SceneError, match="no coordinate reference system"):
            contract.check(Scene.open(path, scale=1), make_card())

    def test_one_band_only(self, tmp_path):
        path = write_bands(tmp_path / "m.tif", land(7)[0][:1], ("B02",))
        assert contract.check(Scene.open(path), make_card(("B02",))) == []


def test_statistics_of_a_constant_band():
    seen = contract.statistics(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]]))
    assert np.isfinite(seen.correlation).all()
    assert seen.mean.tolist() == [1, 2] and seen.low[1] == pytest.approx(1.04)
