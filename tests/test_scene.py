"""Scenes: every format and naming, calibration, nodata, and reading by window."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.windows import Window

from lulc import bandfiles, config, indices, landsat
from lulc.errors import SceneError
from lulc.sample import BANDS, Landscape, write
from lulc.scene import Scene

HEIGHT, WIDTH = 66, 72
CORNER = (500_000.0, 6_800_000.0)


def numbers(bands: int = 9, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Digital numbers of nowhere: uint16 (band, y, x), none of them 0."""
    rng = np.random.default_rng(seed)
    return rng.integers(100, 6000, (bands, height, width), dtype=np.uint16)


def raster(path, data, *, names=None, scale=None, offset=None, res=10.0, corner=CORNER, **options):
    """Write (band, y, x) with rasterio and return the path."""
    profile = {
        "driver": "GTiff",
        "crs": "EPSG:3067",
        "transform": Affine(res, 0, corner[0], 0, -res, corner[1]),
    } | options
    count, height, width = data.shape
    with rasterio.open(
        path, "w", count=count, height=height, width=width, dtype=data.dtype, **profile
    ) as file:
        file.write(data)
        if names:
            file.descriptions = tuple(names)
        if scale is not None:
            file.scales = [scale] * count
        if offset is not None:
            file.offsets = [offset] * count
    return path


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    return raster(tmp_path / "mosaic.tif", numbers(), names=BANDS, scale=1e-4, nodata=0)


def netcdf(path: Path, variables: dict[str, np.ndarray], **attributes) -> Path:
    """A CF file as xarray writes it: one variable a band, or one with all of them."""
    wkt = CRS.from_epsg(3067).to_wkt()
    height, width = next(iter(variables.values())).shape[-2:]
    along = {"units": "m", "standard_name": "projection_x_coordinate"}
    coordinates = {
        "x": ("x", CORNER[0] + 5 + 10.0 * np.arange(width), along),
        "y": (
            "y",
            CORNER[1] - 5 - 10.0 * np.arange(height),
            along | {"standard_name": "projection_y_coordinate"},
        ),
        "crs": ((), 0, {"crs_wkt": wkt, "spatial_ref": wkt, "grid_mapping_name": "t_mercator"}),
    }
    data = {
        name: (("band", "y", "x")[-values.ndim :], values, {"grid_mapping": "crs", **attributes})
        for name, values in variables.items()
    }
    xr.Dataset(data, coords=coordinates).to_netcdf(path, engine="scipy")
    return path


class TestFormats:
    """One image, 9 bands, in every format: the same names, grid and reflectance."""

    def check(self, scene: Scene, digits: np.ndarray) -> None:
        assert scene.bands == BANDS
        assert scene.shape == digits.shape[1:]
        assert scene.grid.crs is not None and scene.grid.crs.proj.is_projected
        assert tuple(scene.grid.affine[:6]) == (10, 0, CORNER[0], 0, -10, CORNER[1])
        values, valid = scene.read()
        assert values.dtype == np.float32 and values.shape == digits.shape
        assert valid.dtype == bool and valid.all()
        np.testing.assert_allclose(values, digits * np.float32(1e-4), atol=1e-6)

    def test_geotiff(self, mosaic):
        self.check(Scene.open(mosaic), numbers())

    def test_cloud_optimised_geotiff(self, mosaic, tmp_path):
        copy(mosaic, tmp_path / "cog.tif", driver="COG", compress="deflate", blocksize=128)
        self.check(Scene.open(tmp_path / "cog.tif"), numbers())

    def test_erdas_imagine(self, tmp_path):
        path = raster(tmp_path / "m.img", numbers(), names=BANDS, scale=1e-4, driver="HFA")
        self.check(Scene.open(path), numbers())

    def test_erdas_imagine_without_names_or_scale_is_asked_for(self, tmp_path):
        path = raster(tmp_path / "m.img", numbers(), driver="HFA")
        with pytest.raises(SceneError, match="9 of 9 bands have no name"):
            Scene.open(path, scale=1e-4)
        self.check(Scene.open(path, bands=BANDS, scale=1e-4), numbers())

    def test_vrt(self, mosaic, tmp_path):
        copy(mosaic, tmp_path / "m.vrt", driver="VRT")
        self.check(Scene.open(tmp_path / "m.vrt"), numbers())

    def test_netcdf_with_a_variable_for_each_band(self, tmp_path):
        digits = numbers()
        variables = {n: (d * 1e-4).astype(np.float32) for n, d in zip(BANDS, digits, strict=True)}
        self.check(Scene.open(netcdf(tmp_path / "m.nc", variables)), digits)

    def test_netcdf_in_a_folder(self, tmp_path):
        digits = numbers()
        variables = {n: (d * 1e-4).astype(np.float32) for n, d in zip(BANDS, digits, strict=True)}
        netcdf(tmp_path / "m.nc", variables)
        self.check(Scene.open(tmp_path), digits)

    def test_netcdf_packed_with_scale_factor(self, tmp_path):
        digits = numbers()
        variables = {n: d.astype(np.int16) for n, d in zip(BANDS, digits, strict=True)}
        path = netcdf(tmp_path / "m.nc", variables, scale_factor=1e-4, add_offset=0.0)
        self.check(Scene.open(path), digits)

    def test_netcdf_with_one_stacked_variable(self, tmp_path):
        digits = numbers()
        path = netcdf(tmp_path / "m.nc", {"reflectance": (digits * 1e-4).astype(np.float32)})
        with pytest.raises(SceneError, match="no name"):
            Scene.open(path)
        self.check(Scene.open(path, bands=BANDS), digits)

    def test_netcdf_whose_variables_gdal_numbered(self, tmp_path):
        variables = {f"Band{i}": d for i, d in enumerate(numbers().astype(np.int16), 1)}
        path = netcdf(tmp_path / "m.nc", variables)
        with pytest.raises(SceneError, match="no name"):
            Scene.open(path, scale=1e-4)
        self.check(Scene.open(path, bands=BANDS, scale=1e-4), numbers())

    def test_one_file_for_each_band_in_the_order_given(self, tmp_path):
        digits = numbers()
        paths = [
            raster(tmp_path / f"T35VLG_20210712_{n}_10m.tif", d[None])
            for n, d in zip(BANDS, digits, strict=True)
        ]
        self.check(Scene.open(paths, scale=1e-4), digits)
        assert Scene.open(paths[::-1], scale=1e-4).bands == BANDS[::-1]

    def test_netcdf_and_geotiff_of_one_grid_are_not_resampled(self, mosaic, tmp_path):
        ndvi = numbers(1, seed=4)[0].astype(np.float32) / 10_000
        scene = Scene.open([mosaic, netcdf(tmp_path / "i.nc", {"ndvi": ndvi})])
        assert scene.bands == (*BANDS, "NDVI")
        np.testing.assert_array_equal(scene.read()[0][-1], ndvi)


class TestNames:
    @pytest.mark.parametrize(
        ("given", "name"),
        [
            ("B2", "B02"), ("b08", "B08"), ("Band_2", "B02"), ("B8A", "B8A"), ("b8a", "B8A"),
            ("B08A", "B8A"), ("B12", "B12"), ("B02 (blue)", "B02"), ("scene_B05", "B05"),
            ("nir", "B08"), ("NIR08", "B8A"), ("rededge1", "B05"), ("swir22", "B12"),
            ("ndvi", "NDVI"), (" Ndti ", "NDTI"), ("elevation", "elevation"), ("B123", "B123"),
        ],
    )  # fmt: skip
    def test_tidy(self, given, name):
        assert bandfiles.tidy(given) == name

    @settings(max_examples=50)
    @given(st.sampled_from([*BANDS, "B8A", "B01", "B09", "B10", *indices.INDICES]))
    def test_tidy_keeps_its_own_names(self, name):
        assert bandfiles.tidy(name) == name
        assert bandfiles.tidy(f" {name.lower()}") == name

    @pytest.mark.parametrize(
        ("file", "name"),
        [
            ("S2A_MSIL2A_20170617T113321_36_85_B8A", "B8A"),
            ("T33TUL_20190416T100031_B05_20m", "B05"),
            ("summer-b11", "B11"),
            ("B02", "B02"),
            ("mosaic_ndmi_2018", "NDMI"),
        ],
    )
    def test_from_the_file_name(self, tmp_path, file, name):
        path = raster(tmp_path / f"{file}.tif", numbers(1))
        assert Scene.open(path, scale=1e-4).bands == (name,)

    @pytest.mark.parametrize(
        ("product", "names"),
        [
            ("LC08_L2SP_188015_20200625_20200823_02_T1_SR_B{}", "B04 B8A B11 B12"),
            ("lt05_l2sp_188015_20100625_20200823_02_t1_sr_b{}", "B08 B11 - B12"),
            ("LE07_L1TP_188015_20020625_20200823_02_T1_B{}", "B08 B11 - B12"),
            ("HLS.L30.T35VLG.2021177T093602.v2.0.B0{}", "B04 B8A B11 B12"),
            ("HLS.S30.T35VLG.2021177T093602.v2.0.B0{}", "B04 B05 B06 B07"),
        ],
    )
    def test_of_a_landsat_product(self, tmp_path, product, names):
        """A number is another band on every satellite."""
        for number, name in zip((4, 5, 6, 7), names.split(), strict=True):
            path = raster(tmp_path / f"{product.format(number)}.tif", numbers(1))
            if name == "-":
                with pytest.raises(SceneError, match="no name"):
                    Scene.open(path, scale=1e-4)
            else:
                assert Scene.open(path, scale=1e-4).bands == (name,)

    @pytest.mark.parametrize(
        ("given", "names"),
        [
            ("SR_B2 SR_B4 SR_B5 SR_B6", "B02 B04 B8A B11"),
            ("SR_B1 SR_B2 SR_B3 SR_B4 SR_B5 SR_B7", "B02 B03 B04 B08 B11 B12"),
            ("SR_B2 SR_B3 SR_B4 SR_B5", None),
        ],
    )
    def test_of_surface_reflectance(self, tmp_path, given, names):
        given = given.split()
        path = raster(tmp_path / "m.tif", numbers(len(given)), names=given)
        if names is None:  # near infrared here, short-wave there
            with pytest.raises(SceneError, match=r"no name.*for Landsat too"):
                Scene.open(path, scale=1e-4)
        else:
            assert Scene.open(path, scale=1e-4).bands == tuple(names.split())

    def test_a_landsat_product_in_a_folder(self, tmp_path):
        product = "LC09_L2SP_188015_20220625_20220823_02_T1_"
        for end in ("SR_B4", "SR_B5", "ST_B10", "QA_PIXEL"):
            raster(tmp_path / f"{product}{end}.TIF", numbers(1))
        scene = Scene.open(tmp_path)
        assert scene.bands == ("B04", "B8A")
        assert {(file.scale, file.offset) for file in scene.files} == {landsat.CALIBRATION}

    def test_a_place_in_the_file_is_no_name(self, tmp_path):
        named = [f"Band {number}" for number in range(1, 10)]
        path = raster(tmp_path / "m.tif", numbers(), names=named)
        with pytest.raises(SceneError, match=r"no name .*--bands"):
            Scene.open(path, scale=1e-4)
        single = raster(tmp_path / "x_B05.tif", numbers(1), names=["Band 1"])
        assert Scene.open(single, scale=1e-4).bands == ("B05",)

    def test_unnamed_is_said_before_the_scale_is_asked_for(self, tmp_path):
        with pytest.raises(SceneError, match="9 of 9 bands have no name"):
            Scene.open(raster(tmp_path / "m.tif", numbers()))

    def test_bands_replace_the_names_of_the_file(self, mosaic):
        assert Scene.open(mosaic, bands=["b12", *BANDS[:8]]).bands == ("B12", *BANDS[:8])

    @pytest.mark.parametrize("count", [1, 8, 10])
    def test_bands_of_another_number(self, mosaic, count):
        with pytest.raises(SceneError, match=f"names {count} bands, the files hold 9"):
            Scene.open(mosaic, bands=[f"B{i:02}" for i in range(count)])

    def test_duplicates(self, mosaic):
        with pytest.raises(SceneError, match=r"B02.*more than once"):
            Scene.open([mosaic, mosaic])
        with pytest.raises(SceneError, match="B02 are given more than once"):
            Scene.open(mosaic, bands=["B02", "B2", *BANDS[2:]])

    def test_bands_that_are_indices_keep_their_numbers(self, tmp_path):
        stack = raster(tmp_path / "m.tif", numbers())
        index = raster(tmp_path / "i.tif", numbers(5).astype(np.uint8))
        scene = Scene.open([stack, index], bands=[*BANDS, *indices.INDICES], scale=1e-4)
        assert {file.scale for file in scene.files[9:]} == {1.0}
        np.testing.assert_array_equal(scene.read()[0][9:], numbers(5).astype(np.uint8))

    def test_a_folder_leaves_out_what_is_no_band(self, tmp_path):
        write(tmp_path, size=64, seed=3)
        raster(tmp_path / "preview.tif", numbers(3))
        (tmp_path / "notes.txt").write_text("July")
        scene = Scene.open(tmp_path)
        assert scene.bands == (*BANDS, *indices.INDICES)
        assert scene.simulated

    def test_a_folder_without_bands(self, tmp_path):
        with pytest.raises(SceneError, match="expected rasters with named bands in the folder"):
            Scene.open(tmp_path)

    @pytest.mark.parametrize(
        ("path", "name"),
        [("summer.tif", "summer"), ("july/bands.tif", "july"), ("july/x_B02.tif", "july")],
    )
    def test_of_the_scene(self, tmp_path, path, name):
        (tmp_path / "july").mkdir()
        file = raster(tmp_path / path, numbers(1), names=["B02"], scale=1e-4)
        assert Scene.open(file).name == name
        assert Scene.open(file, name="mine").name == "mine"


class TestCalibration:
    def open_one(self, path: Path, **options) -> tuple[float, float]:
        (file,) = Scene.open(path, **options).files
        return file.scale, file.offset

    def test_nothing_said_is_asked_for(self, tmp_path):
        path = raster(tmp_path / "x_B02.tif", numbers(1))
        with pytest.raises(SceneError, match=r"uint16.*--scale and --offset"):
            Scene.open(path)
        with pytest.raises(SceneError, match="--scale"):
            Scene.open(path, offset=-0.1)
        assert self.open_one(path, scale=1e-4) == (1e-4, 0)
        assert self.open_one(path, scale=1e-4, offset=-0.1) == (1e-4, -0.1)
        for asked in ({"scale": 0.0}, {"scale": -1e-4}, {"scale": 1e-4, "offset": np.nan}):
            with pytest.raises(SceneError, match="expected a scale above 0 and a finite offset"):
                self.open_one(path, **asked)

    def test_of_the_file(self, tmp_path):
        path = raster(tmp_path / "x_B02.tif", numbers(1), scale=2e-4, offset=-0.2)
        assert self.open_one(path) == (2e-4, -0.2)
        assert self.open_one(path, scale=1e-4) == (1e-4, 0)
        assert self.open_one(path, offset=0.0) == (2e-4, 0)

    def test_floats_that_are_reflectance(self, tmp_path):
        digits = numbers(1).astype(np.float32)
        assert self.open_one(raster(tmp_path / "a_B02.tif", digits * 1e-4)) == (1, 0)
        with pytest.raises(SceneError, match=r"float32.*--scale"):
            Scene.open(raster(tmp_path / "b_B02.tif", digits))

    def test_floats_with_nodata_that_are_reflectance(self, tmp_path):
        digits = numbers(1).astype(np.float32) * 1e-4
        digits[0, ::2] = -9999
        path = raster(tmp_path / "x_B02.tif", digits, nodata=-9999)
        assert self.open_one(path) == (1, 0)
        assert Scene.open(path).read()[1].mean() == 0.5

    @pytest.mark.parametrize(
        ("product", "expected"),
        [
            ("S2A_MSIL2A_20170617T113321_36_85_B02", (1e-4, 0)),
            ("S2A_MSIL2A_20170617T113321_N0500_R080_B02", (1e-4, -0.1)),
            ("S2A_MSIL2A_20170617T113321_N0205_R080_B02", (1e-4, 0)),
            ("LC08_L2SP_188015_20200625_20200823_02_T1_SR_B5", (2.75e-5, -0.2)),
        ],
    )
    def test_of_the_product_name(self, tmp_path, product, expected):
        assert self.open_one(raster(tmp_path / f"{product}.tif", numbers(1))) == expected
        reflectance = raster(tmp_path / f"{product}.tif", numbers(1).astype(np.float32) * 1e-4)
        assert self.open_one(reflectance) == (1, 0)

    def test_of_a_landsat_product_of_another_kind(self, tmp_path):
        for product in ("LC08_L1TP_188015_20200625_20200823_02_T1_B5",
                        "LC08_L2SP_188015_20200625_20200823_01_T1_SR_B5"):  # fmt: skip
            with pytest.raises(SceneError, match="--scale"):
                Scene.open(raster(tmp_path / f"{product}.tif", numbers(1)))

    def test_a_product_since_the_offset_does_not_tell(self, tmp_path):
        path = raster(tmp_path / "S2B_MSIL2A_20220712T095559_B02.tif", numbers(1))
        with pytest.raises(SceneError, match=r"--offset -0\.1"):
            Scene.open(path)


class TestStacItem:
    """Scale and offset from an item beside the file."""

    def open_with(self, folder: Path, asset: dict, properties: dict | None = None, bands: int = 1):
        named = ["B02", "B03"][:bands]
        raster(folder / "x.tif", numbers(bands), names=named)
        item = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "properties": properties or {},
            "assets": {"thumbnail": {"href": "x.png"}, "blue": {"href": "./x.tif", **asset}},
        }
        (folder / "item.json").write_text(json.dumps(item))
        (folder / "another.json").write_text("[]")
        (folder / "broken.json").write_text("{")
        return [(file.scale, file.offset) for file in Scene.open(folder / "x.tif").files]

    def test_raster_extension(self, tmp_path):
        asset = {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
        assert self.open_with(tmp_path, asset) == [(1e-4, -0.1)]

    def test_stac_1_1_bands(self, tmp_path):
        asset = {"bands": [{"name": "blue", "raster:scale": 1e-4, "raster:offset": -0.1}]}
        assert self.open_with(tmp_path, asset) == [(1e-4, -0.1)]

    def test_stac_1_1_bands_with_common_values_on_the_asset(self, tmp_path):
        asset = {"raster:scale": 1e-4, "bands": [{"name": "B02"}, {"name": "B03"}]}
        assert self.open_with(tmp_path, asset, bands=2) == [(1e-4, 0), (1e-4, 0)]

    def test_values_on_the_asset_alone(self, tmp_path):
        asset = {"raster:scale": 1e-4, "raster:offset": -0.1}
        assert self.open_with(tmp_path, asset) == [(1e-4, -0.1)]

    def test_bands_count_by_their_order(self, tmp_path):
        asset = {"raster:bands": [{"scale": 1e-4, "offset": 0}, {"scale": 2e-4, "offset": -0.2}]}
        assert self.open_with(tmp_path, asset, bands=2) == [(1e-4, 0), (2e-4, -0.2)]

    def test_offset_that_earth_search_has_applied(self, tmp_path):
        asset = {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
        properties = {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.00"}
        assert self.open_with(tmp_path, asset, properties) == [(1e-4, 0)]

    def test_offset_that_earth_search_has_not_applied(self, tmp_path):
        asset = {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
        properties = {"earthsearch:boa_offset_applied": False}
        assert self.open_with(tmp_path, asset, properties) == [(1e-4, -0.1)]

    @pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0), ("04.00", -0.1), (5.09, -0.1)])
    def test_processing_baseline_where_the_asset_is_silent(self, tmp_path, baseline, offset):
        properties = {"s2:processing_baseline": baseline}
        assert self.open_with(tmp_path, {}, properties) == [(1e-4, offset)]

    def test_an_item_that_does_not_tell(self, tmp_path):
        with pytest.raises(SceneError, match="--scale"):
            self.open_with(tmp_path, {})

    def test_an_item_of_another_file(self, tmp_path):
        with pytest.raises(SceneError, match="--scale"):
            self.open_with(tmp_path, {"href": "y.tif", "raster:bands": [{"scale": 1e-4}]})


class TestValid:
    def test_nan_and_infinity_are_nodata(self, tmp_path):
        values = numbers().astype(np.float64) * 1e-4
        values[0, 0, 0], values[3, 1, 1], values[8, 2, 2] = np.nan, np.inf, -np.inf
        values[5, 3, 3] = 1e300  # finite, but not in the float32 that is read
        scene = Scene.open(raster(tmp_path / "m.tif", values, names=BANDS))
        found, valid = scene.read()
        assert np.argwhere(~valid).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
        assert np.isfinite(found).all() and (found[:, ~valid] == 0).all()

    @pytest.mark.parametrize("nodata", [-9999.0, -1.7976931348623157e308, np.nan])
    def test_nodata_of_floats(self, tmp_path, nodata):
        values = numbers().astype(np.float64) * 1e-4
        values[4, :6] = nodata
        scene = Scene.open(raster(tmp_path / "m.tif", values, names=BANDS, nodata=nodata))
        assert scene.read()[1].sum() == (HEIGHT - 6) * WIDTH

    def test_zero_in_every_band_of_whole_numbers_without_nodata(self, tmp_path):
        digits = numbers()
        digits[:, :6] = 0
        digits[2:7, 10] = 0  # dark, and not nodata
        scene = Scene.open(raster(tmp_path / "m.tif", digits, names=BANDS, scale=1e-4))
        assert scene.read()[1].sum() == (HEIGHT - 6) * WIDTH

    def test_nodata_asked_for(self, tmp_path):
        digits = numbers()
        digits[1, :6] = 65535
        path = raster(tmp_path / "m.tif", digits, names=BANDS, scale=1e-4)
        assert Scene.open(path).read()[1].all()
        assert Scene.open(path, nodata=65535).read()[1].sum() == (HEIGHT - 6) * WIDTH
        assert Scene.open(path, nodata=-9999).read()[1].all()

    def test_bands_of_one_file_with_nodata_of_their_own(self, tmp_path):
        digits = numbers(2)
        digits[0, :6], digits[1, :6], digits[1, -6:] = 7, 8, 9
        raster(tmp_path / "m.tif", digits)
        bands = "".join(
            f'<VRTRasterBand dataType="UInt16" band="{number}"><Description>{name}</Description>'
            f"<NoDataValue>{nodata}</NoDataValue><Scale>0.0001</Scale><SimpleSource>"
            f'<SourceFilename relativeToVRT="1">m.tif</SourceFilename>'
            f"<SourceBand>{number}</SourceBand></SimpleSource></VRTRasterBand>"
            for number, name, nodata in ((1, "B02", 7), (2, "B03", 9))
        )
        (tmp_path / "m.vrt").write_text(
            f'<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{HEIGHT}"><SRS>EPSG:3067</SRS>'
            f"<GeoTransform>500000,10,0,6800000,0,-10</GeoTransform>{bands}</VRTDataset>"
        )
        valid = Scene.open(tmp_path / "m.vrt").read()[1]
        assert valid[6:-6].all() and not valid[:6].any() and not valid[-6:].any()

    @pytest.mark.parametrize("res", [10, 20])
    def test_mask_inside_the_file(self, tmp_path, res):
        height, width = HEIGHT * 10 // res, WIDTH * 10 // res
        path = raster(tmp_path / "x_B05.tif", np.full((1, height, width), 0.1, "f4"), res=res)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
            mask = np.full((height, width), 255, np.uint8)
            mask[: 100 // res] = 0
            file.write_mask(mask)
        ten = raster(tmp_path / "x_B02.tif", np.full((1, HEIGHT, WIDTH), 0.1, np.float32))
        values, valid = Scene.open([ten, path]).read()
        assert valid.sum() == (HEIGHT - 10) * WIDTH
        np.testing.assert_allclose(values[:, valid], 0.1)

    def test_nodata_is_not_averaged_into_a_small_picture(self, tmp_path):
        digits = np.full((9, 60, 70), 1000, np.uint16)
        digits[:, :25] = 60000
        for nodata in (None, 60000):
            path = raster(tmp_path / "m.tif", digits, names=BANDS, scale=1e-4, nodata=nodata)
            values, valid = Scene.open(path, nodata=60000).read(shape=(6, 7))
            np.testing.assert_allclose(values[:, valid], 0.1)
            assert valid.any() and not valid[:2].any()


class TestPatch:
    def test_fills_nodata_and_nothing_else(self, tmp_path):
        holed = numbers()
        holed[:, 10:20] = 0
        spring = numbers(seed=1)
        spring[:, 15:25] = 0
        first = raster(tmp_path / "a.tif", holed, names=BANDS, scale=1e-4, nodata=0)
        second = raster(tmp_path / "b.tif", spring[::-1], names=BANDS[::-1], scale=1e-4, nodata=0)
        values, valid = Scene.open(first, patch=second).read()
        assert not valid[15:20].any() and valid[:15].all() and valid[20:].all()
        expected = holed.copy()
        expected[:, 10:15] = spring[:, 10:15]
        np.testing.assert_allclose(values, expected * np.float32(1e-4), atol=1e-7)

    def test_of_another_grid(self, tmp_path):
        holed = numbers()
        holed[:, 10:20] = 0
        first = raster(tmp_path / "a.tif", holed, names=BANDS, scale=1e-4, nodata=0)
        flat = np.full((9, HEIGHT, WIDTH), 1200, np.uint16)
        second = raster(
            tmp_path / "b.tif", flat, names=BANDS, scale=2e-4, nodata=0, res=20,
            corner=(CORNER[0] - 103, CORNER[1] + 57),
        )  # fmt: skip
        values, valid = Scene.open(first, patch=[second]).read()
        assert valid.all()
        np.testing.assert_allclose(values[:, 10:20], 0.24, rtol=1e-5)

    def test_keeps_to_selected_bands(self, tmp_path, mosaic):
        holed = numbers()
        holed[:, :9] = 0
        first = raster(tmp_path / "a.tif", holed, names=BANDS, scale=1e-4, nodata=0)
        values, valid = Scene.open(first, patch=mosaic).select(["B12", "B03"]).read()
        assert valid.all()
        np.testing.assert_allclose(values, numbers()[[8, 1]] * np.float32(1e-4), atol=1e-7)

    def test_without_a_band(self, tmp_path, mosaic):
        few = raster(tmp_path / "few.tif", numbers(2), names=BANDS[:2], scale=1e-4)
        with pytest.raises(SceneError, match=r"the patch lacks the bands B04.*it has B02, B03"):
            Scene.open(mosaic, patch=few)

    def test_elsewhere(self, tmp_path, mosaic):
        far = raster(
            tmp_path / "far.tif", numbers(), names=BANDS, scale=1e-4, corner=(9e5, 6.5e6)
        )  # fmt: skip
        with pytest.raises(SceneError, match="does not overlap"):
            Scene.open(mosaic, patch=far)


class TestMixedResolution:
    @pytest.fixture
    def scene(self, tmp_path) -> Scene:
        """Bands of 10, 20 and 60 m, and one of 20 m in another CRS; nodata in two of them."""
        rng = np.random.default_rng(2)
        paths = []
        for name, res in (("B02", 10), ("B05", 20), ("B01", 60)):
            digits = rng.integers(500, 900, (1, 660 // res, 720 // res), dtype=np.uint16)
            digits[0, :1] = 0
            paths.append(raster(tmp_path / f"x_{name}.tif", digits, res=res, nodata=0))
        # Six degrees off its zone's meridian, this one lies askew.
        left, top = Transformer.from_crs(3067, 32634, always_xy=True).transform(*CORNER)
        corner, other = (left - 300, top + 300), rng.integers(500, 900, (1, 80, 80), dtype="u2")
        paths.append(raster(tmp_path / "x_B11.tif", other, res=20, crs="EPSG:32634", corner=corner))
        return Scene.open(paths, scale=1e-4)

    def test_one_grid_the_finest(self, scene):
        assert scene.pixel_size == 10 and scene.shape == (66, 72)
        values, valid = scene.read()
        assert values.shape == (4, 66, 72)
        assert valid[6:].all() and not valid[:6].any() and values[:, valid].min() > 0.0499

    def test_20_m_are_interpolated_between_pixel_centres(self, tmp_path):
        ramp = np.tile(np.arange(36, dtype=np.float32) / 100, (33, 1))[None]
        ten = raster(tmp_path / "x_B02.tif", np.full((1, 66, 72), 0.1, np.float32))
        twenty = raster(tmp_path / "x_B05.tif", ramp, res=20)
        values, valid = Scene.open([ten, twenty]).read()
        assert valid.all()
        expected = np.interp(np.arange(72), np.arange(36) * 2 + 0.5, np.arange(36) / 100)
        np.testing.assert_allclose(values[1], np.tile(expected, (66, 1)), atol=1e-5)

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        rows=st.sets(st.integers(1, 65), max_size=4),
        columns=st.sets(st.integers(1, 71), max_size=4),
    )
    def test_windows_of_any_split_are_the_whole(self, scene, rows, columns):
        whole, whole_valid = scene.read()
        tops, lefts = [0, *sorted(rows), 66], [0, *sorted(columns), 72]
        for top, bottom in pairwise(tops):
            for left, right in pairwise(lefts):
                values, valid = scene.read(Window(left, top, right - left, bottom - top))
                part = np.s_[top:bottom, left:right]
                np.testing.assert_array_equal(valid, whole_valid[part])
                np.testing.assert_allclose(values, whole[:, *part], atol=2e-6)

    def test_files_that_do_not_overlap_are_no_scene(self, tmp_path, mosaic):
        far = raster(tmp_path / "x_B01.tif", numbers(1), scale=1e-4, corner=(9e5, 6.5e6))
        with pytest.raises(SceneError, match="does not overlap"):
            Scene.open([mosaic, far])


class TestWindows:
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_a_window_is_that_part_of_the_whole(self, mosaic, data):
        left, top = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
        width = data.draw(st.integers(1, WIDTH - left))
        height = data.draw(st.integers(1, HEIGHT - top))
        values, valid = Scene.open(mosaic).read(Window(left, top, width, height))
        part = numbers()[:, top : top + height, left : left + width]
        np.testing.assert_allclose(values, part * np.float32(1e-4), atol=1e-7)
        assert valid.shape == (height, width)

    @pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, WIDTH + 1, 5), (0, HEIGHT, 1, 1)])
    def test_a_window_beyond_the_scene(self, mosaic, window):
        with pytest.raises(SceneError, match="leaves the scene"):
            Scene.open(mosaic).read(Window(*window))

    def test_opening_and_reading_a_sparse_22_gb_file_takes_headers_only(self, tmp_path):
        side = 35_000
        with rasterio.open(
            tmp_path / "big.tif", "w", driver="GTiff", width=side, height=side, count=9,
            dtype="uint16", crs="EPSG:3067", transform=Affine(10, 0, 0, 0, -10, 7e6), tiled=True,
            sparse_ok=True, bigtiff=True, nodata=0, interleave="band",
        ) as file:  # fmt: skip
            file.descriptions = BANDS
            file.scales = [1e-4] * 9
            file.write(numbers(9, 512, 512), window=Window(20_480, 20_480, 512, 512))
        if not Path("/proc/self/io").exists():
            pytest.skip("counts the bytes read in /proc, which this system has not")
        before = bytes_read()
        tracemalloc.start()
        scene = Scene.open(tmp_path / "big.tif")
        opened = bytes_read() - before
        values, valid = scene.read(Window(20_400, 20_480, 256, 256))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert scene.shape == (side, side)
        assert opened < 4 * 2**20
        assert bytes_read() - before < 16 * 2**20
        assert peak < 32 * 2**20
        assert valid[:, 80:].all() and not valid[:, :80].any()
        np.testing.assert_allclose(values[:, :, 80:], numbers(9, 512, 512)[:, :256, :176] * 1e-4)

    def test_a_scene_holds_no_handle_and_travels(self, mosaic):
        scene = pickle.loads(pickle.dumps(Scene.open(mosaic)))
        np.testing.assert_array_equal(scene.read()[0], Scene.open(mosaic).read()[0])

    def test_select(self, mosaic):
        scene = Scene.open(mosaic)
        np.testing.assert_array_equal(
            scene.select(["B08", "B02"]).read()[0], scene.read()[0][[6, 0]]
        )
        with pytest.raises(SceneError, match="lacks the bands B8A; it has B02"):
            scene.select(["B02", "B8A"])


def bytes_read() -> int:
    """Bytes this process has read from files so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


class TestGrid:
    def test_without_a_crs(self, tmp_path):
        path = raster(tmp_path / "m.tif", numbers(), names=BANDS, scale=1e-4, crs=None)
        with pytest.raises(SceneError, match="no coordinate reference system"):
            Scene.open(path)

    def test_one_of_two_without_a_crs(self, tmp_path, mosaic):
        bare = raster(tmp_path / "x_B01.tif", numbers(1), scale=1e-4, crs=None)
        with pytest.raises(SceneError, match=r"x_B01.tif has no coordinate reference system"):
            Scene.open([mosaic, bare])

    def test_a_picture_without_any_place(self, tmp_path):
        with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
            raster(tmp_path / "x_B02.png", numbers(1), driver="PNG", crs=None, transform=None)
        with pytest.raises(SceneError, match="no coordinate reference system"):
            Scene.open(tmp_path / "x_B02.png", scale=1e-4)

    @pytest.mark.parametrize(
        ("crs", "step", "metres"),
        [("EPSG:3067", 10.0, 10.0), ("EPSG:4326", 0.0001, 7.87), ("EPSG:2263", 32.8084, 10.0)],
    )
    def test_pixel_size_in_metres(self, tmp_path, crs, step, metres):
        # At 60 degrees north a degree is half as wide; EPSG:2263 counts in US survey feet.
        corner = (25.0, 60.0) if crs == "EPSG:4326" else (1_000_000.0, 200_000.0)
        path = raster(tmp_path / "x_B02.tif", numbers(1), crs=crs, res=step, corner=corner)
        assert Scene.open(path, scale=1e-4).pixel_size == pytest.approx(metres, rel=2e-3)

    def test_footprint_is_in_degrees(self, mosaic):
        west, south, east, north = Scene.open(mosaic).footprint.bounds
        assert (west, north) == pytest.approx((27, 61.33), abs=0.01)
        assert 0.01 < east - west < 0.02 and 0.005 < north - south < 0.007


class TestBadFiles:
    def test_no_such_file(self, tmp_path):
        with pytest.raises(SceneError, match=r"no such file: .*absent\.tif"):
            Scene.open(tmp_path / "absent.tif")

    def test_not_a_raster(self, tmp_path):
        (tmp_path / "text.tif").write_text("this is no raster")
        with pytest.raises(SceneError, match="not a raster that GDAL can read"):
            Scene.open(tmp_path / "text.tif")

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "empty.tif").touch()
        with pytest.raises(SceneError, match="not a raster that GDAL can read"):
            Scene.open(tmp_path / "empty.tif")

    def test_half_a_file_whose_header_is_whole(self, mosaic, tmp_path):
        copy(mosaic, tmp_path / "cog.tif", driver="COG", compress="deflate", blocksize=128)
        whole = (tmp_path / "cog.tif").read_bytes()
        (tmp_path / "cog.tif").write_bytes(whole[: len(whole) // 2])
        scene = Scene.open(tmp_path / "cog.tif")
        with pytest.raises(SceneError, match=r"cog\.tif cannot be read") as error:
            scene.read()
        assert "\n" not in str(error.value)

    def test_no_files_at_all(self):
        with pytest.raises(SceneError, match="at least one raster"):
            Scene.open([])

    def test_a_file_that_vanishes(self, mosaic):
        scene = Scene.open(mosaic)
        mosaic.unlink()
        with pytest.raises(SceneError, match="no such file"):
            scene.read()


class TestRealScenes:
    def test_aquileia_reads_as_reflectance(self, shared_data):
        folder = shared_data / "aquileia_sentinel2_l2a"
        with pytest.raises(SceneError, match="--scale"):
            Scene.open(folder)
        scene = Scene.open([folder / f"{name}.tiff" for name in BANDS], scale=1 / 65535)
        assert scene.bands == BANDS and scene.shape == (689, 1200)
        assert scene.pixel_size == pytest.approx(14, abs=1)
        values, valid = scene.read()
        assert 0.5 < valid.mean() <= 1
        assert values.min() >= 0 and values.max() <= 1
        near_infrared = values[BANDS.index("B08")][valid]
        assert 0.05 < near_infrared.mean() < 0.4

    def test_bigearthnet_patches_read_as_reflectance_on_the_10_m_grid(self, shared_data):
        folders = sorted((shared_data / "bigearthnet").iterdir())
        assert len(folders) == 5
        for folder in folders:
            scene = Scene.open(folder)
            assert len(scene.bands) == 12 and scene.shape == (120, 120)
            assert scene.pixel_size == 10
            values, valid = scene.read()
            assert valid.mean() > 0.99
            assert values.min() >= 0 and values[:, valid].max() < 1.6
            assert 0.005 < values[scene.bands.index("B04")].mean() < 0.3

    def test_stored_20_m_bands_keep_their_mean(self, shared_data):
        folder = min((shared_data / "bigearthnet").iterdir())
        (path,) = folder.glob("*_B05.tif")
        with rasterio.open(path) as file:
            expected = file.read(1).mean() / 10_000
        scene = Scene.open(folder)
        assert scene.read()[0][scene.bands.index("B05")].mean() == pytest.approx(expected, rel=0.01)


def test_simulated_sample_reads_back(tmp_path):
    paths = write(tmp_path, size=96, seed=5)
    scene = Scene.open(paths["bands"])
    values, valid = scene.read()
    true, clear = Landscape(5).bands(Window(0, 0, 96, 96))
    np.testing.assert_array_equal(valid, clear)
    np.testing.assert_allclose(values[:, valid], np.maximum(true, 1e-4)[:, valid], atol=5.1e-5)


def test_gdal_cache_is_bounded(mosaic):
    with bandfiles.open_raster(str(mosaic)):
        assert rasterio.env.getenv()["GDAL_CACHEMAX"] == config.GDAL_CACHE
