"""The memory there is: the least of the machine's, the control groups' and the process's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lulc import memory

MIB = 2**20


@pytest.fixture
def root(tmp_path) -> Path:
    """A machine with 8 GiB to take."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8388608 kB\n")
    return tmp_path


def group(root: Path, path: str, limit: object, usage: object, v1: bool = False) -> None:
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if v1 else (
        "memory.max", "memory.current"
    )  # fmt: skip
    for name, value in zip(names, (limit, usage), strict=True):
        (folder / name).write_text(f"{value}\n")


def test_the_machines_own(root):
    assert memory.available(root) == 8192 * MIB


def test_a_job_of_a_batch_system(root):
    (root / "proc/self/cgroup").write_text("0::/slurm/job_7/step_0\n")
    group(root, "slurm/job_7/step_0", "max", 300 * MIB)
    group(root, "slurm/job_7", 2000 * MIB, 500 * MIB)
    assert memory.available(root) == 1500 * MIB


def test_a_container_that_does_not_see_its_group(root):
    (root / "proc/self/cgroup").write_text("0::/kubepods/pod9/abc\n")
    group(root, "", 1000 * MIB, 250 * MIB)
    assert memory.available(root) == 750 * MIB


def test_control_groups_of_version_1(root):
    (root / "proc/self/cgroup").write_text("9:cpu,cpuacct:/a\n4:memory:/docker/x\n")
    group(root, "memory/docker/x", 4000 * MIB, 1000 * MIB, v1=True)
    assert memory.available(root) == 3000 * MIB


def test_here():
    assert 0 < memory.available() < 2**50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits as Unix has them")
def test_a_process_with_a_limit_of_its_own():
    code = (
        "import resource; from lulc import memory; before = memory.available();"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "print(memory.available() < 2**31)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
