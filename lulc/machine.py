"""What was measured on this machine about how TensorFlow computes fastest, and where it is kept."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from platformdirs import user_cache_path

from lulc import config, files


@dataclass(frozen=True)
class Settings:
    """How to compute here. The defaults hold until `lulc models tune` has measured."""

    onednn: bool = True
    """Whether TensorFlow's oneDNN operations are on."""
    xla: bool = False
    """Whether XLA compiles the network: seconds for every new shape of a block."""
    half: bool = False
    """Whether the half precision that the device has is faster than float32."""
    quick: bool = True
    """Whether a processor computes wide layers faster by `lulc.winograd`."""


def known() -> Settings | None:
    """What was measured on this machine with this TensorFlow; None when nothing was.

    A file that cannot be read counts as none: it is a cache. `LULC_TUNING=off` ignores it.
    """
    if config.TUNING == "off":
        return None
    try:
        return Settings(**_entries()[key()])
    except (KeyError, TypeError):
        return None


def settings() -> Settings:
    """What was measured, or the defaults."""
    return known() or Settings()


def store(found: Settings) -> Path:
    """Keep what was measured; what other machines measured stays. Returns the file."""
    path = _path()
    entries = {**_entries(), key(): asdict(found)}
    files.write_text(path, json.dumps(entries, indent=1) + "\n")
    return path


def key() -> str:
    """The processor with all it can do, the GPUs that are shown, and TensorFlow's version.

    A home folder may be shared by the machines of a cluster.
    """
    try:
        tensorflow = version("tensorflow")
    except PackageNotFoundError:  # a build under another name
        tensorflow = "unknown"
    gpus = sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*"))
    facts = [_processor(), os.cpu_count(), gpus, os.environ.get("CUDA_VISIBLE_DEVICES")]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return f"{digest}-tensorflow-{tensorflow}"


def _processor() -> list[str]:
    """Model and features of the first processor; virtual ones share a name and not features."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return [platform.machine(), platform.processor()]
    wanted = r"^(?:vendor_id|cpu family|model|model name|stepping|flags|Features)\s*:.*$"
    return re.findall(wanted, text, re.MULTILINE)


def _path() -> Path:
    return user_cache_path("lulc", appauthor=False) / "machines.json"


def _entries() -> dict[str, dict[str, bool]]:
    try:
        entries = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}
