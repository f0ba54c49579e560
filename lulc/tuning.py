"""Measures once how TensorFlow computes fastest on this machine.

    python -m lulc.tuning

prints the rates of this process in Mpx/s; `tune` has it run with oneDNN off and on, since the
flag works only before TensorFlow is imported. The network is what `lulc train` makes by default,
and for what only wide layers show a wide one; with random weights: the shape decides, not the
values.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from time import perf_counter

from lulc import config, machine
from lulc.device import resolve, tensorflow
from lulc.errors import ModelError
from lulc.frozen import freeze
from lulc.machine import Settings
from lulc.progress import report
from lulc.unet import UNet

#: Pixels of a region from which on measuring first, some ten seconds, does not delay it by much.
LARGE = 100_000_000

#: How much faster a way must be than float32 without XLA to be worth what comes with it: XLA
#: compiles every new shape for seconds, half precision needs a check and may be refused.
_WORTH = 1.25

_NETWORK = UNet(bands=9, classes=13, width=16, depth=4, decoder_width=16)
_WIDE = UNet(bands=9, classes=13, width=128, depth=1, decoder_width=128)
_SIDE, _WIDE_SIDE, _TIMES, _LIMIT_S = 384, 128, 3, 120


def tune(style: str = "auto") -> tuple[Settings, dict[str, dict[str, float]]]:
    """Measure and keep the result. Returns it, and the rates in Mpx/s with oneDNN off and on.

    Raises ModelError when neither could be measured.
    """
    rates = {}
    with report("tune", style) as progress:
        for done, name in enumerate(("off", "on")):
            progress(done, 2)
            rates[name] = _measured(str(done))
        progress(2, 2)
    found = chosen(rates)
    machine.store(found)
    return found, rates


def tune_once(pixels: int, say: Callable[[str], object], style: str = "auto") -> None:
    """Measure before a large region, unless it was done, or the user has set what it decides."""
    decided = "TF_ENABLE_ONEDNN_OPTS" in os.environ or "tensorflow" in sys.modules
    if pixels < LARGE or config.TUNING == "off" or decided or machine.known():
        return
    say("Measuring once how TensorFlow computes fastest here (LULC_TUNING=off does not)")
    try:
        tune(style)
    except (ModelError, OSError) as error:
        say(f"Not measured, and the defaults hold: {error}")


def chosen(rates: Mapping[str, Mapping[str, float]]) -> Settings:
    """The fastest settings of the rates {"off" or "on": {way: Mpx/s}}; where equal, oneDNN on."""
    onednn = rates["on"]["float32"] >= rates["off"]["float32"]
    ways = rates["on" if onednn else "off"]
    plain = ways["float32"] * _WORTH
    return Settings(
        onednn=onednn,
        xla=ways.get("xla", 0.0) > plain,
        half=ways.get("half", 0.0) > plain,
        quick=ways.get("quick", 0.0) >= ways.get("wide", 0.0),
    )


def rates() -> dict[str, float]:
    """Mpx/s of this process, by way; a way that fails here is left out."""
    tf = tensorflow()
    name, *_ = resolve().names
    half = "bfloat16" if "CPU:" in name else "float16"
    ways: dict[str, tuple[UNet, int, dict]] = {
        "float32": (_NETWORK, _SIDE, {}),
        "half": (_NETWORK, _SIDE, {"precision": half}),
        "xla": (_NETWORK, _SIDE, {"xla": True}),
        "wide": (_WIDE, _WIDE_SIDE, {"quick": False}),
        "quick": (_WIDE, _WIDE_SIDE, {"quick": True}),
    }
    found = {}
    for way, (network, side, options) in ways.items():
        image = tf.random.normal((1, side, side, network.bands), seed=0)
        try:
            function = freeze(network.build(), name, **options)
            function(image).numpy()
        except tf.errors.OpError:
            continue
        seconds = []
        for _ in range(_TIMES):
            begin = perf_counter()
            function(image).numpy()
            seconds.append(perf_counter() - begin)
        found[way] = round(side**2 / min(seconds) / 1e6, 3)
    return found


def _measured(onednn: str) -> dict[str, float]:
    """The rates of a process with that flag."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn, "LULC_TUNING": "off"}
    command = [sys.executable, "-m", "lulc.tuning"]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise ModelError(f"the speed could not be measured: {str(reason)[-300:]}") from error


if __name__ == "__main__":
    print(json.dumps(rates()))
