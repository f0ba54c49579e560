"""`evaluation.json` is what its schema says, whatever was scored."""

from __future__ import annotations

import csv
import json

import jsonschema
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from odc.geo.geobox import GeoBox

from lulc import config
from lulc.cli import cli
from lulc.evaluation import Evaluation, evaluate, evaluation_path
from lulc.legend import Legend
from lulc.mapfile import MapFormat
from lulc.parts import PARTS
from lulc.region import Region
from lulc.scores import SCHEMA

LULC13 = Legend.load("lulc13")
SHAPE = (64, 64)
GRID = GeoBox.from_bbox((500000, 6700000, 500640, 6700640), "EPSG:3067", shape=SHAPE)
DOCUMENT = json.loads((config.ASSETS / "evaluation.schema.json").read_text(encoding="utf-8"))
FOOTPRINT = Region.box((500000, 6700000, 500200, 6700640), "EPSG:3067").to("EPSG:4326")


def valid(data):
    """The document as JSON, which has no NaN; raises where it is not what the schema says."""
    written = json.loads(json.dumps(data, allow_nan=False))
    jsonschema.Draft202012Validator(DOCUMENT).validate(written)
    return written


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run right most of the time, whose model saw its left third."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    rng = np.random.default_rng(1)
    activations = rng.dirichlet(np.full(13, 0.3), SHAPE).transpose(2, 0, 1).astype(np.float32)
    layout = MapFormat(LULC13)
    profile = {
        "driver": "GTiff", "width": 64, "height": 64, "crs": "EPSG:3067", "dtype": "uint8",
        "transform": GRID.affine, "nodata": 255,
    }  # fmt: skip
    bands = layout.encode(activations, rng.random(SHAPE) < 0.95)
    with rasterio.open(folder / "map.tif", "w", count=14, **profile) as file:
        file.write(bands)
    truth = np.where(rng.random(SHAPE) < 0.2, rng.integers(1, 14, SHAPE), bands[0])
    with rasterio.open(folder.parent / "truth.tif", "w", count=1, **profile) as file:
        file.write(truth.astype(np.uint8), 1)
        file.update_tags(LULC_LEGEND="lulc13")
    codes = np.array([0, 112, 121, 333, 231, 211, 311, 312, 312, 313, 324, 411, 323, 512])
    with rasterio.open(
        folder.parent / "clc.tif", "w", count=1, **profile | {"dtype": "uint16", "nodata": 999}
    ) as file:
        file.write(np.where(truth == 255, 999, codes[truth % 14]).astype(np.uint16), 1)
        file.update_tags(LULC_CODES="clc")
    properties = {
        "lulc:legend": LULC13.to_dict(),
        "lulc:halo": 4,
        "lulc:footprints": FOOTPRINT.__geo_interface__,
    }
    (folder / "run.json").write_text(json.dumps({"id": "run", "properties": properties}))
    return folder


def test_the_schema_is_one_and_describes_every_key():
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["properties"]["schema"]["const"] == SCHEMA
    assert set(DOCUMENT["properties"]) - set(DOCUMENT["required"]) == set(PARTS)


@pytest.mark.parametrize("level", ["class", "3", "2", "1"])
@pytest.mark.parametrize("reference", ["truth", "clc"])
def test_an_evaluation_is_what_the_schema_says(run, reference, level):
    found = evaluate(run, run.parent / f"{reference}.tif", level=level)
    data = valid(found.to_dict())
    assert data == json.loads(evaluation_path(run, level).read_text(encoding="utf-8"))
    assert set(data["choices"]["crosswalks"]) == ({
        "class": set() if reference == "truth" else {"clc__lulc13"},
        "3": {"lulc13__clc"},
        "2": {"lulc13__clc", "clc__clc2"},
        "1": {"lulc13__clc", "clc__clc2", "clc2__clc1"},
    }[level])  # fmt: skip
    zones = data["leakage"]
    counted = sum(zones[zone]["pixels"]["scored"] for zone in ("unseen", "buffer", "seen"))
    assert zones["unseen"]["matrix"] == data["matrix"] and counted > data["pixels"]["scored"]


def test_a_region_and_an_empty_zone_are_too(run):
    right = Region.box((500400, 6700000, 500640, 6700640), "EPSG:3067")
    found = evaluate(run, run.parent / "truth.tif", region=right)
    data = valid(found.to_dict())
    assert data["choices"]["region"]["name"] == "box" and data["leakage"]["seen"] is None


def test_everything_can_be_computed_from_the_counts(run):
    """Figures in the file do not count: without them it reads the same."""
    data = evaluate(run, run.parent / "clc.tif").to_dict()
    forged = json.loads(json.dumps(data)) | {"accuracy": 2, "macro_f1": 7, "shares": {}}
    for row in forged["classes"]:
        row |= {"f1": 5, "support": -1}
    assert Evaluation.from_dict(forged).to_dict() == data


def test_what_is_not_an_evaluation_is_refused(run):
    data = evaluate(run, run.parent / "truth.tif").to_dict()
    with pytest.raises(jsonschema.ValidationError):
        valid(data | {"f2": 1})
    with pytest.raises(jsonschema.ValidationError):
        valid(data | {"orientation": "columns are the reference"})


def test_tables_are_written_beside_it(run, tmp_path):
    said = CliRunner().invoke(
        cli,
        ["evaluate", str(run), "--reference", str(run.parent / "clc.tif"), "--level", "2",
         "--rollup", "winners", "--csv", str(tmp_path / "scores.csv"),
         "--markdown", str(tmp_path / "scores.md"), "--json"],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    data = json.loads(said.stdout)
    assert data["choices"]["rollup"] == "winners"
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["f1"] or "nan") for r in rows] == pytest.approx(
        [np.nan if c["f1"] is None else c["f1"] for c in data["classes"]], nan_ok=True
    )
    with (tmp_path / "scores-matrix.csv").open(newline="") as file:
        head, *body = csv.reader(file)
    assert head[0] == data["orientation"]
    assert [[int(n) for n in row[1:]] for row in body] == data["matrix"]
    assert data["orientation"] in (tmp_path / "scores.md").read_text()
