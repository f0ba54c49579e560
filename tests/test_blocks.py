"""Intervals from blocks of ground."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from scipy import stats

from lulc.blocks import Sheet, SpatialBlocks
from lulc.bootstrap import LEAST_BLOCKS, Units, _errors, differences, intervals
from lulc.errors import LegendError, ReferenceDataError
from lulc.evaluation import count
from lulc.grouping import common_grouping
from lulc.lakeland import noise
from lulc.legend import Legend
from lulc.reference import LabelMap
from lulc.scores import Evaluation
from lulc.strips import Strips

LULC13 = Legend.load("lulc13")
SIZE = 256


def labels(ids):
    height, width = ids.shape
    box = (500000, 6700000, 500000 + 10 * width, 6700000 + 10 * height)
    grid = GeoBox.from_bbox(box, "EPSG:3067", shape=ids.shape)
    return LabelMap.from_array(ids.astype(np.uint8), grid, LULC13)


def field(name, scale):
    y, x = np.arange(SIZE)[:, None], np.arange(SIZE)[None, :]
    return noise.smooth(noise.key(3, name), y, x, scale)


@pytest.fixture(scope="module")
def ground():
    """A truth of three classes, and two maps with patches of errors."""
    truth = np.where(field("land", 12) < 0, 5, np.where(field("wood", 8) < 0.5, 6, 13))
    wrong = field("wrong", 5)
    first = np.where(wrong > 1.2, 5, truth)
    second = np.where(wrong > 1.6, 5, truth)
    return truth, first, second


def evaluated(prediction, truth, parts=("intervals",)):
    prediction, reference = labels(prediction), labels(truth)
    return count(Strips(prediction, reference, common_grouping(LULC13, LULC13)), parts)


def test_squares_hold_every_scored_pixel(ground):
    truth, first, _ = ground
    gaps = np.where(field("gap", 20) > 1, 255, first)
    found = evaluated(gaps, truth)
    [sheet] = found.parts["intervals"].sheets
    assert (sheet.matrices.sum(axis=(0, 1)) == found.matrix).all()
    for side in (10, 85, 500, 9e9):
        assert (sheet.joined(side).sum(axis=0) == found.matrix).all()
    rows = int(sheet.side / 10)
    corner = np.s_[:rows, :rows]
    both = (gaps != 255)[corner]
    assert sheet.matrices[0, 0].sum() == both.sum()
    assert np.trace(sheet.matrices[0, 0]) == (gaps == truth)[corner][both].sum()


@pytest.mark.parametrize("rows", [1, 7, 64, 100])
def test_any_strips_give_the_same(ground, rows):
    truth, first, _ = ground
    whole = Strips(labels(first), labels(truth), common_grouping(LULC13, LULC13))
    tally = SpatialBlocks.tally(whole)
    slab = next(whole.read())
    for top in range(0, SIZE, rows):
        tally.add(slab.part(Window(0, top, SIZE, min(rows, SIZE - top))))
    assert tally.result().to_dict() == evaluated(first, truth).parts["intervals"].to_dict()


def test_pairs_are_those_counted_one_by_one(ground):
    truth, first, _ = ground
    small = np.s_[:24, :24]
    [sheet] = evaluated(first[small], truth[small]).parts["intervals"].sheets
    wrong = (first != truth)[small]
    places = np.argwhere(np.ones_like(wrong))
    lags = np.rint(np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))).astype(int)
    both = wrong.ravel()[:, None] & wrong.ravel()[None]
    number = len(sheet.pairs)
    assert (np.bincount(lags.ravel())[:number] == sheet.pairs).all()
    assert (np.bincount(lags[both], minlength=number)[:number] == sheet.both).all()


def test_errors_at_random_are_unlike_and_patches_are_as_long_as_they_are():
    truth = np.full((SIZE, SIZE), 5)
    rng = np.random.default_rng(0)
    alone = evaluated(np.where(rng.random(truth.shape) < 0.2, 6, truth), truth)
    pixel = 10 * np.sqrt(np.pi / 4)  # a disc of one pixel's width: nothing beside it counts
    assert alone.parts["intervals"].length == pytest.approx(pixel)
    squares = np.kron(rng.random((16, 16)) < 0.3, np.ones((16, 16), bool))
    patches = evaluated(np.where(squares, 6, truth), truth)
    assert patches.parts["intervals"].length == pytest.approx(160, rel=0.15)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_pixel_is_as_wrong_as_itself(right, wrong):
    """The first correlation is 1, and rounding makes no more of it."""
    pairs, both = np.array([right + wrong]), np.array([wrong])
    [found] = Sheet(np.zeros((1, 1, 1, 1), int), 10.0, pairs, both, 10.0).correlation
    assert found <= 1 and found == pytest.approx(1)


def test_standard_errors_are_the_derivatives(ground):
    truth, first, _ = ground
    blocks = Units(evaluated(first, truth).parts["intervals"].sized(320).matrices)
    number, step = len(blocks.matrices), 1e-6
    scores = blocks.scores(np.ones((1, number)))
    with np.errstate(invalid="ignore"):
        moved = blocks.scores(np.ones((number, number)) + step * np.eye(number))
        pulls = (moved.values - scores.values) / step
    expected = np.sqrt((pulls**2).sum(axis=0) * number / (number - 1))
    found = _errors(scores.draws, scores.terms, scores.pulls())[0]
    assert found == pytest.approx(expected, abs=1e-5, nan_ok=True)
    assert (scores.values[0, -8::2] > 0).all()


def test_scores_of_blocks_are_those_of_the_whole(ground):
    truth, first, _ = ground
    found = evaluated(first, truth)
    blocks = Units(found.parts["intervals"].matrices)
    values = blocks.scores(np.ones((1, len(blocks.matrices)))).values[0]
    assert values[:13] == pytest.approx(found.precision, nan_ok=True)
    assert values[26:39] == pytest.approx(found.f1, nan_ok=True)
    assert values[blocks.accuracy] == pytest.approx(found.accuracy)
    averages = [
        found.average(m, how)
        for m in ("precision", "recall", "f1", "iou")
        for how in ("macro", "weighted")
    ]
    assert values[blocks.accuracy + 1 :] == pytest.approx(averages)


def test_intervals_stand_beside_the_scores(ground):
    truth, first, _ = ground
    data = evaluated(first, truth).to_dict()
    for row in data["classes"]:
        if row["support"]:
            low, high = row["f1_ci"]
            assert 0 <= low < row["f1"] < high <= 1
        else:
            assert row["recall_ci"] is None
    assert data["accuracy_ci"][0] < data["accuracy"] < data["accuracy_ci"][1]
    assert data["macro_f1_ci"][0] < data["macro_f1"] < data["macro_f1_ci"][1]
    assert evaluated(first, truth).to_dict() == data
    assert Evaluation.from_dict(json.loads(json.dumps(data))).to_dict() == data
    assert "f1_ci" not in evaluated(first, truth, ()).to_dict()["classes"][0]


def test_text_has_intervals(ground):
    truth, first, _ = ground
    found = evaluated(first, truth)
    low, high = found.to_dict()["macro_f1_ci"]
    assert "95 % of F1" in str(found) and f"{low:.3f}–{high:.3f}" in str(found)
    said = str(found.parts["intervals"])
    assert "correlation lengths" in said and "want of blocks" not in said
    corner = truth.copy()
    corner[:20, :20] = 7
    rare = evaluated(np.where(field("wrong", 5) > 1.2, 5, corner), corner).parts["intervals"]
    assert str(rare.sized(320)).endswith(f"(fewer than 8): {LULC13.by_id[7].name}.")


def test_few_blocks_are_said_and_too_few_refused(ground):
    truth, first, _ = ground
    found = evaluated(first, truth)
    few = found.parts["intervals"].sized(640)
    assert few.given == 640 and LEAST_BLOCKS < few.number < 20
    assert "16 blocks of 640 m" in few.warnings[0]
    none = found.parts["intervals"].sized(1280)
    assert none.bounds.of_all()["accuracy_ci"] is None
    for side in (0, -1, np.nan, np.inf):
        with pytest.raises(ReferenceDataError, match="above 0"):
            found.parts["intervals"].sized(side)


def test_what_is_right_everywhere_has_no_interval(ground):
    truth, *_ = ground
    data = evaluated(truth, truth).to_dict()
    assert data["accuracy"] == 1 and data["accuracy_ci"] is None
    assert data["intervals"]["length"] is not None


def test_areas_add_up(ground):
    truth, first, _ = ground
    upper, lower = (evaluated(first[rows], truth[rows]) for rows in (np.s_[:128], np.s_[128:]))
    both = upper + lower
    part = both.parts["intervals"]
    assert (part.matrices.sum(axis=0) == both.matrix).all()
    assert SpatialBlocks.from_dict(part.to_dict()).to_dict() == part.to_dict()


def test_a_difference_is_surer_than_two_scores(ground):
    truth, first, second = ground
    a, b = (evaluated(m, truth).parts["intervals"] for m in (first, second))
    there, back = b.less(a).averages["accuracy"], a.less(b).averages["accuracy"]
    assert there[0] > 0 and there == pytest.approx(-back[::-1])
    apart = np.diff(a.bounds.averages["accuracy"]) + np.diff(b.bounds.averages["accuracy"])
    assert np.diff(there) < apart / 2
    assert np.isnan(a.less(a).averages["accuracy"]).all()
    other = evaluated(np.where(field("gap", 20) > 1, 255, first), truth).parts["intervals"]
    with pytest.raises(LegendError, match="different pixels"):
        a.less(other)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_hardly_a_block(number):
    matrices = np.ones((number, 3, 3), int)
    assert np.isnan(intervals(matrices).averages["accuracy"]).all()
    assert np.isnan(differences(matrices, matrices).averages["accuracy"]).all()


def test_independent_blocks_give_the_textbook_interval():
    """Many equal blocks: the normal interval of a mean."""
    rng = np.random.default_rng(0)
    right = rng.binomial(100, 0.7, 2000)
    matrices = np.zeros((2000, 2, 2), int)
    matrices[:, 0, 0], matrices[:, 0, 1] = right, 100 - right
    low, high = intervals(matrices, resamples=4000).averages["accuracy"]
    half = 1.96 * right.std() / 100 / np.sqrt(2000)
    assert (low, high) == pytest.approx(
        (right.mean() / 100 - half, right.mean() / 100 + half), abs=half / 10
    )


def test_few_blocks_widen_an_interval_as_student_does():
    """Twice the blocks of the same: narrower by the root of 2, and by the quantiles of t."""
    rng = np.random.default_rng(1)
    right = rng.binomial(100, 0.7, 12)
    matrices = np.zeros((12, 2, 2), int)
    matrices[:, 0, 0], matrices[:, 0, 1] = right, 100 - right
    units = Units(matrices)
    assert units.widening[units.accuracy] == pytest.approx(stats.t.ppf(0.975, 11) / 1.959964)
    assert Units(np.repeat(matrices, 100, axis=0)).widening[units.accuracy] < 1.002


def test_a_difference_of_a_few_pixels_has_no_interval():
    """Two precisions of 0.999: a pixel here and there, or many in a single block, tell nothing."""
    rng = np.random.default_rng(2)
    first = np.zeros((200, 2, 2), int)
    first[:, 0, 0], first[:, 1, 1] = 1000, rng.integers(300, 500, 200)
    first[::20, 1, 0] = 1
    first[:, 0, 1] = rng.integers(20, 60, 200)

    def moved(blocks, pixels):
        second = first.copy()
        second[blocks, 1, 0] += pixels
        second[blocks, 1, 1] -= pixels
        second[:, 0, 1] -= 10
        second[:, 0, 0] += 10
        return differences(first, second)

    for few in (moved(slice(0, 5), 1), moved(slice(0, 1), 90)):
        assert np.isnan(few.ratios["precision"][0]).all() and few.alike["precision"][0]
        assert not np.isnan(few.ratios["precision"][1]).any() and not few.alike["precision"][1]
        assert not np.isnan(few.averages["macro_precision"]).any()
    enough = moved(slice(0, 90), 1)
    assert not np.isnan(enough.ratios["precision"][0]).any() and not enough.alike["precision"][0]
