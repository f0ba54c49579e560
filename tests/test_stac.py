"""Fetching from a STAC API: a real server on localhost, images made from the simulated region."""

from __future__ import annotations

import json
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections import namedtuple
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyproj import Transformer
from rasterio.windows import Window

from lulc import cli, composite, files, sample, stac
from lulc.errors import RegionError, SceneError
from lulc.sample import BANDS, Landscape
from lulc.scene import Scene

SEED, SIZE = 11, 640
GRID = sample.place(SEED, 1024)[:SIZE, :SIZE]
COMMON = dict(
    zip(BANDS, ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "swir16",
                "swir22"), strict=True)
)  # fmt: skip
NOISE = 0.002
COLLECTION = "sentinel-2-l2a"


def ground() -> np.ndarray:
    """Reflectance without a cloud, (9, y, x), in steps of 0.0001 so that it can be stored."""
    values, _ = Landscape(SEED).bands(Window(0, 0, SIZE, SIZE))
    return np.maximum(np.rint(values * 1e4), 10) / 1e4


#: Each date's id, cloud cover, how it tells its offset, and its asset keys.
DATES = (
    # The offset is in the numbers and declared.
    ("a", 12, {"s2:processing_baseline": "05.00"}, "declared", "common"),
    # Taken out by the provider, who goes on declaring it.
    ("b", 20, {"s2:processing_baseline": "05.00", "earthsearch:boa_offset_applied": True},
     "applied", "common"),
    # An old baseline, and no scale in the assets.
    ("c", 30, {"s2:processing_baseline": "02.14"}, "silent-old", "plain"),
    # A new baseline, and no scale in the assets.
    ("d", 35, {"s2:processing_baseline": "04.00"}, "silent-new", "plain"),
    # STAC 1.1.
    ("e", 8, {"s2:processing_baseline": "05.10"}, "bands", "sized"),
    # Too cloudy: white, and would change the median.
    ("f", 90, {"s2:processing_baseline": "05.00"}, "declared", "common"),
)  # fmt: skip


def write_date(folder: Path, number: int, image: np.ndarray, rng) -> dict:
    name, cover, properties, offset, keys = DATES[number]
    values = image + rng.normal(0, NOISE, image.shape)
    # Every date has its cloud and its shadow; the south-west corner is never clear.
    classes = np.full((SIZE // 2, SIZE // 2), 4, np.uint8)
    stripe = np.s_[:, number * 60 : number * 60 + 50]
    classes[stripe] = 9
    classes[:, number * 60 + 50 : number * 60 + 55] = 3
    classes[-10:, :10] = 8
    if cover > 40:
        values[:] = 0.8
    cloudy = np.kron(classes, np.ones((2, 2), np.uint8))
    values[:, cloudy == 9] = 0.7
    values[:, cloudy == 3] = 0.01
    digits = np.clip(np.rint(values * 1e4), 1, 60_000)
    if offset in ("declared", "silent-new", "bands"):
        digits += 1000
    assets = {}
    asset = {"type": "image/tiff; application=geotiff", "roles": ["data"]}
    for band, layer in zip(BANDS, digits.astype(np.uint16), strict=True):
        path = folder / f"{name}_{band}.tif"
        save(path, layer)
        key = {"common": COMMON[band], "plain": band, "sized": f"{band}_10m"}[keys]
        told = {
            "declared": {"raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}]},
            "applied": {"raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}]},
            "bands": {"bands": [{"raster:scale": 1e-4, "raster:offset": -0.1}]},
        }.get(offset, {})
        assets[key] = {"href": path.as_uri(), **asset, **told}
    save(folder / f"{name}_SCL.tif", classes, 20)
    key = {"common": "scl", "plain": "SCL", "sized": "SCL_20m"}[keys]
    assets[key] = {"href": (folder / f"{name}_SCL.tif").as_uri(), **asset}
    west, south, east, north = GRID.extent.to_crs("EPSG:4326").boundingbox.bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"S2A_35VLG_{name}",
        "collection": COLLECTION,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"2024-07-{number + 1:02}T09:50:00Z", "eo:cloud_cover": cover, **properties,
        },
        "links": [],
        "assets": assets,
    }  # fmt: skip


def save(path: Path, layer: np.ndarray, pixel: float = 10) -> None:
    height, width = layer.shape
    transform = Affine(pixel, 0, GRID.affine.c, 0, -pixel, GRID.affine.f)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=layer.dtype,
        crs=sample.CRS, transform=transform, tiled=True, blockxsize=256, blockysize=256,
        nodata=0,
    ) as file:  # fmt: skip
        file.write(layer, 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a STAC API that serves the dates, and a collection without SCL."""
    folder = tmp_path_factory.mktemp("stac")
    rng, image = np.random.default_rng(4), ground()
    items = [write_date(folder, number, image, rng) for number in range(len(DATES))]
    poor = json.loads(json.dumps(items[0]))
    poor |= {"id": "poor", "collection": "poor"}
    del poor["assets"]["scl"]
    untold = json.loads(json.dumps(items[2]))
    untold |= {"id": "untold", "collection": "untold"}
    del untold["properties"]["s2:processing_baseline"]
    gone = json.loads(json.dumps(items[0]))
    gone |= {"id": "gone", "collection": "gone"}
    gone["assets"]["nir"]["href"] += ".gone"
    (folder / "items.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": [*items, poor, untold, gone]})
    )
    for name in (COLLECTION, "poor", "untold", "gone"):
        extent = {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2015-06-27T00:00:00Z", None]]},
        }
        collection = {
            "type": "Collection", "stac_version": "1.0.0", "id": name, "description": name,
            "license": "other", "extent": extent, "links": [],
        }  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(collection))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = Path(sysconfig.get_path("scripts")) / "rustac"
    names = [f"{name}.json" for name in (COLLECTION, "poor", "untold", "gone", "items")]
    process = subprocess.Popen(
        [program, "serve", "--addr", address, *names],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(f"http://{address}", process)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str, process: subprocess.Popen) -> None:
    for _ in range(100):
        assert process.poll() is None, "the STAC server ended"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


def box(left: int, top: int, right: int, bottom: int) -> tuple[float, ...]:
    """The box in degrees that these pixels of GRID lie in."""
    to = Transformer.from_crs(sample.CRS, 4326, always_xy=True)
    x, y = GRID.affine.c, GRID.affine.f
    return to.transform_bounds(x + 10 * left, y - 10 * bottom, x + 10 * right, y - 10 * top)


PERIOD = "2024-07-01/2024-07-31"
BOX = box(40, 40, 580, 580)


class TestFetch:
    @pytest.fixture(scope="class")
    @staticmethod
    def fetched(server, tmp_path_factory):
        steps: list[tuple[int, int]] = []
        out = tmp_path_factory.mktemp("out") / "july"
        found = stac.fetch(BOX, PERIOD, url=server, out=out, progress=lambda *s: steps.append(s))
        assert steps == [(n, len(steps)) for n in range(1, len(steps) + 1)] and len(steps) > 1
        return found

    def test_is_the_ground_without_clouds_within_the_noise(self, fetched):
        scene = Scene.open(fetched.path)
        values, valid = scene.read()
        row = round((GRID.affine.f - scene.grid.affine.f) / 10)
        column = round((scene.grid.affine.c - GRID.affine.c) / 10)
        height, width = scene.shape
        truth = ground()[:, row : row + height, column : column + width]
        assert scene.bands == BANDS and truth.shape == values.shape
        difference = (values - truth)[:, valid]
        # The median of five has 0.54 of the noise of one; there is no cloud, shadow or offset.
        assert np.abs(difference).max() < 6 * NOISE
        assert difference.std() < 0.7 * NOISE
        assert np.abs(difference.mean(axis=1)).max() < 0.05 * NOISE

    def test_is_on_the_pixels_of_the_images(self, fetched):
        assert str(fetched.grid.crs) == sample.CRS
        for ours, theirs in ((fetched.grid.affine.c, GRID.affine.c),
                             (fetched.grid.affine.f, GRID.affine.f)):  # fmt: skip
            assert (ours - theirs) % 10 == 0
        assert fetched.grid.shape.x == pytest.approx(570, abs=30)

    def test_all_of_it_was_clear_once(self, fetched):
        assert fetched.clear == 1

    def test_leaves_out_the_cloudy_item(self, fetched):
        assert fetched.items == tuple(f"S2A_35VLG_{name}" for name in "abcde")

    def test_the_file_tells_its_numbers_and_sources(self, fetched):
        with rasterio.open(fetched.path) as file:
            assert file.dtypes == ("uint16",) * 9 and file.nodatavals == (0,) * 9
            assert file.scales == (1e-4,) * 9 and file.offsets == (0,) * 9
            assert file.descriptions == BANDS
            assert file.profile["tiled"] and file.overviews(1)
            tags = file.tags()
        assert tags["ITEMS"].split() == list(fetched.items)
        assert tags["DATES"].split() == [f"2024-07-0{day}" for day in range(1, 6)]
        assert tags["PROCESSING_BASELINES"] == "02.14 04.00 05.00 05.10"

    def test_the_item_beside_it_lists_the_sources(self, fetched):
        data = json.loads((fetched.path.parent / "bands.json").read_text())
        item = pystac.Item.from_dict(data)
        assert item.assets["data"].href == "./bands.tif"
        assert [s["id"] for s in data["properties"]["lulc:sources"]] == list(fetched.items)
        assert set(data["properties"]["lulc:sources"][4]["assets"]) == {*BANDS, "SCL"}
        assert data["properties"]["start_datetime"] == "2024-07-01T09:50:00Z"

    def test_nothing_else_is_left(self, fetched):
        assert sorted(p.name for p in fetched.path.parent.iterdir()) == ["bands.json", "bands.tif"]
        assert [p.name for p in fetched.path.parent.parent.iterdir()] == ["july"]

    def test_what_is_never_clear_is_nodata(self, server, tmp_path):
        corner = box(0, 590, 60, 640)
        found = stac.fetch(corner, PERIOD, url=server, out=tmp_path / "x", bands=["B04"])
        _, valid = Scene.open(found.path).read()
        assert 0.5 < found.clear < 1 and valid.mean() == pytest.approx(found.clear)

    def test_blocks_of_any_size_give_the_same(self, server, tmp_path, fetched, monkeypatch):
        monkeypatch.setattr(composite, "BLOCK", 256)
        again = stac.fetch(BOX, PERIOD, url=server, out=tmp_path / "x", bands=["B08"])
        expected = Scene.open(fetched.path).select(["B08"]).read()[0]
        np.testing.assert_array_equal(Scene.open(again.path).read()[0], expected)

    def test_another_resolution(self, server, tmp_path):
        found = stac.fetch(BOX, PERIOD, url=server, out=tmp_path / "x", bands=["B08"],
                           resolution=20)  # fmt: skip
        assert found.grid.shape.x == pytest.approx(285, abs=15)
        assert found.grid.affine.c % 20 == 0

    def test_a_name_of_its_own_in_the_workspace(self, server, workspace):
        small = box(100, 100, 130, 130)
        for name in ("sentinel2_2024-07-01_2024-07-31", "sentinel2_2024-07-01_2024-07-31_2"):
            found = stac.fetch(small, PERIOD, url=server, bands=["B04"])
            assert found.path == workspace / "scenes" / name / "bands.tif"


class TestCommand:
    def run(self, capsys, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.main(["fetch", *arguments])
        out, error = capsys.readouterr()
        return int(end.value.code or 0), out, error

    def test_json(self, server, capsys, workspace):
        small = [f"{value:.6f}" for value in box(100, 100, 130, 130)]
        code, out, error = self.run(
            capsys, "--bbox", *small, "--datetime", PERIOD, "--stac", server, "--bands", "B04,B08",
            "--json", "--progress", "none",
        )  # fmt: skip
        assert (code, error) == (0, "")
        document = json.loads(out)
        assert document["items"] and document["clear"] == 1 and document["crs"] == sample.CRS
        assert Scene.open(document["path"]).bands == ("B04", "B08")
        assert Path(document["path"]).is_relative_to(workspace / "scenes")

    def test_an_error_is_one_line(self, capsys):
        code, out, error = self.run(
            capsys, "--bbox", "27", "61", "28", "62", "--datetime", PERIOD, "--stac",
            f"http://127.0.0.1:{closed_port()}",
        )  # fmt: skip
        assert (code, out) == (2, "")
        assert error.startswith("lulc: the STAC API http://127.0.0.1") and error.count("\n") == 1


class TestErrors:
    @pytest.fixture(autouse=True)
    def nothing_is_left(self, workspace):
        yield
        scenes = workspace / "scenes"
        assert not scenes.exists() or not list(scenes.iterdir())

    def test_no_item(self, server):
        with pytest.raises(SceneError, match=r"no item of sentinel-2-l2a in the box 7 45 7\.1"):
            stac.fetch((7, 45, 7.1, 45.1), PERIOD, url=server)
        with pytest.raises(SceneError, match=r"no item .* the period 2020"):
            stac.fetch(BOX, "2020-07-01/2020-07-31", url=server)
        with pytest.raises(SceneError, match="no item of sentinel-1"):
            stac.fetch(BOX, PERIOD, url=server, collection="sentinel-1")

    def test_all_too_cloudy(self, server):
        with pytest.raises(SceneError, match=r"all 6 items .* --max-cloud 5 %; .* has 8 %"):
            stac.fetch(BOX, PERIOD, url=server, max_cloud=5)

    def test_never_clear(self, server):
        with pytest.raises(SceneError, match="no pixel of the box is clear"):
            stac.fetch(box(2, 625, 15, 638), PERIOD, url=server, bands=["B04"])

    @pytest.mark.parametrize("bbox", [(28, 61, 27, 62), (27, 61, 27, 61), (61, 127, 62, 128)])
    def test_no_box(self, server, bbox):
        with pytest.raises(RegionError):
            stac.fetch(bbox, PERIOD, url=server)

    def test_no_period(self, server):
        with pytest.raises(SceneError, match="2024-06-01/2024-08-31; got 'summer'"):
            stac.fetch(BOX, "summer", url=server)

    def test_bands_that_the_items_lack(self, server):
        with pytest.raises(SceneError, match=r"S2A_35VLG_. lacks B8A, B09; it has B02"):
            stac.fetch(BOX, PERIOD, url=server, bands=["B8A", "B09"])
        with pytest.raises(SceneError, match="lacks SCL"):
            stac.fetch(BOX, PERIOD, url=server, collection="poor")

    def test_an_unknown_scale(self, server):
        with pytest.raises(SceneError, match="does not tell how the numbers of B02"):
            stac.fetch(BOX, PERIOD, url=server, collection="untold")

    def test_an_image_that_is_gone(self, server):
        with pytest.raises(SceneError, match=r"a_B08\.tif\.gone"):
            stac.fetch(BOX, PERIOD, url=server, collection="gone")

    def test_an_image_that_breaks_off(self, server, monkeypatch):
        monkeypatch.setattr(Scene, "read", lambda *_: (_ for _ in ()).throw(SceneError("cut")))
        with pytest.raises(SceneError, match="cut"):
            stac.fetch(BOX, PERIOD, url=server)

    def test_an_existing_folder(self, server, tmp_path):
        with pytest.raises(SceneError, match="exists; choose another --out"):
            stac.fetch(BOX, PERIOD, url=server, out=tmp_path)

    def test_a_full_disk(self, server, monkeypatch, capsys):
        usage = namedtuple("usage", "free")(1000)
        monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(SystemExit) as end:
            cli.main(["fetch", "--bbox", *map(str, BOX), "--datetime", PERIOD, "--stac", server])
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert "No space left" in error and error.count("\n") == 1

    def test_no_server(self):
        url = f"http://127.0.0.1:{closed_port()}"
        with pytest.raises(SceneError, match=f"STAC API {url} cannot be asked") as error:
            stac.fetch(BOX, PERIOD, url=url)
        assert "\n" not in str(error.value)

    def test_no_api(self, server, tmp_path):
        (tmp_path / "page.html").write_text("<html>")
        for url in ("not an address", f"{server}/nowhere", (tmp_path / "page.html").as_uri()):
            with pytest.raises(SceneError, match=f"the STAC API {url} cannot be asked"):
                stac.fetch(BOX, PERIOD, url=url)

    def test_a_server_that_never_answers(self, monkeypatch):
        monkeypatch.setattr(stac, "TIMEOUT", 0.2)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(SceneError, match="cannot be asked"):
                stac.fetch(BOX, PERIOD, url=url)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 6), st.just(3), st.just(2)),
        elements=st.one_of(st.just(np.nan), st.floats(-0.125, 2, width=32)),
    )
)  # fmt: skip
def test_median_is_numpy_s(stack):
    found = composite.median(stack.copy())
    for row in range(3):
        for column in range(2):
            seen = stack[:, row, column]
            seen = seen[np.isfinite(seen)]
            expected = np.median(seen) if seen.size else np.nan
            np.testing.assert_allclose(found[row, column], expected, rtol=1e-5, atol=1e-7)
