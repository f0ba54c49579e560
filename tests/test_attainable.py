"""The F1 that a perfect map gets from labels that are partly wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import cohen_kappa_score, f1_score

from lulc.attainable import MODELS, Attainable, proportional, symmetric
from lulc.cli import main
from lulc.errors import LegendError, ReferenceDataError
from lulc.evaluation import Evaluation, evaluate
from tests import workspaces

SHARES = hnp.arrays(float, st.integers(2, 13), elements=st.floats(0.01, 1))


def drawn(model, share, accuracy, size, seed=0):
    """A truth and labels of it, wrong in one of the two ways, for `size` pixels."""
    random = np.random.default_rng(seed)
    n = len(share)
    truth = random.choice(n, size, p=share)
    if model == "symmetric":
        wrong = (truth + random.integers(1, n, size)) % n
        return truth, np.where(random.random(size) < accuracy, truth, wrong)
    luck = (share**2).sum()
    known = (accuracy - luck) / (1 - luck)
    return truth, np.where(random.random(size) < known, truth, random.choice(n, size, p=share))


@pytest.mark.parametrize("accuracy", [0.7, 0.8, 0.95])
@pytest.mark.parametrize("model", MODELS)
def test_simulated_labels_give_the_f1(model, accuracy):
    share = np.array([0.5, 0.3, 0.12, 0.08])
    truth, labels = drawn(model, share, accuracy, 400_000)
    assert (truth == labels).mean() == pytest.approx(accuracy, abs=0.003)
    band = {"symmetric": symmetric, "proportional": proportional}[model]
    found = band(np.bincount(labels, minlength=4), accuracy)
    np.testing.assert_allclose(found, f1_score(labels, truth, average=None), atol=0.01)


@given(SHARES, st.floats(0, 1))
def test_symmetric_is_that_of_the_expected_counts(share, accuracy):
    share = share / share.sum()
    n = len(share)
    assume(accuracy * n > 1.01)
    joint = share[:, None] * np.full((n, n), (1 - accuracy) / (n - 1))
    np.fill_diagonal(joint, share * accuracy)
    expected = 2 * np.diagonal(joint) / (share + joint.sum(axis=0))
    np.testing.assert_allclose(symmetric(joint.sum(axis=0), accuracy), expected, atol=1e-6)


@given(SHARES, st.floats(0, 1))
def test_proportional_is_that_of_the_expected_counts(share, accuracy):
    share = share / share.sum()
    luck = (share**2).sum()
    assume(accuracy > luck)
    known = (accuracy - luck) / (1 - luck)
    joint = known * np.diag(share) + (1 - known) * np.outer(share, share)
    assert np.trace(joint) == pytest.approx(accuracy)
    expected = 2 * np.diagonal(joint) / (joint.sum(axis=1) + joint.sum(axis=0))
    np.testing.assert_allclose(proportional(share, accuracy), expected, atol=1e-9)


def test_proportional_is_kappa_and_the_share():
    share = np.array([0.6, 0.3, 0.1])
    truth, labels = drawn("proportional", share, 0.8, 200_000)
    kappa = cohen_kappa_score(truth, labels)
    np.testing.assert_allclose(
        proportional(np.bincount(labels), 0.8), kappa + (1 - kappa) * share, atol=0.01
    )


@pytest.mark.parametrize("band", [symmetric, proportional])
def test_bounds(band):
    labels = np.array([800, 150, 50, 0])
    np.testing.assert_array_equal(band(labels, 1), [1, 1, 1, np.nan])
    assert np.isnan(band(labels, 0.1)).all()
    assert np.isnan(band(labels * 0, 0.9)).all()
    steps = np.array([band(labels, a)[:3] for a in np.linspace(0.7, 1, 20)])
    assert (np.diff(steps, axis=0) >= 0).all()
    assert ((steps >= 0) & (steps <= 1)).all()


def test_fewer_labels_than_errors_alone_would_make_attain_nothing():
    assert symmetric(np.array([500, 490, 10]), 0.7)[2] == 0


def test_macro_leaves_out_what_has_no_label():
    found = Attainable((1, 2, 3), np.array([60, 40, 0]), 0.8, 0.9)
    for model in MODELS:
        bands = found.f1(model)
        assert np.isnan(bands[:, 2]).all()
        np.testing.assert_allclose(found.macro_f1(model), bands[:, :2].mean(axis=1))


def test_bands_add_up_and_come_back():
    one = Attainable((1, 2), np.array([60, 40]), 0.7, 0.8)
    two = Attainable((1, 2), np.array([5, 95]), 0.7, 0.8)
    both = one + two
    assert both.labels.tolist() == [65, 135]
    data = json.loads(json.dumps(both.to_dict(), allow_nan=False))
    assert Attainable.from_dict(data).to_dict() == both.to_dict()
    with pytest.raises(LegendError, match="cannot be added"):
        one + Attainable((1, 2), np.array([1, 1]), 0.7, 0.9)


@pytest.mark.parametrize("accuracies", [(0.8, 0.7), (-0.1, 0.5), (0.5, 1.2), (70, 80)])
def test_impossible_accuracies_are_refused(accuracies):
    with pytest.raises(ReferenceDataError, match="from 0 to 1, the lower one first"):
        Attainable((1,), np.array([1]), *accuracies)


def test_band_of_the_real_labels(shared_data):
    tiles = sorted((shared_data / "kaakonkulma_labels").glob("*.npy"))
    labels = sum(np.bincount(np.load(tile).ravel(), minlength=14)[1:] for tile in tiles)
    found = Attainable(tuple(range(1, 14)), labels, 0.7, 0.8)
    np.testing.assert_allclose(found.macro_f1("symmetric"), [0.46, 0.54], atol=0.005)
    np.testing.assert_allclose(found.macro_f1("proportional"), [0.68, 0.79], atol=0.005)
    for model, water in {"symmetric": [0.78, 0.85], "proportional": [0.71, 0.81]}.items():
        np.testing.assert_allclose(found.f1(model)[:, 12], water, atol=0.005)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return workspaces.make(tmp_path_factory.mktemp("workspace"), size=128)


def test_evaluation_holds_the_band(workspace):
    run = workspace / "runs" / "run-a"
    found = evaluate(run, workspace / "references" / "sample-corine.tif", label_accuracy=(0.7, 0.8))
    again = Evaluation.load(run / "evaluation.json")
    band = again.parts["attainable"]
    assert band.to_dict() == found.parts["attainable"].to_dict()
    np.testing.assert_array_equal(band.labels, found.support)
    assert band.ids == tuple(group.id for group in found.groups)


def test_command_prints_the_band(workspace, capsys):
    reference = str(workspace / "references" / "sample-corine.tif")
    run = str(workspace / "runs" / "run-b")
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", run, "--reference", reference, "--label-accuracy", "0.7", "0.8"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert "Expected calibration error" in printed
    assert "labels that are 70 % to 80 % right" in printed
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", run, "--reference", reference, "--label-accuracy", "0.8", "0.7"])
    assert stopped.value.code == 2
    assert "lower one first" in capsys.readouterr().err
