"""`evaluation.json` is what its schema says, whatever was scored."""

from __future__ import annotations

import csv
import json
import operator
from collections import Counter
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from odc.geo.geobox import GeoBox

from lulc import config
from lulc.bounds import AVERAGES
from lulc.cli import cli
from lulc.counts import RATIOS
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


@pytest.fixture(scope="module")
def document(run):
    """A document with every part that there is, as JSON."""
    found = evaluate(run, run.parent / "clc.tif", mmu=0.5, label_accuracy=(0.7, 0.8), block=160)
    return json.dumps(found.to_dict())


def test_every_part_is_what_the_schema_says(run, document):
    data = valid(json.loads(document))
    assert set(PARTS) <= set(data) and data["generalised"]["mmu"] == 0.5
    choices = data["choices"]
    assert set(choices) == set(DOCUMENT["properties"]["choices"]["properties"])
    assert (choices["block"], choices["mmu"], choices["label_accuracy"]) == (160, 0.5, [0.7, 0.8])
    assert choices["block_side"] == data["intervals"]["side"] >= 160
    plain = valid(evaluate(run, run.parent / "truth.tif").to_dict())["choices"]
    assert plain["block"] is plain["mmu"] is plain["label_accuracy"] is None
    assert plain["block_side"] > 0


@pytest.mark.parametrize("reference", [5, 255])
def test_undefined_figures_are_too(run, tmp_path, reference):
    """One class only, which nothing on the map need be: ratios of nothing are null everywhere."""
    with rasterio.open(run.parent / "truth.tif") as file:
        profile = file.profile
    ids = np.full((1, *SHAPE), 255, np.uint8)
    ids[:, :40, 30:] = 5
    if reference == 255:
        ids[:, 20:, 50:] = 6
    with rasterio.open(tmp_path / "one.tif", "w", **profile) as file:
        file.write(ids)
        file.update_tags(LULC_LEGEND="lulc13")
    data = valid(evaluate(run, tmp_path / "one.tif", label_accuracy=(0.05, 0.5)).to_dict())
    absent = [c["id"] not in (5, 6) for c in data["classes"]]
    for gone, row in zip(absent, data["activations"]["classes"], strict=True):
        assert (row["ranking"]["average_precision"] is None) == (
            gone or (row["id"] == 6 and reference == 5)
        )
    assert data["attainable"]["macro_f1"]["symmetric"][0] is None


def places(data, path=()):
    """Every value of a document that is no object or array, with its path."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key), value


#: What is a score of a matrix; `f1` of a distance class is a list.
SCORES = {"accuracy", *(f"micro_{name}" for name in RATIOS), *AVERAGES, *RATIOS}


def scored(data, path=()):
    """Every score of a document with its path and its interval."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if key in ("activations", "attainable"):
            continue
        if key in SCORES:
            pairs = (value, data[f"{key}_ci"])
            many = zip(*pairs, strict=True) if isinstance(value, list) else [pairs]
            yield from (((*path, key), *pair) for pair in many)
        elif isinstance(value, dict | list):
            yield from scored(value, (*path, key))


@pytest.fixture(scope="module")
def patchy(run):
    """A document on a reference of patches, which have an interior."""
    with rasterio.open(run.parent / "truth.tif") as file:
        profile = file.profile
    ids = np.random.default_rng(2).integers(1, 14, (4, 4))
    with rasterio.open(run.parent / "patches.tif", "w", **profile) as file:
        file.write(np.kron(ids, np.ones((16, 16))).astype(np.uint8), 1)
        file.update_tags(LULC_LEGEND="lulc13")
    return json.dumps(evaluate(run, run.parent / "patches.tif", mmu=0.05, block=80).to_dict())


def test_every_score_has_an_interval(patchy):
    """And none without: of the unseen, the buffer, what was seen, near a boundary and far from it,
    and of the map without small patches."""
    held = Counter()
    for path, value, bounds in scored(json.loads(patchy)):
        assert (value is None) == (bounds is None), path
        if value is not None:
            low, high = bounds
            assert 0 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1, path
            held[path[:2]] += 1
    zones = [("leakage", zone) for zone in ("unseen", "buffer", "seen")]
    for place in (*zones, ("boundary", "interior"), ("boundary", "curve")):
        assert held[place] > 20
    assert held["generalised", "classes"] > 10 and held["generalised", "macro_f1"] == 1


def test_an_older_document_has_fewer(patchy):
    """Of before anything but the matrix was counted by squares."""
    data = json.loads(patchy)
    for part in ("boundary", "leakage", "generalised"):
        del data[part]["by_square"]
    read = Evaluation.from_dict(data).to_dict()
    assert read["accuracy_ci"] == data["accuracy_ci"]
    assert "accuracy_ci" not in read["boundary"]["curve"][0]
    for place in (read["boundary"]["interior"], read["leakage"]["seen"], read["generalised"]):
        assert "accuracy_ci" not in place and place["accuracy"] is not None


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("boundary", "curve", 0, "accuracy"), 1.2),
        (("boundary", "curve", 0, "matrix", 0, 0), -1),
        (("boundary", "interior", "macro_f1"), "high"),
        (("intervals", "sheets", 0, "matrices", 0), "0:0"),
        (("intervals", "stretch"), 0.5),
        (("intervals", "correlation", 0, 0, "correlation"), 3),
        (("boundary", "curve", 8, "f1_ci", 0), [0.1]),
        (("boundary", "curve", 0, "cautious_f1", 0), "no"),
        (("boundary", "by_square", 0, "counts", 0), "0:0"),
        (("leakage", "by_square", 0, "rows"), 0),
        (("leakage", "seen", "accuracy_ci", 1), 1.1),
        (("generalised", "by_square", 0, "counts", 0), "1:-1"),
        (("generalised", "matrix", 0, 0), 0.5),
        (("activations", "overall", "ece"), -0.1),
        (("activations", "classes", 0, "ranking", "best_f1"), -0.1),
        (("activations", "classes", 0, "calibration", "curve", 3, "pixels"), None),
        (("activations", "classes", 0, "counts", 1, 250), 1.5),
        (("activations", "overall", "brier_ci", 1), 2.5),
        (("activations", "classes", 0, "ranking", "average_precision_ci", 1), 1.5),
        (("activations", "classes", 0, "ranking", "curve", 2, "f1_ci", 0), -0.5),
        (("activations", "classes", 0, "calibration", "curve", 3, "observed_ci", 1), None),
        (("activations", "by_square", 0, "counts", 0), "0:0"),
        (("attainable", "classes", 0, "f1", "symmetric", 0), 1.5),
        (("attainable", "label_accuracy", 0), None),
        (("choices", "mmu"), 0),
        (("leakage", "unseen", "pixels", "scored"), -1),
    ],
)
def test_the_schema_is_strict_about_the_parts(document, path, wrong):
    def forged(change):
        data = json.loads(document)
        place = data
        for key in path[:-1]:
            place = place[key]
        change(place)
        with pytest.raises(jsonschema.ValidationError):
            valid(data)

    *_, last = path
    forged(lambda place: operator.setitem(place, last, wrong))
    if isinstance(last, str):
        forged(lambda place: place.update(more=1))
    if isinstance(last, str) and path[0] != "choices":
        forged(lambda place: place.pop(last))


def test_a_region_and_an_empty_zone_are_too(run):
    right = Region.box((500400, 6700000, 500640, 6700640), "EPSG:3067")
    found = evaluate(run, run.parent / "truth.tif", region=right)
    data = valid(found.to_dict())
    assert data["choices"]["region"]["name"] == "box" and data["leakage"]["seen"] is None


def test_regions_of_a_run_add_up_to_it(run):
    """Two halves scored apart, each read from the files on its own."""
    whole = evaluate(run, run.parent / "clc.tif")
    halves = [
        evaluate(
            run,
            run.parent / "clc.tif",
            region=Region.box((west, 6700000, east, 6700640), "EPSG:3067"),
        )
        for west, east in ((500000, 500310), (500310, 500640))
    ]
    both = halves[0] + halves[1]
    assert (both.matrix == whole.matrix).all() and both.pixels == whole.pixels
    assert both.to_dict()["ignored"] == whole.to_dict()["ignored"]
    zones = [replace(found.leakage, by_square=()).to_dict() for found in (both, whole)]
    assert zones[0] == zones[1]
    assert (both.parts["activations"].counts == whole.parts["activations"].counts).all()
    assert both.parts["boundary"].matrices.sum() == whole.parts["boundary"].matrices.sum()
    valid(both.to_dict())


#: What in the parts is counted, or says what was counted; all else follows from it.
COUNTED = {
    "matrix", "counts", "sums", "squares", "rounded", "labels", "label_accuracy", "mmu", "given",
    "sheets", "by_square", "id", "name", "color", "members", "codes", "pixel", "halo",
}  # fmt: skip


def counted(path):
    """Whether the value at a path is a count or a name, and no figure."""
    if path[0] in ("schema", "level", "legend", "codes", "reference", "choices", "notes"):
        return True
    if {"pixels", "ignored"} & set(path[:-1]) and path[-1] != "share":
        return True
    return path[-1] == "orientation" or bool(COUNTED & set(path))


def test_everything_can_be_computed_from_the_counts(document):
    """Figures in the file do not count: whatever they are changed to, it reads the same."""
    data, forged = json.loads(document), json.loads(document)
    changed = 0
    for path, value in places(data):
        if not counted(path) and value is not None:
            place = forged
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = "forged" if isinstance(value, str) else -7
            changed += 1
    assert changed > 1000
    for part in ("boundary", "intervals", "generalised", "activations", "attainable", "leakage"):
        assert forged[part] != data[part]
    assert json.loads(json.dumps(Evaluation.from_dict(forged).to_dict())) == data


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
