"""Patches of a reference, and whether the ones that activations contradict are the wrong ones."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.features import rasterize
from scipy import ndimage
from sklearn.metrics import average_precision_score

from lulc import patchsearch
from lulc.activations import Activations
from lulc.cli import main
from lulc.errors import ReferenceDataError, RunError
from lulc.grouping import common_grouping
from lulc.patches import SMALLEST, Patches, connected, measured
from lulc.patchsearch import NODATA, Search
from lulc.reference import LabelMap, open_reference
from lulc.runs import Run
from lulc.suspects import COLUMNS, SHOWN, suspects
from tests import workspaces

SIZE = 256

SMALL_MAPS = hnp.arrays(
    np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 2)
)


def partition(numbers):
    """A numbering as a set of sets of pixels."""
    return {
        tuple(map(tuple, np.argwhere(numbers == n).tolist())) for n in np.unique(numbers) if n >= 0
    }


@given(SMALL_MAPS, st.integers(1, 13))
def test_patches_are_the_connected_pixels_of_a_group_in_a_cell(groups, cell):
    numbers, count = connected(groups, cell)
    assert sorted(np.unique(numbers[numbers >= 0])) == list(range(count))
    np.testing.assert_array_equal(numbers < 0, groups < 0)
    expected, done = np.full(groups.shape, -1), 0
    for row in range(0, groups.shape[0], cell):
        for column in range(0, groups.shape[1], cell):
            part = np.s_[row : row + cell, column : column + cell]
            for group in range(3):
                labels, found = ndimage.label(groups[part] == group)
                expected[part][labels > 0] = labels[labels > 0] + done - 1
                done += found
    assert partition(numbers) == partition(expected)


def test_measures_are_means_over_the_pixels():
    random = np.random.default_rng(0)
    groups = random.integers(-1, 3, (20, 20)).astype(np.int16)
    activations = random.dirichlet(np.ones(3), (20, 20)).transpose(2, 0, 1).astype(np.float32)
    activations[:, groups < 0] = np.nan
    numbers, count = connected(groups)
    found = measured(numbers, count, groups, activations)
    for n in range(count):
        inside = numbers == n
        assert found.pixels[n] == inside.sum()
        assert (groups[inside] == found.given[n]).all()
        np.testing.assert_allclose(found.mean[n], activations[:, inside].mean(axis=1), rtol=1e-5)
        logs = np.log(activations[:, inside] + 0.002).mean(axis=1)
        np.testing.assert_allclose(found.logs[n], logs, rtol=1e-4)
    own = [activations[g][groups == g].mean() for g in range(3)]
    np.testing.assert_allclose(found.thresholds, own, rtol=1e-5)


def patches(given_, mean, pixels=None):
    mean = np.array(mean, np.float32)
    sizes = np.full(len(mean), 100) if pixels is None else np.array(pixels)
    return Patches(np.array(given_), sizes, mean, np.log(mean + np.float32(0.002)))


def test_score_is_the_share_of_the_suggested_group():
    found = patches([0, 0, 1], [[0.9, 0.1, 0], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1]])
    assert found.suggested.tolist() == [1, 1, 0]
    np.testing.assert_allclose(found.score, [0.1, 0.75, 1 / 9], atol=0.01)


def test_contradicted_is_what_reaches_the_threshold_of_another_group():
    mean = [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.4, 0.6, 0], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]]
    found = patches([0, 0, 0, 1, 1], mean)
    np.testing.assert_allclose(found.thresholds, [0.5, 0.4, np.nan])
    # The last is likest a group that nothing is labelled as: no threshold, no confidence.
    assert found.contradicted.tolist() == [False, True, True, False, False]
    assert found.suspicious().tolist() == [4, 1]


def test_groups_that_the_model_does_not_know():
    mean = [[0.6, 0.4, 0], [0.9, 0.1, 0], [0.7, 0.3, 0], [0.1, 0.9, 0]]
    found = patches([0, 0, 1, 1], mean, [100, 100, 300, 100])
    np.testing.assert_allclose(found.means, [[0.75, 0.25, 0], [0.55, 0.45, 0], [np.nan] * 3])
    assert found.unknown.tolist() == [1]
    assert patches([0, 1], [[0.9, 0.1, 0], [0.2, 0.8, 0]]).unknown.tolist() == []


def test_small_patches_are_not_listed():
    found = patches([0, 0, 0], [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], [50, SMALLEST - 1, SMALLEST])
    joined = Patches.joined([found, patches([1], [[0.3, 0.7]])])
    assert joined.suspicious().tolist() == [2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return workspaces.make(tmp_path_factory.mktemp("workspace"), size=SIZE)


@pytest.fixture(scope="module")
def found(workspace):
    return suspects(workspace / "runs" / "run-a", corine(workspace))


def corine(workspace):
    return workspace / "references" / "sample-corine.tif"


def searched(workspace):
    run = Run.open(workspace / "runs" / "run-a")
    reference = open_reference(corine(workspace), run.grid)
    grouping = common_grouping(run.legend, reference.legend)
    return Search(run.labels(), Activations.of(run), reference, grouping)


def test_wrong_labels_are_found_where_the_truth_is_known(workspace):
    search = searched(workspace)
    found = search.measure()[0]
    groups = search.groups(next(search.windows()))
    numbers, count = connected(groups)
    truth = LabelMap.open(workspace / "references" / "sample-truth.tif").read()
    truth = search.grouping.prediction_lut[truth]
    wrong = np.array(
        [np.bincount(truth[numbers == n] + 1)[1:].argmax() != found.given[n] for n in range(count)]
    )
    large = found.pixels >= SMALLEST
    assert 5 < wrong[large].sum() < 0.5 * large.sum()
    # The run of this workspace knows the truth of nine pixels in ten.
    assert average_precision_score(wrong[large], found.score[large]) > 0.95
    ranked = found.suspicious()
    assert len(ranked) > 1
    assert wrong[ranked].all()


def test_windows_do_not_matter(workspace, tmp_path, monkeypatch):
    search = searched(workspace)
    whole, firsts, _ = search.measure()
    outlines = search.draw(tmp_path / "whole.tif", whole, firsts, whole.suspicious())
    monkeypatch.setattr(patchsearch, "WINDOW", 64)
    parts, firsts, _ = search.measure()
    others = search.draw(tmp_path / "parts.tif", parts, firsts, parts.suspicious())
    assert len(firsts) == (SIZE // 64) ** 2
    np.testing.assert_allclose(whole.thresholds, parts.thresholds)
    one, two = (rasterio.open(tmp_path / name).read() for name in ("whole.tif", "parts.tif"))
    np.testing.assert_array_equal(one, two)
    assert {o.wkt for o, _ in outlines.values()} == {o.wkt for o, _ in others.values()}


def test_layer_and_list_agree(workspace, found):
    assert found.layer == workspace / "runs" / "run-a" / "suspects.tif"
    frame = geopandas.read_file(found.path)
    assert list(frame.columns) == [*COLUMNS, "geometry"]
    assert frame["rank"].tolist() == list(range(1, len(found.suspects) + 1))
    assert frame["score"].is_monotonic_decreasing
    assert frame["score"].between(0.5, 1).all()
    np.testing.assert_allclose(frame.area / 1e4, frame["area_ha"])
    np.testing.assert_allclose(frame["area_ha"], frame["pixels"] * 0.01)
    with rasterio.open(found.layer) as file:
        layer, transform = file.read(1), file.transform
        assert file.nodata == NODATA
        assert file.crs.to_epsg() == frame.crs.to_epsg() == 3067
        assert file.overviews(1) == []
        assert file.tags()["LULC_REFERENCE"] == str(corine(workspace))
    assert layer[layer != NODATA].max() <= 100
    ranks = rasterize(
        zip(frame.geometry, frame["rank"], strict=True), layer.shape, 0, transform=transform
    )
    for row in frame.itertuples():
        assert set(layer[ranks == row.rank]) == {round(100 * found.suspects[row.rank - 1].score)}
    points = geopandas.GeoSeries.from_xy(frame["lon"], frame["lat"], crs=4326).to_crs(frame.crs)
    assert frame.geometry.buffer(0.1).contains(points).all()
    assert f"{len(frame)} of {found.patches} patches" in str(found)
    many = replace(found, suspects=found.suspects * SHOWN)
    assert len(str(many).splitlines()) == SHOWN + 3


def test_planted_patch_is_the_first(workspace, tmp_path):
    with rasterio.open(workspace / "references" / "sample-truth.tif") as file:
        labels, profile = file.read(), file.profile
    truth = LabelMap.open(workspace / "references" / "sample-truth.tif").read()
    numbers = ndimage.label(truth == 9)[0]
    largest = numbers == np.bincount(numbers.ravel())[1:].argmax() + 1
    rarest = int(np.bincount(truth[truth != 255], minlength=14)[1:].argmin()) + 1
    labels[0][largest] = rarest
    planted = tmp_path / "planted.tif"
    with rasterio.open(planted, "w", **profile) as file:
        file.write(labels)
        file.update_tags(LULC_LEGEND="lulc13")
    listed = suspects(workspace / "runs" / "run-b", planted, out=tmp_path / "list.gpkg")
    assert (listed.suspects[0].given.id, listed.suspects[0].suggested.id) == (rarest, 9)
    # Most of what is now labelled so is not: the list says what that may mean.
    assert [group.id for group in listed.unknown] == [rarest]
    assert "on average" in listed.warnings[0]


def test_seen_ground_is_warned_of(workspace, found):
    assert found.seen_share is None
    assert not found.warnings
    run = Run.open(workspace / "runs" / "run-a")
    west, _, east, north = run.grid.geographic_extent.boundingbox
    middle = run.grid.geographic_extent.boundingbox.span_y / 2
    corners = [(west, north), (east, north), (east, north - middle), (west, north - middle)]
    outline = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    properties = run.properties | {"lulc:footprints": outline, "lulc:halo": 4}
    seen = suspects(replace(run, item={**run.item, "properties": properties}), corine(workspace))
    assert seen.seen_share == pytest.approx(0.5, abs=0.05)
    assert "may have learnt" in seen.warnings[0]


def test_command(workspace, found, tmp_path, capsys):
    arguments = ["suspects", str(workspace / "runs" / "run-a")]
    arguments += ["--reference", str(corine(workspace)), "--out", str(tmp_path / "list.gpkg")]
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--json"])
    assert stopped.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["suspects"] == [suspect.row() for suspect in found.suspects]
    assert document["path"] == str(tmp_path / "list.gpkg")
    assert len(geopandas.read_file(tmp_path / "list.gpkg")) == len(found.suspects)


def test_nothing_suspicious_is_an_empty_list(workspace, tmp_path):
    with rasterio.open(workspace / "runs" / "run-a" / "map.tif") as file:
        labels, profile = file.read(1), file.profile
    agreeing = tmp_path / "agreeing.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255} | {
        name: profile[name] for name in ("height", "width", "crs", "transform")
    }
    with rasterio.open(agreeing, "w", **profile) as file:
        file.write(labels, 1)
        file.update_tags(LULC_LEGEND="lulc13")
    nothing = suspects(workspace / "runs" / "run-a", agreeing, out=tmp_path / "list.gpkg")
    assert nothing.suspects == ()
    assert geopandas.read_file(nothing.path).empty


def test_what_cannot_be_searched_is_refused(workspace, tmp_path):
    run = workspace / "runs" / "run-a"
    with pytest.raises(RunError, match=r"ends in \.gpkg"):
        suspects(run, corine(workspace), out=tmp_path / "list.shp")
    with rasterio.open(corine(workspace)) as file:
        profile = file.profile
    empty = tmp_path / "empty.tif"
    with rasterio.open(empty, "w", **profile) as file:
        file.write(np.full((1, *file.shape), 255, np.uint8))
    with pytest.raises(ReferenceDataError, match="has no label on a pixel"):
        suspects(run, empty, codes="clc-fi")
    opened = Run.open(run)
    legend = opened.properties["lulc:legend"]
    fewer = {**legend, "classes": legend["classes"][:5]}
    item = {**opened.item, "properties": {**opened.properties, "lulc:legend": fewer}}
    with pytest.raises(RunError, match="a map of classes only"):
        suspects(replace(opened, item=item), corine(workspace))
