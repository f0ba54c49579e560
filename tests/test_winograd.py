"""The quick convolutions against TensorFlow's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc import winograd
from lulc.device import tensorflow
from lulc.frozen import freeze
from lulc.unet import UNet

channels = st.integers(1, 5)

#: Channels on both sides with which a layer pays.
WIDE = 2 * winograd.WIDE


@settings(max_examples=60, deadline=None)
@given(
    taps=st.integers(1, 4), seed=st.integers(0, 9),
    points=st.lists(st.integers(-6, 6), min_size=4, max_size=7, unique=True),
)  # fmt: skip
def test_products_at_any_points_give_the_correlation(taps, seed, points):
    into, weighted, out_of = winograd.transforms([point / 2 for point in points], taps)
    random = np.random.default_rng(seed)
    kernel, seen = random.normal(size=taps), random.normal(size=len(points) + 1)
    expected = np.correlate(seen, kernel, "valid")
    np.testing.assert_allclose(out_of @ ((weighted @ kernel) * (into @ seen)), expected, atol=1e-9)


def convolved(image, kernel, strips=1):
    """TensorFlow's convolution, and the quick one."""
    expected = tensorflow().nn.conv2d(image, kernel, 1, "SAME").numpy()
    return expected, winograd.convolution(kernel, strips)(tensorflow().constant(image)).numpy()


def transposed(image, kernel, strips=1):
    """TensorFlow's transposed convolution, and the quick one; `kernel` is as for the other."""
    random = np.random.default_rng(1)
    kernel = random.normal(size=(4, 4, *kernel.shape[:1:-1])) * kernel.std()
    kernel = kernel.astype(image.dtype)
    shape = [1, 2 * image.shape[1], 2 * image.shape[2], kernel.shape[2]]
    expected = tensorflow().nn.conv2d_transpose(image, kernel, shape, 2, "SAME").numpy()
    return expected, winograd.transposed(kernel, strips)(tensorflow().constant(image)).numpy()


@pytest.mark.parametrize("kind", [convolved, transposed])
@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 14), columns=st.integers(1, 14), given_=channels, made=channels,
    strips=st.integers(1, 5), seed=st.integers(0, 9), small=st.booleans(),
)  # fmt: skip
def test_it_is_the_convolution_of_any_image(kind, rows, columns, given_, made, strips, seed, small):
    """With its edges, and sizes that are no multiples of a tile; to rounding, in float64."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(1, rows, columns, given_))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "SMALL", winograd.SMALL * small)
        expected, found = kind(image, random.normal(size=(3, 3, given_, made)), strips)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-11


@pytest.mark.parametrize(("kind", "weights"), [(convolved, 9), (transposed, 4)])
def test_rounding_stays_small_in_wide_layers(kind, weights):
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 40, 24, 256)).astype(np.float32)
    kernel = (random.normal(size=(3, 3, 256, 128)) / (weights * 256) ** 0.5).astype(np.float32)
    expected, found = kind(image, kernel)
    assert expected.std() == pytest.approx(1, abs=0.1)
    assert np.abs(found - expected).std() < 4e-6
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("kind", "options", "paying"),
    [
        ("Conv2D", {}, True),
        ("Conv2D", {"filters": WIDE - 1}, False),
        ("Conv2D", {"kernel_size": 4}, False),
        ("Conv2D", {"strides": 2}, False),
        ("Conv2D", {"dilation_rate": 2}, False),
        ("Conv2D", {"padding": "valid"}, False),
        ("Conv2DTranspose", {"kernel_size": 4, "strides": 2}, True),
        ("Conv2DTranspose", {"kernel_size": 4, "strides": 2, "filters": WIDE - 1}, False),
        ("Conv2DTranspose", {"kernel_size": 4, "strides": 2, "padding": "valid"}, False),
        ("Conv2DTranspose", {}, False),
        ("Dense", None, False),
    ],
)
def test_only_wide_plain_layers_pay(kind, options, paying):
    tensorflow()
    import keras

    plain = {"filters": WIDE, "kernel_size": 3, "padding": "same"}
    options = {"units": WIDE} if options is None else plain | options
    layer = getattr(keras.layers, kind)(**options)
    layer(keras.Input((None, None, WIDE)))
    assert winograd.pays(layer) == paying


def test_a_wide_network_gives_the_same_and_computes_otherwise():
    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    network = UNet(4, 3, width=WIDE, depth=2, decoder_width=WIDE).build()
    pixels = np.random.default_rng(0).normal(size=(1, 60, 72, 4)).astype(np.float32)
    pixels = tensorflow().constant(pixels)
    quick, plain = freeze(network), freeze(network, quick=False)
    for core in (None, (24, 37, 28, 45)):
        difference = np.abs(quick(pixels, core).numpy() - plain(pixels, core).numpy())
        assert 0 < difference.max() < 1e-4
