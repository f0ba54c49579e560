"""The same blocks on a Dask cluster of separate processes, some of which die."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from models import random_model

from lulc import sample
from lulc.classify import CancelledError, classify, resume
from lulc.cluster import executor
from lulc.errors import RunError
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.request import stamps
from lulc.scene import Scene
from lulc.spool import Spool
from lulc.task import Task
from lulc.unfinished import Unfinished

pytestmark = pytest.mark.filterwarnings(
    # Dask's own: sockets and loops of a cluster that is taken down with workers killed.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:.*:DeprecationWarning",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cluster")
    sample.write(path / "sample", size=256, seed=7)
    random_model(path / "model")
    return path


def local_cluster(folder: Path, *, workers: int, threads: int, **options):
    """Dask workers as processes of their own, to be used as a context."""
    return pytest.importorskip("distributed").LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=True,
        dashboard_address=":0",
        local_directory=str(folder),
        **options,
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with local_cluster(tmp_path_factory.mktemp("dask"), workers=2, threads=1) as found:
        yield found


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_even_when_workers_die(folder, cluster, tmp_path):
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    alone = classify(scene, model, out=tmp_path / "alone", tile=48)
    killed: list[int] = []
    moments = random.Random(3)

    def kill_one(done: int, _total: int) -> None:
        if done >= 3 + 6 * len(killed) and len(killed) < 4:
            time.sleep(moments.uniform(0, 0.2))
            worker = moments.choice([w for w in cluster.workers.values() if w.pid])
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    with executor(cluster.scheduler_address) as pool:
        shared = classify(
            scene, model, out=tmp_path / "shared", tile=48, executor=pool, progress=kill_one
        )
    assert len(killed) == 4
    assert shared.map_path.read_bytes() == alone.map_path.read_bytes()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of an S3-compatible server, told to all processes by the environment."""
    server_of = pytest.importorskip("moto.server")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs = pytest.importorskip("s3fs")
        s3fs.S3FileSystem().mkdir("blocks")
        yield "s3://blocks/lulc"
    server.stop()


@pytest.mark.slow
def test_blocks_in_an_object_store_give_the_same_bytes(folder, bucket, tmp_path):
    """Workers write to the store, and a stopped run goes on with what is there."""
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    alone = classify(scene, model, out=tmp_path / "alone", tile=48)
    out, seen = tmp_path / "run", []
    with (
        local_cluster(tmp_path / "dask", workers=2, threads=2) as cluster,
        executor(cluster.scheduler_address) as pool,
    ):
        with pytest.raises(CancelledError):
            classify(
                scene, model, out=out, tile=48, spool=bucket, executor=pool,
                progress=lambda done, _: seen.append(done), cancelled=lambda: len(seen) > 4,
            )  # fmt: skip
        assert not list((out / "spool").glob("0*.tif"))
        there = Spool(json.loads((out / "spool" / "request.json").read_text())["spool"])
        assert len(there.names()) >= 4
        assert Unfinished(out).summary()["blocks_done"] is None
        seen.clear()
        run = resume(out, executor=pool, progress=lambda done, _: seen.append(done))
    assert seen[0] >= 4
    assert run.map_path.read_bytes() == alone.map_path.read_bytes()
    assert not there.names()


def timed(kind: str, function: Callable, log: Path) -> Callable:
    """The function, which notes when it began and ended, and takes its time."""

    def call(*args, **kwargs):
        begin = time.time()
        found = function(*args, **kwargs)
        time.sleep(0.1)
        with log.open("a") as file:
            file.write(f"{kind} {begin} {time.time()}\n")
        return found

    return call


def watch(log: Path) -> None:
    """In a worker: note when it reads and when it is in the network."""
    from lulc import predictor, task

    freeze = predictor.freeze
    task.read_input = timed("read", task.read_input, log)
    predictor.freeze = lambda *args, **options: timed("network", freeze(*args, **options), log)


@pytest.mark.slow
def test_a_worker_has_one_block_in_the_network_and_reads_the_next_meanwhile(folder, tmp_path):
    """With two threads and one device: the second thread reads and writes."""
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    log = tmp_path / "log"
    with (
        local_cluster(tmp_path / "dask", workers=1, threads=2) as cluster,
        executor(cluster.scheduler_address) as pool,
    ):
        cluster.get_client().run(watch, log)
        classify(scene, model, out=tmp_path / "run", tile=64, executor=pool)
    spans: dict[str, list[tuple[float, float]]] = {"read": [], "network": []}
    for line in log.read_text().splitlines():
        kind, begin, end = line.split()
        spans[kind].append((float(begin), float(end)))
    assert len(spans["network"]) == len(spans["read"]) == 16
    network = sorted(spans["network"])
    assert not any(end > begin for (_, end), (begin, _) in pairwise(network))
    meanwhile = [
        (begin, end)
        for begin, end in spans["read"]
        if any(start < end and begin < stop for start, stop in network)
    ]
    assert len(meanwhile) > len(network) / 2


def test_no_pixels_come_back_from_a_block(folder, tmp_path):
    """What a worker returns to the scheduler is three figures."""
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    layout = MapFormat(model.card.legend)
    spool = Spool(str(tmp_path))
    task = Task(scene, model, "cpu", None, scene.whole(), layout, 128, spool, stamps(scene))
    found = task.compute(task.blocks()[0])
    assert len(pickle.dumps(found)) < 200
    assert spool.names() == {task.blocks()[0].name}


@pytest.mark.slow
def test_a_worker_out_of_memory_is_said_and_the_run_goes_on(folder, tmp_path):
    pytest.importorskip("distributed")
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    # Enough to start in, not for TensorFlow; the nanny kills whoever takes more.
    limits = {"distributed.scheduler.allowed-failures": 0}
    with (
        import_module("dask").config.set(limits),
        local_cluster(tmp_path / "dask", workers=1, threads=1, memory_limit="250MB") as cluster,
        pytest.raises(RunError, match=r"worker died of it.*memory.*blocks are kept"),
        executor(cluster.scheduler_address) as pool,
    ):
        classify(scene, model, out=tmp_path / "run", tile=128, executor=pool)
    run = classify(scene, model, out=tmp_path / "run", tile=128)
    assert run.properties["lulc:blocks"] == 4


def test_a_scheduler_that_does_not_answer_is_said_in_one_line():
    pytest.importorskip("distributed")
    with pytest.raises(RunError, match="no Dask scheduler answers") as caught:  # noqa: SIM117
        with executor("tcp://127.0.0.1:1", timeout_s=1):
            pass
    assert "\n" not in str(caught.value)
