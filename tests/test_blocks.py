"""Intervals from blocks of ground."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from scipy import stats
from threadpoolctl import threadpool_info, threadpool_limits

from lulc import bootstrap, cautious, tables
from lulc.blocks import SpatialBlocks
from lulc.bootstrap import ENOUGH_BLOCKS, LEAST_BLOCKS, differences, intervals
from lulc.counts import RATIOS
from lulc.errors import LegendError, ReferenceDataError
from lulc.evaluation import count
from lulc.grouping import common_grouping
from lulc.lakeland import noise
from lulc.legend import Legend
from lulc.reference import LabelMap
from lulc.scores import Evaluation
from lulc.sheet import Sheet
from lulc.squares import Squares
from lulc.strips import Strips
from lulc.units import Units

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
    assert (sheet.squares.counts.sum(axis=(0, 1)) == found.matrix).all()
    for side in (10, 85, 500, 9e9):
        assert (sheet.joined(side).sum(axis=0) == found.matrix).all()
    rows = int(sheet.side / 10)
    corner = np.s_[:rows, :rows]
    both = (gaps != 255)[corner]
    square = sheet.squares.counts[0, 0]
    assert square.sum() == both.sum()
    assert np.trace(square) == (gaps == truth)[corner][both].sum()


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.tuples(st.integers(1, 4)) | st.just((2, 3)))
def test_squares_survive_json_and_joining_loses_nothing(seed, times, shape):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 6, 2)
    counts = rng.integers(0, 4, (rows, columns, *shape)) * rng.integers(1, 10**9)
    found = Squares(counts)
    back = Squares.from_dict(json.loads(json.dumps(found.to_dict())), shape)
    assert back.counts.dtype == np.int64 and (back.counts == counts).all()
    joined = found.joined(times)
    assert (joined.sum(axis=0) == counts.sum(axis=(0, 1))).all()
    assert (joined[0] == counts[:times, :times].sum(axis=(0, 1))).all()
    with pytest.raises((ValueError, KeyError)):
        Squares.from_dict({**found.to_dict(), "rows": int(rows) + 1}, shape)


def test_intervals_do_not_wait_for_threads(ground, monkeypatch):
    """Small products of matrices in several threads take long beside other work."""

    def threads():
        blas = [each for each in threadpool_info() if each["user_api"] == "blas"]
        return [each["num_threads"] for each in blas if each["num_threads"] != 1]

    seen = []
    draw = bootstrap.drawn_anew
    monkeypatch.setattr(bootstrap, "drawn_anew", lambda *a: (seen.append(threads()), draw(*a))[1])
    truth, first, second = ground
    with threadpool_limits(2, "blas"):
        blocks = [evaluated(ids, truth).blocks for ids in (first, second)]
        assert blocks[0].bounds and blocks[0].less(blocks[1])
        assert seen == [[], []] and threads()


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
    [found] = Sheet(Squares(np.zeros((1, 1, 1, 1), int)), 10.0, pairs, both, 10.0).correlation
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
    assert blocks.errors == pytest.approx(expected, abs=1e-5, nan_ok=True)
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
            assert 0 <= low < row["f1"] < high <= 1 and "f1" not in row["cautious"]
        else:
            assert row["recall_ci"] is None and "recall" not in row["cautious"]
    assert data["accuracy_ci"][0] < data["accuracy"] < data["accuracy_ci"][1]
    assert data["macro_f1_ci"][0] < data["macro_f1"] < data["macro_f1_ci"][1]
    assert evaluated(first, truth).to_dict() == data
    written = json.loads(json.dumps(data))
    assert Evaluation.from_dict(written).to_dict() == data
    # As it was written before there were cautious intervals.
    for scores in (written, *written["classes"]):
        del scores["cautious"]
    assert Evaluation.from_dict(written).to_dict() == data
    assert "f1_ci" not in evaluated(first, truth, ()).to_dict()["classes"][0]


def test_text_has_intervals(ground):
    truth, first, _ = ground
    found = evaluated(first, truth)
    low, high = found.to_dict()["macro_f1_ci"]
    assert "95 % of F1" in str(found) and f"{low:.3f}–{high:.3f}" in str(found)
    assert "correlation lengths" in found.parts["intervals"].text()
    assert "~" not in str(found).split("\n\n")[0]


def test_a_class_in_a_corner_has_a_cautious_interval_and_it_is_said(ground, tmp_path):
    """It had none: all of its pixels are in one block or two."""
    truth, *_ = ground
    corner = truth.copy()
    corner[:40, :40] = 7
    rare = evaluated(np.where(field("wrong", 5) > 0.4, 5, corner), corner)
    rare.parts["intervals"] = rare.parts["intervals"].sized(320)
    data = rare.to_dict()
    row = next(c for c in data["classes"] if c["id"] == 7)
    low, high = row["f1_ci"]
    assert low < row["f1"] < high and high - low > 0.9
    assert row["cautious"] == ["precision", "recall", "f1", "iou"]
    [said] = data["warnings"][-1:]
    assert "cautious" in said and f"; {row['name']}; " in said
    assert said.endswith("macro recall, macro F1, macro IoU.")
    assert said in str(rare) and f"~{low:.3f}–{high:.3f}" in str(rare)
    assert said in tables.markdown(rare)
    tables.write(rare, tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open() as file:
        cells = {c["id"]: c["cautious"] for c in csv.DictReader(file)}
    assert cells["7"] == "precision recall f1 iou" and cells["13"] == "precision"


def test_few_blocks_are_said(ground):
    truth, first, _ = ground
    found = evaluated(first, truth)
    enough = found.parts["intervals"].sized(480)
    assert enough.number >= ENOUGH_BLOCKS and not any("blocks of" in w for w in enough.warnings)
    few = found.parts["intervals"].sized(640)
    assert few.given == 640 and LEAST_BLOCKS < few.number < ENOUGH_BLOCKS
    assert "16 blocks of 640 m, which is too few" in few.warnings[0]
    fewer = found.parts["intervals"].sized(1280)
    assert "4 blocks of 1,280 m" in fewer.warnings[0] and "all averages" in fewer.warnings[1]
    one = found.parts["intervals"].sized(1e5)
    assert "rest on 1 block of" in one.warnings[0] and "from 1 block of" in one.text()
    said = [blocks.bounds.cautious["accuracy"] for blocks in (enough, few, fewer)]
    assert said == [False, True, True]
    widths = [np.diff(blocks.bounds.averages["accuracy"]) for blocks in (enough, few, fewer)]
    assert widths[0] < widths[1] < widths[2] < 0.5
    for side in (0, -1, np.nan, np.inf):
        with pytest.raises(ReferenceDataError, match="above 0"):
            found.parts["intervals"].sized(side)


def test_a_region_that_cannot_tell_how_far_its_errors_are_alike_is_not_drawn_from():
    """It is known within two lengths in the region's. Of regions 9 lengths a side, some seemed to
    have 8 blocks and more, and were drawn from: those whose errors are alike over more."""
    truth = np.full((128, 128), 5)
    truth[:, :64] = 6
    found = []
    y, x = np.arange(128)[:, None], np.arange(128)[None, :]
    for seed in range(60):
        wrong = noise.smooth(noise.key(seed, "wrong"), y, x, 9) > 0.7
        found.append(evaluated(np.where(wrong, 13, truth), truth).parts["intervals"])
    lengths = np.array([blocks.length for blocks in found])
    across = 1280 / lengths.mean()
    assert 7 < across < 11 and 1.4 < lengths.std() / lengths.mean() * across < 2.6
    assert max(blocks.number for blocks in found) > LEAST_BLOCKS
    assert all(blocks.bounds.cautious["accuracy"] for blocks in found)


def test_what_is_right_everywhere_may_be_wrong_elsewhere(ground):
    """Without an error in K blocks a share of 1 - 0.025^(1/K) may be wrong; no draw has any."""
    truth, *_ = ground
    data = evaluated(truth, truth).to_dict()
    low, high = data["accuracy_ci"]
    assert data["accuracy"] == high == 1 and "accuracy" in data["cautious"]
    assert low == pytest.approx(0.025 ** (1 / data["intervals"]["number"]), abs=1e-4)
    assert data["micro_iou_ci"] == [low / (2 - low), 1] and "micro_iou" in data["cautious"]
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
    low, high = a.less(a).averages["accuracy"]
    assert low == pytest.approx(-high) and 0 < high < apart / 2
    other = evaluated(np.where(field("gap", 20) > 1, 255, first), truth).parts["intervals"]
    with pytest.raises(LegendError, match="different pixels"):
        a.less(other)


@pytest.mark.parametrize(
    ("number", "low", "high"), [(0, np.nan, np.nan), (1, 0, 1), (2, 0, 0.999), (5, 0.2189, 0.4642)]
)
def test_hardly_a_block(number, low, high):
    """One block tells nothing; five, all with a third right, are 5 x 5^2 draws for Student's 2."""
    matrices = np.ones((number, 3, 3), int)
    found = intervals(matrices)
    assert found.averages["accuracy"] == pytest.approx([low, high], abs=1e-3, nan_ok=True)
    assert found.cautious["accuracy"] == bool(number)
    low, high = differences(matrices, matrices).averages["accuracy"]
    assert low == pytest.approx(-high, nan_ok=True) and (not number or high > 0.1)


def test_hits_in_a_few_of_many_blocks_do_not_get_an_interval_of_everything():
    """Draws without the one block that matters have next to no standard error."""
    matrices = np.zeros((30, 2, 2), int)
    matrices[:, 0, 1], matrices[:, 1, 1] = np.random.default_rng(0).integers(20, 60, 30), 500
    matrices[:3, 0, 0] = 300, 150, 10
    found = intervals(matrices)
    low, high = found.ratios["recall"][0]
    assert found.cautious["recall"][0] and 0.03 < low < 0.27 < high < 0.7


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


def test_a_difference_of_a_few_pixels_has_a_cautious_interval():
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
        low, high = few.ratios["precision"][0]
        assert low < 0 < high < 0.01 and few.cautious["precision"][0]
        assert not np.isnan(few.ratios["precision"][1]).any() and not few.cautious["precision"][1]
        assert not few.cautious["macro_precision"]
    enough = moved(slice(0, 90), 1)
    assert not np.isnan(enough.ratios["precision"][0]).any() and not enough.cautious["precision"][0]


def test_draws_of_their_own_give_the_interval_of_clopper_and_pearson():
    """Blocks of one pixel each are the draws: of so many that Student's is the normal interval."""
    matrices = np.zeros((4000, 2, 2), int)
    matrices[:3000, 0, 0], matrices[3000:, 0, 1] = 1, 1
    units = Units(matrices)
    expected = stats.binomtest(3000, 4000).proportion_ci(0.95, method="exact")
    assert cautious.single(units)[units.accuracy] == pytest.approx(expected, abs=2e-5)


def test_a_macro_average_is_as_sure_as_its_rarest_class():
    """One class in a single block, whose F1 is anything elsewhere, moves the mean by a third."""
    rng = np.random.default_rng(4)
    matrices = np.zeros((100, 3, 3), int)
    for i, share in enumerate((0.7, 0.8)):
        matrices[:, i, i] = rng.binomial(1000, share, 100)
        matrices[:, i, 1 - i] = 1000 - matrices[:, i, i]
    common = intervals(matrices)
    assert not common.cautious["macro_f1"] and np.ptp(common.averages["macro_f1"]) < 0.02
    matrices[0, 2, 1:] = 40, 60
    rare = intervals(matrices)
    assert rare.cautious["f1"].tolist() == [False, False, True]
    assert rare.cautious["macro_f1"] and not rare.cautious["weighted_f1"]
    units = Units(matrices)
    value = units.values[units.macros[RATIOS.index("f1")]]
    low, high = rare.averages["macro_f1"]
    least, most = rare.ratios["f1"][2]
    f1 = 2 * 60 / (100 + 60)
    assert value - low == pytest.approx((f1 - least) / 3, abs=0.01) and value - low > 0.2
    assert high - value == pytest.approx((most - f1) / 3, abs=0.01)


#: Blocks of two groups with up to some pixels in each place.
COUNTS = st.integers(1, 12).flatmap(
    lambda number: st.lists(
        st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=number, max_size=number
    )
)


@given(COUNTS, st.floats(1, 3))
def test_a_cautious_interval_holds_its_score_and_widens_with_fewer_blocks(counts, stretch):
    matrices = np.array(counts).reshape(-1, 2, 2)
    few, many = Units(matrices), Units(np.repeat(matrices, 2, axis=0))
    wide, narrow, stretched = (
        cautious.single(few), cautious.single(many), cautious.single(few, stretch)
    )  # fmt: skip
    known = ~np.isnan(few.values)
    assert (np.isnan(wide[:, 0]) == ~known).all()
    (low, high), score = wide[known].T, few.values[known]
    assert (low >= 0).all() and (high <= 1).all()
    assert (low <= score + 1e-9).all() and (score <= high + 1e-9).all()
    for inner, outer in ((narrow, wide), (wide, stretched)):
        assert (outer[known, 0] <= inner[known, 0] + 1e-9).all()
        assert (outer[known, 1] >= inner[known, 1] - 1e-9).all()


@given(COUNTS, st.integers(0, 3), st.floats(1, 3))
def test_a_cautious_difference_holds_what_it_is_and_changes_its_sign(counts, turns, stretch):
    """The second map has the same reference, its classes exchanged in some blocks."""
    first = np.array(counts).reshape(-1, 2, 2)
    second = first.copy()
    second[:turns] = second[:turns, :, ::-1]
    old, new = Units(first), Units(second)
    errors = np.where(np.isnan(old.values), np.nan, 0.01)
    there = cautious.paired(old, new, errors, stretch)
    difference = new.values - old.values
    known = ~np.isnan(difference + there[:, 0])
    assert (np.abs(there[known]) <= 1).all()
    assert (there[known, 0] <= difference[known] + 1e-9).all()
    assert (difference[known] <= there[known, 1] + 1e-9).all()
    back = cautious.paired(new, old, errors, stretch)
    assert there[known] == pytest.approx(-back[known, ::-1], abs=1e-9)


def test_intervals_do_not_jump_where_they_become_cautious():
    """One block fewer than the draws need: as wide as with it, but for Student's quantile."""
    rng = np.random.default_rng(4)
    right = rng.binomial(100, 0.7, ENOUGH_BLOCKS)
    matrices = np.zeros((ENOUGH_BLOCKS, 2, 2), int)
    matrices[:, 0, 0], matrices[:, 0, 1] = right, 100 - right
    drawn, careful = intervals(matrices), intervals(matrices[:-1])
    assert careful.cautious["accuracy"] and not drawn.cautious["accuracy"]
    ratio = np.diff(careful.averages["accuracy"]) / np.diff(drawn.averages["accuracy"])
    assert 0.6 < ratio < 1.6


@pytest.mark.parametrize("texts", [["0:3 2:1", "", "11:7"], ["", ""], [""]])
def test_squares_are_read_back_from_text(texts):
    data = {"rows": 1, "columns": len(texts), "counts": texts}
    found = Squares.from_dict(data, (3, 4))
    assert found.to_dict() == data
    assert found.counts.sum() == sum(int(e.split(":")[1]) for t in texts for e in t.split())


@pytest.mark.parametrize("text", ["0:1.5", "a:1", "0:-1", "0:1 2", "0", ":", "0:1:2"])
def test_text_that_is_not_squares_is_refused(text):
    with pytest.raises(ValueError):
        Squares.from_dict({"rows": 1, "columns": 1, "counts": [text]}, (3, 4))
