"""TensorFlow, loaded when it is needed and told where to compute."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from lulc import config
from lulc.errors import ModelError
from lulc.machine import settings

_starting = threading.Lock()


def tensorflow() -> ModuleType:
    """Import TensorFlow with the settings this program wants, once a process.

    oneDNN is off by default on some processors, where it nearly doubles the speed of a frozen
    graph; `lulc models tune` measures whether it does here. Both variables only work before
    the import, and what the user has set stays.
    """
    # A second thread would find a module that is still being imported.
    with _starting:
        if "tensorflow" not in sys.modules:
            _start()
        return sys.modules["tensorflow"]


def _start() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", str(int(settings().onednn)))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow brings an SQLite without R-trees and lets it be seen by what is loaded later:
    # GeoPackages could then no longer be read. pyogrio keeps its own if it is there first.
    import pyogrio  # noqa: F401

    with _quiet():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        # Too late once a device is in use: then whoever used it first has decided.
        with suppress(RuntimeError):
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
            # One thread runs a network's operations, one after the other as they follow each
            # other, and all processors compute each. Every further one would keep its own
            # primitives of oneDNN, with memory of the size of a block for every shape of blocks.
            if not gpus and "TF_NUM_INTEROP_THREADS" not in os.environ:
                tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.list_logical_devices()


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


#: Precisions a network can compute in; float32 unless another is asked for.
PRECISIONS = ("float32", "bfloat16", "float16")

#: The compute capability of NVIDIA's first GPUs with tensor cores (Volta): see the CUDA
#: programming guide, "Compute Capabilities".
_TENSOR_CORES = (7, 0)

#: What one GPU may take beyond a processor's block, whose arrays the host holds as well: about
#: a third of what computing takes, since all layers stay on the GPU.
_GPU_BLOCKS = 3


@dataclass(frozen=True)
class Place:
    """Where and how to compute: a device, or several of a kind, each with a worker."""

    names: tuple[str, ...]
    """TensorFlow's names of the devices."""
    precision: str = "float32"
    """One of PRECISIONS."""


def resolve(device: str = "auto") -> Place:
    """The place of `auto`, `cpu`, `gpu` or `gpu:N`, where `/bfloat16` or `/float16` may follow.

    `auto` is all GPUs, or else the CPU; `gpu` all of them. Raises ModelError for a device that
    is not there.
    """
    wanted, precision = device.partition("/")[0].strip().lower(), precision_of(device)
    kind, _, number = wanted.partition(":")
    known = kind in ("auto", "cpu", "gpu") and (not number or number.isdigit())
    if not known or precision not in PRECISIONS:
        raise ModelError(
            f"expected the device auto, cpu or gpu:N, with /bfloat16 or /float16 or nothing after"
            f" it; got {device!r}"
        )
    logical = tensorflow().config.list_logical_devices
    gpus = [] if kind == "cpu" else [gpu.name for gpu in logical("GPU")]
    if kind == "gpu" and int(number or 0) >= len(gpus):
        raise ModelError(
            f"expected one of the machine's GPUs, got {device!r}; TensorFlow sees {len(gpus)}"
            " (a GPU needs: pip install 'lulc[gpu]'); choose --device cpu"
        )
    names = gpus or [cpu.name for cpu in logical("CPU")]
    if number:
        names = names[int(number) :][:1] or names[:1]
    return Place(tuple(names), precision)


def precision_of(device: str) -> str:
    """The precision a device's name, as `resolve` takes it, asks for."""
    return device.partition("/")[2].strip().lower() or "float32"


def in_precision(device: str, precision: str) -> str:
    """The name of a device in a precision, unless the name asks for one itself."""
    return device if "/" in device or precision == "float32" else f"{device}/{precision}"


def half_precision(place: Place) -> str | None:
    """The half precision that a place has in hardware and that is faster there, if any.

    float16 on a GPU with tensor cores; bfloat16 on a processor where it was measured to be
    faster (`lulc models tune`), since without the instructions it is several times slower.
    """
    if _is_cpu(place.names[0]):
        return "bfloat16" if settings().half else None
    capability = _details(place.names[0]).get("compute_capability", (0, 0))
    return "float16" if capability >= _TENSOR_CORES else None


def block_bytes(place: Place) -> int:
    """Bytes that computing one block may take on a device of a place.

    On a processor `LULC_BLOCK_MIB`; on a GPU what is free there, but for a tenth, and not more
    than the host's arrays for such a block allow.
    """
    block = config.BLOCK_MIB * 2**20
    if _is_cpu(place.names[0]):
        return block
    tensorflow()
    from tensorflow.python.client import device_lib

    limits = {device.name: device.memory_limit for device in device_lib.list_local_devices()}
    free = [_free(name, limits) for name in place.names]
    return min(_GPU_BLOCKS * block, *free)


def describe(place: Place) -> str:
    """What a place is, for people: the GPUs' names, or the number of processors."""
    if _is_cpu(place.names[0]):
        return f"CPU, {os.cpu_count()} processors"
    found = [_details(name).get("device_name", "GPU") for name in place.names]
    return "GPU, " + ", ".join(f"{found.count(name)} x {name}" for name in dict.fromkeys(found))


def _is_cpu(name: str) -> bool:
    return "CPU:" in name


def _free(name: str, limits: Mapping[str, int]) -> int:
    """Nine tenths of what TensorFlow may take on a GPU and has not taken yet, in bytes."""
    short = name[name.index("GPU:") :]
    used = tensorflow().config.experimental.get_memory_info(short)["current"]
    limit = next((size for known, size in limits.items() if known.endswith(short)), 0)
    return max(0, limit - used) * 9 // 10


def _details(name: str) -> dict[str, Any]:
    """What TensorFlow says of a GPU: its name, its compute capability."""
    tf = tensorflow()
    gpu = tf.config.list_physical_devices("GPU")[int(name.rsplit(":", 1)[1])]
    return tf.config.experimental.get_device_details(gpu)
