"""Activations, extents and addresses of the dashboard, without a browser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import param
import pytest
import rasterio
import shapely
from rasterio.windows import Window

from dashboard import address, catalog
from dashboard.activity import contact, tally, thumbs
from dashboard.activity.inside import bars
from dashboard.activity.tally import UNKNOWN
from dashboard.app import IN_ADDRESS
from dashboard.mapping import extent, warp
from dashboard.mapping.warp import View
from dashboard.painting import masks
from dashboard.painting.masks import ACTIVATION, MASK, TRIO, Wanted
from dashboard.state import POLYGON, State
from lulc.activations import Activations
from lulc.errors import LulcError
from lulc.evaluation import evaluate_labels
from lulc.features import Occlusion
from lulc.leakage import Zones


@pytest.fixture
def run(made, monkeypatch):
    monkeypatch.setenv("LULC_WORKSPACE", str(made))
    return catalog.find_run("run-a")


@pytest.fixture
def truth(made):
    return made / "references" / "sample-truth.tif"


def view_of(run) -> View:
    return View.of(run.grid, 300, 200)


# Counts


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.92, 1.0])
def test_a_mask_has_the_precision_and_recall_of_its_pixels(run, truth, threshold):
    with rasterio.open(run.map_path) as file, rasterio.open(truth) as reference:
        activation, expected = file.read(1 + 13), reference.read(1)
    mask = (activation != 255) & (activation >= threshold * 250 - 1e-9)
    known = (activation != 255) & (expected != 255)
    right = (mask & (expected == 13)).sum()
    pixels, precision, recall = tally.tally(run, truth).at(12, threshold)
    assert pixels == mask.sum()
    assert recall == pytest.approx(right / (known & (expected == 13)).sum())
    if (mask & known).any():
        assert precision == pytest.approx(right / (mask & known).sum())
    else:
        assert np.isnan(precision)


def test_average_precision_is_scikit_learns(run, truth):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    with rasterio.open(run.map_path) as file, rasterio.open(truth) as reference:
        bands, expected = file.read(), reference.read(1)
    known = (bands[0] != 255) & (expected != 255)
    found = tally.tally(run, truth).average_precision()
    for i in (0, 4, 12):
        score = metrics.average_precision_score(expected[known] == i + 1, bands[1 + i][known])
        assert found[i] == pytest.approx(score)


@pytest.mark.parametrize("at", ["class", "2", "1"])
@pytest.mark.parametrize("seen", [None, "half", "all"])
def test_what_is_compared_is_what_scores_are_of(run, made, at, seen):
    corine = made / "references" / "sample-corine.tif"
    if seen:
        west, south, east, north = run.grid.extent.to_crs("EPSG:4326").boundingbox
        outline = shapely.box(west - 1, south - 1, east + 1, north + 1)
        if seen == "half":
            outline = shapely.box(west - 1, south - 1, (west + east) / 2, north + 1)
        known = {"lulc:footprints": shapely.geometry.mapping(outline), "lulc:halo": 3}
        run = replace(run, item={**run.item, "properties": {**run.properties, **known}})
    scores = evaluate_labels(
        run.labels(), corine, level=at, parts=("activations",),
        zones=Zones.of([run], run.grid), activations=Activations.of(run),
    )  # fmt: skip
    tally._tally.cache_clear()
    found = tally.tally(run, corine, at=at)
    assert found.unseen == (seen == "half")
    histograms = scores.parts["activations"]
    for group, counts in zip(histograms.groups, histograms.counts, strict=True):
        for member in group.members:
            index = run.legend.ids.index(member)
            assert np.array_equal(found.ranking(index).counts, counts)
            assert found.together(member) == group.members
            assert found.scored(index) == scores.pixels.scored
            said = contact.told(found, run, index, 0.5, 0.01)
            assert f"over the {scores.pixels.scored:,} scored pixels" in said
            assert ("that the model has not seen" in said) == (seen == "half")
            assert ("at level" in said) == (at != "class")
            assert ("added up" in said) == (len(group.members) > 1)


def test_a_mask_is_of_all_classes_that_are_scored_as_one(run):
    view = view_of(run)
    steps, there = masks.activations(run, (5, 13), view)
    mask = masks.paint(Wanted(run=run, classes=(5, 13), threshold=0.5), view).overlay
    assert np.array_equal(mask[..., 3] > 0, there & (steps.sum(axis=0, dtype=int) >= 125))


def test_without_a_reference_there_are_areas_and_no_scores(run):
    found = tally.tally(run)
    pixels, precision, recall = found.at(12, 0.5)
    assert pixels > 0 and np.isnan([precision, recall]).all()
    assert not found.counts[:, :UNKNOWN].any()
    assert "no reference" in contact.told(found, run, 12, 0.5, 0.01)
    cards = contact.cards(run, found, view_of(run), "ap", 0.5)
    assert {card["note"] for card in cards} == {"no AP: no reference"}


# Pictures


def test_a_mask_is_painted_where_the_activation_is_large_enough(run):
    view = view_of(run)
    steps, there = masks.activations(run, (13,), view)
    mask = masks.paint(Wanted(run=run, classes=(13,), threshold=0.5), view).overlay
    assert np.array_equal(mask[..., 3] > 0, there & (steps[0] >= 125))
    assert masks.paint(Wanted(run=run, classes=(13,), threshold=0.95), view).overlay.sum() == 0


def test_three_classes_are_red_green_and_blue(run):
    view = view_of(run)
    steps, there = masks.activations(run, (13, 5, 7), view)
    image = masks.paint(Wanted(run=run, look=TRIO, classes=(13, 5, 7)), view).overlay
    assert np.abs(image[..., 1][there] - steps[1][there] * (255 / 250)).max() <= 0.5
    assert not image[~there].any()
    one = masks.paint(Wanted(run=run, look=ACTIVATION, classes=(13,)), view).overlay
    assert np.array_equal(one[..., 3] > 0, there)
    assert masks.paint(Wanted(run=run, look=MASK), view).overlay is None


def test_the_contact_sheet_has_every_class_in_the_order_asked_for(run, truth):
    view, found = replace(view_of(run), width=60, height=40), tally.tally(run, truth)
    by_score = contact.cards(run, found, view, "ap", 0.5)
    assert sorted(card["id"] for card in by_score) == list(run.legend.ids)
    scores = [float(card["note"][3:]) for card in by_score if card["note"].startswith("AP")]
    assert scores == sorted(scores, reverse=True) and len(scores) > 5
    assert [c["id"] for c in contact.cards(run, None, view, "legend", None)] == list(run.legend.ids)
    marked = contact.cards(run, found, view, "ap", None, 5)
    assert [card["id"] for card in marked if card["chosen"]] == [5]
    areas = contact.areas(found, 13)
    assert contact.cards(run, found, view, "area", None)[0]["id"] == 1 + areas.argmax()


def test_a_histogram_draws_what_it_is_given():
    counts = np.zeros(251, int)
    assert 'd=""' in thumbs.histogram([(counts, "red")], "nothing")
    counts[[0, 250]] = 100, 10
    drawn = thumbs.histogram([(counts, "red"), (counts, "blue")], "said", mark=0.5)
    assert drawn.count("M0 ") == 2 and 'aria-label="said"' in drawn and "M20.00" in drawn


def test_the_bars_name_the_bands_by_the_size_of_their_change():
    change = np.array([[0.1], [-0.4], [0.0]])
    text = bars(Occlusion(Window(0, 0, 8, 8), ("B02", "B03", "B04"), np.array([0.5]), change), 0)
    assert text.index("B03") < text.index("B02") < text.index("B04")
    assert "-0.4" in text and "+0.1" in text


# Extents and windows


def test_an_extent_in_degrees_is_the_same_box_again(run):
    view = view_of(run)
    again = extent.mercator(extent.of(view))
    assert np.allclose(again, view.bounds, atol=0.2)


def test_a_view_stays_where_it_shows_enough_of_what_is_opened(run):
    whole = view_of(run)
    assert extent.shows(extent.of(whole), run.grid)
    near = View.around([c + 10 * i for i, c in enumerate(whole.bounds)], 300, 200)
    assert extent.shows(extent.of(near), run.grid)
    far = replace(whole, west=whole.west + 1e6, east=whole.east + 1e6)
    assert not extent.shows(extent.of(far), run.grid)
    wide = View.around([whole.west - 1e6, whole.south, whole.east + 1e6, whole.north], 300, 200)
    assert not extent.shows(extent.of(wide), run.grid) and not extent.shows(None, run.grid)


class Map(param.Parameterized):
    """What a map is to those who share an extent: a view, and moving it."""

    view = param.Parameter(default=View(0, 0, 400_000, 300_000, 800, 600))

    def show(self, view: View) -> None:
        self.view = view


def test_a_map_goes_where_the_session_looks_once_its_page_opens():
    state, shown = State(place="Scores"), Map()
    extent.share(shown, state, "Explore")
    before = shown.view
    state.extent = (28.0, 60.0, 28.5, 60.2)
    assert shown.view is before
    state.param.update(extent=(28.1, 60.5, 28.2, 60.6), place="Explore")
    assert extent.of(shown.view) == pytest.approx((28.1, 60.5, 28.2, 60.6))
    shown.view = before
    assert state.extent == extent.of(before)


@pytest.mark.parametrize("most", [64, 100, 512])
def test_the_window_in_view_is_bounded_and_inside(run, most):
    whole = view_of(run)
    window = extent.window_in_view(whole, run.grid, 16, most)
    assert max(window.width, window.height) <= most
    assert window.row_off >= 0 and window.row_off + window.height <= run.grid.shape.y
    if most < 256:
        assert window.row_off % 16 == window.height % 16 == 0
        middle = window.row_off + window.height / 2
        assert middle == pytest.approx(run.grid.shape.y / 2, abs=24)
    away = replace(whole, west=whole.west + 1e6, east=whole.east + 1e6)
    assert extent.window_in_view(away, run.grid, 16, most) is None


def test_the_window_around_a_click_holds_the_click(run):
    for row, column in ((3, 3), (100, 150), (255, 255)):
        x, y = run.grid.affine * (column + 0.5, row + 0.5)
        outline = run.grid[row : row + 1, column : column + 1].extent.to_crs("EPSG:4326")
        lon, lat = (float(value) for value in outline.centroid.points[0])
        window = extent.window_around((lon, lat), run.grid, 16, 32)
        assert window.row_off <= row < window.row_off + window.height, (x, y)
        assert window.col_off <= column < window.col_off + window.width
        assert window.row_off % 16 == 0 and window.width <= 32
    west, _, _, north = warp.mercator_bounds(run.grid)
    assert extent.window_around(warp.degrees(west - 9e4, north), run.grid, 16, 32) is None


# The address


def test_an_address_gives_back_the_state_it_was_made_from():
    state = State(
        place="Activations", scene="Kaakko & co", run="r=1", class_id=7, threshold=0.35,
        extent=(28.1, 60.5, 28.2, 60.625), trio=(13, 5, 7), spot=(28.15, 60.6), look=TRIO,
        hidden=["Built-up areas, sparse", "Fields"], pins=[(28.1, 60.5), (28.123457, -1.0)],
        codes="clc-fi", bands="B02,B03", scale=2.75e-5, offset=-0.2, below=0.5, above=0.0,
        region_mode=POLYGON, corners=[(3128412.25, 8512345.1), (3129000.0, 8512345.1), (0.5, 7.0)],
    )  # fmt: skip
    other = State()
    other.param.update(**address.read(address.query(state, IN_ADDRESS), other, IN_ADDRESS))
    for name in IN_ADDRESS:
        assert getattr(other, name) == getattr(state, name), name


def test_an_address_is_short_and_can_be_read():
    assert address.query(State(), IN_ADDRESS) == "?"
    state = State(scene="sample", pins=[(28.1, 60.5), (28.25, 60.0)], extent=(28, 60.5, 29, 61))
    said = "?scene=sample&view=28,60.5,29,61&pins=28.1,60.5;28.25,60"
    assert address.query(state, IN_ADDRESS) == said


@pytest.mark.parametrize(
    "typed",
    ["page=Nowhere", "class=many", "view=1,2", "view=a,b,c,d", "from=7", "rgb=1,2,3,4", "at=1",
     "view=1,nan,2,3", "scale=inf", "scale=x", "pins=1", "pins=1,2;3", "pins=1,nan", "pins=",
     "corners=1", "region=Moon", "above=2"],
)  # fmt: skip
def test_what_someone_typed_wrong_is_passed_over(typed):
    state = State()
    found = address.read(f"?{typed}&run=mine", state, IN_ADDRESS)
    state.param.update(**found)
    assert state.run == "mine"
    assert all(found[p] == state.param[p].default for p in IN_ADDRESS if p != "run")


def test_a_run_without_activations_says_so(run, monkeypatch):
    monkeypatch.setattr("lulc.activations.Activations.of", lambda _: None)
    tally._tally.cache_clear()
    with pytest.raises(LulcError, match="has no activations"):
        tally.tally(run)
