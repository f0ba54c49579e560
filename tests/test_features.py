"""Feature maps and occlusion: of a window as of the whole scene, and right where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from models import random_model
from rasterio.windows import Window

from lulc import features, sample
from lulc.errors import ModelError, SceneError
from lulc.features import Patch
from lulc.predictor import as_input
from lulc.scene import Scene
from lulc.unet import UNet

SIZE = 250  # no multiple of the stride: the last window ends where the scene does


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    return Scene.open(sample.write(folder, size=SIZE)["bands"])


@pytest.mark.parametrize(("depth", "width"), [(1, 2), (3, 4)])
def test_layers_are_those_of_the_network(depth, width):
    settings = UNet(4, 3, width, depth)
    network = settings.build()
    named = features.layers(settings)
    assert set(named) == {layer.name for layer in network.layers[1:]}
    side = 2 * settings.stride
    made = type(network)(network.input, [network.get_layer(name).output for name in named])
    for step, output in zip(named.values(), made(np.zeros((1, side, side, 4))), strict=True):
        assert output.shape[1:3] == (side // step, side // step)


@pytest.mark.parametrize("layer", ["encoder_stage0_relu1", "encoder_stage1_pool", "softmax"])
@pytest.mark.parametrize("corner", [(96, 64), (SIZE - 30, SIZE - 41)])
def test_a_windows_maps_are_those_of_the_whole_scene(model, scene, layer, corner):
    whole = Patch.read(scene, model.card, scene.whole())
    patch = Patch.read(scene, model.card, Window(corner[1], corner[0], 30, 30))
    everything = features.feature_maps(model, whole, layer, most=99, device="cpu")
    found = features.feature_maps(model, patch, layer, most=99, device="cpu")
    assert sorted(found.channels) == list(range(found.total))
    top, left = patch.window.row_off // found.step, patch.window.col_off // found.step
    height, width = found.values.shape[1:]
    by_channel = dict(zip(everything.channels, everything.values, strict=True))
    for channel, values in zip(found.channels, found.values, strict=True):
        expected = by_channel[channel][top : top + height, left : left + width]
        np.testing.assert_allclose(values, expected, atol=2e-5)


def test_the_largest_variance_comes_first_and_nothing_counts_where_nothing_is(model, scene):
    patch = Patch.read(scene, model.card, Window(0, 0, 64, 64))
    patch.valid[:32] = False
    found = features.feature_maps(model, patch, "encoder_stage0_relu2", most=3, device="cpu")
    variances = np.nanvar(found.values, axis=(1, 2))
    assert len(found.channels) == 3 and (np.diff(variances) <= 0).all()
    assert np.isnan(found.values[:, :32]).all() and np.isfinite(found.values[:, 32:]).all()
    for values, (low, high) in zip(found.values, found.ranges, strict=True):
        assert low == values[32:].min() and high == values[32:].max()


def test_a_band_that_the_network_ignores_changes_nothing(model, scene, tmp_path):
    network = model.network()
    kernel = network.get_layer("encoder_stage0_conv1").get_weights()[0]
    kernel[:, :, 2] = 0
    network.get_layer("encoder_stage0_conv1").set_weights([kernel])
    deaf = type(model).save(tmp_path / "deaf", network, model.card)
    patch = Patch.read(scene, deaf.card, Window(64, 64, 32, 32))
    found = features.occlusion(deaf, patch, device="cpu")
    assert found.bands == deaf.card.band_names
    assert np.abs(found.change[2]).max() < 1e-6
    assert np.abs(np.delete(found.change, 2, axis=0)).max() > 1e-3
    assert found.activation.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found.change.sum(axis=1), 0, atol=1e-5)  # softmax adds up to 1


def test_occlusion_is_the_activations_without_the_band(model, scene):
    patch = Patch.read(scene, model.card, Window(64, 96, 16, 16))
    found = features.occlusion(model, patch, device="cpu")
    image = as_input(model.card, patch.values, patch.valid)
    image[..., 4] = 0  # the training mean, once normalised
    without = patch.block.crop(np.asarray(model.network()(image))[0].transpose(2, 0, 1))
    expected = without[:, patch.inside].mean(axis=1) - found.activation
    np.testing.assert_allclose(found.change[4], expected, atol=1e-5)


def test_a_window_is_widened_to_the_stride_and_cut_to_the_scene():
    assert features.align(Window(5, 17, 3, 3), (100, 100), 16) == Window(0, 16, 16, 16)
    assert features.align(Window(-9, 90, 20, 30), (100, 100), 16) == Window(0, 80, 16, 20)
    with pytest.raises(SceneError, match="outside"):
        features.align(Window(120, 0, 5, 5), (100, 100), 16)


def test_what_cannot_be_shown_is_said(model, scene):
    with pytest.raises(SceneError, match="at most 512 x 512"):
        big = Scene(scene.name, scene.files, scene.grid.pad(400))
        Patch.read(big, model.card, Window(0, 0, 600, 20))
    patch = Patch.read(scene, model.card, Window(0, 0, 8, 8))
    with pytest.raises(ModelError, match="expected a layer of tiny"):
        features.feature_maps(model, patch, "conv_nowhere")
