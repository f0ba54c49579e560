"""What the map's layers paint: pure functions of small arrays, and orders on a small run."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import holoviews as hv
import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from dashboard.mapping import marks, positions
from dashboard.mapping.warp import View
from dashboard.painting import certainty, composites, layers, paints, schemes, vision
from dashboard.painting.labels import NO_LABEL
from dashboard.painting.layers import NOTHING
from lulc.legend import Legend, legends
from lulc.mapfile import ACTIVATION_SCALE
from lulc.suspects import suspects


@pytest.fixture
def view(order) -> View:
    return View.of(order.run.grid, 301, 200)


# How sure the map is

stacks = arrays(np.uint8, (4, 3, 2), elements=st.integers(0, 250))


@given(stacks)
def test_confidence_and_margin_are_of_the_two_largest_activations(steps):
    ordered = np.sort(steps.astype(float), axis=0)[::-1] * ACTIVATION_SCALE * 100
    assert np.abs(certainty.confidence(steps) - ordered[0]).max() <= 0.5
    assert np.abs(certainty.margin(steps) - (ordered[0] - ordered[1])).max() <= 0.5


@given(stacks)
def test_entropy_is_shannons_of_the_shares(steps):
    total = steps.sum(axis=0, dtype=float)
    share = np.divide(steps, total, out=np.zeros(steps.shape), where=total > 0)
    logs = np.log(share, out=np.zeros(share.shape), where=share > 0)
    expected = -(share * logs).sum(axis=0) / np.log(4) * 100
    assert np.abs(certainty.entropy(steps) - expected).max() <= 0.51


@pytest.mark.parametrize(("steps", "said"), [([250, 0, 0], 0), ([80, 80, 80], 100)])
def test_entropy_has_its_ends(steps, said):
    assert certainty.entropy(np.array(steps, np.uint8)[:, None, None]) == said


def test_no_data_has_no_number(order):
    beside = replace(View.of(order.run.grid, 60, 40), west=0, east=600, south=0, north=400)
    for name in certainty.MEASURES:
        assert (certainty.measure(order.run, beside, name) == NOTHING).all()
    assert (certainty.class_ids(order.run, beside) == NOTHING).all()


def test_the_pointer_reads_the_class_and_the_runner_up(order, view):
    probe, got = layers.point(order, view), certainty.stack(order.run, view)
    classes, percent, second, second_percent, labels = probe.numbers
    assert np.array_equal(classes, layers.paint(order, view).classes)
    steps = got.onto(got.raw[1:], NOTHING)
    there = np.argwhere(classes != NOTHING)
    for y, x in there[:: max(1, len(there) // 50)]:
        column = steps[:, y, x].astype(float)
        own = order.run.legend.ids.index(classes[y, x])
        assert percent[y, x] == round(column[own] * 0.4)
        others = np.delete(column, own)
        assert second_percent[y, x] == round(others.max() * 0.4)
        assert column[order.run.legend.ids.index(second[y, x])] == others.max()
    shown = layers.paint(replace(order, overlay="Reference"), view)
    assert np.array_equal(labels, shown.labels)
    assert probe.label_legend == shown.label_legend and probe.legend == order.run.legend


def test_the_pointer_reads_the_pixels_of_the_screen_around_it(order):
    view = View.of(order.run.grid, 900, 900)
    x, y = view.west + 0.3 * (view.east - view.west), view.south + 0.6 * (view.north - view.south)
    near = view.near(x, y)
    assert (near.width, near.height) == (225, 225)
    assert near.west < x < near.east and near.south < y < near.north
    column = round((near.west - view.west) / (view.east - view.west) * view.width)
    row = round((view.north - near.north) / (view.north - view.south) * view.height)
    classes = layers.paint(order, view).classes
    found = layers.point(order, near).numbers[0]
    assert np.array_equal(found, classes[row : row + 225, column : column + 225])


def test_the_pointer_reads_nothing_without_a_run_and_no_label_that_does_not_fit(order, view):
    assert layers.point(replace(order, run=None), view).numbers == ()
    elsewhere = layers.point(replace(order, codes="clc"), view)
    assert (elsewhere.numbers[4] == NO_LABEL).all() and elsewhere.label_legend is None


def test_an_activation_stored_as_float_reads_like_one_of_whole_numbers(order, tmp_path):
    with rasterio.open(order.run.map_path) as file:
        profile, bands = file.profile, file.read().astype(np.float32)
    bands[:, bands[0] == NOTHING] = np.nan
    bands[1:] *= np.float32(ACTIVATION_SCALE)
    (tmp_path / "run").mkdir()
    profile |= {"dtype": "float32", "nodata": float("nan")}
    with rasterio.open(tmp_path / "run" / "map.tif", "w", **profile) as file:
        file.write(bands)
    # At full resolution, so that the overviews of the one play no part.
    near = View.of(order.run.grid, 900, 900)
    whole, real = order.run, replace(order.run, path=tmp_path / "run")
    assert np.array_equal(certainty.class_ids(whole, near), certainty.class_ids(real, near))
    for name in certainty.MEASURES:
        a, b = (certainty.measure(run, near, name) for run in (whole, real))
        assert np.array_equal(a, b), name


# Painting


@pytest.mark.parametrize("overlay", [n for n in layers.OVERLAYS if n != layers.SUSPECTS])
def test_every_layer_paints_the_run_and_nothing_beside_it(order, view, overlay):
    picture = layers.paint(replace(order, overlay=overlay, class_id=13), view)
    assert picture.base is not None
    if overlay == "None":
        assert picture.overlay is None
        return
    assert picture.overlay.shape == (*view.shape, 4)
    assert picture.overlay[..., 3].any()
    nothing = picture.labels == NO_LABEL if overlay == "Reference" else picture.classes == NOTHING
    assert nothing.any() and not picture.overlay[nothing, 3].any()
    assert picture.title and (picture.scale is None) == bool(picture.entries)


def test_a_hidden_class_is_transparent_and_still_counted(order, view):
    shown = layers.paint(order, view)
    hidden = layers.paint(replace(order, hidden=frozenset({"Water bodies"})), view)
    water = shown.classes == 13
    assert water.any() and not hidden.overlay[water, 3].any()
    assert np.array_equal(hidden.overlay[~water], shown.overlay[~water])
    assert hidden.entries == shown.entries


def test_agreement_and_disagreement_share_out_the_view(order, view):
    both = layers.paint(replace(order, overlay="Agreement"), view)
    one = layers.paint(replace(order, overlay="Disagreement"), view)
    assert sum(entry.share for entry in both.entries) == pytest.approx(1)
    assert [e.share for e in both.entries] == [e.share for e in one.entries]
    assert both.overlay[..., 3].sum() > one.overlay[..., 3].sum() > 0


def test_a_reference_elsewhere_hides_no_other_layer(order, view, tmp_path):
    away = tmp_path / "away.tif"
    grid = order.run.grid
    far = GeoBox.from_bbox((0, 0, 2560, 2560), grid.crs, resolution=10)
    profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 1, "dtype": "uint8"}
    profile |= {"crs": str(grid.crs), "transform": far.affine}
    with rasterio.open(away, "w", **profile) as file:
        file.write(np.full((1, 256, 256), 13, np.uint8))
    elsewhere = replace(order, reference=away, codes="lulc13")
    assert layers.paint(elsewhere, view).overlay[..., 3].any()
    said = layers.paint(replace(elsewhere, overlay="Reference"), view)
    assert said.base is not None and said.overlay is None
    assert "overlap" in said.notes[0]


def test_suspicious_labels_are_shown_once_they_were_looked_for(order, view):
    asked = replace(order, overlay=layers.SUSPECTS)
    picture = layers.paint(asked, view)
    assert picture.overlay is None and "lulc suspects" in picture.notes[0]
    found = suspects(order.run, order.reference)
    picture = layers.paint(asked, view)
    assert picture.scale is not None and picture.overlay[..., 3].any()
    with rasterio.open(found.layer) as file:
        stored = file.read(1)
    shown = picture.values[picture.values != NOTHING]
    assert set(np.unique(shown)) <= set(np.unique(stored[stored != 255]))
    found.layer.unlink()


def test_an_own_triple_shows_those_bands(order, view):
    asked = replace(order, base=composites.TRIPLE, triple=("B12", "B08", "B04"))
    named = replace(order, base="Short-wave infrared")
    assert np.array_equal(layers.paint(asked, view).base, layers.paint(named, view).base)
    unknown = replace(asked, triple=("B12", "B99", "B04"))
    assert layers.paint(unknown, view).base is not None


@given(arrays(np.uint8, (5, 4), elements=st.sampled_from([*range(1, 14), NOTHING])))
def test_shares_are_of_the_pixels_that_have_a_class(ids):
    legend = Legend.load("lulc13")
    lines = paints.shares(ids, legend, absent=True)
    there = ids != NOTHING
    assert sum(line.share for line in lines) == pytest.approx(1 if there.any() else 0)
    image = paints.painted(ids, legend)
    assert np.array_equal(image[..., 3] == 255, there)


def test_the_pointers_place_is_the_scenes(order, view):
    place = layers.paint(order, view).place
    assert place.crs == "EPSG:3067" and not place.degrees
    to = Transformer.from_crs("EPSG:3857", "EPSG:3067", always_xy=True)
    at = view.grid.affine
    x, y = to.transform(at.c + at.a / 2, at.f + at.e / 2)
    assert (place.x[0][0], place.y[0][0]) == pytest.approx((x, y), abs=0.06)
    # Between the knots: bilinear is off by far less than a pixel of the scene.
    x, y = positions.positions(view.grid, order.run.grid)
    knots = [np.array(part) for part in (place.x, place.y)]
    middle = [part[8, 8] for part in knots]
    column, row = order.run.grid.affine * (x[100, 150], y[100, 150])
    assert (column, row) == pytest.approx(middle, abs=view.grid.resolution.x)


# Colours


def colors_of(legend: Legend) -> list[tuple[int, int, int]]:
    return [c.rgb for c in legend.classes]


def test_distance_of_black_and_white_is_a_hundred():
    assert vision.distances([(0, 0, 0), (255, 255, 255)])[0, 1] == pytest.approx(100, abs=0.01)
    # Red and green of equal lightness: nearly alike without the cones that tell them apart.
    pair = [(170, 100, 40), (120, 120, 40)]
    assert vision.distances(pair, "deutan")[0, 1] < vision.distances(pair)[0, 1] / 2


@pytest.mark.parametrize("eyes", ["", *vision.WITHOUT])
@pytest.mark.parametrize("name", legends())
def test_neighbours_in_the_safe_scheme_are_told_apart(name, eyes):
    legend, note = schemes.recolored(Legend.load(name), schemes.SAFE)
    if len(legend.classes) > len(schemes.TOL[-1]):
        assert "more than can be told apart" in note
        return
    apart = vision.distances(colors_of(legend), eyes)
    # Between 2 and 3 is just noticeable side by side; all pairs stay well above it.
    assert min(apart[i, j] for i, j in pairwise(range(len(apart)))) > 8
    assert min(apart[np.triu_indices(len(apart), 1)]) > 8


def test_the_safe_scheme_is_safer_than_our_own():
    own = Legend.load("lulc13")
    safe, _ = schemes.recolored(own, schemes.SAFE)
    for eyes in vision.WITHOUT:
        closest = [
            vision.distances(colors_of(legend), eyes)[np.triu_indices(13, 1)].min()
            for legend in (own, safe)
        ]
        assert closest[1] > 10 > closest[0]
    assert [c.name for c in safe.classes] == [c.name for c in own.classes]


def test_corines_scheme_has_its_official_colours():
    legend, note = schemes.recolored(Legend.load("lulc13"), schemes.CORINE)
    official = {c.id: c.color for c in Legend.load("clc").classes}
    colors = {c.id: c.color for c in legend.classes}
    assert (colors[1], colors[2], colors[6]) == (official[112], official[111], official[311])
    assert len(set(colors.values())) == 13  # pine and spruce are one code, and two colours
    assert "Water vegetation" in note
    foreign = replace(Legend.load("lulc13"), name="of another country")
    same, note = schemes.recolored(foreign, schemes.CORINE)
    assert same == foreign and "no table" in note


def test_a_scheme_recolours_the_map(order, view):
    own, safe = (layers.paint(replace(order, scheme=scheme), view) for scheme in ("", schemes.SAFE))
    assert not np.array_equal(own.overlay, safe.overlay)
    assert np.array_equal(own.overlay[..., 3], safe.overlay[..., 3])
    assert {entry.color for entry in safe.entries} <= set(schemes.TOL[0])


# Sending


def test_images_are_sent_as_holoviews_would_send_them(order, view):
    hv.extension("bokeh")
    picture, probe = layers.paint(order, view), layers.point(order, view)
    names = ["class_id", "percent", "second", "second_percent", "label"]
    near = probe.view.bounds
    for element, columns in (
        (
            hv.RGB(picture.overlay, bounds=view.bounds, vdims=[*"RGBA"]),
            marks.columns(view, picture.overlay),
        ),
        (
            hv.Image(np.dstack(probe.numbers), bounds=near, vdims=names).opts(tools=["hover"]),
            marks.probe_columns(probe),
        ),
    ):
        theirs = hv.renderer("bokeh").get_plot(element).handles["source"].data
        assert set(columns) == set(theirs)
        for column, (value,) in columns.items():
            assert np.allclose(value, theirs[column][0]), column
