"""Precision and recall by threshold of an activation, and their average."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, precision_recall_curve

from lulc.levels import LEVELS, VALUES, levels
from lulc.ranking import Ranking


def ranking(level, there):
    place = np.asarray(level) + LEVELS * np.asarray(there, int)
    return Ranking(np.bincount(place, minlength=2 * LEVELS).reshape(2, LEVELS))


@st.composite
def ranked(draw):
    """Levels, with ties and without, and which pixels are of the group: at least one."""
    n = draw(st.integers(1, 60))
    top = draw(st.sampled_from([3, LEVELS - 1]))
    level = draw(hnp.arrays(int, n, elements=st.integers(0, top)))
    there = draw(hnp.arrays(bool, n))
    there[draw(st.integers(0, n - 1))] = True
    return level, there


@given(ranked())
def test_equal_to_scikit_learn(pixels):
    level, there = pixels
    found = ranking(level, there)
    precision, recall, thresholds = precision_recall_curve(there, VALUES[level])
    np.testing.assert_array_equal(found.precision, precision[:-1])
    np.testing.assert_array_equal(found.recall, recall[:-1])
    np.testing.assert_array_equal(found.thresholds, thresholds)
    expected = average_precision_score(there, VALUES[level])
    assert found.average_precision == pytest.approx(expected, rel=1e-14)


@given(hnp.arrays(int, LEVELS, elements=st.integers(0, 1000)).filter(np.any))
def test_a_perfect_order_is_worth_one_and_no_more(there):
    """Whatever rounding leaves: a share above 1 would be none."""
    found = Ranking(np.stack([np.zeros(LEVELS, int), there]))
    assert found.average_precision <= 1 and found.average_precision == pytest.approx(1)
    assert all(end <= 1 and end == pytest.approx(1) for end in found.average_precision_range)


@given(ranked(), st.integers(0, 60))
def test_any_split_adds_up(pixels, cut):
    level, there = pixels
    parts = [ranking(level[:cut], there[:cut]), ranking(level[cut:], there[cut:])]
    np.testing.assert_array_equal(ranking(level, there).counts, parts[0].counts + parts[1].counts)


@given(ranked(), st.randoms(use_true_random=False))
def test_any_order_within_the_levels_is_in_the_range(pixels, random):
    level, there = pixels
    found = ranking(level, there)
    low, high = found.average_precision_range
    jitter = np.array([random.uniform(-0.499, 0.499) for _ in level])
    exact = ((level + jitter) / (LEVELS - 1)).astype(np.float32)
    np.testing.assert_array_equal(levels(exact.clip(0)), level)
    assert low - 1e-6 <= average_precision_score(there, exact) <= high + 1e-6
    assert low - 1e-9 <= found.average_precision <= high + 1e-9
    best = level + there * 0.1
    worst = level - there * (0.1 + np.arange(len(level)) / 1000)
    assert low == pytest.approx(average_precision_score(there, worst), rel=1e-9)
    assert high == pytest.approx(average_precision_score(there, best), rel=1e-9)


@given(ranked())
def test_best_threshold_is_the_best_of_all(pixels):
    level, there = pixels
    threshold, f1 = ranking(level, there).best

    def f1_of(limit):
        kept = level >= limit
        return 2 * (kept & there).sum() / (kept.sum() + there.sum())

    scores = [f1_of(limit) for limit in np.unique(level)]
    assert f1 == pytest.approx(max(scores))
    assert f1_of(round(threshold * (LEVELS - 1))) == pytest.approx(f1)


def test_without_a_pixel_of_the_group_nothing_is_defined():
    found = ranking([3, 200], [False, False])
    assert np.isnan(found.recall).all()
    assert np.isnan(found.f1).all()
    assert np.isnan([found.average_precision, *found.average_precision_range, *found.best]).all()
    assert found.prevalence == 0
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["average_precision"] is None
    assert data["best_f1"] is None
    assert all(point["recall"] is None for point in data["curve"])


def test_curve_of_the_document_is_that_of_the_counts():
    found = ranking([10, 20, 20, 240], [False, True, False, True])
    curve = {point["threshold"]: point for point in found.to_dict()["curve"]}
    assert curve[0.0]["precision"] == 0.5
    assert curve[0.08] == {"threshold": 0.08, "precision": 2 / 3, "recall": 1.0, "f1": 0.8}
    assert curve[0.96] == {"threshold": 0.96, "precision": 1.0, "recall": 0.5, "f1": 2 / 3}
    assert curve[1.0] == {"threshold": 1.0, "precision": None, "recall": None, "f1": None}
