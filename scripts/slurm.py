#!/usr/bin/env python
# SBATCH --job-name=lulc
# SBATCH --time=24:00:00
# SBATCH --cpus-per-task=1
# SBATCH --mem=4G
"""Classify on SLURM: this job coordinates, and asks for workers that are jobs of their own.

sbatch scripts/slurm.py SCENE... --model MODEL --out RUN     (the options of `lulc classify`)

Needs lulc[cluster] and dask-jobqueue, and folders that all nodes see under the same paths.
"""

from __future__ import annotations

import sys

from lulc.cli import main

#: Workers at most, and what each asks for. Memory: a block, the network, and the rest.
WORKERS = 32
RESOURCES = {
    "cores": 2,  # threads: one in the network, one that reads and writes
    "processes": 1,
    "job_cpu": 8,
    "memory": "6GB",
    "walltime": "04:00:00",
    "queue": None,
    "account": None,
    # A GPU each: ["--gres=gpu:1"]
    "job_extra_directives": [],
}


def classify(arguments: list[str]) -> None:
    """Run `lulc classify` on workers that SLURM starts as it has room for them."""
    from dask_jobqueue import SLURMCluster

    with SLURMCluster(**RESOURCES) as cluster:
        cluster.adapt(minimum=1, maximum=WORKERS)
        main(["classify", *arguments, "--scheduler", cluster.scheduler_address])


if __name__ == "__main__":
    classify(sys.argv[1:])
