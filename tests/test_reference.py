"""Labels of any kind on one grid, and the codes they are of."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc.codes import check_raster, detect_codes
from lulc.errors import ReferenceDataError
from lulc.legend import Legend
from lulc.reference import LabelMap, open_reference

GRID = GeoBox.from_bbox((500000, 6700000, 500640, 6700480), "EPSG:3067", resolution=20)


def raster(path, values, grid=GRID, nodata=None, colors=None, tags=None, crs="EPSG:3067"):
    height, width = values.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "nodata": nodata}
    with rasterio.open(
        path, "w", dtype=values.dtype, crs=crs, transform=grid.affine, **profile
    ) as file:
        file.write(values, 1)
        file.update_tags(**(tags or {}))
        if colors:
            file.write_colormap(1, colors)
    return path


def pattern(codes, dtype="uint8"):
    """All codes, on a raster of the shape of the grid."""
    return np.resize(np.array(codes, dtype), GRID.shape)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("corine/syke_clc_helsinki_20m_codes1-49.tif", "clc-fi"),
        ("corine/clc_hannover_25m_codes1-44.tif", "clc-grid"),
        ("corine/clc2018_cahors_100m_3digit.tif", "clc"),
        ("lanjaron_landsat_clc2018/clc_25m.tif", "clc"),
        ("lanjaron_landsat_clc2018/clc18_aligned_60m.tif", "clc"),
    ],
)
def test_real_files_tell_their_codes(shared_data, name, codes):
    assert detect_codes(shared_data / name) == codes


def test_colours_settle_real_values_that_fit_several_systems(shared_data, tmp_path):
    """The Finnish raster without 45..47, which no other system has."""
    with rasterio.open(shared_data / "corine/syke_clc_helsinki_20m_codes1-49.tif") as file:
        values, colors = file.read(1), file.colormap(1)
        grid = GeoBox.from_rio(file)
    values[(values >= 45) & (values <= 47)] = 48
    assert detect_codes(raster(tmp_path / "a.tif", values, grid, 255, colors)) == "clc-fi"
    with pytest.raises(ReferenceDataError, match=r"clc-fi, clc-grid; name one with --codes"):
        detect_codes(raster(tmp_path / "b.tif", values, grid, 255))


def test_ambiguous_values_are_refused_unless_named(tmp_path):
    path = raster(tmp_path / "a.tif", pattern([1, 2, 12, 24, 40, 48]))
    with pytest.raises(ReferenceDataError, match="clc-fi, clc-grid"):
        detect_codes(path)
    assert detect_codes(path, "clc-fi") == "clc-fi"
    assert 48 in open_reference(path, GRID, "clc-fi").read()
    assert 48 not in open_reference(path, GRID, "clc-grid").read()


def test_values_above_49_and_a_single_fit_settle_it(tmp_path):
    assert detect_codes(raster(tmp_path / "a.tif", pattern([111, 523], "uint16"))) == "clc"
    assert detect_codes(raster(tmp_path / "b.tif", pattern([1, 46, 49]))) == "clc-fi"
    declared = pattern([-9999, 111, 523], "int32")
    assert detect_codes(raster(tmp_path / "d.tif", declared, nodata=-9999)) == "clc"
    with pytest.raises(ReferenceDataError, match="-9999"):
        detect_codes(raster(tmp_path / "d.tif", declared))
    assert detect_codes(raster(tmp_path / "c.tif", pattern([10, 20, 95]))) == "worldcover"


@pytest.mark.parametrize("tag", ["LULC_CODES", "LULC_LEGEND"])
def test_a_tag_settles_it(tmp_path, tag):
    path = raster(tmp_path / "a.tif", pattern(range(1, 14)), tags={tag: "lulc13"})
    assert detect_codes(path) == "lulc13"


def test_category_names_settle_it(tmp_path):
    path = raster(tmp_path / "a.tif", pattern(range(1, 14)))
    names = ["", *Legend.load("lulc13").names]
    inside = "".join(f"<Category>{name}</Category>" for name in names)
    (tmp_path / "a.tif.aux.xml").write_text(
        f"<PAMDataset><PAMRasterBand band='1'><CategoryNames>{inside}</CategoryNames>"
        "</PAMRasterBand></PAMDataset>"
    )
    assert detect_codes(path) == "lulc13"


def test_a_colour_table_of_our_own_legend_settles_it(tmp_path):
    colors = Legend.load("lulc13").colormap()
    assert (
        detect_codes(raster(tmp_path / "a.tif", pattern(range(1, 14)), colors=colors)) == "lulc13"
    )


def test_a_legend_of_the_maps_own_can_be_named(tmp_path):
    mine = Legend.from_dict(
        {"name": "mine", "classes": [{"id": 200, "name": "Sea", "color": "#0000ff"}]}
    )
    path = raster(tmp_path / "a.tif", pattern([200]))
    assert check_raster(path, "mine", [mine]) is mine
    assert check_raster(path, None, [mine]) is mine
    with pytest.raises(ReferenceDataError, match="unknown codes"):
        check_raster(path, "mine")


def test_values_foreign_to_the_named_codes_are_listed(tmp_path):
    path = raster(tmp_path / "a.tif", pattern([1, 14, 60]))
    with pytest.raises(ReferenceDataError, match=r"values 14, 60, .*lulc13"):
        detect_codes(path, "lulc13")


def test_real_polygons_and_real_raster_agree(shared_data):
    """Two editions of one map in two CRS, on the grid of a third."""
    folder = shared_data / "lanjaron_landsat_clc2018"
    grid = LabelMap.open(folder / "clc18_aligned_60m.tif").grid
    drawn = open_reference(folder / "clc.gpkg", grid)
    burnt = open_reference(folder / "clc_25m.tif", grid)
    assert drawn.legend == burnt.legend == Legend.load("clc")
    a, b = drawn.read(), burnt.read()
    both = (a != 65535) & (b != 65535)
    assert both.mean() > 0.99
    assert (a == b)[both].mean() > 0.97
    window = Window(30, 50, 61, 40)
    assert (drawn.read(window) == a[50:90, 30:91]).all()
    assert (burnt.read(window) == b[50:90, 30:91]).all()


@pytest.mark.parametrize("column", ["Code_12", "CODE_18", "code_18"])
@pytest.mark.parametrize("kind", ["shp", "geojson", "gpkg"])
def test_polygons_of_any_kind_and_field(tmp_path, kind, column):
    import geopandas
    from shapely.geometry import box

    west, south, east, north = GRID.boundingbox
    middle = (west + east) / 2
    frame = geopandas.GeoDataFrame(
        {column: ["312", "512", None]},
        geometry=[box(west, south, middle, north), box(middle, south, east, north), None],
        crs="EPSG:3067",
    )
    path = tmp_path / f"clc.{kind}"
    frame.iloc[: 2 if kind == "shp" else 3].to_file(path)
    found = open_reference(path, GRID).read()
    assert found.dtype == np.uint16
    assert (found[:, :16] == 312).all() and (found[:, 16:] == 512).all()


def test_polygons_without_a_code_or_with_a_foreign_one(tmp_path):
    import geopandas
    from shapely.geometry import box

    frame = geopandas.GeoDataFrame(
        {"name": ["a"], "code_18": ["777"]}, geometry=[box(*GRID.boundingbox)], crs="EPSG:3067"
    )
    frame[["name", "geometry"]].to_file(tmp_path / "a.gpkg")
    with pytest.raises(ReferenceDataError, match="no field such as Code_18"):
        open_reference(tmp_path / "a.gpkg", GRID)
    frame.to_file(tmp_path / "b.gpkg", layer="clc")
    with pytest.raises(ReferenceDataError, match="777"):
        open_reference(tmp_path / "b.gpkg", GRID)
    with pytest.raises(ReferenceDataError, match="no layer x, but clc"):
        open_reference(tmp_path / "b.gpkg", GRID, layer="x")


@pytest.mark.parametrize(
    ("values", "nodata", "expected"),
    [
        (np.array([[311, np.nan, np.inf, -1]], "float32"), None, [311, 65535, 65535, 65535]),
        (np.array([[311, 999, 990, 0]], "uint16"), None, [311, 65535, 65535, 65535]),
        (np.array([[311, 4294967295, 112, 995]], "uint32"), 4294967295, [311, 65535, 112, 65535]),
        (np.array([[311, -9999, 523, 111]], "int32"), 111, [311, 65535, 523, 65535]),
    ],
)
def test_what_is_no_class_reads_as_nodata(tmp_path, values, nodata, expected):
    path = raster(tmp_path / "a.tif", values, nodata=nodata)
    labels = LabelMap.open(path, "clc")
    assert (labels.read().dtype, labels.read()[0].tolist()) == (np.uint16, expected)
    raster(path, np.arange(256, dtype="uint8")[None], nodata=5)
    ids = LabelMap.open(path, "lulc13").read()[0]
    assert ids.tolist() == [i if 1 <= i <= 13 and i != 5 else 255 for i in range(256)]
    raster(path, np.arange(256, dtype="uint8")[None])
    ids = LabelMap.open(path, "lulc13").read()[0]
    assert ids.tolist() == [i if 1 <= i <= 13 else 255 for i in range(256)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 31), st.integers(0, 23), st.integers(1, 32), st.integers(1, 24))
def test_a_window_is_a_part_of_the_whole(col, row, width, height):
    width, height = min(width, 32 - col), min(height, 24 - row)
    ids = np.random.default_rng(0).integers(0, 14, GRID.shape, np.uint8)
    whole = LabelMap.from_array(ids, GRID, Legend.load("lulc13"))
    part = whole.crop(Window(col, row, width, height))
    expected = whole.read()[row : row + height, col : col + width]
    assert (part.read() == expected).all()
    assert tuple(part.grid.shape) == expected.shape
    inner = part.crop(Window(width - 1, height - 1, 1, 1))
    assert inner.read()[0, 0] == expected[-1, -1]
    assert inner.grid.pix2wld(0, 0) == whole.grid.pix2wld(col + width - 1, row + height - 1)


def test_a_warped_window_is_a_part_of_the_whole(tmp_path):
    """Also where the warp interpolates coordinates: another CRS and pixel size."""
    values = np.random.default_rng(1).integers(1, 45, (300, 300), np.uint8)
    fine = GeoBox.from_bbox((9.0, 52.0, 9.3, 52.2), "EPSG:4326", shape=(300, 300))
    path = raster(tmp_path / "a.tif", values, fine, crs="EPSG:4326")
    bounds = (499000, 5760000, 519000, 5781000)
    grid = GeoBox.from_bbox(bounds, "EPSG:32632", resolution=11, tight=True)
    labels = pickle.loads(pickle.dumps(open_reference(path, grid, "clc-grid")))
    whole = labels.read()
    assert 0.5 < (whole != 255).mean() < 1
    for window in (Window(0, 0, 700, 97), Window(311, 513, 400, 200), Window(5, 90, 33, 1)):
        assert (labels.read(window) == whole[window.toslices()]).all()


def test_strips_cover_the_map_once():
    grid = GeoBox.from_bbox((0, 0, 700000, 200000), "EPSG:3067", resolution=50)
    labels = LabelMap.from_array(
        np.broadcast_to(np.uint8(1), grid.shape), grid, Legend.load("clc1")
    )
    windows = list(labels.strips())
    assert len(windows) > 1 and all(w.row_off % 512 == 0 for w in windows)
    assert [w.row_off for w in windows] == list(range(0, 4000, int(windows[0].height)))
    assert sum(w.height for w in windows) == 4000


def test_bad_input_gets_one_line(tmp_path):
    with pytest.raises(ReferenceDataError, match="no such file"):
        open_reference(tmp_path / "none.tif", GRID)
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(ReferenceDataError, match="neither a raster nor polygons"):
        open_reference(text, GRID)
    ids = pattern([1])
    with pytest.raises(ReferenceDataError, match="no CRS"):
        open_reference(raster(tmp_path / "a.tif", ids, crs=None), GRID, "lulc13")
    far = GeoBox.from_bbox((100000, 6700000, 100640, 6700480), "EPSG:3067", resolution=20)
    with pytest.raises(ReferenceDataError, match=r"100000, .*500000, .*do not overlap"):
        open_reference(raster(tmp_path / "b.tif", ids, far), GRID, "lulc13")
    with pytest.raises(ReferenceDataError, match="has 1 bands, not a band 2"):
        LabelMap.open(tmp_path / "b.tif", "lulc13", band=2)
    with pytest.raises(ReferenceDataError, match="shape"):
        LabelMap.from_array(ids[1:], GRID, Legend.load("lulc13"))
