"""Losses that leave unlabelled pixels out, and those that handle rare classes.

Each takes labels as int32 (batch, y, x), 0 for none and n for the n-th class of the legend,
and activations as float32 (batch, y, x, class), softmax; each gives one number, the mean over
the labelled pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lulc.device import tensorflow
from lulc.errors import TrainingError

Loss = Callable[[Any, Any], Any]

#: Names on the command line.
LOSSES = ("cross-entropy", "weighted", "focal", "jaccard")

#: How much a well-classified pixel counts less (Lin et al. 2017, Focal loss, their gamma).
_GAMMA = 2.0

_TINY = 1e-7


def class_weights(counts: np.ndarray) -> np.ndarray:
    """Weights by the inverse square root of each class's frequency, float32 (class,).

    Their mean over the pixels is 1, so that the learning rate means the same; an absent
    class weighs 0. The full inverse would let one class of 0.1 % outweigh everything.
    """
    share = counts / max(counts.sum(), 1)
    weights = np.where(counts > 0, 1 / np.sqrt(np.maximum(share, 1e-4)), 0.0)
    return (weights / max((weights * share).sum(), _TINY)).astype(np.float32)


def make(name: str, counts: np.ndarray) -> Loss:
    """The loss of that name for classes of these pixel counts, int64 (class,)."""
    if name not in LOSSES:
        raise TrainingError(f"expected a loss of {', '.join(LOSSES)}; got {name!r}")
    tf = tensorflow()
    weights = tf.constant(class_weights(counts))
    classes = len(counts)

    def picked(labels, activations):
        """The labelled pixels: probability of the true class, class from 0, and 1 or 0."""
        there = tf.cast(labels > 0, tf.float32)
        index = tf.maximum(tf.cast(labels, tf.int32) - 1, 0)
        truth = tf.reduce_sum(activations * tf.one_hot(index, classes), axis=-1)
        return tf.clip_by_value(truth, _TINY, 1.0), index, there

    def mean(values, there):
        return tf.reduce_sum(values * there) / tf.maximum(tf.reduce_sum(there), 1.0)

    def cross_entropy(labels, activations):
        truth, _, there = picked(labels, activations)
        return mean(-tf.math.log(truth), there)

    def weighted(labels, activations):
        truth, index, there = picked(labels, activations)
        return mean(-tf.math.log(truth) * tf.gather(weights, index), there)

    def focal(labels, activations):
        truth, _, there = picked(labels, activations)
        return mean(-((1 - truth) ** _GAMMA) * tf.math.log(truth), there)

    def jaccard(labels, activations):
        """Cross-entropy and 1 - soft IoU, the mean over the classes of the batch."""
        _, index, there = picked(labels, activations)
        true = tf.one_hot(index, classes) * there[..., None]
        guess = activations * there[..., None]
        both = tf.reduce_sum(true * guess, axis=(0, 1, 2))
        either = tf.reduce_sum(true + guess, axis=(0, 1, 2)) - both
        present = tf.cast(tf.reduce_sum(true, axis=(0, 1, 2)) > 0, tf.float32)
        iou = tf.reduce_sum(present * both / tf.maximum(either, 1.0))
        return (
            cross_entropy(labels, activations) + 1 - iou / tf.maximum(tf.reduce_sum(present), 1.0)
        )

    return {
        "cross-entropy": cross_entropy,
        "weighted": weighted,
        "focal": focal,
        "jaccard": jaccard,
    }[name]
