"""Models: saved and loaded the same, found by name, and refused when they are not whole."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from models import card_of, random_model

from lulc.card import ModelCard
from lulc.device import resolve
from lulc.errors import ModelError
from lulc.frozen import freeze
from lulc.model import Model, import_model, models
from lulc.unet import UNet


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return random_model(tmp_path_factory.mktemp("models") / "tiny", temperature=1.5)


def test_a_saved_model_is_loaded_the_same(model):
    loaded = Model.load(model.path)
    assert loaded.card == model.card
    assert loaded.card.scores == model.card.scores
    image = np.random.default_rng(0).uniform(0, 0.4, (1, 32, 32, 9)).astype(np.float32)
    first, second = model.network(), loaded.network()
    assert np.array_equal(first(image), second(image))


def test_a_card_survives_json(model):
    again = ModelCard.from_dict(json.loads(model.card.to_json()))
    assert again == model.card
    assert again.to_dict() == model.card.to_dict()


def test_the_frozen_network_is_the_network(model):
    """Freezing changes the speed and nothing else; temperature 1 leaves the softmax."""
    network = model.network()
    image = np.random.default_rng(0).normal(size=(1, 48, 64, 9)).astype(np.float32)
    from lulc.device import tensorflow

    frozen = freeze(network, "/CPU:0")(tensorflow().constant(image))
    assert np.abs(frozen.numpy() - network(image).numpy()).max() < 1e-5


def test_the_predictor_normalises_fills_and_tempers(model):
    card = model.card
    random = np.random.default_rng(1)
    values = random.uniform(0, 0.4, (9, 16, 24)).astype(np.float32)
    valid = random.random((16, 24)) > 0.2
    image = np.where(valid, (values - card.mean) / card.std, 0).transpose(1, 2, 0)[None]
    softmax = model.network()(image.astype(np.float32)).numpy()[0]
    sharpened = softmax ** (1 / card.temperature)
    expected = (sharpened / sharpened.sum(-1, keepdims=True)).transpose(2, 0, 1)
    found = model.predictor("cpu")(values, valid)
    assert found.shape == (13, 16, 24)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found.sum(axis=0) - 1).max() < 1e-5


def test_a_missing_or_corrupt_model_is_refused_in_one_line(model, tmp_path):
    with pytest.raises(ModelError, match="expected a model folder or one of"):
        Model.load("nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"expected card.json in the model folder"):
        Model.load(empty)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "card.json").write_text((model.path / "card.json").read_text())
    (broken / "model.keras").write_bytes((model.path / "model.keras").read_bytes()[:1000])
    with pytest.raises(ModelError, match="SHA-256 differs"):
        Model.load(broken)
    (broken / "card.json").write_text("{")
    with pytest.raises(ModelError, match="is not a model card"):
        Model.load(broken)


def test_weights_that_keras_cannot_read_are_refused(model, tmp_path):
    import hashlib

    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.keras").write_bytes(b"nothing")
    card = json.loads((model.path / "card.json").read_text())
    card["weights"] = hashlib.sha256(b"nothing").hexdigest()
    (broken / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        Model.load(broken).network()
    assert "\n" not in str(caught.value)


def test_a_card_that_contradicts_its_network_is_refused(model):
    data = json.loads(model.card.to_json())
    with pytest.raises(ModelError, match="halo"):
        ModelCard.from_dict(data | {"halo": 8})
    with pytest.raises(ModelError, match="8 bands"):
        ModelCard.from_dict(data | {"bands": data["bands"][:8]})
    with pytest.raises(ModelError, match="version"):
        ModelCard.from_dict(data | {"version": 99})
    with pytest.raises(ModelError, match="fails at 'legend'"):
        ModelCard.from_dict({k: v for k, v in data.items() if k != "legend"})


def test_a_model_put_into_the_workspace_is_found_by_name(model, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    imported = import_model(model.path, "mine")
    assert "mine" in models()
    assert Model.load("mine").path == imported.path
    with pytest.raises(ModelError, match="choose another --name"):
        import_model(model.path, "mine")


@pytest.mark.parametrize("device", ["gpu:x", "tpu", "", "cpu:0:1"])
def test_a_device_that_is_none_is_refused(device):
    with pytest.raises(ModelError, match="expected the device"):
        resolve(device)


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ModelError, match="TensorFlow sees"):
        resolve("gpu:99")


def test_halo_and_stride_of_a_card_are_the_networks():
    network = UNet(9, 13, 8, 4, 8)
    card = card_of(network)
    assert (card.halo, card.stride) == (network.halo, network.stride) == (64, 16)


def test_standard_error_is_back_after_tensorflow_started(capfd):
    from lulc.device import tensorflow

    tensorflow()
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"
