"""What this machine computes on, asked without loading TensorFlow into the server."""

from __future__ import annotations

import os
import subprocess
from functools import cache


@cache
def devices() -> dict[str, str]:
    """Devices as `lulc classify --device` takes them, by what people see."""
    gpus = _gpus()
    first = next(iter(gpus), "CPU").partition(",")[0]
    return {f"automatic ({first})": "auto", **gpus, f"CPU, {os.cpu_count()} processors": "cpu"}


def kind(device: str) -> str:
    """CPU or GPU: what a device is on this machine."""
    automatic = "GPU" if any(name.startswith("gpu") for name in devices().values()) else "CPU"
    return automatic if device == "auto" else device.partition(":")[0].upper()


def _gpus() -> dict[str, str]:
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=3, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for line in listed.splitlines():
        index, name, memory = (part.strip() for part in line.split(","))
        found[f"GPU {index}: {name}, {memory}"] = f"gpu:{index}"
    return found
