"""The main job: exact whatever the tile and the crop; nodata stays; a stopped run goes on."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models import random_model
from rasterio.windows import Window

from lulc import config, files, mapfile, sample
from lulc.classify import CancelledError, classify, resume
from lulc.errors import ModelError, RegionError, RunError, SceneError
from lulc.grid import cut
from lulc.inputs import needed, read_input
from lulc.mapfile import MapFormat
from lulc.model import Model
from lulc.region import Region
from lulc.request import request_of, stamps, task_of
from lulc.runs import Run
from lulc.scene import Scene
from lulc.spool import Spool
from lulc.task import Task
from lulc.unfinished import Unfinished, unfinished

SIZE = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A sample region with clouds."""
    path = tmp_path_factory.mktemp("sample")
    sample.write(path, size=SIZE, seed=7)
    with rasterio.open(path / "bands.tif", "r+") as bands:
        clouds = np.zeros((9, 30, 25), np.uint16)
        bands.write(clouds, window=Window(100, 40, 25, 30))
    return path


@pytest.fixture(scope="module")
def scene(folder) -> Scene:
    return Scene.open(folder / "bands.tif")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return random_model(tmp_path_factory.mktemp("models") / "tiny", width=4, depth=2)


@pytest.fixture(scope="module")
def whole(scene, model, tmp_path_factory) -> Run:
    """The whole sample, classified in small tiles."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return classify(scene, model, out=out, tile=48, dtype="float32")


def one_pass(scene: Scene, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """The plain way: the whole scene through the Keras network at once."""
    card = model.card
    values, valid = read_input(needed(scene, card), card, scene.whole())
    image = np.where(valid, (values - card.mean) / card.std, 0)
    rows, columns = (-side % card.stride for side in valid.shape)
    image = np.pad(image, ((0, 0), (0, rows), (0, columns)))
    out = model.network()(image.transpose(1, 2, 0)[None].astype(np.float32)).numpy()[0]
    return out.transpose(2, 0, 1)[:, : valid.shape[0], : valid.shape[1]], valid


def assert_same_map(found: np.ndarray, expected: np.ndarray, valid: np.ndarray) -> None:
    """A float32 map equals activations to rounding, and so its classes but for ties."""
    assert np.isnan(found[:, ~valid]).all()
    assert np.abs(found[1:, valid] - expected[:, valid]).max() < 2e-5
    first, second = np.sort(expected[:, valid], axis=0)[-2:][::-1]
    clear = first - second > 1e-4
    assert np.array_equal(found[0, valid][clear], expected.argmax(axis=0)[valid][clear] + 1)


def test_tiles_equal_one_pass_over_the_whole_scene(scene, model, whole):
    expected, valid = one_pass(scene, model)
    with rasterio.open(whole.map_path) as source:
        found = source.read()
    assert 0 < (~valid).sum() < valid.size
    assert_same_map(found, expected, valid)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tile=st.integers(8, 120),
    left=st.integers(0, SIZE - 9),
    top=st.integers(0, SIZE - 9),
    data=st.data(),
)
def test_any_tile_and_any_crop_give_the_same(
    scene, model, whole, tmp_path_factory, tile, left, top, data
):
    width = data.draw(st.integers(8, SIZE - left))
    height = data.draw(st.integers(8, SIZE - top))
    window = Window(left, top, width, height)
    bounds = cut(scene.grid, window).boundingbox
    region = Region.box((bounds.left, bounds.bottom, bounds.right, bounds.top), "EPSG:3067")
    out = tmp_path_factory.mktemp("crop") / "run"
    run = classify(scene, model, region=region, out=out, tile=tile, dtype="float32")
    with rasterio.open(whole.map_path) as source:
        expected = source.read(window=window)
    with rasterio.open(run.map_path) as source:
        found = source.read()
        assert (source.width, source.height) == (width, height)
        assert source.transform == cut(scene.grid, window).affine
    valid = np.isfinite(expected[0])
    if valid.any():
        assert_same_map(found, expected[1:], valid)


def test_the_map_is_as_the_design_says(scene, model, tmp_path):
    run = classify(scene, model, out=tmp_path / "run", tile=64)
    with rasterio.open(run.map_path) as source:
        assert source.count == 14
        assert set(source.dtypes) == {"uint8"}
        assert source.nodata == 255
        assert source.crs == "EPSG:3067"
        assert source.transform == scene.grid.affine
        assert source.descriptions == ("class", *model.card.legend.names)
        assert source.scales == (1.0, *[0.004] * 13)
        assert source.colormap(1)[13] == (*model.card.legend.by_id[13].rgb, 255)
        assert source.profile["tiled"]
        found = source.read()
    with rasterio.open(tmp_path / "run" / "map.tif") as source:
        valid = scene.read()[1]
    classes, activations = found[0], found[1:]
    assert (found[:, ~valid] == 255).all()
    assert set(np.unique(classes[valid])) <= set(range(1, 14))
    assert activations[:, valid].max() <= 250
    # Thirteen roundings of at most half a step each.
    total = activations[:, valid].astype(float).sum(axis=0) * 0.004
    assert np.abs(total - 1).max() <= 13 * 0.002 + 1e-6
    assert not (tmp_path / "run" / "spool").exists()
    style = (tmp_path / "run" / "map.qml").read_text()
    assert all(c.color in style for c in model.card.legend.classes)


def test_uint8_is_the_rounded_float(scene, model, whole, tmp_path):
    run = classify(scene, model, out=tmp_path / "run")
    with rasterio.open(run.map_path) as a, rasterio.open(whole.map_path) as b:
        rounded, exact = a.read(range(2, 15)), b.read(range(2, 15))
    valid = np.isfinite(exact[0])
    assert np.abs(rounded[:, valid] * 0.004 - exact[:, valid]).max() <= 0.002 + 2e-5


def test_overviews_hold_only_classes_and_mean_activations(tmp_path, model):
    sample.write(tmp_path, size=600, seed=3)
    run = classify(Scene.open(tmp_path / "bands.tif"), model, out=tmp_path / "run", tile=256)
    with rasterio.open(run.map_path) as source:
        levels = source.overviews(1)
        full = source.read()
    assert levels == [2, 4]
    for level, factor in enumerate(levels):
        with rasterio.open(run.map_path, overview_level=level) as source:
            small = source.read()
        for y, x in ((3, 5), (40, 61), (77, 20)):
            below = full[:, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
            assert small[0, y, x] in below[0]
            if (below != 255).all():
                mean = below[1:].mean(axis=(1, 2))
                assert np.abs(small[1:, y, x] - mean).max() <= level + 0.5 + 1e-6
    assert set(np.unique(small[0])) <= set(np.unique(full[0]))


def test_a_polygon_cuts_the_map_and_keeps_nodata(scene, model, tmp_path):
    bounds = scene.grid.boundingbox
    middle = ((bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2)
    circle = Region("circle", shapely.Point(middle).buffer(600), "EPSG:3067")
    run = classify(scene, model, region=circle, out=tmp_path / "run", tile=32)
    with rasterio.open(run.map_path) as source:
        classes = source.read(1)
        assert source.shape == (120, 120)
    assert (classes[:5, :5] == 255).all()
    assert (classes == 255).mean() == pytest.approx(1 - np.pi / 4, abs=0.05)
    assert run.item["properties"]["lulc:region"]["name"] == "circle"


def test_the_manifest_is_a_stac_item_that_repeats_the_run(scene, model, whole):
    item = pystac.Item.from_dict(dict(whole.item))
    assert item.id == "run"
    properties = whole.properties
    assert properties["proj:code"] == "EPSG:3067"
    assert properties["proj:shape"] == [SIZE, SIZE]
    assert properties["proj:transform"] == list(scene.grid.affine)[:6]
    assert properties["mlm:name"] == "tiny"
    assert [
        c["value"] for c in item.assets["map"].extra_fields["bands"][0]["classification:classes"]
    ] == list(range(1, 14))
    assert properties["lulc:simulated"] is True
    assert properties["lulc:model"]["weights"] == model.card.weights
    bands = properties["lulc:scene"]["bands"]
    assert [band["name"] for band in bands] == list(sample.BANDS)
    assert len(bands[0]["sha256"]) == 64
    assert json.loads((whole.path / "run.json").read_text()) == whole.item


def test_a_repeated_run_gives_the_same_bytes(scene, model, tmp_path):
    first = classify(scene, model, out=tmp_path / "a", tile=64)
    again = classify(
        Scene.open(
            [band["path"] for band in first.properties["lulc:scene"]["bands"][:1]],
            bands=[band["name"] for band in first.properties["lulc:scene"]["bands"]],
        ),
        Model.load(Path(first.properties["lulc:model"]["path"])),
        out=tmp_path / "b",
        tile=first.properties["lulc:tile"],
    )
    assert first.map_path.read_bytes() == again.map_path.read_bytes()


def test_a_cancelled_run_goes_on_and_ends_the_same(scene, model, tmp_path):
    whole = classify(scene, model, out=tmp_path / "whole", tile=48)
    seen = []
    with pytest.raises(CancelledError, match="goes on"):
        classify(
            scene, model, out=tmp_path / "run", tile=48,
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) > 5,
        )  # fmt: skip
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/spool").glob("*.tif")}
    assert len(kept) >= 4
    with pytest.raises(RunError, match="not finished"):
        Run.open(tmp_path / "run")
    seen.clear()
    run = classify(
        scene, model, out=tmp_path / "run", tile=48,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen[0][0] >= len(kept)
    assert seen[-1] == (25, 25)
    assert run.map_path.read_bytes() == whole.map_path.read_bytes()


def test_blocks_that_are_there_are_not_computed_again(scene, model, tmp_path, monkeypatch):
    calls = []
    compute = Task.compute

    def counted(task, block):
        calls.append(block.name)
        if len(calls) == 7:
            raise RunError("a worker that dies")
        return compute(task, block)

    monkeypatch.setattr(Task, "compute", counted)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RunError, match="dies"):
        classify(scene, model, out=tmp_path / "run", tile=48, executor=pool)
    before = len(list((tmp_path / "run" / "spool").glob("*.tif")))
    assert before >= 6
    calls.clear()
    calls += ["none"] * 7
    classify(scene, model, out=tmp_path / "run", tile=48)
    assert len(calls) - 7 == 25 - before


def test_a_task_can_be_sent_to_another_process_and_kept_as_json(scene, model, tmp_path):
    region = Region("a circle", shapely.Point(560500, 6728500).buffer(300), "EPSG:3067")
    patched = replace(scene, patch=replace(scene, name="patch"))
    for some in (None, region):
        task = Task(
            scene=patched,
            model=model,
            device="cpu",
            region=some,
            window=scene.whole(),
            layout=MapFormat(model.card.legend, "float32"),
            tile=48,
            spool=Spool(str(tmp_path)),
            stamps=stamps(scene),
        )
        assert list(task.stamps) == [scene.files[0].path]
        assert pickle.loads(pickle.dumps(task)) == task
        # Sent with every block: it must not carry the list of them.
        task.blocks()
        assert len(pickle.dumps(task)) < 50_000
        assert task_of(json.loads(json.dumps(request_of(task))), tmp_path) == task


def test_an_output_folder_that_exists_is_left_alone(scene, model, whole, tmp_path):
    before = whole.map_path.read_bytes()
    with pytest.raises(RunError, match="already holds a finished run"):
        classify(scene, model, out=whole.path)
    assert whole.map_path.read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="exists and is not an unfinished run"):
        classify(scene, model, out=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_another_run_does_not_go_on_with_a_folder(scene, model, tmp_path):
    with pytest.raises(CancelledError):
        classify(scene, model, out=tmp_path / "run", tile=48, cancelled=lambda: True)
    with pytest.raises(RunError, match="another unfinished run"):
        classify(scene, model, out=tmp_path / "run", tile=96)


class Seen(list):
    """The blocks that were said to be done."""

    def __call__(self, done: int, _total: int) -> None:
        self.append(done)


def stopped(scene, model, out, **settings) -> None:
    """A run that is cancelled after some blocks."""
    seen = Seen()
    with pytest.raises(CancelledError, match="goes on"):
        classify(
            scene, model, out=out, tile=48, cancelled=lambda: len(seen) > 4,
            progress=seen, **settings,
        )  # fmt: skip


def test_a_run_goes_on_from_its_folder_alone(scene, model, tmp_path, monkeypatch):
    bounds = cut(scene.grid, Window(20, 30, 150, 140)).boundingbox
    middle = ((bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2)
    settings = {"region": Region("c", shapely.Point(middle).buffer(600), "EPSG:3067")}
    whole = classify(scene, model, out=tmp_path / "whole", tile=48, dtype="float32", **settings)
    # Begun with paths that hold in one folder only, gone on with in another.
    monkeypatch.chdir(Path(scene.files[0].path).parent)
    stopped(Scene.open("bands.tif"), model, tmp_path / "run", dtype="float32", **settings)
    monkeypatch.chdir(tmp_path)
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "run/spool").glob("0*.tif")}
    seen = Seen()
    run = resume(tmp_path / "run", progress=seen)
    assert 0 < len(kept) <= seen[0] < seen[-1]
    assert run.map_path.read_bytes() == whole.map_path.read_bytes()
    assert run.properties["lulc:region"] == whole.properties["lulc:region"]
    assert sorted(p.name for p in run.path.iterdir()) == sorted(
        p.name for p in whole.path.iterdir()
    )
    with pytest.raises(RunError, match="it is finished"):
        resume(tmp_path / "run")


def test_a_run_goes_on_with_the_tile_it_began_with(scene, model, tmp_path, monkeypatch):
    seen = Seen()
    with pytest.raises(CancelledError):
        classify(scene, model, out=tmp_path / "run", cancelled=lambda: len(seen) > 1,
                 progress=seen)  # fmt: skip
    before = Unfinished(tmp_path / "run").summary()
    monkeypatch.setattr("lulc.memory.available", lambda: 3 * 2**20)
    run = classify(scene, model, out=tmp_path / "run")
    assert run.properties["lulc:blocks"] == before["blocks"]
    less = classify(scene, model, out=tmp_path / "less")
    assert less.properties["lulc:tile"] < run.properties["lulc:tile"]
    # Other shapes are added up in another order: the last digit of a float may differ.
    with rasterio.open(less.map_path) as small, rasterio.open(run.map_path) as large:
        step = np.abs(small.read().astype(int) - large.read())
    assert step[1:].max() <= 1
    assert np.mean(step[0] > 0) < 1e-3


def test_a_stopped_run_is_listed_and_can_be_deleted(scene, model, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    out = tmp_path / "runs" / "one"
    stopped(scene, model, out)
    (found,) = unfinished()
    said = found.summary()
    assert (said["id"], said["state"], said["blocks"]) == ("one", "cancelled", 25)
    assert 4 <= said["blocks_done"] < 25
    assert said["scene"] == scene.name
    assert said["model"] == "tiny"
    with FileLock(out / "spool" / "lock"):
        assert found.state == "running"
        with pytest.raises(RunError, match="stop it first"):
            found.delete()
    with pytest.raises(RunError, match=r"lulc classify --resume .* goes on"):
        Run.open("one")
    found.delete()
    assert not list((tmp_path / "runs").iterdir())
    assert not unfinished()


def test_a_file_that_changes_underneath_stops_the_run_which_goes_on_later(folder, model, tmp_path):
    copy = tmp_path / "bands.tif"
    shutil.copy2(folder / "bands.tif", copy)
    scene = Scene.open(copy)
    whole = classify(scene, model, out=tmp_path / "whole", tile=48)

    def touch(done: int, _total: int) -> None:
        if done == 3:
            os.utime(copy)

    with pytest.raises(RunError, match=r"bands\.tif changed while .* was classified"):
        classify(scene, model, out=tmp_path / "run", tile=48, progress=touch)
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "run/spool").glob("0*.tif")}
    with pytest.raises(RunError, match="another unfinished run"):
        classify(scene, model, out=tmp_path / "run", tile=48)
    shutil.copy2(folder / "bands.tif", copy)
    seen = Seen()
    run = resume(tmp_path / "run", progress=seen)
    # A block under way was not waited for; what it read was still the file of the run.
    assert 3 <= len(kept) <= seen[0] < 25
    assert run.map_path.read_bytes() == whole.map_path.read_bytes()


def test_a_block_without_memory_stops_the_run_which_goes_on_later(
    scene, model, tmp_path, monkeypatch
):
    calls: list[int] = []
    encode = MapFormat.encode

    def short_of_memory(layout, activations, valid):
        calls.append(1)
        if len(calls) == 5:
            raise MemoryError
        return encode(layout, activations, valid)

    monkeypatch.setattr(MapFormat, "encode", short_of_memory)
    with pytest.raises(RunError, match=r"out of memory on a block of 48 pixels.*smaller --tile"):
        classify(scene, model, out=tmp_path / "run", tile=48)
    assert Unfinished(tmp_path / "run").state == "stopped"
    calls += [1] * 5
    assert resume(tmp_path / "run").properties["lulc:blocks"] == 25


@pytest.mark.parametrize("when", ["a block", "the map"])
def test_a_full_disk_stops_the_run_which_goes_on_later(scene, model, tmp_path, monkeypatch, when):
    full = OSError(errno.ENOSPC, "No space left on device")
    write, room = Spool.write, files.check_room
    calls: list[str] = []

    def limited(spool, name, block):
        calls.append(name)
        if when == "a block" and len(calls) == 5:
            raise full
        write(spool, name, block)

    def no_room(*_):
        raise full

    monkeypatch.setattr(Spool, "write", limited)
    if when == "the map":
        monkeypatch.setattr(files, "check_room", no_room)
    with pytest.raises(RunError, match=r"disk of .*run is full.*finished blocks are kept"):
        classify(scene, model, out=tmp_path / "run", tile=48)
    monkeypatch.setattr(files, "check_room", room)
    before = len(calls)
    run = resume(tmp_path / "run")
    assert run.properties["lulc:blocks"] == 25
    assert len(calls) == (26 if when == "a block" else 25)
    assert before >= 5


def test_a_cancel_while_the_map_is_assembled_is_heard_at_once(scene, model, tmp_path, monkeypatch):
    at_work, go_on = threading.Event(), threading.Event()
    assemble = mapfile.assemble

    def slow(*arguments):
        at_work.set()
        go_on.wait(30)
        assemble(*arguments)

    monkeypatch.setattr(mapfile, "assemble", slow)
    with pytest.raises(CancelledError, match=r"while the map was assembled.*goes on"):
        classify(scene, model, out=tmp_path / "run", tile=48, cancelled=at_work.is_set)
    assert Unfinished(tmp_path / "run").state == "cancelled"
    monkeypatch.setattr(mapfile, "assemble", assemble)
    seen = Seen()
    go_on.set()  # the one before ends meanwhile, and does no harm
    run = resume(tmp_path / "run", progress=seen)
    assert seen == [25]
    assert run.map_path.is_file()


def test_what_a_killed_process_left_is_swept_up(scene, model, tmp_path):
    run = classify(scene, model, out=tmp_path / "whole", tile=48)
    stopped(scene, model, tmp_path / "run")
    (tmp_path / "run" / ".map-123-0a1b2c.tif").write_bytes(b"half a map")
    again = resume(tmp_path / "run")
    assert sorted(p.name for p in again.path.iterdir()) == sorted(
        p.name for p in run.path.iterdir()
    )
    # Killed between its last line and its cleaning up: nothing is left but to clean up.
    stopped(scene, model, tmp_path / "other")
    for file in run.path.iterdir():
        shutil.copy2(file, tmp_path / "other" / file.name)
    assert classify(scene, model, out=tmp_path / "other", tile=48).id == "whole"
    assert not (tmp_path / "other" / "spool").exists()


def test_a_spool_that_is_a_folder_is_refused(scene, model, tmp_path):
    with pytest.raises(RunError, match="expected --spool with the URL"):
        classify(scene, model, out=tmp_path / "run", spool=str(tmp_path / "spool"))
    assert not (tmp_path / "run").exists()


def test_a_folder_at_work_is_refused_to_a_second_process(scene, model, tmp_path):
    with pytest.raises(CancelledError):
        classify(scene, model, out=tmp_path / "run", tile=48, cancelled=lambda: True)
    with (
        FileLock(tmp_path / "run" / "spool" / "lock"),
        pytest.raises(RunError, match="another process"),
    ):
        classify(scene, model, out=tmp_path / "run", tile=48)


def test_a_failed_start_leaves_nothing(scene, tmp_path):
    broken = random_model(tmp_path / "broken")
    (tmp_path / "broken" / "model.keras").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        classify(scene, broken, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(RegionError):
        outside = Region.box((0, 0, 1, 1))
        classify(scene, broken, region=outside, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_region_of_nodata_alone_is_refused(scene, model, tmp_path):
    bounds = cut(scene.grid, Window(102, 42, 20, 20)).boundingbox
    cloud = Region.box((bounds.left, bounds.bottom, bounds.right, bounds.top), "EPSG:3067")
    with pytest.raises(SceneError, match="no valid pixel"):
        classify(scene, model, region=cloud, out=tmp_path / "run")


def test_without_a_folder_the_run_goes_to_the_workspace(scene, model, tmp_path, monkeypatch):
    from lulc.runs import runs

    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    run = classify(scene, model)
    assert run.path.parent == config.workspace() / "runs"
    assert [found.id for found in runs()] == [run.id]


@pytest.fixture(scope="module")
def trained() -> Model:
    return Model.load(config.ASSETS / "models" / "lakeland")


@pytest.mark.parametrize("tile", [64, 160])
def test_exact_with_a_trained_model_on_the_sample(scene, trained, tmp_path, tile):
    run = classify(scene, trained, out=tmp_path / "run", tile=tile, dtype="float32")
    whole = classify(scene, trained, out=tmp_path / "whole", tile=256, dtype="float32")
    with rasterio.open(run.map_path) as a, rasterio.open(whole.map_path) as b:
        found, expected = a.read(), b.read()
    assert whole.properties["lulc:blocks"] == 1
    assert_same_map(found, expected[1:], np.isfinite(expected[0]))


@pytest.mark.slow
def test_exact_with_a_trained_model_on_aquileia(shared_data, trained, tmp_path):
    """689 x 1200 real pixels in degrees, of sizes that are no multiples of the stride."""
    scene = Scene.open(shared_data / "aquileia_sentinel2_l2a", scale=1 / 65535)
    run = classify(scene, trained, out=tmp_path / "run", tile=208, dtype="float32")
    whole = classify(scene, trained, out=tmp_path / "whole", tile=1216, dtype="float32")
    assert whole.properties["lulc:blocks"] == 1
    with rasterio.open(run.map_path) as a, rasterio.open(whole.map_path) as b:
        found, expected = a.read(), b.read()
    valid = np.isfinite(expected[0])
    assert 0.96 < valid.mean() < 0.98
    assert_same_map(found, expected[1:], valid)
