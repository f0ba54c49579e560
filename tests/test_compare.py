"""Two runs against each other."""

from __future__ import annotations

import json
from importlib import import_module

import holoviews as hv
import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from lulc.compare import TRANSITION_ORIENTATION, compare
from lulc.errors import RunError
from lulc.evaluation import evaluate
from lulc.legend import LandClass, Legend

hv.extension("bokeh")

LULC13 = Legend.load("lulc13")
GRID = GeoBox.from_bbox((500000, 6700000, 500600, 6700400), "EPSG:3067", shape=(40, 60))


def write(path, ids, grid, tags=None):
    height, width = ids.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=1,
        dtype="uint8",
        nodata=255,
        crs=str(grid.crs),
        transform=grid.affine,
    ) as file:
        file.write(ids.astype("uint8"), 1)
        file.update_tags(**(tags or {}))
    return path


@pytest.fixture
def run(tmp_path):
    def make(name, ids, grid=GRID, legend=LULC13):
        folder = tmp_path / name
        folder.mkdir()
        write(folder / "map.tif", ids, grid)
        item = {"id": name, "properties": {"lulc:legend": legend.to_dict()}}
        (folder / "run.json").write_text(json.dumps(item))
        return folder

    return make


@pytest.fixture
def scene(tmp_path, run):
    """A truth, run A right on 80 % of it and run B on 90 %, each with a gap of its own."""
    rng = np.random.default_rng(5)
    truth = rng.integers(1, 14, GRID.shape)
    wrong = truth % 13 + 1
    draw = rng.random(GRID.shape)
    a, b = np.where(draw < 0.2, wrong, truth), np.where(draw < 0.1, wrong, truth)
    a[:, 0], b[0] = 255, 255
    reference = write(tmp_path / "truth.tif", truth, GRID, {"LULC_LEGEND": "lulc13"})
    return run("a", a), run("b", b), reference, a, b, truth


def test_scored_on_the_pixels_of_both(scene):
    path_a, path_b, reference, a, b, truth = scene
    found = compare(path_a, path_b, reference)
    both = (a != 255) & (b != 255)
    assert found.a.pixels.scored == found.b.pixels.scored == both.sum()
    assert found.a.accuracy == pytest.approx((a == truth)[both].mean())
    assert found.b.accuracy == pytest.approx((b == truth)[both].mean())
    assert found.agreement == pytest.approx((a == b)[both].mean())
    data = found.to_dict()
    assert data["accuracy"] == pytest.approx(data["accuracy_b"] - data["accuracy_a"])
    assert data["accuracy"] > 0
    assert [c["id"] for c in data["classes"]] == list(LULC13.ids)
    for c in data["classes"]:
        assert c["f1"] == pytest.approx(c["f1_b"] - c["f1_a"])
    text = str(found)
    assert "B - A" in text and f"{data['macro_f1']:+.3f}" in text


def test_rows_of_the_transitions_are_run_a(run):
    """All of A's fields became water in B."""
    a = run("a", np.full(GRID.shape, 5))
    b = run("b", np.full(GRID.shape, 13))
    data = compare(a, b).to_dict()["transitions"]
    ids = [c["id"] for c in data["classes"]]
    assert data["matrix"][ids.index(5)][ids.index(13)] == 2400
    assert data["orientation"] == TRANSITION_ORIENTATION == "rows are run A, columns run B"


def test_swapping_the_runs_changes_the_signs(scene):
    path_a, path_b, reference, *_ = scene
    there, back = compare(path_a, path_b, reference), compare(path_b, path_a, reference)
    assert there.agreement == back.agreement
    assert (there.transitions.matrix == back.transitions.matrix.T).all()
    assert [c["f1"] for c in there.deltas] == [-c["f1"] for c in back.deltas]


def test_stored_scores_serve_if_they_are_of_one_reference(scene, tmp_path):
    path_a, path_b, reference, *_, truth = scene
    found = compare(path_a, path_b)
    assert found.a is None and found.agreement is not None and found.deltas == []
    assert found.notes == ("No stored scores of a and b: give --reference to score both.",)
    stored = [evaluate(path, reference) for path in (path_a, path_b)]
    assert [(c := compare(path_a, path_b)).a, c.b] == stored
    other = write(tmp_path / "other.tif", truth[::-1], GRID, {"LULC_LEGEND": "lulc13"})
    evaluate(path_b, other)
    found = compare(path_a, path_b)
    assert found.b is None and "different references" in found.notes[0]
    assert "different references" in str(found)


def test_runs_of_overlapping_regions(scene, run):
    path_a, _, reference, _, b, _ = scene
    part = run("part", b[10:, 20:], GRID[10:, 20:])
    found = compare(path_a, part, reference)
    sides = compare(part, path_a, reference)
    assert found.a.pixels.scored + found.a.pixels.nodata == 30 * 40
    assert found.a == sides.b and found.b == sides.a
    assert found.notes == ("Compared on the 40 x 30 pixels that both runs cover.",)
    for path in (path_a, part):
        evaluate(path, reference)
    assert any("different areas" in note for note in compare(path_a, part).notes)


def test_legends_that_differ(scene, run):
    path_a, _, _, a, *_ = scene
    level_1 = run("level1", np.full(GRID.shape, 5), legend=Legend.load("clc1"))
    soils = Legend("soils", "Soils", (LandClass(1, "Peat", "#403020"),))
    other = run("soils", np.ones(GRID.shape), legend=soils)
    found = compare(path_a, other)
    assert found.agreement is None and found.to_dict()["transitions"] is None
    assert "lulc13 and soils share nothing" in found.notes[0]
    found = compare(path_a, level_1)
    water = (a == 13).sum() / ((a != 255) & (a != 12)).sum()
    assert found.agreement == pytest.approx(water)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (
            GeoBox(GRID.shape, GRID.affine, "EPSG:32635"),
            "their CRS differ: EPSG:3067 and EPSG:32635",
        ),
        (GRID.zoom_out(2).expand(GRID.shape), "pixels of 10 x 10 and 20 x 20"),
        (GRID.translate_pix(0.5, 0), "shifted by 0.5, 0 pixels"),
        (GRID.translate_pix(60, 0), "do not overlap"),
        (GRID.translate_pix(0, -40), "do not overlap"),
    ],
)
def test_grids_that_do_not_fit(run, grid, said):
    a, b = run("a", np.ones(GRID.shape)), run("b", np.ones(grid.shape), grid)
    with pytest.raises(RunError, match=said):
        compare(a, b)


def test_differences_have_intervals(run, tmp_path):
    """Errors by patches: B lacks one in three of A's, and both have the same in one class."""
    rng = np.random.default_rng(5)
    grid = GeoBox.from_bbox((500000, 6700000, 502400, 6702400), "EPSG:3067", shape=(240, 240))

    def patches(share):
        return np.kron(rng.random((60, 60)) < share, np.ones((4, 4), bool))

    truth = np.where(patches(0.5), 5, 13)
    truth[patches(0.2)] = 6
    lost, mistaken = patches(0.15), patches(0.2)
    a = np.where(mistaken & (truth == 6), 7, truth)
    a, b = (
        np.where(lost & (truth != 6), 12, a),
        np.where(lost & patches(0.66) & (truth != 6), 12, a),
    )
    reference = write(tmp_path / "truth.tif", truth, grid, {"LULC_LEGEND": "lulc13"})
    pair = [run(name, ids, grid) for name, ids in (("a", a), ("b", b))]
    found = compare(*pair, reference)
    data = found.to_dict()
    [said] = compare(pair[0], pair[0], reference).to_dict()["notes"]
    assert said.endswith("tell: all classes; all averages.")
    rows = {c["id"]: c for c in data["classes"]}
    for c in (rows[5], rows[13], data):
        key = "accuracy" if c is data else "f1"
        low, high = c[f"{key}_ci"]
        assert 0 < low < c[key] < high and c[f"{key}_differs"] is True
    # What is alike in both may differ elsewhere.
    low, high = rows[6]["f1_ci"]
    assert rows[6]["f1"] == 0 and low < 0 < high and rows[6]["f1_differs"] is False
    assert rows[6]["cautious"] == ["precision", "recall", "f1", "iou"]
    assert rows[5]["cautious"] == ["precision"] and data["cautious"] == []
    [said] = data["notes"]
    assert "cautious" in said and f"{rows[6]['name']};" in said and said in str(found)
    assert f"{rows[5]['name']} (precision)" in said
    assert f"~{low:+.3f} to {high:+.3f}" in str(found)
    assert "does not hold 0" in str(found) and "*" in str(found)
    back = compare(*pair[::-1], reference).to_dict()["accuracy_ci"]
    assert back == pytest.approx([-bound for bound in data["accuracy_ci"][::-1]])
    for path in pair:
        evaluate(path, reference)
    assert compare(*pair).to_dict()["accuracy_ci"] == data["accuracy_ci"]
    assert compare(*pair, reference, block=400).a.blocks.given == 400
    page = import_module("dashboard.pages.compare")
    low, high = (f"{bound:+.3f}" for bound in data["macro_f1_ci"])
    assert f"95 % interval {low} to {high}" in page.summary(found)
    low, high = (f"{bound:+.3f}" for bound in rows[5]["f1_ci"])
    assert f">{low} to {high}<" in page.differences(found)
    assert "does not hold 0" in page.differences(found)
    _, drawn, dashed, *_ = import_module("dashboard.charts.plots").differences(found)
    for lines, cautious in ((drawn, False), (dashed, True)):
        for name, low, _, high in lines.data.itertuples(index=False):
            row = rows[int(name.split()[0])]
            assert ("f1" in row["cautious"]) == cautious
            ends = np.clip([row["f1_a"] + end for end in row["f1_ci"]], 0, 1)
            assert (low, high) == pytest.approx(tuple(ends))
    assert len(drawn) + len(dashed) == sum(row["f1_ci"] is not None for row in rows.values())


def test_a_class_in_a_corner_has_a_cautious_interval_and_it_is_said(run, tmp_path):
    """All of a class in few blocks: what its difference is elsewhere, they hardly tell."""
    rng = np.random.default_rng(6)
    grid = GeoBox.from_bbox((500000, 6700000, 502400, 6702400), "EPSG:3067", shape=(240, 240))
    truth = np.where(rng.random((240, 240)) < 0.5, 5, 13)
    truth[:30, :30] = 6
    draw = rng.random((240, 240))
    a, b = (np.where(draw < share, 12, truth) for share in (0.2, 0.1))
    reference = write(tmp_path / "truth.tif", truth, grid, {"LULC_LEGEND": "lulc13"})
    found = compare(run("a", a, grid), run("b", b, grid), reference, block=300)
    rows = {c["id"]: c for c in found.to_dict()["classes"]}
    (low, high), narrow = rows[6]["f1_ci"], rows[5]["f1_ci"]
    assert low < 0 < rows[6]["f1"] < high <= 1 and high - low > 10 * (narrow[1] - narrow[0])
    assert "f1" in rows[6]["cautious"] and "f1" not in rows[5]["cautious"]
    *_, said = found.to_dict()["notes"]
    assert f"{rows[6]['name']};" in said and f"{rows[5]['name']} (precision)" in said
