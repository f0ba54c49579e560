"""Jobs that outlive a server, and the blocks of a run on the map while it goes on."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from dashboard import catalog
from dashboard.mapping import blocks, warp
from dashboard.mapping.warp import View
from dashboard.pages import runs
from dashboard.running.job import Job
from dashboard.running.jobs import Jobs
from dashboard.running.process import Process
from dashboard.running.progress import said
from lulc import mapfile
from lulc.errors import RunError
from lulc.grid import cut
from lulc.legend import Legend
from lulc.mapfile import MapFormat
from lulc.runs import SPOOL
from lulc.spool import LOCK
from lulc.unfinished import unfinished

#: Stands for `lulc classify OUT`: counts to a block, and ends when OUT says so.
PROGRAM = """
import json, sys, time
from pathlib import Path
out = Path(sys.argv[2])
(out / "spool").mkdir(parents=True, exist_ok=True)
print(json.dumps({"done": 1, "total": 2, "left_s": 9}), file=sys.stderr, flush=True)
while not (out / "go").exists():
    time.sleep(0.02)
(out / "run.json").write_text("{}")
"""
LULC = (sys.executable, "-c", PROGRAM)

#: A server that submits a job and is then killed, or ended, or goes on until it is.
SERVER = """
import sys, time
from pathlib import Path
from dashboard.running.job import Job
from dashboard.running.jobs import Jobs
program, outs, way = eval(sys.argv[1]), sys.argv[2].split(), sys.argv[3]
jobs = Jobs(program)
made = [jobs.submit(Job(Path(out), ("classify", out), Path(out).name)) for out in outs]
while not made[0].blocks_done:
    time.sleep(0.02)
print("at work", flush=True)
while way == "wait":
    time.sleep(0.1)
"""


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    return tmp_path


def serve(workspace: Path, *names: str, way: str = "wait") -> subprocess.Popen[str]:
    """A server at work on the first of several jobs."""
    outs = " ".join(str(workspace / "runs" / name) for name in names)
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, repr(LULC), outs, way],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"LULC_WORKSPACE": str(workspace)},
        cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    assert server.stdout is not None and server.stdout.readline() == "at work\n"
    return server


def end(server: subprocess.Popen[str], how: signal.Signals = signal.SIGKILL) -> None:
    server.send_signal(how)
    assert server.stdout is not None
    server.stdout.close()
    server.wait(60)


def test_a_killed_servers_job_goes_on_and_the_next_server_follows_it(workspace):
    end(serve(workspace, "one", "two"))
    jobs = Jobs(LULC)
    jobs.restore()
    one, two = jobs.list()
    assert (one.id, one.state, two.state) == ("one", "running", "stopped")
    until(lambda: one.blocks_done == 1)
    assert one.share == 0.5 and two.resumable
    (workspace / "runs" / "one" / "go").touch()
    assert jobs.wait(one, 60).state == "done"
    # Once it was seen to its end, no server finds it again.
    another = Jobs(LULC)
    another.restore()
    assert [job.id for job in another.list()] == ["two"]


def test_a_job_found_at_work_can_be_cancelled(workspace):
    end(serve(workspace, "one"))
    jobs = Jobs(LULC)
    jobs.restore()
    (one,) = jobs.list()
    worker = one.worker
    begin = time.monotonic()
    jobs.cancel(one)
    assert jobs.wait(one, 60).state == "cancelled"
    assert worker is not None and not worker.running
    assert one.resumable and time.monotonic() - begin < 30


def test_a_server_that_ends_stops_its_job_and_the_next_one_resumes_it(workspace):
    server = serve(workspace, "one", way="end")
    assert server.stdout is not None
    server.stdout.close()
    assert server.wait(60) == 0
    jobs = Jobs(LULC)
    jobs.restore()
    (one,) = jobs.list()
    assert one.state == "stopped" and "Stopped" in said(one)
    again = jobs.submit(one.again())
    until(lambda: again.blocks_done == 1)
    (workspace / "runs" / "one" / "go").touch()
    assert jobs.wait(again, 60).state == "done"


def test_a_waiting_job_of_a_server_that_runs_is_left_to_it(workspace):
    server = serve(workspace, "one", "two")
    try:
        assert Job.kept(catalog.call_path("two")) is None
    finally:
        end(server)
    (workspace / "runs" / "one" / "go").touch()
    assert Job.kept(catalog.call_path("two")) is not None


def test_a_stopped_job_that_is_dismissed_or_deleted_does_not_come_back(workspace):
    jobs = Jobs(LULC)
    for name in ("kept", "gone"):
        job = Job(workspace / "runs" / name, ("classify",), name)
        (job.out / "spool").mkdir(parents=True)
        job.keep()
        text = json.loads(catalog.call_path(name).read_text(encoding="utf-8"))
        text["server"] = [2**22 + 1, "0"]
        catalog.call_path(name).write_text(json.dumps(text), encoding="utf-8")
    jobs.restore()
    gone, kept = jobs.list()
    jobs.dismiss(kept)
    jobs.dismiss(gone)
    gone.delete()
    assert kept.out.is_dir() and not gone.out.exists()
    assert not catalog.call_path("gone").exists()
    another = Jobs(LULC)
    another.restore()
    assert another.list() == ()


def test_a_record_that_cannot_be_read_hides_no_other(workspace):
    job = Job(workspace / "runs" / "one", ("classify",), "one")
    job.keep()
    for text in ("{", "[]", '{"state": "running"}'):
        catalog.call_path("one").write_text(text, encoding="utf-8")
        assert Job.kept(catalog.call_path("one")) is None


def test_a_job_runs_in_the_name_of_who_asked_for_it(tmp_path):
    """As `lulc:user` of the run has it; without a name, of who runs the server."""
    program = "import getpass, sys; print(getpass.getuser(), file=sys.stderr)"
    said = []
    for user in ("anna", ""):
        command = [sys.executable, "-c", program]
        process = Process.start(command, tmp_path / f"{user}.log", user)
        until(lambda process=process: not process.running)
        said.append((tmp_path / f"{user}.log").read_text(encoding="utf-8").strip())
    assert said == ["anna", getpass.getuser()]


def test_going_on_keeps_the_reference_and_what_is_shown(workspace):
    grid = GeoBox.from_bbox((0, 0, 100, 100), "EPSG:3067", shape=(10, 10))
    legend = Legend.load("lulc13")
    out, reference = workspace / "runs" / "one", workspace / "references" / "truth.tif"
    call = ("classify", "scene.tif", "--model", "lakeland", "--out", str(out))
    job = Job(out, call, "one", reference, "clc", "scene", grid, legend, "anna", "cancelled")
    job.keep()
    assert Job.kept(catalog.call_path("one")) is None, "it had ended"
    assert Job.called("two") is None
    found = Job.called("one")
    assert found is not None and found.again().arguments == call, "nothing was begun"
    (out / SPOOL).mkdir(parents=True)
    (out / SPOOL / "request.json").write_text("{}", encoding="utf-8")
    again = found.again()
    assert again.arguments[:3] == ("classify", "--resume", str(out))
    assert (again.reference, again.codes, again.scene) == (reference, "clc", "scene")
    assert again.user == "anna"
    assert (again.grid, again.legend, again.state) == (grid, legend, "queued")


def test_an_unfinished_run_whose_request_is_broken_is_listed_and_deleted(workspace):
    for text in ("{", "[]"):
        spool = workspace / "runs" / "one" / SPOOL
        spool.mkdir(parents=True)
        (spool / "request.json").write_text(text, encoding="utf-8")
        (found,) = unfinished()
        assert found.summary()["scene"] is None
        runs.remove(found)
        assert not found.path.exists()


def test_listeners_hear_of_every_change_until_they_end(workspace):
    jobs, heard = Jobs(LULC), threading.Semaphore(0)
    end = jobs.listen(heard.release)
    job = jobs.submit(
        Job(workspace / "runs" / "one", ("classify", str(workspace / "runs/one")), "")
    )
    until(lambda: job.blocks_done)
    while heard.acquire(timeout=0.5):
        pass
    jobs.cancel(job)
    assert heard.acquire(timeout=60) and heard.acquire(timeout=60), "told, and ended"
    jobs.wait(job, 60)
    end()
    while heard.acquire(timeout=0.2):
        pass
    jobs.dismiss(job)
    assert not heard.acquire(timeout=0.2)


def test_a_process_is_known_by_more_than_its_number():
    me = Process.me()
    assert Process.find(me.mark) is not None
    assert Process.find([me.pid, "another time"]) is None
    assert Process.find(None) is None


# Blocks on the map


def test_blocks_are_shown_where_and_as_they_are(workspace):
    legend = Legend.load("lulc13")
    grid = GeoBox((60, 90), GeoBox.from_bbox(
        (500_000, 6_700_000, 500_900, 6_700_600), "EPSG:3067", shape=(60, 90)
    ).affine, "EPSG:3067")  # fmt: skip
    whole = np.random.default_rng(1).integers(1, 14, (60, 90)).astype(np.uint8)
    out = workspace / "runs" / "one"
    (out / "spool").mkdir(parents=True)
    layout = MapFormat(legend)
    found = blocks.Mosaic(out, grid, legend)
    assert found.look() == 0 and not found.places.any()
    for number, window in enumerate((Window(0, 0, 50, 60), Window(50, 0, 40, 60)), 1):
        bands = np.zeros((14, 60, window.width), np.uint8)
        bands[0] = whole[window.toslices()]
        path = out / "spool" / f"00000-{number:05d}.tif"
        path.write_bytes(mapfile.encoded(bands, layout, cut(grid, window)))
        (out / "spool" / "request.json").touch()
        assert found.look() == number
        assert found.places.any(axis=0).sum() == (50, 90)[number - 1]
    assert np.array_equal(found.places, whole), "this legend counts its classes from 1"
    shown = found.on(View.of(grid, 450, 300))
    assert shown is not None
    places, part = shown
    assert places.shape == part.shape and (places > 0).mean() > 0.9
    far = View(0, 0, 1000, 1000, 100, 100)
    assert found.on(far) is None
    assert warp.mercator_bounds(grid) == pytest.approx(part.bounds)


def test_a_large_run_is_kept_decimated(workspace):
    legend = Legend.load("lulc13")
    grid = GeoBox.from_bbox((0, 0, 50_000, 40_000), "EPSG:3067", shape=(4000, 5000))
    out = workspace / "runs" / "large"
    (out / "spool").mkdir(parents=True)
    window = Window(2048, 1024, 512, 512)
    bands = np.full((14, 512, 512), 7, np.uint8)
    path = out / "spool" / "00002-00004.tif"
    path.write_bytes(mapfile.encoded(bands, MapFormat(legend), cut(grid, window)))
    found = blocks.Mosaic(out, grid, legend)
    found.look()
    assert max(found.places.shape) <= 1200
    share = (found.places == 7).mean()
    assert share == pytest.approx(512 * 512 / (4000 * 5000), rel=0.05)
    assert set(np.unique(found.places)) == {0, 7}


def test_a_run_at_work_is_not_deleted_under_its_process(tmp_path):
    spool = tmp_path / "run" / SPOOL
    spool.mkdir(parents=True)
    with FileLock(spool / LOCK), pytest.raises(RunError, match="stop it first"):
        Job(tmp_path / "run", (), "at work", state="stopped").delete()
    assert spool.is_dir()
