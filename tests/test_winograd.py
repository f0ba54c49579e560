"""The quick convolution against TensorFlow's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc import winograd
from lulc.device import tensorflow
from lulc.frozen import freeze

channels = st.integers(1, 5)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 14), columns=st.integers(1, 14), given_=channels, made=channels,
    seed=st.integers(0, 9),
)  # fmt: skip
def test_it_is_the_convolution_of_any_image(rows, columns, given_, made, seed):
    """With its edges, and sizes that are no multiples of a tile; to rounding, in float64."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(1, rows, columns, given_))
    kernel = random.normal(size=(3, 3, given_, made))
    expected = tensorflow().nn.conv2d(image, kernel, 1, "SAME").numpy()
    found = winograd.convolution(kernel)(tensorflow().constant(image)).numpy()
    assert np.abs(found - expected).max() < 1e-11


def test_rounding_stays_small_in_wide_layers():
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 40, 24, 256)).astype(np.float32)
    kernel = (random.normal(size=(3, 3, 256, 128)) / 48).astype(np.float32)
    expected = tensorflow().nn.conv2d(image, kernel, 1, "SAME").numpy()
    found = winograd.convolution(kernel)(tensorflow().constant(image)).numpy()
    assert expected.std() == pytest.approx(1, abs=0.1)
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("options", "paying"),
    [
        ({}, True),
        ({"filters": winograd.WIDE - 1}, False),
        ({"kernel_size": 1}, False),
        ({"strides": 2}, False),
        ({"dilation_rate": 2}, False),
        ({"padding": "valid"}, False),
    ],
)
def test_only_wide_plain_layers_pay(options, paying):
    tensorflow()
    import keras

    options = {"filters": winograd.WIDE, "kernel_size": 3, "padding": "same"} | options
    layer = keras.layers.Conv2D(**options)
    layer(keras.Input((None, None, winograd.WIDE)))
    assert winograd.pays(layer) == paying


def test_a_wide_network_gives_the_same_and_computes_otherwise():
    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 4))
    for _ in range(2):
        x = keras.layers.Conv2D(winograd.WIDE, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(3, 1, name="final_conv")(x)
    network = keras.Model(image, keras.layers.Softmax()(x))
    pixels = np.random.default_rng(0).normal(size=(1, 21, 30, 4)).astype(np.float32)
    pixels = tensorflow().constant(pixels)
    expected = freeze(network, quick=False)(pixels).numpy()
    found = freeze(network)(pixels).numpy()
    assert 0 < np.abs(found - expected).max() < 1e-4
