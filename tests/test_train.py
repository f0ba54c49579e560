"""Training: losses leave unlabelled pixels out, blocks are held out, and a network learns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window
from scipy import ndimage
from sklearn.metrics import f1_score

from lulc import losses, sample, samples, train
from lulc.errors import TrainingError
from lulc.grid import cut
from lulc.legend import Legend
from lulc.model import Model
from lulc.reference import LabelMap, open_reference
from lulc.region import Region
from lulc.scene import Scene

COUNTS = np.array([700, 200, 100, 0])


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, (2, 6, 7)).astype(np.int32)
    activations = random.dirichlet(np.ones(4), (2, 6, 7)).astype(np.float32)
    return labels, activations


def test_cross_entropy_is_the_mean_over_labelled_pixels(batch):
    labels, activations = batch
    there = labels > 0
    truth = np.take_along_axis(activations, np.maximum(labels - 1, 0)[..., None], -1)[..., 0]
    expected = -np.log(truth[there]).mean()
    loss = losses.make("cross-entropy", COUNTS)
    assert float(loss(labels, activations)) == pytest.approx(expected, rel=1e-5)


def test_weighted_cross_entropy_multiplies_by_the_classs_weight(batch):
    labels, activations = batch
    weights = losses.class_weights(COUNTS)
    there = labels > 0
    truth = np.take_along_axis(activations, np.maximum(labels - 1, 0)[..., None], -1)[..., 0]
    expected = (-np.log(truth) * weights[np.maximum(labels - 1, 0)])[there].mean()
    loss = losses.make("weighted", COUNTS)
    assert float(loss(labels, activations)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_counts_sure_pixels_less(batch):
    labels, activations = batch
    there = labels > 0
    truth = np.take_along_axis(activations, np.maximum(labels - 1, 0)[..., None], -1)[..., 0]
    expected = (-((1 - truth) ** 2) * np.log(truth))[there].mean()
    assert float(losses.make("focal", COUNTS)(labels, activations)) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("name", losses.LOSSES)
def test_unlabelled_pixels_change_no_loss(batch, name):
    labels, activations = batch
    other = activations.copy()
    other[labels == 0] = [0.97, 0.01, 0.01, 0.01]
    loss = losses.make(name, COUNTS)
    assert float(loss(labels, activations)) == pytest.approx(float(loss(labels, other)), rel=1e-6)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_truth_costs_nothing_and_nothing_labelled_is_no_nan(batch, name):
    labels, _ = batch
    truth = np.eye(4, dtype=np.float32)[np.maximum(labels - 1, 0)]
    loss = losses.make(name, COUNTS)
    assert float(loss(labels, truth)) == pytest.approx(0, abs=1e-5)
    assert np.isfinite(float(loss(np.zeros_like(labels), truth)))


def test_an_unknown_loss_is_refused():
    with pytest.raises(TrainingError, match="expected a loss of cross-entropy"):
        losses.make("magic", COUNTS)


def test_class_weights_are_one_on_the_average_pixel_and_larger_for_rare_classes():
    weights = losses.class_weights(COUNTS)
    share = COUNTS / COUNTS.sum()
    assert (weights * share).sum() == pytest.approx(1, rel=1e-6)
    assert weights[2] > weights[1] > weights[0] > 0
    assert weights[3] == 0
    assert weights[2] / weights[0] == pytest.approx(np.sqrt(7), rel=1e-5)


@given(
    st.integers(20, 300), st.integers(20, 300), st.integers(8, 64), st.floats(0, 0.9),
    st.integers(0, 9),
)  # fmt: skip
def test_whole_blocks_are_held_out_and_never_all(height, width, block, share, seed):
    out = samples.hold_out_mask((height, width), block, share, seed)
    assert out.shape == (height, width)
    assert not out.all()
    for row in range(0, height, block):
        for column in range(0, width, block):
            part = out[row : row + block, column : column + block]
            assert part.all() or not part.any()


@given(st.integers(0, 3), st.booleans())
def test_turning_labels_makes_no_new_ones_and_loses_none(turns, mirror):
    labels = np.random.default_rng(1).integers(0, 14, (9, 9))
    turned = samples.turn(labels, turns, mirror)
    assert np.array_equal(np.sort(turned, axis=None), np.sort(labels, axis=None))
    bands = np.stack([labels, labels * 10])
    assert np.array_equal(samples.turn(bands, turns, mirror)[1], turned * 10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample")
    sample.write(path, size=256, seed=7)
    return path


@pytest.fixture(scope="module")
def patchwork(folder):
    scene = Scene.open(folder / "bands.tif")
    labels = LabelMap.open(folder / "truth.tif")
    return samples.load(scene, labels, Legend.load("lulc13"), hold_out=0.25, block=64, buffer=8)


def test_training_and_held_out_pixels_are_a_buffer_apart(patchwork):
    assert patchwork.train.any()
    assert patchwork.held.any()
    distance = ndimage.distance_transform_cdt(patchwork.held == 0, metric="taxicab")
    assert distance[patchwork.train > 0].min() > 8


def test_crops_hold_the_scenes_pixels_and_only_training_labels(patchwork):
    values, labels = samples.draw([patchwork], 32, 6, np.random.default_rng(0))
    assert values.shape == (6, 9, 32, 32)
    assert (labels > 0).any(axis=(1, 2)).all()
    known = {tuple(pixel) for pixel in patchwork.values[:, patchwork.train > 0].T.tolist()}
    some = values.transpose(0, 2, 3, 1)[labels > 0][:50]
    assert all(tuple(pixel) in known for pixel in some.tolist())


def test_labels_outside_a_region_are_not_used(folder):
    scene = Scene.open(folder / "bands.tif")
    bounds = cut(scene.grid, Window(0, 0, 128, 256)).boundingbox
    west = Region.box((bounds.left, bounds.bottom, bounds.right, bounds.top), "EPSG:3067")
    inside = samples.inside(west, scene.grid)
    assert inside[:, :128].all()
    assert not inside[:, 128:].any()
    work = samples.load(
        scene, LabelMap.open(folder / "truth.tif"), Legend.load("lulc13"), inside=inside
    )
    assert not work.train[:, 128:].any()
    assert not work.held[:, 128:].any()


def test_a_code_that_may_be_two_classes_is_left_out(folder):
    """CORINE does not tell pine from spruce: both stay unlabelled, the others are learnt."""
    scene = Scene.open(folder / "bands.tif")
    labels = open_reference(folder / "corine.tif", scene.grid)
    work = samples.load(scene, labels, Legend.load("lulc13"), hold_out=0)
    present = set(np.unique(work.train))
    assert 0 in present
    assert not present & {7, 8}
    assert {5, 9, 13} <= present


def test_a_small_network_learns_and_says_where_from(patchwork, tmp_path):
    settings = train.Settings(width=6, depth=2, crop=64, batch=4, epochs=60, seed=1)
    seen = []
    model = train.train(
        [patchwork], sample.BANDS, Legend.load("lulc13"), tmp_path / "learnt", settings,
        progress=lambda share, loss: seen.append((share, loss)),
    )  # fmt: skip
    card = Model.load(model.path).card
    assert card == model.card
    history = card.provenance["history"]
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert seen[-1][0] == 1.0
    assert card.scores["pixels"] == (patchwork.held > 0).sum()
    # On what it saw, as classify will compute it, it beats the commonest class by far.
    guess = model.predictor("cpu")(patchwork.values, patchwork.valid).argmax(axis=0) + 1
    seen_labels = patchwork.train[patchwork.train > 0]
    right = (guess[patchwork.train > 0] == seen_labels).mean()
    assert right > np.bincount(seen_labels).max() / seen_labels.size + 0.05
    assert card.simulated
    assert 0.25 <= card.temperature <= 4
    assert card.footprints["type"] == "MultiPolygon"
    assert card.pixel_size[0] < 10 < card.pixel_size[1]
    mean = patchwork.values[:, patchwork.train > 0].mean(axis=1)
    assert np.allclose([band.mean for band in card.bands], mean, rtol=1e-3)


def test_held_out_scores_are_scikit_learns(patchwork, tmp_path):
    """Predicted again through the model, the held-out pixels give the card's scores."""
    settings = train.Settings(width=4, depth=2, decoder_width=6, crop=64, batch=4, epochs=3)
    model = train.train([patchwork], sample.BANDS, Legend.load("lulc13"), tmp_path / "m", settings)
    assert (model.card.network.width, model.card.network.decoder_width) == (4, 6)
    predicted = model.predictor("cpu")(patchwork.values, patchwork.valid).argmax(axis=0) + 1
    truth = patchwork.held[patchwork.held > 0]
    guess = predicted[patchwork.held > 0]
    either = sorted(set(truth) | set(guess))
    expected = f1_score(truth, guess, labels=either, average=None, zero_division=0)
    for class_id, f1 in zip(either, expected, strict=True):
        assert model.card.scores["f1"][str(class_id)] == pytest.approx(f1, abs=2e-3)


def test_one_class_alone_is_refused(patchwork, tmp_path):
    from dataclasses import replace

    one = replace(patchwork, train=np.where(patchwork.train == 13, 13, 0).astype(np.uint8))
    with pytest.raises(TrainingError, match="at least two classes"):
        train.train([one], sample.BANDS, Legend.load("lulc13"), tmp_path / "m")
    assert not (tmp_path / "m").exists()
