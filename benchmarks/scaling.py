"""Whether memory stays flat and time grows with the pixels: classify, evaluate, assemble.

    python -m benchmarks.scaling memory [--small 3500] [--large 14000]
    python -m benchmarks.scaling time [--small 2048] [--large 8192]

`memory`: classify (assembly and overviews included) and evaluate with the bundled model at two
sizes, each in processes of their own; the peak of the resident memory of the whole process
tree, looked at ten times a second. `time`: seconds per pixel of classify, of the assembly
within it, and of evaluate at two sizes in turn in one process, each after a run that does not
count; the smaller one several times, and its median counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import click
import psutil

from benchmarks.scenes import repeated
from benchmarks.timing import machine
from lulc import config
from lulc.classify import classify
from lulc.evaluation import evaluate
from lulc.model import Model
from lulc.scene import Scene


def peak_mib(call: list[str]) -> tuple[float, float]:
    """Run a command to its end; the peak resident MiB of its process tree, and its seconds."""
    begin, most = time.monotonic(), 0
    process = psutil.Popen(call, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        total = 0
        try:
            for one in (process, *process.children(recursive=True)):
                total += one.memory_info().rss
        except psutil.Error:  # one of them ended meanwhile
            continue
        most = max(most, total)
        time.sleep(0.1)
    if process.returncode:
        raise click.ClickException(f"{call[:5]} ended with {process.returncode}")
    return most / 2**20, time.monotonic() - begin


@click.group()
def main() -> None:
    """Measure how memory and time grow with the scene."""


@main.command()
@click.option("--small", default=3500, show_default=True, help="Side in pixels.")
@click.option("--large", default=14000, show_default=True, help="Side in pixels.")
def memory(small: int, large: int) -> None:
    """Peak memory of the whole process tree at two sizes."""
    click.echo(machine())
    peaks: dict[str, list[float]] = {"classify": [], "evaluate": []}
    for size in (small, large):
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            repeated(place, size, size)
            lulc = [sys.executable, "-m", "lulc"]
            calls = {
                "classify": [*lulc, "classify", str(place / "bands.tif"), "--model", "lakeland",
                             "--out", str(place / "run"), "--progress", "none"],
                "evaluate": [*lulc, "evaluate", str(place / "run"), "--reference",
                             str(place / "truth.tif")],
            }  # fmt: skip
            for name, call in calls.items():
                mib, seconds = peak_mib(call)
                peaks[name].append(mib)
                click.echo(f"{name:10}{size:7} px a side{mib:9.0f} MiB{seconds:8.1f} s")
    for name, (few, many) in peaks.items():
        click.echo(f"{name:10}{many / few:.3f} times the memory for {large**2 / small**2:.0f} "
                   "times the pixels")  # fmt: skip


@main.command("time")
@click.option("--small", default=2048, show_default=True, help="Side in pixels.")
@click.option("--large", default=8192, show_default=True, help="Side in pixels.")
@click.option("--runs", default=3, show_default=True, help="Runs of the smaller size.")
def time_(small: int, large: int, runs: int) -> None:
    """Time per pixel at two sizes."""
    click.echo(machine())
    model = Model.load(config.ASSETS / "models" / "lakeland")
    spent: dict[str, dict[int, list[float]]] = {
        name: {small: [], large: []} for name in ("classify", "assemble", "evaluate")
    }
    with tempfile.TemporaryDirectory() as temporary:
        for size in (small, large):
            repeated(Path(temporary) / str(size), size, size)
        # The smaller size before and after the larger one: the machine may change its pace.
        order = [small, *[small] * (runs // 2), large, *[small] * (runs - runs // 2)]
        for number, size in enumerate(order):
            place = Path(temporary) / str(size)
            begin = time.perf_counter()
            run = classify(Scene.open(place / "bands.tif"), model, out=place / f"run-{number}",
                           device="cpu")  # fmt: skip
            whole = time.perf_counter() - begin
            begin = time.perf_counter()
            evaluate(run, place / "truth.tif")
            scored = time.perf_counter() - begin
            if number:
                spent["classify"][size].append(whole)
                spent["assemble"][size].append(run.properties["lulc:timings"]["assemble_s"])
                spent["evaluate"][size].append(scored)
    for name, seconds in spent.items():
        few, many = (median(seconds[size]) / size**2 * 1e9 for size in (small, large))
        click.echo(f"{name:10}{few:9.1f} ns a pixel at {small}{many:9.1f} at {large}"
                   f"   ratio {many / few:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
