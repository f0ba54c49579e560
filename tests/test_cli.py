"""The command line: what it prints is the design's contract, on standard output alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rasterio
from models import random_model

from lulc.cli import main


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A workspace with a sample scene, its references and two small models."""
    from lulc.demo import make_workspace

    path = tmp_path_factory.mktemp("workspace")
    make_workspace(path, size=192, say=lambda line: None)  # noqa: ARG005
    for seed, name in enumerate(("first", "second")):
        random_model(path / "models" / name, seed=seed)
    return path


@pytest.fixture
def lulc(workspace, monkeypatch, capsys):
    """Run a command in the workspace; gives its code, standard output and standard error."""
    monkeypatch.setenv("LULC_WORKSPACE", str(workspace))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in arguments])
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def as_json(lulc):
    """Run a command with --json; gives the one document on its standard output."""

    def run(*arguments: str) -> dict:
        code, out, err = lulc(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def two_runs(as_json, tmp_path):
    bbox = ("--region", "sample-north-west")
    return [
        as_json("classify", "sample", "--model", name, *bbox, "--out", tmp_path / name)
        for name in ("first", "second")
    ]


def test_models_list(as_json):
    names = [model["name"] for model in as_json("models", "list")["models"]]
    assert {"first", "second", "lakeland", "lakeland-balanced"} <= set(names)


def test_models_show(as_json):
    card = as_json("models", "show", "lakeland")
    assert [band["name"] for band in card["bands"]][:3] == ["B02", "B03", "B04"]
    assert (card["halo"], card["stride"]) == (32, 8)
    assert card["simulated"] is True


def test_sample_writes_the_four_files(as_json, tmp_path):
    made = as_json("sample", tmp_path / "s", "--size", "128", "--seed", "3")
    assert sorted(Path(p).name for p in made["files"].values()) == [
        "bands.tif", "corine.tif", "indices.tif", "truth.tif",
    ]  # fmt: skip
    assert all(Path(p).is_file() for p in made["files"].values())


def test_classify_evaluate_and_compare(as_json, two_runs, workspace):
    first, second = two_runs
    assert {"run", "path", "map", "width", "height", "warnings", "timings"} <= set(first)
    with rasterio.open(first["map"]) as source:
        assert (source.width, source.height) == (first["width"], first["height"]) == (96, 96)

    scores = as_json("evaluate", first["path"], "--reference", "sample-corine")
    assert {"classes", "micro_f1", "macro_f1", "weighted_f1", "accuracy", "matrix"} <= set(scores)
    keys = {"id", "name", "precision", "recall", "f1", "iou", "support"}
    assert all(keys <= set(entry) for entry in scores["classes"])
    assert "row" in scores["orientation"]
    assert "column" in scores["orientation"]
    truth = as_json(
        "evaluate", first["path"], "--reference", workspace / "references" / "sample-truth.tif"
    )
    assert len(truth["classes"]) == 13
    assert sum(map(sum, truth["matrix"])) == sum(c["support"] for c in truth["classes"])

    reference = ("--reference", "sample-corine")
    found = as_json("compare", first["path"], second["path"], *reference)
    again = as_json("evaluate", second["path"], *reference)
    assert found["macro_f1"] == pytest.approx(again["macro_f1"] - scores["macro_f1"], abs=1e-9)


@pytest.mark.parametrize("level", ["3", "2", "1"])
def test_levels(as_json, two_runs, level):
    scores = as_json(
        "evaluate", two_runs[0]["path"], "--reference", "sample-corine", "--level", level
    )
    assert scores["level"] == level
    assert scores["classes"]


def test_a_region_of_a_run_is_scored_and_not_kept(as_json, two_runs):
    path = Path(two_runs[0]["path"])
    with rasterio.open(two_runs[0]["map"]) as source:
        left, bottom, right, top = source.bounds
    whole = as_json("evaluate", path, "--reference", "sample-truth")
    half = as_json(
        "evaluate", path, "--reference", "sample-truth", "--crs", "EPSG:3067",
        "--bbox", left, bottom, (left + right) / 2, top,
    )  # fmt: skip
    assert 0 < half["pixels"]["scored"] < whole["pixels"]["scored"]
    kept = json.loads((path / "evaluation.json").read_text())
    assert kept["pixels"]["scored"] == whole["pixels"]["scored"]


def test_runs_are_listed_shown_exported_and_deleted(as_json, lulc, tmp_path, workspace):
    made = as_json("classify", "sample", "--model", "first", "--region", "sample-north-west")
    run = made["run"]
    assert Path(made["path"]).parent == workspace / "runs"
    listed = as_json("runs", "list")["runs"]
    assert run in [entry["id"] for entry in listed]
    shown = as_json("runs", "show", run)
    assert shown["item"]["id"] == run
    code, out, _ = lulc("runs", "export", run, tmp_path / "copy")
    assert (code, out.strip()) == (0, str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "map.tif").read_bytes() == Path(made["map"]).read_bytes()
    code, _, err = lulc("runs", "export", run, tmp_path / "copy")
    assert (code, err.count("\n")) == (2, 1)
    assert lulc("runs", "delete", run, "--yes")[0] == 0
    assert not Path(made["path"]).exists()
    assert run not in [entry["id"] for entry in as_json("runs", "list")["runs"]]


def test_a_broken_run_does_not_hide_the_others(as_json, workspace, caplog):
    made = as_json("classify", "sample", "--model", "first", "--region", "sample-north-west")
    broken = workspace / "runs" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    assert [entry["id"] for entry in as_json("runs", "list")["runs"]] == [made["run"]]
    assert "is not a run of lulc" in caplog.text


def test_a_model_trained_on_the_command_line_classifies(as_json, tmp_path, lulc):
    out = tmp_path / "mine"
    made = as_json(
        "train", "sample", "--labels", "sample-truth", "--legend", "lulc13", "--out", out,
        "--epochs", "1", "--width", "4", "--depth", "2", "--crop", "32",
    )  # fmt: skip
    assert made["path"] == str(out)
    # All fourteen bands of the sample's folder, the indices as they are stored there.
    card = json.loads((out / "card.json").read_text())
    assert len(card["bands"]) == 14
    run = as_json("classify", "sample", "--model", out, "--out", tmp_path / "run")
    assert run["model"] == "mine"
    code, _, err = lulc(
        "train", "sample", "--labels", "sample-truth", "--legend", "lulc13", "--out", out
    )
    assert code == 2
    assert "exists" in err


def test_progress_as_json_lines(lulc, tmp_path):
    code, out, err = lulc(
        "classify", "sample", "--model", "first", "--out", tmp_path / "run", "--tile", "64",
        "--progress", "json",
    )  # fmt: skip
    assert code == 0
    assert out.strip() == str(tmp_path / "run")
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert [line["done"] for line in lines] == list(range(10))
    assert {line["total"] for line in lines} == {9}
    assert lines[0]["left_s"] is None
    assert lines[-1]["left_s"] == 0


def test_a_stopped_run_is_listed_gone_on_with_and_deleted(lulc, as_json, workspace):
    from lulc.classify import CancelledError, classify
    from lulc.model import Model
    from lulc.scene import Scene

    for name in ("stopped", "unwanted"):
        with pytest.raises(CancelledError):
            classify(Scene.open(workspace / "scenes" / "sample"), Model.load("first"), tile=48,
                     out=workspace / "runs" / name, cancelled=lambda: True)  # fmt: skip
    listed = as_json("runs", "list")["unfinished"]
    assert [(run["id"], run["state"]) for run in listed] == [
        ("stopped", "cancelled"),
        ("unwanted", "cancelled"),
    ]
    _, out, _ = lulc("runs", "list")
    assert "cancelled, " in out
    assert f"lulc classify --resume {workspace / 'runs' / 'stopped'}  or  lulc runs delete" in out
    code, _, err = lulc("classify", "sample", "--resume", "stopped")
    assert (code, "the rest is as the run was begun" in err) == (2, True)
    assert as_json("classify", "--resume", "stopped")["run"] == "stopped"
    assert lulc("runs", "delete", "unwanted", "--yes")[0] == 0
    assert not as_json("runs", "list")["unfinished"]
    code, _, err = lulc("classify", "--resume", "stopped")
    assert (code, "it is finished" in err) == (2, True)
    assert lulc("runs", "delete", "stopped", "--yes")[0] == 0
