"""TensorFlow, loaded when it is needed and told where to compute."""

from __future__ import annotations

import os
from contextlib import suppress
from types import ModuleType

from lulc.errors import ModelError


def tensorflow() -> ModuleType:
    """Import TensorFlow with the settings this program wants, once a process.

    oneDNN is off by default on some processors; together with a frozen graph it nearly
    doubles the speed on those measured (docs/benchmarks.md). Both variables only work
    before the import, and what the user has set stays.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        # Too late once a GPU is in use: then whoever used it first has decided.
        with suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)
    return tf


def resolve(device: str = "auto") -> str:
    """The TensorFlow name of a device: `auto`, `cpu` or `gpu:N`.

    `auto` is the first GPU, or else the CPU. Raises ModelError for a device that is not there.
    """
    wanted = device.strip().lower()
    kind, _, number = wanted.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (number and not number.isdigit()):
        raise ModelError(f"expected the device auto, cpu or gpu:N; got {device!r}")
    if kind == "cpu":
        return "/CPU:0"
    gpus = tensorflow().config.list_logical_devices("GPU")
    if kind == "auto" and not gpus:
        return "/CPU:0"
    index = int(number or 0)
    if index >= len(gpus):
        raise ModelError(
            f"expected one of the machine's GPUs, got {device!r}; TensorFlow sees {len(gpus)}"
            " (a GPU needs: pip install 'lulc[gpu]'); choose --device cpu"
        )
    return f"/GPU:{index}"


def describe(device: str) -> str:
    """What a resolved device is, for people: the GPU's name, or the number of processors."""
    if device.startswith("/CPU"):
        return f"CPU, {os.cpu_count()} processors"
    tf = tensorflow()
    gpu = tf.config.list_physical_devices("GPU")[int(device.rsplit(":", 1)[1])]
    name = tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    return f"GPU, {name}"
