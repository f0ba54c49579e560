"""A run at a coarser level: sums of activations compete, or its winners are recoded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import rollup
from lulc.activations import Activations
from lulc.compare import compare
from lulc.errors import LegendError
from lulc.evaluation import evaluate
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.mapfile import MapFormat
from lulc.reference import LabelMap
from lulc.region import Region
from lulc.rollup import rolled_up
from lulc.runs import Run

LULC13, CLC = Legend.load("lulc13"), Legend.load("clc")
SHAPE = (40, 30)
GRID = GeoBox.from_bbox((500000, 6700000, 500300, 6700400), "EPSG:3067", shape=SHAPE)


def grid_profile(**more):
    return {
        "driver": "GTiff", "width": SHAPE[1], "height": SHAPE[0], "crs": "EPSG:3067",
        "transform": GRID.affine, **more,
    }  # fmt: skip


def run_of(folder, activations, dtype="uint8", valid=None):
    folder.mkdir(exist_ok=True)
    layout = MapFormat(LULC13, dtype)
    bands = layout.encode(activations, np.ones(SHAPE, bool) if valid is None else valid)
    profile = grid_profile(count=14, dtype=dtype, nodata=layout.nodata)
    with rasterio.open(folder / "map.tif", "w", **profile) as file:
        file.write(bands)
    item = {"id": folder.name, "properties": {"lulc:legend": LULC13.to_dict()}}
    (folder / "run.json").write_text(json.dumps(item))
    return Run.open(folder), bands


def reference_of(path, codes):
    ids = np.broadcast_to(np.asarray(codes, np.uint16), SHAPE)
    with rasterio.open(path, "w", **grid_profile(count=1, dtype="uint16", nodata=65535)) as file:
        file.write(ids, 1)
        file.update_tags(LULC_CODES="clc")
    return path


def activations_of(**shares):
    """The same everywhere, by class id (`c7=0.3`)."""
    found = np.zeros((13, *SHAPE), np.float32)
    for name, share in shares.items():
        found[int(name[1:]) - 1] = share
    return found


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_two_forests_together_win_over_a_marsh(tmp_path, dtype):
    run, bands = run_of(tmp_path / "run", activations_of(c7=0.3, c8=0.3, c11=0.4), dtype)
    assert (bands[0] == 11).all()
    truth = reference_of(tmp_path / "truth.tif", 312)
    by_sums = evaluate(run, truth, level="2")
    assert by_sums.choices["rollup"] == "activations" and by_sums.accuracy == 1
    by_winners = evaluate(run, truth, level="2", rollup="winners")
    assert by_winners.choices["rollup"] == "winners" and by_winners.accuracy == 0
    # At the level of its own classes a map is scored as it is drawn, unless asked otherwise.
    assert evaluate(run, truth).accuracy == 0
    assert evaluate(run, truth, rollup="activations").accuracy == 1


def test_a_class_of_no_group_stays_in_the_competition(tmp_path):
    """Water vegetation is nothing in CORINE: where the map says it, the pixel is not scored."""
    activations = activations_of(c12=0.5, c13=0.3, c11=0.2)
    activations[:, :10] = activations_of(c12=0.3, c13=0.5, c11=0.2)[:, :10]
    run, _ = run_of(tmp_path / "run", activations)
    found = evaluate(run, reference_of(tmp_path / "truth.tif", 512), level="3")
    assert found.pixels.scored == 10 * 30 and found.accuracy == 1
    assert found.pixels.ignored_prediction == 30 * 30
    assert found.ignored_classes[0].id == 12 and found.ignored_classes[0].pixels == 30 * 30


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["class", "3", "2", "1"]),
    st.sampled_from(["uint8", "float32"]),
    st.integers(1, 39),
)
def test_largest_sum_of_every_pixel(tmp_path_factory, seed, level, dtype, cut):
    rng = np.random.default_rng(seed)
    activations = rng.dirichlet(np.full(13, 0.4), SHAPE).transpose(2, 0, 1).astype(np.float32)
    valid = rng.random(SHAPE) < 0.9
    run, bands = run_of(tmp_path_factory.mktemp("r") / "run", activations, dtype, valid)
    grouping = common_grouping(LULC13, CLC, level)
    rolled = rolled_up(run.labels(), Activations.of(run), grouping)
    ids = rolled.read()
    assert (ids[~valid] == 255).all()
    alone = [(i,) for i in grouping.ignored_classes]
    groups = sorted([*(g.members for g in grouping.groups), *alone])
    exact = bands[1:].astype(np.int64 if dtype == "uint8" else np.float32)
    sums = np.array([sum(exact[i - 1] for i in group) for group in groups])
    # No class is lost and none counted twice: the sums of the groups are those of the classes.
    assert sums.sum(axis=0)[valid] == pytest.approx(exact.sum(axis=0)[valid])
    expected = np.array([group[0] for group in groups])[sums.argmax(axis=0)]
    if dtype == "uint8":
        assert (ids[valid] == expected[valid]).all()
    else:
        assert (ids[valid] == expected[valid]).mean() > 0.99
    parts = [rolled.read(Window(0, 0, 30, cut)), rolled.crop(Window(0, cut, 30, 40 - cut)).read()]
    assert (np.concatenate(parts) == ids).all()


def test_rows_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    activations = rng.dirichlet(np.full(13, 0.4), SHAPE).transpose(2, 0, 1).astype(np.float32)
    run, _ = run_of(tmp_path / "run", activations)
    grouping = common_grouping(LULC13, CLC, "2")
    whole = rolled_up(run.labels(), Activations.of(run), grouping).read()
    monkeypatch.setattr(rollup, "ROWS", 7)
    assert (rolled_up(run.labels(), Activations.of(run), grouping).read() == whole).all()


def test_regions_and_comparisons_roll_up_too(tmp_path):
    first, _ = run_of(tmp_path / "a", activations_of(c7=0.3, c8=0.3, c11=0.4))
    other = activations_of(c11=1)
    other[:, :, :10] = activations_of(c7=0.3, c8=0.3, c11=0.4)[:, :, :10]
    second, _ = run_of(tmp_path / "b", other)
    truth = reference_of(tmp_path / "truth.tif", 312)
    compared = compare(first, second, truth, level="2")
    assert (compared.a.accuracy, compared.b.accuracy) == (1, pytest.approx(1 / 3))
    recoded = compare(first, second, truth, level="2", rollup="winners")
    assert (recoded.a.accuracy, recoded.b.accuracy) == (0, 0)
    left = Region.box((500000, 6700000, 500200, 6700400), "EPSG:3067")
    part = evaluate(second, truth, level="2", region=left)
    assert part.accuracy == 0.5 and part.choices["region"]["crs"] == "EPSG:3067"
    evaluate(first, truth, level="2")
    evaluate(second, truth, level="2", rollup="winners")
    stored = compare(first, second, level="2")
    assert stored.a is None and any("different ways" in note for note in stored.notes)


def test_a_map_of_classes_rolls_up_by_its_winners(tmp_path):
    run, bands = run_of(tmp_path / "run", activations_of(c7=1))
    with rasterio.open(run.map_path, "w", **grid_profile(count=1, dtype="uint8")) as file:
        file.write(bands[:1])
    truth = reference_of(tmp_path / "truth.tif", 312)
    assert evaluate(run, truth, level="2").choices["rollup"] == "winners"
    with pytest.raises(LegendError, match="classes only"):
        evaluate(run, truth, level="2", rollup="activations")
    with pytest.raises(LegendError, match="one of activations, winners"):
        evaluate(run, truth, rollup="median")


def test_evaluations_of_different_rollups_do_not_add_up(tmp_path):
    run, _ = run_of(tmp_path / "run", activations_of(c7=1))
    truth = reference_of(tmp_path / "truth.tif", 312)
    first, second = (evaluate(run, truth, level="2", rollup=way) for way in rollup.ROLLUPS)
    assert (first + first).pixels.scored == 2 * first.pixels.scored
    with pytest.raises(LegendError, match="roll-ups"):
        _ = first + second


def test_an_id_of_three_digits_cannot_be_rolled_up(tmp_path):
    labels = LabelMap.from_array(np.full(SHAPE, 312, np.uint16), GRID, CLC)
    run, _ = run_of(tmp_path / "run", activations_of(c7=1))
    with pytest.raises(LegendError, match="254 classes"):
        rolled_up(labels, Activations.of(run), common_grouping(CLC, CLC, "2"))
