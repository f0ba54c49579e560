"""TensorFlow, loaded when it is needed and told where to compute."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType

from lulc.errors import ModelError


def tensorflow() -> ModuleType:
    """Import TensorFlow with the settings this program wants, once a process.

    oneDNN is off by default on some processors; together with a frozen graph it nearly
    doubles the speed on those measured (docs/benchmarks.md). Both variables only work
    before the import, and what the user has set stays.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow brings an SQLite without R-trees and lets it be seen by what is loaded later:
    # GeoPackages could then no longer be read. pyogrio keeps its own if it is there first.
    import pyogrio  # noqa: F401

    with _quiet():
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            # Too late once a GPU is in use: then whoever used it first has decided.
            with suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.list_logical_devices()
    return tf


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what TensorFlow's C++ side writes to standard error while it starts.

    It announces its settings there before any log level counts. When starting fails, what it
    wrote is the explanation and is shown.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            notes.seek(0)
            sys.stderr.write(notes.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


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
