"""A run that is killed at any moment goes on, computes no block twice and ends the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from models import random_model

from lulc import sample
from lulc.classify import classify
from lulc.model import Model
from lulc.scene import Scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("killed")
    sample.write(path / "sample", size=768, seed=7)
    random_model(path / "model", width=16, depth=2)
    return path


def command(folder: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "lulc", "classify", str(folder / "sample" / "bands.tif"),
        "--model", str(folder / "model"), "--out", str(out), "--tile", "64", "--progress", "json",
    ]  # fmt: skip


def blocks(out: Path) -> dict[str, int]:
    """The blocks in the spool and when they were written."""
    return {p.name: p.stat().st_mtime_ns for p in (out / "spool").glob("[0-9]*-[0-9]*.tif")}


@pytest.mark.slow
def test_killed_again_and_again(folder, tmp_path):
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    expected = classify(scene, model, out=tmp_path / "whole", tile=64).map_path.read_bytes()
    out, moments = tmp_path / "run", random.Random(5)
    kept: dict[str, int] = {}
    for _ in range(4):
        process = subprocess.Popen(
            command(folder, out), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert process.stderr is not None
        # Somewhere between the first new block and the last.
        wanted = len(kept) + moments.randint(1, 30)
        for line in process.stderr:
            if line.startswith("{") and json.loads(line)["done"] >= wanted:
                break
        time.sleep(moments.random() * 0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
        if (out / "run.json").exists():
            break
        now = blocks(out)
        assert len(now) >= len(kept)
        # What was finished is as it was: not computed again.
        assert {name: now[name] for name in kept} == kept
        kept = now
    if not (out / "run.json").exists():
        assert kept
        done = subprocess.run(command(folder, out), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        first = next(line for line in done.stderr.splitlines() if line.startswith("{"))
        assert json.loads(first)["done"] == len(kept)
    assert (out / "map.tif").read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_leaves_a_run_that_goes_on(folder, tmp_path, number):
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(folder, out), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("{") and json.loads(line)["done"] >= 2:
            break
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(20) == 130
    process.stderr.close()
    assert "cancelled after" in rest
    assert "Traceback" not in rest
    assert blocks(out)
    assert not (out / "run.json").exists()
