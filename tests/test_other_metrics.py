"""The scores against those of torchmetrics, on the same counts.

PyTorch is no dependency of the tests: it is large, and scikit-learn checks the same figures.
"""

from __future__ import annotations

import numpy as np
import pytest

from lulc.counts import Counts, Pixels
from lulc.grouping import Group

torch = pytest.importorskip("torch", reason="PyTorch is no dependency of the tests")
classification = pytest.importorskip("torchmetrics.classification")

#: Their name of each ratio.
THEIRS = {
    "precision": "MulticlassPrecision",
    "recall": "MulticlassRecall",
    "f1": "MulticlassF1Score",
    "iou": "MulticlassJaccardIndex",
}
CLASSES = 7


@pytest.fixture(scope="module")
def pixels():
    """A reference and a map right three times out of four, as one has them."""
    rng = np.random.default_rng(8)
    truth = rng.choice(CLASSES, 20_000, p=np.arange(1, CLASSES + 1) / 28)
    ids = np.where(rng.random(truth.size) < 0.25, rng.integers(0, CLASSES, truth.size), truth)
    return torch.tensor(truth), torch.tensor(ids)


@pytest.fixture(scope="module")
def ours(pixels):
    truth, ids = (part.numpy() for part in pixels)
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(matrix, (truth, ids), 1)
    groups = tuple(Group(i, str(i), "#000000", (i,), (i,)) for i in range(1, CLASSES + 1))
    return Counts(matrix, groups, Pixels(truth.size, 0, 0, 0), (), ())


def test_the_matrix_is_theirs(pixels, ours):
    truth, ids = pixels
    theirs = classification.MulticlassConfusionMatrix(CLASSES)(ids, truth)
    assert (ours.matrix == theirs.numpy()).all()


@pytest.mark.parametrize("ratio", THEIRS)
@pytest.mark.parametrize("how", ["none", "macro", "weighted", "micro"])
def test_the_ratios_are_theirs(pixels, ours, ratio, how):
    truth, ids = pixels
    theirs = getattr(classification, THEIRS[ratio])(CLASSES, average=how)(ids, truth)
    if how == "none":
        assert getattr(ours, ratio) == pytest.approx(theirs.numpy(), abs=1e-6)
    else:
        found = ours.to_dict()[f"{how}_{ratio}"]
        assert found == pytest.approx(float(theirs), abs=1e-6)
