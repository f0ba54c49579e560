"""The network: its layers, how far it sees, and that a tile with its halo is exact."""

from __future__ import annotations

import numpy as np
import pytest
from models import random_model

from lulc import tiling
from lulc.device import tensorflow
from lulc.unet import UNet


@pytest.fixture(scope="module")
def keras():
    tensorflow()
    import keras

    return keras


def test_the_reference_network_is_one_setting(keras):  # noqa: ARG001
    network = UNet(bands=14, classes=13).build()
    assert round(network.count_params() / 1e6, 2) == 10.74
    names = [layer.name for layer in network.layers]
    for i in range(4):
        for part in ("conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "pool"):
            assert f"encoder_stage{i}_{part}" in names
        for part in ("up", "bn1", "relu1", "conv2", "bn2", "relu2"):
            assert f"decoder_stage{i}_{part}" in names
    assert names[-2:] == ["final_conv", "softmax"]
    encoder = [network.get_layer(f"encoder_stage{i}_conv1").filters for i in range(4)]
    decoder = [network.get_layer(f"decoder_stage{i}_up").filters for i in range(4)]
    assert (encoder, decoder) == ([32, 64, 128, 256], [512, 256, 128, 64])


def test_the_reference_network_sees_62_pixels_and_rounds_to_64():
    network = UNet(bands=14, classes=13)
    low, high = network._seen(0, network.stride - 1)
    assert (low, high) == (-62, network.stride - 1 + 62)
    assert (network.halo, network.stride) == (64, 16)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_halo_is_what_the_network_really_sees(keras, depth):
    """Perturb pixels one by one along a row: those that matter are those the sum says."""
    keras.utils.set_random_seed(0)
    settings = UNet(bands=1, classes=2, width=4, depth=depth)
    network = settings.build()
    middle = 2 * settings.halo
    size = 2 * middle + settings.stride
    image = np.random.default_rng(0).normal(size=(1, settings.stride, size, 1))
    image = image.astype(np.float32)
    # Every pixel that should matter, and some beyond; in one batch, one pixel an image.
    low, high = settings._seen(0, settings.stride - 1)
    pixels = np.arange(middle + low - 4, middle + high + 5)
    images = np.repeat(image, len(pixels) + 1, axis=0)
    images[np.arange(len(pixels)), :, pixels] += 50
    out = network(images, training=False).numpy()[:, :, middle : middle + settings.stride]
    seen = pixels[(out[:-1] != out[-1]).any(axis=(1, 2, 3))] - middle
    assert low <= seen[0]
    assert seen[-1] <= high
    # Not wasteful either: the outermost pixels differ by less than rounding at worst.
    assert seen[0] - low <= 2
    assert high - seen[-1] <= 2


@pytest.mark.parametrize("tile", [16, 32, 64])
def test_a_tile_with_its_halo_equals_the_whole_image(tmp_path, tile):
    model = random_model(tmp_path / "random", width=4, depth=3)
    predict = model.predictor("cpu")
    random = np.random.default_rng(3)
    shape = (150, 203)
    values = random.uniform(0, 0.5, (9, *shape)).astype(np.float32)
    valid = random.random(shape) > 0.05
    card = model.card

    def blocks_of(side):
        from rasterio.windows import Window

        return tiling.blocks(
            shape, Window(0, 0, 203, 150), tile=side, halo=card.halo, stride=card.stride
        )

    (whole,) = blocks_of(256)
    expected = whole.crop(predict(whole.pad(values), whole.pad(valid)))
    found = np.full_like(expected, np.nan)
    for block in blocks_of(tile):
        window = block.readable(shape).toslices()
        part = predict(block.pad(values[(..., *window)]), block.pad(valid[window]))
        found[(..., *block.core.toslices())] = block.crop(part)
    # Float tolerance: logits here go beyond 50, and tiles add them up in another order.
    assert np.abs(found - expected).max() < 1e-4


def test_a_smaller_halo_would_not_do(tmp_path):
    """Guards the test above: without a halo the difference is plain."""
    model = random_model(tmp_path / "random", width=4, depth=3)
    predict = model.predictor("cpu")
    values = np.random.default_rng(3).uniform(0, 0.5, (9, 64, 128)).astype(np.float32)
    valid = np.ones((64, 128), bool)
    whole = predict(values, valid)[..., :64]
    alone = predict(values[..., :64], valid[:, :64])
    assert np.abs(whole - alone).max() > 0.01


def test_one_step_of_training_changes_the_network(keras):
    keras.utils.set_random_seed(0)
    network = UNet(bands=3, classes=4, width=4, depth=2).build()
    before = network.get_layer("final_conv").get_weights()[0].copy()
    network.compile("sgd", "sparse_categorical_crossentropy")
    loss = network.train_on_batch(np.ones((1, 8, 8, 3), "f4"), np.zeros((1, 8, 8), "i4"))
    assert np.isfinite(loss)
    assert not np.array_equal(before, network.get_layer("final_conv").get_weights()[0])
