"""Scoring: `lulc.evaluation` against scikit-learn, and the whole way from two files.

    python -m benchmarks.evaluate [--height 7000] [--width 6500]

A map at 10 m in EPSG:3067 and a CORINE-like reference at 25 m in EPSG:3035, both simulated.
Counting: the same two arrays in memory, until every score is there; the matrices are compared.
The whole way: reading, warping and counting two files, each size in a process of its own so
that its peak memory is its own.
Parts: what counting each part of `lulc.parts` beside the matrix takes, with `uint8` activations;
the histograms also as they are counted for a `float32` map.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from unittest import mock

import click
import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from sklearn.metrics import classification_report, confusion_matrix

from benchmarks.timing import interleaved, machine, ratios
from lulc.activations import Activations
from lulc.evaluation import confusion, count, evaluate_labels
from lulc.grouping import common_grouping
from lulc.histograms import HistogramTally
from lulc.legend import Legend, crosswalk
from lulc.levelcounts import count_values
from lulc.mapfile import MapFormat
from lulc.reference import LabelMap, open_reference
from lulc.strips import Strip, Strips

LULC13, CLC = Legend.load("lulc13"), Legend.load("clc")

#: Side of a simulated patch of one code in pixels of the reference, and share of wrong pixels.
PATCH, WRONG = 12, 0.25

WAYS = ("lulc", "scikit-learn")

#: Parts that are counted strip by strip.
COUNTED = ("intervals", "boundary", "activations")


def write(path: Path, grid: GeoBox, legend: Legend, ids: np.ndarray) -> None:
    """Write ids as a tiled, compressed raster with its legend's name in a tag."""
    height, width = grid.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype=legend.dtype,
        nodata=legend.nodata, crs=str(grid.crs), transform=grid.affine, tiled=True,
        blockxsize=512, blockysize=512, compress="zstd", predictor=2,
    ) as file:  # fmt: skip
        file.write(ids.astype(legend.dtype), 1)
        file.update_tags(LULC_LEGEND=legend.name)


def simulate(folder: Path, height: int, width: int) -> None:
    """A reference of square patches, and a map that is right but for a share of its pixels."""
    random = np.random.default_rng(0)
    bounds = (300000, 6800000, 300000 + 10 * width, 6800000 + 10 * height)
    grid = GeoBox.from_bbox(bounds, "EPSG:3067", shape=(height, width))
    around = transform_bounds("EPSG:3067", "EPSG:3035", *bounds)
    coarse = GeoBox.from_bbox(around, "EPSG:3035", resolution=25)
    read_as = crosswalk("clc", "lulc13").pairs
    rows, columns = coarse.shape
    patches = random.choice([*read_as], (rows // PATCH + 1, columns // PATCH + 1))
    codes = patches.repeat(PATCH, 0).repeat(PATCH, 1)[:rows, :columns]
    write(folder / "reference.tif", coarse, CLC, codes)
    table = np.full(CLC.nodata + 1, LULC13.nodata, np.uint8)
    table[[*read_as]] = [classes[0] for classes in read_as.values()]
    right = table[open_reference(folder / "reference.tif", grid).read()]
    wrong = random.random(right.shape, np.float32) < WRONG
    ids = np.where(wrong, random.choice(LULC13.ids, right.shape), right)
    write(folder / "map.tif", grid, LULC13, ids)


def counting(folder: Path) -> None:
    """Counts and scores of the same two arrays, both ways in turn."""
    labels = LabelMap.open(folder / "map.tif")
    truth = open_reference(folder / "reference.tif", labels.grid, known=[LULC13])
    grouping = common_grouping(LULC13, CLC)
    held = [LabelMap.from_array(m.read(), labels.grid, m.legend) for m in (labels, truth)]
    # scikit-learn gets what it asks for, ready made: one label a pixel, nothing to leave out.
    mapped = grouping.prediction_lut[held[0].read()].ravel()
    real = grouping.reference_lut[held[1].read()].ravel()
    both = (mapped >= 0) & (real >= 0)
    mapped, real = mapped[both], real[both]
    n = len(grouping.groups)
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        evaluation = confusion(*held, grouping)
        evaluation.to_dict()
        found["lulc"] = evaluation.matrix

    def theirs() -> None:
        found["scikit-learn"] = confusion_matrix(real, mapped, labels=range(n))
        classification_report(real, mapped, labels=range(n), output_dict=True, zero_division=np.nan)

    seconds = interleaved({"lulc": ours, "scikit-learn": theirs}, runs=3)
    faster = ratios(seconds, "scikit-learn")
    pixels = labels.grid.shape.x * labels.grid.shape.y
    click.echo("counting and scores, two arrays in memory")
    for way in WAYS:
        rate = pixels / min(seconds[way]) / 1e6
        click.echo(f"  {way:14}{rate:10.1f} Mpx/s{faster[way]:8.1f} times as fast")
    click.echo(f"  the matrices are {'equal' if np.array_equal(*found.values()) else 'NOT EQUAL'}")


def whole_way(folder: Path) -> dict[str, float]:
    """Score the two files in this process: seconds, and MiB beyond what was there before."""
    labels = LabelMap.open(folder / "map.tif")
    truth = open_reference(folder / "reference.tif", labels.grid)
    truth.read(Window(0, 0, 1, 1))  # what is loaded late is loaded
    wall, cpu = perf_counter(), process_time()
    evaluate_labels(labels, folder / "reference.tif")
    found = {"wall": perf_counter() - wall, "cpu": process_time() - cpu}
    begin = perf_counter()
    for window in labels.strips():
        truth.read(window)
    found["warping"] = perf_counter() - begin
    pixels = labels.grid.shape.x * labels.grid.shape.y
    return {**found, "peak": peak(), "pixels": pixels}


def peak() -> float:
    """The most memory this process ever had, in MiB.

    Not `getrusage`: there a process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


#: Pixels of the map that parts are counted on: rows and columns.
PARTS_SHAPE = (1536, 2048)


def parts(folder: Path) -> None:
    """Processor seconds of the matrix alone, and with each part, of one map with activations."""
    random = np.random.default_rng(0)
    rows, columns = PARTS_SHAPE
    codes = [pair for pair in crosswalk("clc", "lulc13").pairs if pair in CLC.ids]
    truth = random.choice(codes, (rows // PATCH, columns // PATCH + 1))
    truth = truth.repeat(PATCH, 0).repeat(PATCH, 1)[:rows, :columns]
    shares = random.dirichlet(np.full(13, 0.3), PARTS_SHAPE).transpose(2, 0, 1).astype(np.float32)
    layout = MapFormat(LULC13)
    bounds = (300000, 6800000, 300000 + 10 * columns, 6800000 + 10 * rows)
    grid = GeoBox.from_bbox(bounds, "EPSG:3067", shape=PARTS_SHAPE)
    with rasterio.open(
        folder / "activations.tif", "w", driver="GTiff", width=columns, height=rows, count=14,
        dtype="uint8", nodata=255, crs="EPSG:3067", transform=grid.affine,
    ) as file:  # fmt: skip
        file.write(layout.encode(shares, np.ones(PARTS_SHAPE, bool)))
    labels = LabelMap.open(folder / "activations.tif", LULC13)
    strips = Strips(
        labels,
        LabelMap.from_array(truth.astype(CLC.dtype), grid, CLC),
        common_grouping(LULC13, CLC),
        activations=Activations(folder / "activations.tif", LULC13),
    )
    chosen = {"matrix alone": (), **{f"with {name}": (name,) for name in COUNTED}}
    seconds: dict[str, list[float]] = {name: [] for name in (*chosen, "with all", "as of float32")}
    for _ in range(3):
        for name, some in (*chosen.items(), ("with all", COUNTED), ("as of float32", COUNTED[-1:])):
            begin = process_time()
            if name == "as of float32":
                with mock.patch.object(HistogramTally, "add", as_floats):
                    count(strips, some)
            else:
                count(strips, some)
            seconds[name].append(process_time() - begin)
    click.echo(f"parts, {rows} x {columns} px with 13 uint8 activations")
    alone = min(seconds["matrix alone"])
    for name, times in seconds.items():
        click.echo(
            f"  {name:20}{min(times):6.2f} s{min(times) / alone:8.1f} times the matrix alone"
        )


def as_floats(tally: HistogramTally, strip: Strip) -> None:
    """Count a strip of bytes as if its activations were those of a float32 map."""
    tally.rounded = True
    tally.add_values(strip, strip.activations(), count_values)


@click.command()
@click.option("--height", default=7000, show_default=True)
@click.option("--width", default=6500, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(height: int, width: int, folder: Path | None) -> None:
    """Compare scoring with scikit-learn, and see whether its memory stays flat."""
    if folder:
        click.echo(json.dumps(whole_way(folder)))
        return
    click.echo(f"{machine()}; {height} x {width} px")
    with tempfile.TemporaryDirectory() as temporary:
        parts(Path(temporary))
    click.echo("the whole way from two files")
    for rows in (height // 4, height):
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            simulate(place, rows, width)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.evaluate", "--folder", place],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1])
            click.echo(
                f"  {rows:5} x {width} px {found['pixels'] / found['wall'] / 1e6:6.1f} Mpx/s, "
                f"{found['warping'] / found['wall']:.0%} of it warping; "
                f"peak {found['peak']:.0f} MiB"
            )
            if rows == height:
                counting(place)


if __name__ == "__main__":
    main()
