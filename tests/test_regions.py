"""Regions chosen in the dashboard: drawn, typed, uploaded; their nodata, time and size."""

from __future__ import annotations

import json
import platform
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.windows import Window

from dashboard import catalog
from dashboard.choosing import coverage, plan, regions
from dashboard.choosing.estimate import estimate
from dashboard.choosing.region_form import cost
from dashboard.choosing.region_map import scene_at
from dashboard.mapping import warp
from dashboard.state import NAMED, POLYGON, TYPED, State
from lulc.errors import RegionError
from lulc.region import Region
from lulc.runs import Run
from lulc.unet import UNet


def triangle() -> list[tuple[float, float]]:
    """Three corners inside the sample, in Web Mercator."""
    west, south, east, north = catalog.footprints()["sample"].bounds
    width, height = east - west, north - south
    inside = [(0.2, 0.2), (0.8, 0.2), (0.2, 0.8)]
    return [(west + x * width, south + y * height) for x, y in inside]


def state_of(**choices) -> State:
    return State(scene="sample", model="lakeland", **choices)


# Drawn and typed


def test_a_drawn_polygon_is_classified_within_its_outline(workspace):
    state = state_of(region_mode=POLYGON, corners=triangle())
    found = plan.make(state, catalog.cards()["lakeland"], [])
    assert not found.problem and 100 < found.width < 200
    call = plan.arguments(found, state, workspace / "runs" / "drawn")
    kept = Region.read(call[call.index("--region") + 1])
    assert kept.outline.equals_exact(found.region.outline, 1e-9)


@pytest.mark.usefixtures("workspace")
def test_an_outline_that_crosses_itself_is_refused():
    a, b, c = triangle()
    crossed = [a, b, c, ((b[0] + c[0]) / 2 + 900, (a[1] + b[1]) / 2 + 900)]
    for corners, said in ((crossed, "cross itself"), (crossed[:2], "there are 2")):
        found = plan.make(state_of(region_mode=POLYGON, corners=corners), None, [])
        assert said in found.problem


def test_coordinates_may_be_in_the_scenes_crs(workspace):
    grid = catalog.open_scene("sample").grid
    west, south, east, north = grid.boundingbox
    typed = f"{west} {south} {west + (east - west) / 2} {south + (north - south) / 4}"
    state = state_of(region_mode=TYPED, typed=typed, typed_crs=str(grid.crs))
    found = plan.make(state, catalog.cards()["lakeland"], [])
    assert (found.width, found.height) == (128, 64)
    call = plan.arguments(found, state, workspace / "runs" / "typed")
    assert call[call.index("--crs") + 1] == str(grid.crs)


def test_advanced_choices_become_options(workspace):
    state = state_of(tile=64, dtype="float32", run_name="mine")
    found = plan.make(state, catalog.cards()["lakeland"], [])
    call = plan.arguments(found, state, plan.new_folder(state))
    assert call[call.index("--tile") + 1] == "64"
    assert call[call.index("--dtype") + 1] == "float32"
    assert call[call.index("--out") + 1] == str(workspace.resolve() / "runs" / "mine")
    state.run_name = "a/b"
    assert "without slashes" in plan.make(state, catalog.cards()["lakeland"], []).problem


# Files of polygons


def polygons(count: int = 1, crs: str | None = "EPSG:4326") -> gpd.GeoDataFrame:
    west, south, east, north = catalog.open_scene("sample").footprint.bounds
    middle = shapely.box(
        west + (east - west) / 4,
        south + (north - south) / 4,
        (west + east) / 2,
        (south + north) / 2,
    )
    return gpd.GeoDataFrame({"n": range(count)}, geometry=[middle] * count, crs=crs)


def points_of(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return frame.set_geometry(frame.representative_point())


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp.zip"])
def test_a_file_of_polygons_becomes_a_region(workspace, tmp_path, suffix):
    path = tmp_path / f"my fields{suffix}"
    polygons().to_file(path)
    name = regions.take(path.name, path.read_bytes())
    assert name in catalog.regions() and " " not in name
    found = plan.make(
        state_of(region_mode=NAMED, region_name=name), catalog.cards()["lakeland"], []
    )
    assert not found.problem and 50 < found.width < 90
    again = regions.take(path.name, path.read_bytes())
    assert again != name, "no region is written over"
    for made in (name, again):
        (workspace / "regions" / f"{made}.geojson").unlink()


@pytest.mark.usefixtures("workspace")
def test_a_file_that_is_no_region_is_refused_in_a_sentence(tmp_path):
    nowhere, several, points = (tmp_path / n for n in ("n.shp.zip", "s.gpkg", "p.geojson"))
    with pytest.warns(UserWarning, match="crs"):
        polygons(crs=None).to_file(nowhere)
    polygons().to_file(several, layer="fields")
    polygons().to_file(several, layer="lakes")
    points_of(polygons()).to_file(points)
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(b"not a GeoPackage")
    expected = {
        nowhere: "coordinate reference system",
        several: "one layer of polygons in s.gpkg; it has fields, lakes",
        points: "it has Point",
        broken: "not a file of polygons",
    }
    for path, said in expected.items():
        with pytest.raises(RegionError, match=said) as refused:
            regions.take(path.name, path.read_bytes())
        assert "\n" not in str(refused.value) and "/" not in str(refused.value)
    assert not catalog.regions() or all("fields" not in name for name in catalog.regions())


def test_the_one_layer_of_polygons_is_taken_among_others(workspace, tmp_path):
    path = tmp_path / "mixed.gpkg"
    points_of(polygons()).to_file(path, layer="points")
    polygons().to_file(path, layer="fields")
    assert Region.read(path).outline.area > 0
    assert workspace.is_dir()


@pytest.mark.usefixtures("workspace")
def test_a_region_outside_the_scene_is_said_at_once():
    far = plan.make(state_of(region_mode=TYPED, typed="2 45 3 46"), None, [])
    assert "outside the scene" in far.problem
    west, south, east, north = catalog.open_scene("sample").footprint.bounds
    typed = f"{west - (east - west)} {south} {east} {north}"
    half = plan.make(state_of(region_mode=TYPED, typed=typed), catalog.cards()["lakeland"], [])
    assert not half.problem and "only what is inside is used" in half.warning


# No data


def test_the_share_without_data_is_that_of_the_whole_file(tmp_path):
    side = 1500
    values = np.full((1, side, side), 900, np.uint16)
    values[:, : side // 3] = 0
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint16"}
    transform = rasterio.transform.from_origin(500_000, 6_700_000, 10, 10)
    with rasterio.open(
        tmp_path / "B02.tif", "w", **profile, crs="EPSG:3067", transform=transform, nodata=0
    ) as file:
        file.write(values)
    from lulc.scene import Scene

    scene = Scene.open(tmp_path / "B02.tif", bands=["B02"], scale=1e-4)
    assert coverage.missing(scene, scene.whole(), None) == pytest.approx(1 / 3, abs=0.01)
    assert coverage.missing(scene, Window(0, 0, 400, 400), None) == 1
    assert coverage.missing(scene, Window(100, 900, 400, 400), None) == 0
    top = Region.box((500_000, 6_694_000, 515_000, 6_700_000), "EPSG:3067")
    assert coverage.missing(scene, top.window(scene.grid), top) == pytest.approx(5 / 6, abs=0.01)


def test_a_region_without_data_cannot_be_classified(workspace):
    with rasterio.open(workspace / "scenes" / "sample" / "bands.tif") as file:
        empty = file.read().max(axis=0) == 0
        row, column = np.argwhere(empty)[0]
        west, north = file.transform @ (column, row)
    typed = f"{west + 2} {north - 8} {west + 8} {north - 2}"
    state = state_of(region_mode=TYPED, typed=typed, typed_crs="EPSG:3067")
    found = plan.make(state, catalog.cards()["lakeland"], [])
    assert "has no data" in found.problem
    whole = plan.make(state_of(), catalog.cards()["lakeland"], [])
    assert "of the region has no data" in whole.note and not whole.warning


# Time and size


def timed(run: Run, model: str, network_s: float, **said) -> Run:
    timings = {"total_s": network_s + 6.0, "network_s": network_s, "assemble_s": 1.0}
    facts = {"mlm:name": model, "lulc:timings": timings, "lulc:host": platform.node()}
    facts |= {"lulc:device": "CPU, 2 processors", "lulc:dtype": "uint8"}
    return replace(run, item={**run.item, "properties": {**run.properties, **facts, **said}})


@pytest.mark.usefixtures("workspace")
def test_the_time_is_that_of_earlier_runs_of_the_model_on_this_device():
    run, cards = catalog.find_run("run-a"), catalog.cards()
    card, pixels = cards["lakeland"], 256 * 256
    mine = timed(run, "lakeland", 2.0)
    found = estimate(10 * pixels, card, "CPU", "uint8", [mine], cards)
    # What came before the network took 5 s once; the network and the map 3 s for the pixels.
    assert found.seconds == pytest.approx(5 + 10 * 3)
    assert found.measured and found.size_measured
    assert "as earlier runs took here" in cost(found)
    elsewhere = timed(run, "lakeland", 2.0, **{"lulc:host": "another"})
    for runs, kind in (([mine], "GPU"), ([elsewhere], "CPU"), ([], "CPU")):
        unknown = estimate(pixels, card, kind, "uint8", runs, cards)
        assert unknown.seconds is None and "unknown" in cost(unknown)


@pytest.mark.usefixtures("workspace")
def test_a_model_that_never_ran_is_guessed_from_one_that_did():
    run, cards = catalog.find_run("run-a"), catalog.cards()
    card = cards["lakeland"]
    large = replace(card, name="large", network=replace(card.network, width=card.network.width * 2))
    found = estimate(65536, large, "CPU", "float32", [timed(run, "lakeland", 2.0)], cards)
    ratio = large.network.multiply_adds / card.network.multiply_adds
    assert found.seconds == pytest.approx(5 + 3 * ratio)
    assert not found.measured and "Perhaps" in cost(found)
    # Never written as float32 here: the most it can be is said, 14 bands of 4 bytes.
    assert not found.size_measured and found.size == pytest.approx(65536 * 14 * 4 * 4 / 3)


def test_multiply_adds_are_those_of_the_layers():
    settings = UNet(9, 13, width=4, depth=2, decoder_width=6)
    # Stage by stage, pixels of a coarser one counting a quarter each.
    encoder = 9 * 4 * (9 + 4) + 9 * 8 * (4 + 8) / 4
    decoder = 12 * (4 * 8 + 9 * (12 + 8)) / 4 + 6 * (4 * 12 + 9 * (6 + 4))
    assert settings.multiply_adds == pytest.approx(encoder + decoder + 9 * 6 * 13)


def test_sizes_are_for_people():
    assert [plan.megabytes(s) for s in (1e4, 4e5, 5.8e7, 1.2e9)] == [
        "0.1 MB", "0.4 MB", "58 MB", "1.2 GB",
    ]  # fmt: skip
    assert [plan.share(s) for s in (0.12, 0.001)] == ["12 %", "under 1 %"]


# Scenes on the map


@pytest.mark.usefixtures("workspace")
def test_footprints_are_in_web_mercator_and_skip_what_cannot_be_opened(made):
    (made / "scenes" / "broken.tif").write_bytes(b"no raster")
    try:
        found = catalog.footprints()
    finally:
        (made / "scenes" / "broken.tif").unlink()
    assert list(found) == ["sample"]
    grid = catalog.open_scene("sample").grid
    assert found["sample"].bounds == pytest.approx(warp.mercator_bounds(grid), rel=1e-4)


def test_a_click_means_the_smallest_scene_there_but_never_hides_the_one_shown():
    scenes = {
        "wide": shapely.box(0, 0, 100, 100),
        "small": shapely.box(40, 40, 60, 60),
        "shown": shapely.box(90, 90, 120, 120),
    }
    assert scene_at(scenes, "shown", 50, 50, 1) == "small"
    assert scene_at(scenes, "shown", 10, 10, 1) == "wide"
    assert scene_at(scenes, "shown", 95, 95, 1) == ""
    assert scene_at(scenes, "shown", 300, 300, 1) == ""
    assert scene_at(scenes, "shown", 62, 50, 15) == "small"
    assert scene_at({}, "", 0, 0, 1) == ""


def test_a_kept_region_is_read_by_the_command_line(workspace):
    region = regions.chosen(state_of(region_mode=POLYGON, corners=triangle()))
    name = regions.keep(region, "mine")
    text = json.loads((workspace / "regions" / f"{name}.geojson").read_text(encoding="utf-8"))
    assert text["features"][0]["geometry"]["type"] == "Polygon"
    assert Region.load(name).outline.equals_exact(region.outline, 1e-9)
