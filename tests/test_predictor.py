"""A predictor: several devices at once, pieces where memory is short, half precision checked.

TensorFlow divides a processor into logical devices only before it starts, so what needs
several runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import random_model
from rasterio.windows import Window

from lulc import config, precision, predictor
from lulc.device import block_bytes, precision_of, resolve, tensorflow
from lulc.errors import ModelError
from lulc.frozen import freeze
from lulc.inputs import read_input
from lulc.model import Model
from lulc.precision import changed_by, with_precision
from lulc.predictor import Predictor
from lulc.scene import Scene
from lulc.unet import UNet


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return random_model(tmp_path_factory.mktemp("models") / "tiny", temperature=1.5)


def block(*shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(0, 0.4, (9, *shape)).astype(np.float32), random.random(shape) > 0.1


def test_every_way_to_freeze_gives_the_same(model):
    """To the tolerance that the engine promises; half precision to what its digits allow."""
    network = model.network()
    image = np.random.default_rng(0).normal(size=(1, 64, 48, 9)).astype(np.float32)
    expected = network(image).numpy()
    for options, tolerance in [
        ({}, 1e-4),
        ({"xla": True}, 1e-4),
        ({"quick": False}, 1e-4),
        ({"precision": "bfloat16"}, 0.2),
        ({"precision": "float16"}, 0.02),
    ]:
        function = freeze(network, **options)
        found = function(tensorflow().constant(image)).numpy()
        part = function(tensorflow().constant(image), (8, 40, 3, 30)).numpy()
        assert np.abs(part - expected[:, 8:40, 3:30]).max() < tolerance, options
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() < tolerance, options
        assert np.abs(found.sum(axis=-1) - 1).max() < 1e-5


def ranges(length: int):
    """First and end of a part of an axis."""
    ends = st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True)
    return ends.map(sorted)


@pytest.fixture(scope="module")
def frozen(model):
    return freeze(model.network())


@settings(max_examples=30, deadline=None)
@given(rows=ranges(96), columns=ranges(112))
def test_a_core_is_what_the_whole_image_gives_there(frozen, rows, columns):
    """Wherever it begins and ends, at the edges of the image too."""
    image = np.random.default_rng(0).normal(size=(1, 96, 112, 9)).astype(np.float32)
    image = tensorflow().constant(image)
    found = frozen(image, (*rows, *columns)).numpy()
    expected = frozen(image).numpy()[:, slice(*rows), slice(*columns)]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5


def test_a_smaller_margin_would_not_do(model, frozen, monkeypatch):
    """Guards the test above: the last stages see as far as is said, and no farther."""
    image = np.random.default_rng(0).normal(size=(1, 96, 112, 9)).astype(np.float32)
    image = tensorflow().constant(image)
    core = (32, 64, 48, 80)
    expected = frozen(image)[:, 32:64, 48:80].numpy()
    monkeypatch.setattr(UNet, "MARGIN", UNet.MARGIN - 1)
    assert np.abs(freeze(model.network())(image, core).numpy() - expected).max() > 1e-3


def test_a_normalisation_after_no_convolution_is_kept():
    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 3))
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(4, 3, 2, "same", activation="relu")(x)
    x = keras.layers.Conv2DTranspose(5, 4, 2, "same", activation="tanh")(x)
    x = keras.layers.Conv2D(2, 1, name="final_conv")(x)
    network = keras.Model(image, keras.layers.Softmax()(x))
    network.layers[1].set_weights([np.full(3, w, "f4") for w in (2, 0.5, 0.3, 0.7)])
    pixels = np.random.default_rng(0).normal(size=(1, 12, 8, 3)).astype(np.float32)
    found = freeze(network)(tensorflow().constant(pixels)).numpy()
    assert np.abs(found - network(pixels).numpy()).max() < 1e-5


def exhausted(*_):
    raise tensorflow().errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@pytest.mark.parametrize("fits", [28, 56])
def test_what_is_too_large_for_the_memory_is_computed_in_pieces(model, monkeypatch, fits):
    """To the same result, halo and all; and the next block does not try in vain."""
    shown = fits + 2 * model.card.halo
    tried: list[int] = []
    compute = Predictor._compute

    def limited(self, image, inner):
        tried.append(max(image.shape[:2]))
        return compute(self, image, inner) if tried[-1] <= shown else exhausted()

    values, valid = block(80, 112)
    expected = model.predictor("cpu")(values, valid)
    small = Predictor(model.network(), model.card, resolve("cpu"))
    monkeypatch.setattr(Predictor, "_compute", limited)
    monkeypatch.setattr(predictor, "describe", lambda _: "a small device")
    found = small(values, valid)
    assert np.abs(found - expected).max() < 1e-5
    assert max(tried) == 112
    tried.clear()
    assert np.array_equal(small(values, valid), found)
    assert max(tried) <= shown


def test_no_piece_fits_ends_in_one_line_and_the_device_is_free_again(model, monkeypatch):
    values, valid = block(64, 64)
    small = Predictor(model.network(), model.card, resolve("cpu"))
    with monkeypatch.context() as patched:
        patched.setattr(tensorflow(), "constant", exhausted)
        with pytest.raises(ModelError, match=r"out of memory on CPU.*--tile") as caught:
            small(values, valid)
    assert "\n" not in str(caught.value)
    assert np.isfinite(small(values, valid)).all()


SEVERAL = """
import sys, threading
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
from concurrent.futures import ThreadPoolExecutor
from lulc.device import resolve
from lulc.model import Model
from lulc.predictor import Predictor
place = resolve("cpu")
assert len(place.names) == 3, place
model = Model.load(sys.argv[1])
predict = Predictor(model.network(), model.card, place)

# Every device waits until all are at work: were one used twice at once, or not at all,
# the barrier would not open.
barrier, used, placed = threading.Barrier(3, timeout=60), [], []
def watched(name, function):
    def run(image, core):
        used.append(name)
        barrier.wait()
        found = function(image, core)
        placed.append((name, found.device))
        return found
    return run
for name, function in [predict._free.get() for _ in place.names]:
    predict._free.put((name, watched(name, function)))

random = np.random.default_rng(0)
blocks = [random.uniform(0, 0.4, (9, 32, 48)).astype("f4") for _ in range(12)]
valid = np.ones((32, 48), bool)
with ThreadPoolExecutor(len(place.names) + 1) as pool:
    found = list(pool.map(lambda values: predict(values, valid), blocks))
assert sorted(used) == sorted(list(place.names) * 4), used
assert len(placed) == 12 and all(device.endswith(name) for name, device in placed), placed
one = Predictor(model.network(), model.card, resolve("cpu:1"))
assert one.place.names == place.names[1:2]
assert all(np.array_equal(one(v, valid), f) for v, f in zip(blocks, found))
print("equal")
"""


FLAT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
import numpy as np
import psutil
from lulc.model import Model
predict = Model.load(sys.argv[1]).predictor("cpu")
sides = (544, 552, 560)
values = np.zeros((len(predict._card.bands), 560, 560), np.float32)
def compute(shape):
    rows, columns = shape
    valid = np.ones(shape, bool)
    inner = slice(0, rows - 32), slice(32, columns)
    assert predict(values[:, :rows, :columns], valid, inner).shape[1:] == (rows - 32, columns - 32)
def held():
    return psutil.Process().memory_info().vms / 2**20
with ThreadPoolExecutor(2) as pool:
    list(pool.map(compute, product(sides, sides)))
    once = held()
    for _ in range(3):
        list(pool.map(compute, product(sides, sides)))
print(held() - once)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told in another way elsewhere")
def test_memory_does_not_grow_with_blocks_of_shapes_that_were_there():
    """Each thread of TensorFlow would keep memory of a block's size for every shape."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_NUM_INTEROP_THREADS"}
    call = [sys.executable, "-c", FLAT, str(config.ASSETS / "models" / "lakeland")]
    said = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert float(said.stdout.splitlines()[-1]) < 48, said.stdout


def test_threads_that_start_at_once_all_find_tensorflow_whole():
    script = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from lulc.device import resolve\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print(len(set(pool.map(resolve, ['cpu'] * 4))))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["1"]


def test_several_devices_compute_at_once_each_block_once(model):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, str(model.path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["equal"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    from lulc import sample

    folder: Path = tmp_path_factory.mktemp("scene")
    return Scene.open([sample.write(folder, size=96)["bands"]])


def checked(scene: Scene, model: Model, monkeypatch, **settings) -> str:
    """The device that a processor with fast bfloat16 gives."""
    monkeypatch.setattr(precision, "half_precision", lambda _: "bfloat16")
    monkeypatch.setattr(precision, "_SIDE", 64)
    monkeypatch.setattr(precision, "_WORTH", 1)
    return with_precision("cpu", scene, model, scene.whole(), **settings)


def test_half_precision_that_changes_nothing_is_used(scene, monkeypatch, tmp_path):
    """One class stands out everywhere: rounding cannot change it."""
    sure = random_model(tmp_path / "sure")
    network = sure.network()
    kernel, bias = network.get_layer("final_conv").get_weights()
    network.get_layer("final_conv").set_weights([kernel * 0.01, bias + 9 * np.eye(len(bias))[3]])
    sure = Model.save(sure.path, network, sure.card)
    assert checked(scene, sure, monkeypatch) == "cpu/bfloat16"
    found = sure.predictor("cpu/bfloat16")
    assert found.place.precision == precision_of("cpu/bfloat16") == "bfloat16"
    # It is not float32 under another name.
    values, valid = read_input(scene, sure.card, Window(0, 0, 64, 64))
    assert not np.array_equal(found(values, valid), sure.predictor("cpu")(values, valid))


def test_half_precision_that_changes_classes_is_refused(scene, monkeypatch, tmp_path):
    """All classes but for a hair the same: rounding decides between them."""
    torn = random_model(tmp_path / "torn")
    network = torn.network()
    kernel, _ = network.get_layer("final_conv").get_weights()
    kernel[:] = kernel[..., :1] * (1 + 1e-4 * np.arange(kernel.shape[-1]) / kernel.shape[-1])
    network.get_layer("final_conv").set_weights([kernel, np.zeros(kernel.shape[-1])])
    torn = Model.save(torn.path, network, torn.card)
    values, valid = read_input(scene, torn.card, Window(0, 0, 64, 64))
    assert changed_by("bfloat16", "cpu", torn, values, valid) > precision.CHANGED
    assert checked(scene, torn, monkeypatch) == "cpu"


def test_half_precision_is_not_checked_in_vain(scene, model, monkeypatch):
    monkeypatch.setattr(precision, "changed_by", lambda *_: pytest.fail("checked"))
    assert checked(scene, model, monkeypatch, here=False) == "cpu"
    assert with_precision("cpu/float16", scene, model, scene.whole()) == "cpu/float16"
    monkeypatch.setattr(precision, "_WORTH", 1000)
    assert with_precision("cpu", scene, model, scene.whole()) == "cpu"
    monkeypatch.setattr(config, "PRECISION", "float16")
    assert with_precision("gpu:7", scene, model, scene.whole(), here=False) == "gpu:7/float16"
    monkeypatch.setattr(config, "PRECISION", "double")
    with pytest.raises(ModelError, match="LULC_PRECISION"):
        with_precision("cpu", scene, model, scene.whole())


def test_a_block_without_a_valid_pixel_proves_nothing(model):
    values, _ = block(16, 16)
    assert changed_by("bfloat16", "cpu", model, values, np.zeros((16, 16), bool)) == 1


@pytest.mark.parametrize("device", ["cpu/float8", "cpu/", "auto/bfloat16/float16"])
def test_a_precision_that_is_none_is_refused(device):
    if device == "cpu/":
        assert resolve(device).precision == "float32"
        return
    with pytest.raises(ModelError, match="expected the device"):
        resolve(device)


def test_a_processors_block_takes_what_the_setting_says():
    assert block_bytes(resolve("cpu")) == config.BLOCK_MIB * 2**20
