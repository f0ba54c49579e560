"""What the workspace tells of a scene: how it is read, and which labels lie there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from models import card_of
from rasterio.transform import from_origin

from dashboard import catalog
from dashboard.catalog import Reading
from dashboard.choosing import plan as plans
from dashboard.mapping import warp
from dashboard.mapping.warp import View
from dashboard.painting.composites import composite
from dashboard.painting.picture import Order
from dashboard.state import State
from dashboard.ties import spoken
from lulc.card import BandCard, ModelCard
from lulc.errors import SceneError
from lulc.model import Model
from lulc.unet import UNet


def raster(path: Path, west: float, count: int = 1) -> Path:
    """Whole numbers that could mean anything, 200 m a side."""
    profile = {"driver": "GTiff", "width": 20, "height": 20, "count": count, "dtype": "uint16"}
    place = {"crs": "EPSG:32633", "transform": from_origin(west, 5e6, 10, 10)}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(np.arange(400 * count, dtype=np.uint16).reshape(count, 20, 20) + 1)
        file.descriptions = ("B02", "B03", "B04")[:count]
    return path


def card(bands: tuple[str, ...]) -> ModelCard:
    """Of a model that takes these bands."""
    network = UNet(len(bands), 13, 4, 2, 4)
    known = tuple(BandCard(band, 0.2, 0.1, 0.0, 1.0) for band in bands)
    return card_of(network, bands=known, correlation=())


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A scene whose files do not say what their numbers mean."""
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    for name in ("scenes", "references", "runs/earlier"):
        (tmp_path / name).mkdir(parents=True)
    raster(tmp_path / "scenes" / "plain.tif", 5e5, 3)
    return tmp_path


def add_run(workspace: Path, scales: list[float]) -> None:
    """A run of the scene whose bands had these scales."""
    bands = [{"name": f"B0{n}", "scale": s, "offset": -0.1} for n, s in enumerate(scales, 2)]
    legend = {"name": "two", "classes": [{"id": 1, "name": "one", "color": "#000000"}]}
    properties = {
        "created": "2026-01-01T00:00:00+00:00", "mlm:name": "m", "lulc:legend": legend,
        "lulc:scene": {"name": "plain", "bands": bands},
    }  # fmt: skip
    folder = workspace / "runs" / "earlier"
    raster(folder / "map.tif", 5e5)
    item = {"type": "Feature", "id": "earlier", "properties": properties}
    (folder / "run.json").write_text(json.dumps(item))


def test_a_scene_is_read_as_for_its_last_run_and_the_page_says_so(workspace):
    with pytest.raises(SceneError, match="--scale"):
        catalog.open_scene("plain")
    add_run(workspace, [0.0001] * 3)
    assert {(f.scale, f.offset) for f in catalog.open_scene("plain").files} == {(0.0001, -0.1)}
    state = State(scene="plain", model="m")
    plan = plans.make(state, None, [])
    assert "read with scale 0.0001 and offset -0.1" in plan.note.lower()
    call = plans.arguments(plan, state, workspace / "runs" / "new")
    assert call[-4:] == ("--scale", "0.0001", "--offset", "-0.1")


@pytest.mark.usefixtures("workspace")
def test_a_scene_whose_scale_nobody_knows_is_seen_all_the_same():
    scene, unscaled = catalog.seen_scene("plain")
    assert unscaled and {(f.scale, f.offset) for f in scene.files} == {(1.0, 0.0)}
    # The stretch follows the numbers: an image looks as it does with any scale.
    west, south, east, north = warp.mercator_bounds(scene.grid)
    view = View(west, south, east, north, 16, 16)
    scaled = catalog.open_scene("plain", Reading(scale=0.0001, offset=-0.1))
    raw, known = (composite(s, s.bands[:3], view).astype(int) for s in (scene, scaled))
    assert raw[..., 3].any() and abs(raw - known).max() <= 1
    plan = plans.make(State(scene="plain", model="m"), card(scene.bands), [])
    assert plan.size and plan.scene == scene and "Scale" in plan.problem
    assert "reflectance" not in Order(scene, calibrated=False).unit
    assert catalog.seen_scene("plain", Reading(scale=0.0001))[1] is None


@pytest.mark.usefixtures("workspace")
def test_a_wrong_band_matters_before_an_unknown_scale():
    plan = plans.make(State(scene="plain", model="m"), card(("B12",)), [])
    assert "B12" in plan.problem and "Scale" not in plan.problem


def test_what_is_said_goes_before_what_a_run_was_read_with(workspace):
    add_run(workspace, [0.0001] * 3)
    assert catalog.completed("plain", Reading(scale=0.5)) == Reading(scale=0.5)


def test_bands_of_several_scales_say_nothing(workspace):
    add_run(workspace, [0.0001, 0.0002, 0.0001])
    assert catalog.completed("plain", Reading()) == Reading()


def test_the_reference_chosen_first_lies_where_the_scene_does(workspace):
    assert catalog.reference_for("plain") == ""
    raster(workspace / "references" / "a-elsewhere.tif", 6e5)
    (workspace / "references" / "b-broken.gpkg").write_text("nothing")
    assert catalog.reference_for("plain") == ""
    square = shapely.box(5e5, 5e6 - 100, 5e5 + 100, 5e6)
    frame = gpd.GeoDataFrame({"code": [1]}, geometry=[square], crs="EPSG:32633")
    frame.to_crs("EPSG:3035").to_file(workspace / "references" / "c-polygons.gpkg")
    assert catalog.reference_for("plain") == "c-polygons"
    raster(workspace / "references" / "d-raster.tif", 5e5)
    assert catalog.reference_for("plain") == "c-polygons"
    assert catalog.reference_for("plain", "d-raster") == "d-raster"
    assert catalog.reference_for("plain", "a-elsewhere") == "c-polygons"


def test_errors_are_said_in_the_words_of_the_page(workspace):
    with pytest.raises(SceneError) as caught:
        catalog.open_scene("plain")
    said = spoken(caught.value)
    assert str(workspace) not in said and "--" not in said
    assert said.startswith("scenes/plain.tif") and "under Advanced" in said
    assert spoken(SceneError("It is all sea.")) == "It is all sea."
    assert spoken("name one with --codes") == (
        "name one with the field Its codes on the page Scores"
    )


def test_the_model_chosen_first_takes_the_bands_of_the_scene(workspace):
    add_run(workspace, [0.0001] * 3)
    scene = catalog.open_scene("plain")
    many = Model.load("lakeland").card
    few = replace(many, bands=many.bands[:3], network=replace(many.network, bands=3))
    assert [band.name for band in few.bands] == list(scene.bands)
    cards = {"many": many, "broken": "no card", "few": few, "alike": few}
    state = State(scene="plain", model="many")
    assert plans.model_for(state, cards, ["many"]) == "few"
    assert plans.model_for(state, cards, ["alike", "few"]) == "alike"
    assert plans.model_for(state, {"many": many}, ["many"]) == "many"
    assert plans.model_for(State(scene="nowhere", model="m"), cards, ["few"]) == "m"
