"""A run that is killed at any moment goes on, computes no block twice and ends the same."""

from __future__ import annotations

import json
import multiprocessing
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
from lulc.cli import main

#: How often the run is killed here; 25 were done for docs/benchmarks.md.
KILLS = int(os.environ.get("LULC_TEST_KILLS", "5"))

#: Blocks of the run.
TOTAL = 144


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


@pytest.fixture(scope="module")
def prepared():
    """Processes forked from one that has imported everything and started nothing.

    Importing takes longer than these runs: the moments are to fall into the run itself.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # too late once TensorFlow is imported
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pyogrio", "tensorflow", "keras", "lulc.classify", "lulc.cli"])
    return context


def begin(prepared, folder: Path, out: Path, log: Path):
    """Begin the command in a process of its own, which writes its progress to `log`."""
    process = prepared.Process(target=work, args=(command(folder, out)[3:], log))
    process.start()
    return process


def work(arguments: list[str], log: Path) -> None:
    """What the process does: the command, with standard error in a file."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 2)
    main(arguments)


def done_of(log: Path) -> int:
    """The blocks done, by a log that may not be there yet; before its first line, -1."""
    said = log.read_text().split('"done": ') if log.is_file() else []
    return int(said[-1].partition(",")[0] or -1) if len(said) > 1 else -1


@pytest.mark.slow
def test_killed_at_random_moments(folder, prepared, tmp_path):
    """Each trial: begin a run, kill it at a random moment of its life, give the command again."""
    moments, trials, early = random.Random(11), 0, 0
    begin(prepared, folder, tmp_path / "first", tmp_path / "log").join()
    begin(prepared, folder, tmp_path / "whole", tmp_path / "log").join()
    described = json.loads((tmp_path / "whole" / "run.json").read_text())
    assembling = described["properties"]["lulc:timings"]["assemble_s"]
    expected = (tmp_path / "whole" / "map.tif").read_bytes()
    listed = sorted(path.name for path in (tmp_path / "whole").iterdir())
    caught = {"before the first block": 0, "among the blocks": 0, "after the last block": 0}
    while trials < KILLS and early < 2 * KILLS:
        out = tmp_path / f"run-{trials}-{early}"
        (tmp_path / "log").unlink(missing_ok=True)
        process = begin(prepared, folder, out, tmp_path / "log")
        # By progress, as another process beside this one changes the pace. Assembling is short:
        # chance would seldom find it.
        reached = moments.randrange(-TOTAL // 8, TOTAL) if (trials + early) % 3 else TOTAL
        while process.is_alive() and done_of(tmp_path / "log") < reached:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, assembling))
        process.kill()
        process.join()
        if (out / "run.json").exists() and not (out / "spool").exists():
            early += 1  # the run was over: nothing was killed
            continue
        kept = blocks(out)
        process = begin(prepared, folder, out, tmp_path / "log")
        process.join()
        said = (tmp_path / "log").read_text()
        assert process.exitcode == 0, said
        done = [json.loads(line)["done"] for line in said.splitlines() if line.startswith("{")]
        # Counted: the run begins with what was kept, and computes each of the others once.
        if done:
            assert done == list(range(len(kept), TOTAL + 1))
        assert (out / "map.tif").read_bytes() == expected
        assert sorted(path.name for path in out.iterdir()) == listed
        when = "before the first block" if not kept else "among the blocks"
        caught["after the last block" if len(kept) == TOTAL else when] += 1
        trials += 1
    print(f"{trials} killed: {caught}; {early} were over already")
    assert trials == KILLS
    assert trials < 3 or min(caught["among the blocks"], caught["after the last block"]) >= 1


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
