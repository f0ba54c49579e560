"""A workspace with a small simulated scene, its references and runs, made without a network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import mapfile, sample
from lulc.evaluation import evaluate
from lulc.legend import Legend
from lulc.mapfile import NODATA, MapFormat
from lulc.runs import Run

SIZE = 256


def make(folder: Path, size: int = SIZE) -> Path:
    """scenes/sample, references/sample-corine and -truth, and two scored runs in `folder`."""
    scene = folder / "scenes" / "sample"
    made = sample.write(scene, size=size)
    references = folder / "references"
    references.mkdir()
    for name in ("corine", "truth"):
        made[name].rename(references / f"sample-{name}.tif")
    for name, wrong in (("run-a", 0.1), ("run-b", 0.3)):
        run = add_run(folder, name, wrong)
        evaluate(run, references / "sample-truth.tif")
    return folder


def add_run(workspace: Path, name: str, wrong: float) -> Run:
    """A run whose map is the truth with a share of wrong pixels."""
    with rasterio.open(workspace / "references" / "sample-truth.tif") as file:
        truth, grid = file.read(1), GeoBox.from_rio(file)
    with rasterio.open(workspace / "scenes" / "sample" / "bands.tif") as file:
        valid = file.read(1) != 0
    legend = Legend.load("lulc13")
    random = np.random.default_rng(1)
    noisy = random.random(truth.shape) < wrong
    classes = np.where(noisy, random.integers(1, 14, truth.shape), truth)
    sure = np.where(noisy, 0.4, 0.9)
    activations = np.repeat(((1 - sure) / 12)[None], 13, axis=0).astype(np.float32)
    np.put_along_axis(activations, classes[None] - 1, sure[None].astype(np.float32), axis=0)
    layout = MapFormat(legend)
    folder = workspace / "runs" / name
    spool = folder / "spool"
    spool.mkdir(parents=True)
    bands = layout.encode(activations, valid & (truth != NODATA))
    (spool / "all.tif").write_bytes(mapfile.encoded(bands, layout, grid))
    height, width = grid.shape
    whole = Window(0, 0, width, height)
    mapfile.assemble([(spool / "all.tif", whole)], folder / "map.tif", layout, grid)
    for file in spool.iterdir():
        file.unlink()
    spool.rmdir()
    properties = {
        "created": f"2026-01-01T00:00:0{name[-1] == 'a':d}+00:00",
        "mlm:name": f"noise {wrong}",
        "proj:shape": [height, width],
        "lulc:scene": {"name": "sample"},
        "lulc:legend": legend.to_dict(),
        "lulc:simulated": True,
        "lulc:timings": {"total_s": 10.0},
    }
    item = {"type": "Feature", "id": name, "properties": properties}
    (folder / "run.json").write_text(json.dumps(item), encoding="utf-8")
    return Run.open(folder)
