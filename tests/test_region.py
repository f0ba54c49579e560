"""Regions: boxes, files of polygons, names; and the windows of a grid that they cover."""

from __future__ import annotations

import json
import zipfile

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window

from lulc import config
from lulc.errors import RegionError
from lulc.region import Region, regions

LEFT, TOP = 500_000.0, 6_800_000.0
GRID = GeoBox((200, 300), Affine(10, 0, LEFT, 0, -10, TOP), "EPSG:3067")
WEST, NORTH = 27.0, 61.3344  # of GRID, in degrees; it is 0.056 wide and 0.018 high


def on_grid(left, top, right, bottom) -> Region:
    """The box of these pixels of GRID."""
    x, y = LEFT, TOP
    return Region.box((x + 10 * left, y - 10 * bottom, x + 10 * right, y - 10 * top), "EPSG:3067")


def save(path, geometries, crs="EPSG:3067"):
    gpd.GeoDataFrame(geometry=geometries, crs=crs).to_file(path)
    return path


class TestBox:
    def test_window_of_the_same_crs(self):
        assert on_grid(10, 20, 110, 70).window(GRID) == Window(10, 20, 100, 50)

    def test_pixels_that_are_touched_count(self):
        assert on_grid(10.5, 20.01, 11.5, 21).window(GRID) == Window(10, 20, 2, 1)
        assert on_grid(10.2, 20.2, 10.3, 20.3).window(GRID) == Window(10, 20, 1, 1)

    @given(st.integers(0, 299), st.integers(0, 199), st.integers(1, 300), st.integers(1, 200))
    def test_whole_pixels_are_kept_whole(self, left, top, width, height):
        right, bottom = min(left + width, 300), min(top + height, 200)
        window = on_grid(left, top, right, bottom).window(GRID)
        assert window == Window(left, top, right - left, bottom - top)

    @settings(deadline=None)
    @given(
        st.floats(-0.02, 0.07), st.floats(-0.03, 0.01), st.floats(1e-4, 0.1), st.floats(1e-4, 0.1)
    )
    def test_degrees_hold_every_pixel_centre_inside(self, east, north, width, height):
        west, south = WEST + east, NORTH + north - height
        box = Region.box((west, south, west + width, south + height))
        x, y = np.meshgrid(LEFT + 10 * np.arange(300) + 5, TOP - 10 * np.arange(200) - 5)
        lon, lat = Transformer.from_crs(3067, 4326, always_xy=True).transform(x, y)
        inside = (lon > west) & (lon < west + width) & (lat > south) & (lat < south + height)
        if not inside.any():
            return
        window = box.window(GRID)
        rows, columns = np.nonzero(inside)
        # Edges between parallels bend by less than a pixel over a grid of 3 km.
        assert window.row_off <= rows.min() + 1
        assert window.row_off + window.height >= rows.max()
        assert window.col_off <= columns.min() + 1
        assert window.col_off + window.width >= columns.max()

    def test_a_box_stands_for_all_its_window(self):
        box = Region.box((WEST + 0.01, NORTH - 0.01, WEST + 0.02, NORTH - 0.005))
        assert box.mask(GRID, box.window(GRID)) is None

    def test_of_a_south_up_grid(self):
        grid = GeoBox((200, 300), Affine(10, 0, LEFT, 0, 10, TOP - 2000), "EPSG:3067")
        assert on_grid(10, 20, 110, 70).window(grid) == Window(10, 130, 100, 50)

    @pytest.mark.parametrize(
        ("bounds", "said"),
        [
            ((27, 61, 27, 62), "west < east"),
            ((27, 61, 28, 61), "south < north"),
            ((28, 61, 27, 62), "west < east and south < north; got west 28"),
            ((27, 62, 28, 61), "south < north"),
            ((27, 61, 28), "four numbers"),
            ((27, 61, 28, "x"), "four numbers"),
            (None, "four numbers"),
            ((27, 61, float("nan"), 62), "finite"),
            ((27, 61, float("inf"), 62), "finite"),
            ((170, 61, 190, 62), "longitudes in -180..180"),
            ((61, 127, 62, 128), "latitude before longitude"),
            ((500_000, 6_799_000, 501_000, 6_800_000), "longitudes"),
        ],
    )
    def test_what_is_no_box(self, bounds, said):
        with pytest.raises(RegionError, match=said):
            Region.box(bounds)

    def test_metres_where_degrees_were_expected_are_told_about_crs(self):
        with pytest.raises(RegionError, match="--crs"):
            Region.box((500_000, 6_799_000, 501_000, 6_800_000))

    def test_an_unknown_crs(self):
        with pytest.raises(RegionError, match="expected a CRS such as EPSG:4326; got 'finnish'"):
            Region.box((1, 2, 3, 4), "finnish")


class TestOutside:
    def test_beside_the_scene(self):
        with pytest.raises(RegionError, match="lies outside the scene") as error:
            Region.box((10, 45, 11, 46)).window(GRID)
        assert "10 45 11 46" in str(error.value) and "latitude" not in str(error.value)

    def test_touching_only_its_edge(self):
        with pytest.raises(RegionError):
            on_grid(300, 0, 310, 10).window(GRID)

    def test_latitude_before_longitude(self):
        swapped = (NORTH - 0.01, WEST + 0.01, NORTH - 0.005, WEST + 0.02)
        with pytest.raises(RegionError, match="latitude before longitude"):
            Region.box(swapped).window(GRID)

    def test_where_the_grid_s_projection_does_not_reach(self):
        with pytest.raises(RegionError, match="outside the scene"):
            Region.box((-150, -89.9, -140, -80)).window(GRID)

    def test_metres_in_the_wrong_crs(self):
        with pytest.raises(RegionError, match="outside the scene"):
            Region.box((27, 61, 28, 62), "EPSG:3067").window(GRID)

    def test_partly_is_cut_and_warned_about(self):
        half = on_grid(-100, 0, 100, 200)
        assert half.window(GRID) == Window(0, 0, 100, 200)
        warning = half.outside(GRID)
        assert warning is not None and "lies to 50% outside" in warning

    def test_a_sliver_outside_is_not_worth_a_warning(self):
        assert on_grid(-0.5, 0, 100, 200).outside(GRID) is None
        assert on_grid(10, 20, 110, 70).outside(GRID) is None

    def test_larger_than_the_scene(self):
        all_of_it = Region.box((26, 60, 28, 62))
        assert all_of_it.window(GRID) == Window(0, 0, 300, 200)
        warning = all_of_it.outside(GRID)
        assert warning is not None and "100%" in warning


class TestFiles:
    def triangle(self) -> shapely.Polygon:
        return shapely.Polygon(
            [(LEFT + 100, TOP - 100), (LEFT + 1100, TOP - 100), (LEFT + 100, TOP - 1100)]
        )

    def check(self, region: Region) -> None:
        assert region.name == "part"
        window = region.window(GRID)
        assert (window.width, window.height) == pytest.approx((100, 100), abs=1)
        mask = region.mask(GRID, window)
        assert mask is not None and mask.shape == (window.height, window.width)
        assert mask.sum() == pytest.approx(5000, rel=0.03)
        assert mask[2, 2] and not mask[-2, -2]

    @pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
    @pytest.mark.parametrize("crs", ["EPSG:3067", "EPSG:3035", "EPSG:4326"])
    def test_of_any_crs(self, tmp_path, suffix, crs):
        shape = gpd.GeoSeries([self.triangle()], crs="EPSG:3067").to_crs(crs)
        self.check(Region.read(save(tmp_path / f"part{suffix}", list(shape), crs)))

    def test_geojson(self, tmp_path):
        shape = gpd.GeoSeries([self.triangle()], crs="EPSG:3067").to_crs("EPSG:4326")
        self.check(Region.read(save(tmp_path / "part.geojson", list(shape), "EPSG:4326")))

    def test_zipped_shapefile(self, tmp_path):
        save(tmp_path / "inner.shp", [self.triangle()])
        with zipfile.ZipFile(tmp_path / "part.zip", "w") as archive:
            for file in tmp_path.glob("inner.*"):
                archive.write(file, file.name)
        self.check(Region.read(tmp_path / "part.zip"))

    def test_polygons_with_a_height(self, tmp_path):
        high = shapely.force_3d(self.triangle(), 100.0)
        self.check(Region.read(save(tmp_path / "part.gpkg", [high])))

    def test_several_polygons_are_one_region(self, tmp_path):
        west, east = (on_grid(left, 10, left + 20, 30).outline for left in (10, 50))
        region = Region.read(save(tmp_path / "two.gpkg", [west, east]))
        window = region.window(GRID)
        assert window == Window(10, 10, 60, 20)
        mask = region.mask(GRID, window)
        assert mask is not None
        assert mask[:, :20].all() and not mask[:, 20:40].any() and mask[:, 40:].all()

    def test_points_beside_polygons_are_left_out(self, tmp_path):
        point = shapely.Point(LEFT + 2505, TOP - 1505)
        path = save(tmp_path / "part.gpkg", [self.triangle(), point])
        self.check(Region.read(path))

    def test_a_bow_tie_is_mended(self, tmp_path):
        corners = [(0, 0), (400, -400), (400, 0), (0, -400)]
        bow = shapely.Polygon([(LEFT + x, TOP + y) for x, y in corners])
        region = Region.read(save(tmp_path / "bow.gpkg", [bow]))
        assert region.outline.is_valid
        mask = region.mask(GRID, region.window(GRID))
        assert mask is not None and mask.sum() == pytest.approx(800, rel=0.05)

    @pytest.mark.parametrize(
        "geometry",
        [shapely.Point(LEFT, TOP), shapely.LineString([(LEFT, TOP), (LEFT + 50, TOP - 50)])],
    )
    def test_no_polygons(self, tmp_path, geometry):
        path = save(tmp_path / "part.gpkg", [geometry])
        with pytest.raises(RegionError, match=f"expected polygons .* it has {geometry.geom_type}"):
            Region.read(path)

    def test_no_features(self, tmp_path):
        path = tmp_path / "none.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
        with pytest.raises(RegionError, match="no geometry"):
            Region.read(path)

    def test_features_without_geometry(self, tmp_path):
        path = tmp_path / "none.geojson"
        feature = {"type": "Feature", "properties": {}, "geometry": None}
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        with pytest.raises(RegionError, match="no geometry"):
            Region.read(path)

    @pytest.mark.parametrize("content", ["", "no polygons here", '{"type": "Feature"'])
    @pytest.mark.parametrize("name", ["bad.geojson", "bad.gpkg", "bad.zip"])
    def test_not_such_a_file(self, tmp_path, name, content):
        (tmp_path / name).write_text(content)
        with pytest.raises(RegionError, match="not a file of polygons") as error:
            Region.read(tmp_path / name)
        assert "\n" not in str(error.value)

    def test_no_such_file(self, tmp_path):
        with pytest.raises(RegionError, match="no such file"):
            Region.read(tmp_path / "absent.gpkg")

    def test_without_a_crs(self, tmp_path):
        path = save(tmp_path / "part.shp", [self.triangle()])
        path.with_suffix(".prj").unlink()
        with pytest.raises(RegionError, match="no coordinate reference system"):
            Region.read(path)

    def test_a_polygon_that_misses_every_pixel_centre_still_has_a_window(self, tmp_path):
        speck = on_grid(10.1, 20.1, 10.2, 20.2).outline
        region = Region.read(save(tmp_path / "speck.gpkg", [speck]))
        assert region.window(GRID) == Window(10, 20, 1, 1)


class TestNames:
    @pytest.fixture(autouse=True)
    def workspace(self, tmp_path, monkeypatch):
        monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
        monkeypatch.setattr(config, "ASSETS", tmp_path / "assets")
        return tmp_path

    def test_saved_is_listed_and_loaded(self, workspace):
        triangle = shapely.Polygon([(LEFT, TOP), (LEFT + 900, TOP), (LEFT, TOP - 900)])
        path = Region("north", triangle, "EPSG:3067").save(workspace / "regions")
        assert regions() == ["north"]
        loaded = Region.load("north")
        assert loaded == Region.read(path)
        assert loaded.window(GRID) == Window(0, 0, 90, 90)
        assert json.loads(path.read_text())["features"][0]["properties"] == {"name": "north"}

    def test_a_box_of_the_grid_s_crs_comes_back_with_all_its_pixels(self, workspace):
        box = on_grid(10, 20, 110, 70)
        box.save(workspace / "regions")
        assert Region.load("box").window(GRID) == Window(10, 20, 100, 50)

    def test_an_unknown_name_tells_the_known_ones(self, workspace):
        with pytest.raises(RegionError, match="none yet; got 'south'"):
            Region.load("south")
        on_grid(0, 0, 5, 5).save(workspace / "regions")
        with pytest.raises(RegionError, match="a region of box; got 'south'"):
            Region.load("south")

    def test_bundled_regions_follow_those_of_the_workspace(self, workspace):
        on_grid(0, 0, 5, 5).save(workspace / "assets" / "regions")
        on_grid(0, 0, 9, 9).save(workspace / "regions")
        assert regions() == ["box"]
        assert Region.load("box").window(GRID) == Window(0, 0, 9, 9)
