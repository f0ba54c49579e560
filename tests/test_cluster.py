"""The same blocks on a Dask cluster of separate processes, some of which die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from models import random_model

from lulc import sample
from lulc.classify import classify
from lulc.cluster import executor
from lulc.errors import RunError
from lulc.model import Model
from lulc.scene import Scene

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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
    ) as found:
        yield found


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_even_when_a_worker_dies(folder, cluster, tmp_path):
    scene, model = Scene.open(folder / "sample" / "bands.tif"), Model.load(folder / "model")
    alone = classify(scene, model, out=tmp_path / "alone", tile=48)
    killed: list[int] = []

    def kill_one(done: int, _total: int) -> None:
        if done >= 3 and not killed:
            worker = next(iter(cluster.workers.values()))
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    with executor(cluster.scheduler_address) as pool:
        shared = classify(
            scene, model, out=tmp_path / "shared", tile=48, executor=pool, progress=kill_one
        )
    assert killed
    assert shared.map_path.read_bytes() == alone.map_path.read_bytes()


def test_a_scheduler_that_does_not_answer_is_said_in_one_line():
    pytest.importorskip("distributed")
    with pytest.raises(RunError, match="no Dask scheduler answers") as caught:  # noqa: SIM117
        with executor("tcp://127.0.0.1:1", timeout_s=1):
            pass
    assert "\n" not in str(caught.value)
