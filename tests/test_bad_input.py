"""Bad input on the command line: one clear line, exit code 2, and nothing written or lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from models import random_model

from lulc import sample
from lulc.cli import main
from lulc.scene import Scene

SIZE = 96


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return random_model(tmp_path_factory.mktemp("models") / "tiny").path


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> dict[str, Path]:
    return sample.write(tmp_path_factory.mktemp("sample"), size=SIZE, seed=7)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """A workspace of the test's own; `classify` takes the signals over, they are given back."""
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path / "workspace"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path / "workspace"
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def lulc(capsys):
    """Runs a command in this process: exit code, standard output, lines of standard error."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, error = capsys.readouterr()
        return int(end.value.code or 0), out, error.splitlines()

    return run


@pytest.fixture
def refused(lulc, workspace):
    """Runs a command that has to be refused, and gives the one line it says."""

    def run(*arguments: object) -> str:
        before = files_of(workspace)
        code, out, error = lulc(*arguments)
        assert (code, out, len(error)) == (2, "", 1), error
        assert error[0].startswith("lulc: ")
        assert files_of(workspace) == before
        return error[0]

    return run


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rewritten(source: Path, target: Path, *, bands: int = 9, change=None, **profile) -> Path:
    """A copy of the simulated bands with something changed."""
    with rasterio.open(source) as file:
        values, names = file.read()[:bands], file.descriptions[:bands]
        profile = file.profile | {"count": bands} | profile
    values = values if change is None else change(values)
    with rasterio.open(target, "w", **profile | {"dtype": values.dtype}) as file:
        file.write(values)
        file.descriptions = names
        file.scales = [1.0 if values.dtype.kind == "f" else 1e-4] * bands
    return target


def bounds_of(scene: Path) -> tuple[float, float, float, float]:
    return Scene.open(scene).footprint.bounds


class TestScene:
    def test_no_such_file(self, refused, tiny, tmp_path):
        line = refused("classify", tmp_path / "absent.tif", "--model", tiny)
        assert "no such file" in line and "absent.tif" in line

    def test_not_a_raster(self, refused, tiny, tmp_path):
        (tmp_path / "text.tif").write_text("no raster")
        assert "not a raster" in refused("classify", tmp_path / "text.tif", "--model", tiny)

    def test_a_corrupt_raster(self, refused, tiny, simulated, tmp_path):
        whole = simulated["bands"].read_bytes()
        (tmp_path / "half.tif").write_bytes(whole[: len(whole) // 2])
        assert "half.tif" in refused("classify", tmp_path / "half.tif", "--model", tiny)

    def test_without_a_crs(self, refused, tiny, simulated, tmp_path):
        path = rewritten(simulated["bands"], tmp_path / "bare.tif", crs=None)
        line = refused("classify", path, "--model", tiny)
        assert "no coordinate reference system" in line

    def test_eight_bands_for_nine(self, refused, tiny, simulated, tmp_path):
        path = rewritten(simulated["bands"], tmp_path / "eight.tif", bands=8)
        line = refused("classify", path, "--model", tiny)
        assert "takes the 9 bands" in line and "lacks B12" in line

    def test_without_names(self, refused, tiny, simulated, tmp_path):
        with rasterio.open(simulated["bands"]) as file:
            values, profile = file.read(), file.profile
        with rasterio.open(tmp_path / "unnamed.tif", "w", **profile) as file:
            file.write(values)
        line = refused("classify", tmp_path / "unnamed.tif", "--model", tiny)
        assert "no name" in line and "--bands" in line

    def test_a_missing_division(self, refused, tiny, simulated):
        line = refused("classify", simulated["bands"], "--model", tiny, "--scale", 1)
        assert "missing division by 10000" in line

    def test_all_nodata(self, refused, tiny, simulated, tmp_path):
        path = rewritten(simulated["bands"], tmp_path / "none.tif", change=np.zeros_like)
        assert "no valid pixel" in refused("classify", path, "--model", tiny)

    def test_nan_and_infinite_pixels_become_nodata(self, lulc, tiny, simulated, tmp_path):
        def spoil(values):
            values = np.where(values == 0, np.nan, values * 1e-4).astype(np.float32)
            values[0, 5, 6], values[8, 7, 8], values[4, 9, 10] = np.nan, np.inf, -np.inf
            return values

        path = rewritten(simulated["bands"], tmp_path / "f.tif", change=spoil, nodata=None,
                         predictor=3)  # fmt: skip
        code, out, error = lulc("classify", path, "--model", tiny, "--json")
        assert (code, error) == (0, [])
        with rasterio.open(json.loads(out)["map"]) as file:
            found = file.read()
        with rasterio.open(simulated["bands"]) as file:
            expected = (file.read() == 0).all(axis=0)
        expected[[5, 7, 9], [6, 8, 10]] = True
        np.testing.assert_array_equal((found == 255).all(axis=0), expected)
        np.testing.assert_array_equal((found == 255).any(axis=0), expected)


class TestRegion:
    def test_outside_the_scene(self, refused, tiny, simulated):
        line = refused(
            "classify", simulated["bands"], "--model", tiny, "--bbox", 10, 45, 11, 46
        )  # fmt: skip
        assert "lies outside the scene" in line

    def test_of_zero_size(self, refused, tiny, simulated):
        west, south, _, north = bounds_of(simulated["bands"])
        box = ("--bbox", west, south, west, north)
        assert "west < east" in refused("classify", simulated["bands"], "--model", tiny, *box)

    def test_in_the_wrong_axis_order(self, refused, tiny, simulated):
        west, south, east, north = bounds_of(simulated["bands"])
        box = ("--bbox", south, west, north, east)
        line = refused("classify", simulated["bands"], "--model", tiny, *box)
        assert "latitude before longitude" in line

    def test_in_the_wrong_order_of_corners(self, refused, tiny, simulated):
        west, south, east, north = bounds_of(simulated["bands"])
        box = ("--bbox", west, north, east, south)
        assert "south < north" in refused("classify", simulated["bands"], "--model", tiny, *box)

    def test_points(self, refused, tiny, simulated, tmp_path):
        points = gpd.GeoDataFrame(geometry=[shapely.Point(28, 61)], crs=4326)
        points.to_file(tmp_path / "points.gpkg")
        line = refused(
            "classify", simulated["bands"], "--model", tiny, "--region", tmp_path / "points.gpkg"
        )  # fmt: skip
        assert "expected polygons" in line and "Point" in line

    @pytest.mark.parametrize("name", ["nowhere", "nowhere.gpkg"])
    def test_unknown(self, refused, tiny, simulated, name):
        line = refused("classify", simulated["bands"], "--model", tiny, "--region", name)
        assert "nowhere" in line

    def test_in_an_unknown_crs(self, refused, tiny, simulated):
        box = ("--bbox", 1, 2, 3, 4, "--crs", "finnish")
        assert "expected a CRS" in refused("classify", simulated["bands"], "--model", tiny, *box)


class TestModel:
    def test_unknown(self, refused, simulated):
        assert "no-model" in refused("classify", simulated["bands"], "--model", "no-model")

    def test_another_file_than_the_card_s(self, refused, tiny, simulated, tmp_path):
        model = shutil.copytree(tiny, tmp_path / "model")
        with (model / "model.keras").open("ab") as file:
            file.write(b"x")
        assert "SHA-256" in refused("classify", simulated["bands"], "--model", model)

    def test_corrupt(self, refused, tiny, simulated, tmp_path):
        import hashlib

        model = shutil.copytree(tiny, tmp_path / "model")
        (model / "model.keras").write_bytes(b"no network")
        card = json.loads((model / "card.json").read_text())
        card["weights"] = hashlib.sha256(b"no network").hexdigest()
        (model / "card.json").write_text(json.dumps(card))
        line = refused("classify", simulated["bands"], "--model", model)
        assert "cannot be loaded" in line

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": 9}'])
    def test_no_card(self, refused, tiny, simulated, tmp_path, text):
        model = shutil.copytree(tiny, tmp_path / "model")
        (model / "card.json").write_text(text)
        assert "card" in refused("classify", simulated["bands"], "--model", model)
        assert "card" in refused("models", "show", model)
        assert "card" in refused("models", "import", model)


class TestOutput:
    def test_a_folder_of_something_else(self, refused, tiny, simulated, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "notes.txt").write_text("keep me")
        line = refused("classify", simulated["bands"], "--model", tiny, "--out", tmp_path / "mine")
        assert "exists" in line
        assert files_of(tmp_path / "mine") == {"notes.txt": b"keep me"}

    def test_a_finished_run(self, lulc, refused, tiny, simulated, tmp_path):
        arguments = ("classify", simulated["bands"], "--model", tiny, "--out", tmp_path / "run")
        assert lulc(*arguments)[0] == 0
        before = files_of(tmp_path / "run")
        assert "choose another --out" in refused(*arguments)
        assert files_of(tmp_path / "run") == before

    def test_an_existing_model(self, refused, simulated, tmp_path):
        (tmp_path / "model").mkdir()
        line = refused(
            "train", simulated["bands"], "--labels", simulated["truth"], "--legend", "lulc13",
            "--out", tmp_path / "model",
        )  # fmt: skip
        assert "exists; choose another --out" in line

    # Of these the first has no room for a block, the second none for the map of the blocks.
    @pytest.mark.parametrize("size", ["64k", "700k"])
    def test_a_full_disk(self, lulc, tiny, simulated, tmp_path, size):
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("makes a full disk by mounting a small one, which is not permitted here")
        try:
            (disk / "mine.txt").write_text("keep me")
            arguments = ("classify", simulated["bands"], "--model", tiny, "--out", disk / "run")
            code, out, error = lulc(*arguments)
            assert (code, out, len(error)) == (2, "", 1), error
            assert error[0].startswith("lulc: ") and "full" in error[0]
            assert (disk / "mine.txt").read_text() == "keep me"
            assert not (disk / "run" / "run.json").exists()
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            assert lulc(*arguments)[0] == 0
            assert (disk / "run" / "map.tif").is_file()
        finally:
            subprocess.run(["umount", str(disk)], check=True)


class TestReference:
    @pytest.fixture(scope="class")
    @staticmethod
    def run(tiny, simulated, tmp_path_factory) -> Path:
        from lulc.classify import classify
        from lulc.model import Model

        out = tmp_path_factory.mktemp("runs") / "run"
        return classify(Scene.open(simulated["bands"]), Model.load(tiny), out=out).path

    @pytest.fixture(autouse=True)
    def run_stays(self, run):
        before = files_of(run)
        yield
        assert files_of(run) == before

    def labels(self, path: Path, values, source: Path, **changes) -> Path:
        with rasterio.open(source) as file:
            profile = {
                "driver": "GTiff", "height": file.height, "width": file.width, "count": 1,
                "dtype": "uint8", "crs": file.crs, "transform": file.transform,
            }  # fmt: skip
        with rasterio.open(path, "w", **profile | changes) as file:
            file.write(values(file.height, file.width).astype("uint8"), 1)
        return path

    def test_that_does_not_overlap(self, refused, run, simulated, tmp_path):
        elsewhere = rasterio.transform.from_origin(200_000, 7_200_000, 20, 20)
        path = self.labels(
            tmp_path / "far.tif", lambda h, w: np.full((h, w), 23), simulated["corine"],
            transform=elsewhere,
        )  # fmt: skip
        line = refused("evaluate", run, "--reference", path, "--codes", "clc-grid")
        assert "overlap" in line

    def test_of_ambiguous_codes(self, refused, run, simulated, tmp_path):
        path = self.labels(
            tmp_path / "clc.tif", lambda h, w: 1 + np.arange(h * w).reshape(h, w) % 40,
            simulated["corine"],
        )  # fmt: skip
        line = refused("evaluate", run, "--reference", path)
        assert "--codes" in line and "clc-grid" in line and "clc-fi" in line

    def test_of_unknown_codes(self, refused, run, simulated):
        line = refused("evaluate", run, "--reference", simulated["corine"], "--codes", "runes")
        assert "runes" in line

    def test_of_another_legend(self, refused, run, simulated):
        line = refused("evaluate", run, "--reference", simulated["corine"], "--codes", "nlcd")
        assert "no codes of nlcd" in line and "--codes" in line

    def test_with_nothing_to_score(self, refused, run, simulated, tmp_path):
        path = self.labels(
            tmp_path / "none.tif", lambda h, w: np.full((h, w), 255), simulated["corine"]
        )
        line = refused("evaluate", run, "--reference", path, "--codes", "clc-fi")
        assert "no pixel to score" in line and "without data" in line

    def test_of_a_legend_that_reaches_no_level(self, refused, run, simulated, tmp_path):
        own = {"name": "own", "classes": [{"id": 9, "name": "Nine", "color": "#999999"}]}
        (tmp_path / "own.json").write_text(json.dumps(own))
        path = self.labels(
            tmp_path / "own.tif", lambda h, w: np.full((h, w), 9), simulated["corine"]
        )
        for level, said in (("class", "no crosswalk leads there"), ("2", "CORINE level 2")):
            line = refused(
                "evaluate", run, "--reference", path, "--codes", tmp_path / "own.json",
                "--level", level,
            )  # fmt: skip
            assert said in line

    def test_of_polygons_without_codes(self, refused, run, tmp_path):
        frame = gpd.GeoDataFrame({"name": ["x"]}, geometry=[shapely.box(27, 61, 28, 62)], crs=4326)
        frame.to_file(tmp_path / "names.gpkg")
        line = refused("evaluate", run, "--reference", tmp_path / "names.gpkg")
        assert "no field such as Code_18" in line

    def test_with_tables_where_a_folder_is(self, refused, run, simulated, tmp_path):
        arguments = ("evaluate", run, "--reference", simulated["corine"], "--level", "1")
        for option in ("--csv", "--markdown"):
            assert "directory" in refused(*arguments, option, tmp_path)

    def test_that_is_absent(self, refused, run, tmp_path):
        line = refused("evaluate", run, "--reference", tmp_path / "absent.tif")
        assert "absent.tif" in line

    def test_that_is_no_raster(self, refused, run, tmp_path):
        (tmp_path / "text.tif").write_text("no raster")
        assert "text.tif" in refused("evaluate", run, "--reference", tmp_path / "text.tif")

    def test_for_no_run(self, refused, simulated, tmp_path):
        line = refused("evaluate", tmp_path / "none", "--reference", simulated["corine"])
        assert "none" in line
        assert "none" in refused("compare", tmp_path / "none", tmp_path / "none")


class TestOptions:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["classify"],
            ["classify", "a.tif"],
            ["clasify"],
            ["classify", "a.tif", "--model", "m", "--bbox", "1", "2", "3"],
            ["classify", "a.tif", "--model", "m", "--bbox", "a", "b", "c", "d"],
            ["sample"],
            ["fetch", "--bbox", "1", "2", "3", "4"],
            ["runs", "show", "no-such-run"],
            ["runs", "delete", "no-such-run", "--yes"],
            ["models", "show", "no-such-model"],
        ],
        ids=" ".join,
    )
    def test_that_are_wrong(self, refused, arguments):
        assert refused(*arguments)

    @pytest.mark.parametrize("size", [0, -5, 10, 10**9])
    def test_a_sample_of_no_size(self, refused, tmp_path, size):
        line = refused("sample", tmp_path / "out", "--size", size)
        assert "size" in line
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("option", [("--tile", "0"), ("--device", "gpu:99"), ("--device", "x")])
    def test_classify(self, refused, tiny, simulated, option):
        line = refused("classify", simulated["bands"], "--model", tiny, *option)
        assert option[0].strip("-") in line or option[1] in line
