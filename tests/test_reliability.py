"""Whether activations are the shares they claim: curves, ECE and Brier score."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss

from lulc import evaluation, levelcounts
from lulc.activations import probabilities, summed
from lulc.errors import LegendError
from lulc.evaluation import Evaluation, evaluate
from lulc.grouping import Group, common_grouping
from lulc.histograms import Histograms, count, nothing
from lulc.legend import Legend
from lulc.levelcounts import count_steps
from lulc.levels import BIN, BINS, LEVELS, VALUES, by_bin, levels
from lulc.mapfile import ACTIVATION_SCALE
from tests import workspaces


def groups(*members):
    return tuple(Group(m[0], f"group {m[0]}", "#000000", tuple(m), tuple(m)) for m in members)


FOUR = groups((1,), (2,), (3,), (4,))
PAIRS = groups((1, 2), (3,), (4,))


def softmax(seed, shape=(40, 50), classes=4, sharpness=2.0):
    """Activations (class, y, x) and a truth drawn from them, so that they are calibrated."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, sharpness, (classes, *shape))
    shares = np.exp(logits) / np.exp(logits).sum(axis=0)
    truth = (random.random(shape) > shares.cumsum(axis=0)[:-1]).sum(axis=0)
    return shares.astype(np.float32), truth.astype(np.int16)


def counted(activations, truth, told_apart=FOUR, rounded=False):
    mapped = activations.argmax(axis=0).astype(np.int16)
    return count(told_apart, activations, truth, mapped, rounded)


def of_steps(told_apart, steps, truth, mapped):
    members = [len(group.members) for group in told_apart]
    found = count_steps(members, steps, truth, mapped, np.zeros(truth.shape[1], int))
    return Histograms.of(told_apart, found, rounded=True)


def stored(activations):
    """As a uint8 map holds them."""
    return np.rint(activations / ACTIVATION_SCALE).astype(np.uint8)


def test_bins_are_equal_and_hold_all_levels():
    assert np.bincount(BIN).tolist() == [26] + [25] * (BINS - 1)
    assert by_bin(np.ones(LEVELS, int)).sum() == LEVELS
    np.testing.assert_array_equal(levels(VALUES.astype(np.float32)), np.arange(LEVELS))
    assert levels(np.float32(1.008)) == LEVELS - 1


@pytest.mark.parametrize("seed", range(3))
def test_curve_equals_scikit_learn_on_the_stored_values(seed):
    activations, truth = softmax(seed)
    steps = stored(activations)
    found = counted(probabilities(steps, [[0], [1], [2], [3]]), truth, rounded=True)
    for g, reliability in enumerate(found.reliabilities):
        observed, confidence = calibration_curve(
            (truth == g).ravel(), VALUES[steps[g].ravel()], n_bins=BINS
        )
        full = reliability.pixels > 0
        np.testing.assert_allclose(reliability.observed[full], observed)
        np.testing.assert_allclose(reliability.confidence[full], confidence, rtol=1e-6)
        weights = reliability.pixels[full] / truth.size
        assert reliability.ece == pytest.approx((weights * abs(observed - confidence)).sum())


@pytest.mark.parametrize(
    ("told_apart", "bands"), [(FOUR, [[0], [1], [2], [3]]), (PAIRS, [[0, 1], [2], [3]])]
)
def test_steps_of_bytes_give_what_their_activations_give(told_apart, bands):
    """Sums above 1 and pixels of no group too, whatever is counted at once."""
    activations, truth = softmax(4)
    steps = stored(activations)
    steps[:2, 0] = 130  # 1.04 together
    truth = np.where(truth < len(told_apart), truth, -1).astype(np.int16)
    mapped = summed(steps, bands).argmax(axis=0).astype(np.int16)
    slow = count(told_apart, probabilities(steps, bands), truth, mapped, True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levelcounts, "CHUNK", 300)
        fast = of_steps(told_apart, summed(steps, bands), truth, mapped)
    for name in ("counts", "mapped_counts"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name))
    for name in ("sums", "mapped_sums", "squares"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-6)
    assert fast.rounded and fast.groups == slow.groups
    empty = of_steps(told_apart, summed(steps, bands), np.full_like(truth, -1), mapped)
    assert empty.to_dict() == replace(nothing(told_apart), rounded=True).to_dict()


@pytest.mark.parametrize("seed", range(3))
def test_brier_score_equals_scikit_learn(seed):
    activations, truth = softmax(seed)
    each = [
        brier_score_loss((truth == g).ravel(), np.clip(a.ravel(), 0, 1))
        for g, a in enumerate(activations)
    ]
    assert counted(activations, truth).brier == pytest.approx(sum(each))


def test_overall_is_of_the_mapped_group():
    activations, truth = softmax(5)
    found = counted(activations, truth)
    confidence = activations.max(axis=0).astype(float)
    right = activations.argmax(axis=0) == truth
    assert found.overall.counts[1].sum() == right.sum()
    assert found.overall.overconfidence == pytest.approx(confidence.mean() - right.mean())
    bins = BIN[levels(confidence)]
    gaps = [abs((right - confidence)[bins == b].sum()) for b in range(BINS)]
    assert found.overall.ece == pytest.approx(sum(gaps) / truth.size)


def test_calibrated_activations_have_a_small_error_and_sharpened_ones_do_not():
    activations, truth = softmax(1, (300, 300))
    honest = counted(activations, truth)
    sharp = activations**3 / (activations**3).sum(axis=0)
    boastful = counted(sharp.astype(np.float32), truth)
    assert honest.overall.ece < 0.01 < 0.1 < boastful.overall.ece
    assert boastful.overall.overconfidence == pytest.approx(boastful.overall.ece, abs=0.01)
    assert boastful.brier > honest.brier


@pytest.mark.parametrize("told_apart", [FOUR, PAIRS])
@pytest.mark.parametrize("seed", range(4))
def test_loss_through_rounding_is_within_what_is_stated(told_apart, seed):
    activations, truth = softmax(seed, sharpness=1 + seed)
    bands = [[m - 1 for m in group.members] for group in told_apart]
    truth = np.array([next(i for i, b in enumerate(bands) if c in b) for c in range(4)])[truth]
    exact = probabilities(activations, bands)
    mapped = exact.argmax(axis=0)
    rounded = probabilities(stored(activations), bands)
    fine = count(told_apart, exact, truth, mapped, rounded=False)
    coarse = count(told_apart, rounded, truth, mapped, rounded=True)
    assert fine.brier_loss == fine.ece_loss == 0
    assert 0 < abs(fine.brier - coarse.brier) <= coarse.brier_loss < 0.01
    assert abs(fine.overall.ece - coarse.overall.ece) <= coarse.ece_loss
    for g, group in enumerate(told_apart):
        ours, theirs, loss = fine.reliabilities[g], coarse.reliabilities[g], coarse.ece_losses[g]
        assert abs(ours.ece - theirs.ece) <= loss
        if len(group.members) == 1:
            assert loss == ACTIVATION_SCALE / 2
            low, high = coarse.rankings[g].average_precision_range
            there = (truth == g).ravel()
            assert low <= average_precision_score(there, exact[g].ravel()) <= high


@given(st.integers(0, 40), st.integers(0, 50), st.integers(0, 9))
def test_any_split_adds_up(row, column, seed):
    activations, truth = softmax(seed)
    truth[::7, ::3] = -1
    whole = counted(activations, truth)
    total = nothing(FOUR)
    for rows in (slice(None, row), slice(row, None)):
        for columns in (slice(None, column), slice(column, None)):
            total += counted(activations[:, rows, columns], truth[rows, columns])
    np.testing.assert_array_equal(total.counts, whole.counts)
    np.testing.assert_array_equal(total.mapped_counts, whole.mapped_counts)
    np.testing.assert_allclose(total.sums, whole.sums, rtol=1e-9)
    np.testing.assert_allclose(total.mapped_sums, whole.mapped_sums, rtol=1e-9)
    assert total.brier == pytest.approx(whole.brier)


def test_other_groups_cannot_be_added():
    with pytest.raises(LegendError, match="different groups"):
        nothing(FOUR) + nothing(PAIRS)


def test_nothing_scored_is_undefined_and_json():
    data = nothing(FOUR).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False))["overall"]["ece"] is None
    assert data["overall"]["brier"] is None
    assert Histograms.from_dict(data).to_dict() == data


def test_pixels_without_data_are_not_counted():
    activations, truth = softmax(2)
    whole = counted(activations, truth)
    truth[:20] = -1
    activations[:, :20] = np.nan
    half = count(FOUR, activations, truth, np.nan_to_num(activations).argmax(axis=0), False)
    assert half.pixels == whole.pixels // 2
    assert np.isfinite(half.brier)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return workspaces.make(tmp_path_factory.mktemp("workspace"), size=128)


def test_evaluation_holds_them_and_comes_back(workspace):
    run = workspace / "runs" / "run-a"
    found = evaluate(run, workspace / "references" / "sample-truth.tif")
    part = found.parts["activations"]
    assert part.rounded
    assert part.pixels == found.pixels.scored
    assert part.overall.counts[1].sum() == np.trace(found.matrix)
    np.testing.assert_array_equal(part.counts[:, 1].sum(axis=1), found.support)
    again = Evaluation.load(evaluation.evaluation_path(run))
    assert again.to_dict() == found.to_dict()
    assert again.parts["activations"].brier == part.brier
    assert (found + again).parts["activations"].pixels == 2 * part.pixels


def test_merged_groups_are_counted_by_their_sums(workspace):
    run = workspace / "runs" / "run-a"
    found = evaluate(run, workspace / "references" / "sample-corine.tif", level="1")
    merged = common_grouping(Legend.load("lulc13"), Legend.load("clc-fi"), "1").groups
    part = found.parts["activations"]
    assert part.groups == merged
    assert part.pixels == found.pixels.scored
    assert max(part.ece_losses) > ACTIVATION_SCALE / 2
