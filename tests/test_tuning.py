"""What was measured on a machine: kept, heeded, measured once, and never in the user's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lulc import config, device, machine, tuning
from lulc.errors import ModelError
from lulc.machine import Settings


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder that is not there yet, with tuning on."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(machine, "user_cache_path", lambda *_, **__: folder)
    monkeypatch.setattr(config, "TUNING", "auto")
    return folder / "machines.json"


def test_the_defaults_hold_until_something_was_measured(cache):
    assert machine.known() is None
    assert machine.settings() == Settings(onednn=True, xla=False, half=False)
    machine.store(Settings(onednn=False, half=True))
    assert machine.settings() == Settings(onednn=False, xla=False, half=True)
    assert cache.is_file()


def test_another_machine_has_its_own_entry(cache, monkeypatch):
    machine.store(Settings(xla=True))
    monkeypatch.setattr(machine, "_processor", lambda: ["another"])
    assert machine.known() is None
    machine.store(Settings(onednn=False))
    assert len(json.loads(cache.read_text())) == 2
    monkeypatch.undo()


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"KEY": 1}', '{"KEY": {"speed": 3}}', "\0\0"])
def test_a_broken_file_is_ignored_and_rewritten(cache, broken):
    cache.parent.mkdir()
    cache.write_text(broken.replace("KEY", machine.key()))
    assert machine.known() is None
    machine.store(Settings(half=True))
    assert machine.known() == Settings(half=True)


def test_what_was_measured_is_not_heeded_when_off(cache, monkeypatch):
    machine.store(Settings(onednn=False))
    assert cache.is_file()
    monkeypatch.setattr(config, "TUNING", "off")
    assert machine.settings() == Settings()


@pytest.mark.parametrize(
    ("off", "on", "expected"),
    [
        ({"float32": 1.0}, {"float32": 2.0}, Settings()),
        ({"float32": 2.0}, {"float32": 1.0, "half": 9.0}, Settings(onednn=False)),
        ({"float32": 1.0}, {"float32": 1.0, "xla": 1.2, "half": 1.2}, Settings()),
        ({"float32": 1.0}, {"float32": 1.0, "xla": 1.3, "half": 2}, Settings(xla=True, half=True)),
        ({"float32": 1.0}, {"float32": 1.0, "wide": 0.2, "quick": 0.3}, Settings()),
        ({"float32": 1.0}, {"float32": 1.0, "wide": 0.3, "quick": 0.2}, Settings(quick=False)),
    ],
)
def test_the_fastest_way_is_chosen_and_a_little_faster_does_not_count(off, on, expected):
    assert tuning.chosen({"off": off, "on": on}) == expected


def test_both_settings_are_measured_in_processes_of_their_own(cache, monkeypatch):
    seen = []

    def run(command, *, env, **_):
        seen.append((command[1:], env["TF_ENABLE_ONEDNN_OPTS"], env["LULC_TUNING"]))
        rate = 3.0 if env["TF_ENABLE_ONEDNN_OPTS"] == "0" else 1.0
        return subprocess.CompletedProcess(command, 0, json.dumps({"float32": rate}), "")

    monkeypatch.setattr(subprocess, "run", run)
    found, rates = tuning.tune("none")
    assert seen == [(["-m", "lulc.tuning"], flag, "off") for flag in "01"]
    assert rates == {"off": {"float32": 3.0}, "on": {"float32": 1.0}}
    assert found == machine.known() == Settings(onednn=False)
    assert cache.is_file()


def test_a_measurement_that_fails_keeps_nothing(cache, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    with pytest.raises(ModelError, match="could not be measured"):
        tuning.tune("none")
    said = []
    tuning.tune_once(tuning.LARGE, said.append, "none")
    assert len(said) == 2
    assert "defaults hold" in said[1]
    assert not cache.exists()


@pytest.mark.parametrize("why", ["small", "off", "set by the user", "too late", "known"])
def test_nothing_is_measured_where_it_would_surprise(cache, monkeypatch, why):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(tuning, "tune", lambda *_: pytest.fail("measured"))
    if why == "off":
        monkeypatch.setattr(config, "TUNING", "off")
    elif why == "set by the user":
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    elif why == "too late":
        monkeypatch.setitem(sys.modules, "tensorflow", os)
    elif why == "known":
        machine.store(Settings())
    said = []
    tuning.tune_once(tuning.LARGE - (why == "small"), said.append, "none")
    assert not said
    assert cache.is_file() == (why == "known")


@pytest.mark.parametrize(("measured", "user", "expected"), [("0", None, "0"), ("0", "1", "1")])
def test_the_flag_is_in_force_where_tensorflow_computes(tmp_path, measured, user, expected):
    """What was measured decides, what the user has set goes before."""
    script = (
        "import sys; from pathlib import Path; from lulc import machine\n"
        f"machine.user_cache_path = lambda *_, **__: Path({str(tmp_path)!r})\n"
        f"machine.store(machine.Settings(onednn=bool({measured})))\n"
        "from lulc.device import tensorflow; tensorflow()\n"
        "from tensorflow.python.util import _pywrap_util_port as port\n"
        "print(int(port.IsMklEnabled()))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    environment["LULC_TUNING"] = "auto"
    if user is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = user
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [expected]


def test_the_devices_of_this_process_are_measured_in_every_way(monkeypatch):
    for side in ("_SIDE", "_WIDE_SIDE"):
        monkeypatch.setattr(tuning, side, 16)
    monkeypatch.setattr(tuning, "_NETWORK", tuning.UNet(2, 3, 2, 1, 2))
    found = tuning.rates()
    always = {"float32", "wide", "quick"}
    assert always | {"half", "xla"} >= set(found) >= always
    assert all(rate > 0 for rate in found.values())
    assert device.half_precision(device.resolve("cpu")) is None
