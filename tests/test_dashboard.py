"""The dashboard without a browser: what it shows, what it would run, and its jobs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from dashboard import catalog
from dashboard.catalog import Reading
from dashboard.choosing import plan
from dashboard.mapping import legend_view, warp
from dashboard.mapping.warp import View
from dashboard.pages.compare import counterpart
from dashboard.painting import composites, layers
from dashboard.painting.layers import NOTHING, Order
from dashboard.running.job import Job
from dashboard.running.jobs import Jobs
from dashboard.state import BOX, NAMED, TYPED, State
from lulc.errors import LulcError
from lulc.evaluation import evaluate
from lulc.reference import LabelMap, WarpedRaster
from lulc.runs import Run
from lulc.scene import Scene

ROOT = Path(__file__).resolve().parent.parent


def view_of(order: Order) -> View:
    assert order.run is not None
    return View.of(order.run.grid, 300, 200)


# Reading


def test_a_view_reads_the_pixel_below_each_of_its_centres(order):
    whole = view_of(order)
    x, y = (whole.west + whole.east) / 2, (whole.south + whole.north) / 2
    near = View(x - 600, y - 400, x + 600, y + 400, 300, 200)
    got, there = warp.read(order.run.map_path, (1,), near)
    exact = LabelMap(near.grid, order.run.legend, WarpedRaster(order.run.map_path, 1)).read()
    assert there.mean() > 0.9
    assert (got[0] == exact)[there].mean() > 0.999


def test_the_pixels_of_a_view_lie_within_its_bounds():
    view = View(1479000.3, 5735000.7, 1504000.9, 5762001.1, 336, 584)
    assert tuple(view.grid.boundingbox) == pytest.approx(view.bounds, abs=1e-6)


def test_a_view_beside_the_file_is_empty(order):
    whole = view_of(order)
    beside = replace(whole, west=whole.west + 1e6, east=whole.east + 1e6)
    values, there = warp.read(order.run.map_path, (1, 2), beside)
    assert values.shape == (2, 200, 300)
    assert not there.any() and not values.any()


def test_a_view_shows_a_box_with_square_pixels():
    view = View.around((0, 0, 1000, 100), 300, 200)
    assert (view.east - view.west) / 300 == pytest.approx((view.north - view.south) / 200)
    assert view.west < 0 and view.east > 1000


# Layers


def test_classes_are_painted_in_their_colours_and_counted(order):
    picture = layers.paint(order, view_of(order))
    shown = picture.classes != NOTHING
    assert np.array_equal(picture.overlay[..., 3] > 0, shown)
    row, column = np.argwhere(shown)[len(np.argwhere(shown)) // 2]
    colour = order.run.legend.by_id[int(picture.classes[row, column])].rgb
    assert tuple(picture.overlay[row, column, :3]) == colour
    assert sum(entry.share for entry in picture.entries) == pytest.approx(1)
    assert [entry.name for entry in picture.entries] == list(order.run.legend.names)


def test_the_activation_of_a_class_is_high_where_it_was_mapped(order):
    picture = layers.paint(replace(order, overlay="Activation", class_id=13), view_of(order))
    mapped = picture.classes == 13
    others = (picture.classes != 13) & (picture.classes != NOTHING)
    assert picture.values[mapped].min() > picture.values[others].max()
    assert picture.scale is not None and "Water bodies" in picture.title


def test_disagreement_is_what_the_scores_count_as_wrong(order):
    # As many pixels on the screen as in the map, so that nothing is left out.
    view = View.of(order.run.grid, 900, 900)
    picture = layers.paint(replace(order, overlay="Disagreement"), view)
    accuracy = evaluate(order.run, order.reference).accuracy
    differ, agree, _ = (entry.share for entry in picture.entries)
    assert differ == pytest.approx(1 - accuracy, abs=0.01)
    assert agree == pytest.approx(accuracy, abs=0.01)


def test_the_reference_alone_can_be_shown(order):
    picture = layers.paint(replace(order, run=None, overlay="Reference"), view_of(order))
    assert picture.overlay is not None and picture.overlay[..., 3].any()
    assert {entry.name for entry in picture.entries} <= set(picture.label_legend.names)


def test_colours_mean_the_same_in_every_view(order):
    whole = view_of(order)
    bands = composites.COMPOSITES["True colour"]
    known = composites.stretch(order.scene.select(bands))
    values, valid = order.scene.select(bands).read(Window(100, 100, 1, 1))
    assert valid.all()
    low, high = np.array(known.limits).T
    expected = 255 * np.clip((values[:, 0, 0] - low) / (high - low), 0, 1) ** known.gamma
    x, y = order.scene.grid.affine * (100.5, 100.5)
    from pyproj import Transformer

    to = Transformer.from_crs(order.scene.grid.crs.to_wkt(), warp.MERCATOR, always_xy=True)
    x, y = to.transform(x, y)
    point = View(x - 1, y - 1, x + 1, y + 1, 30, 30)
    shown = composites.composite(order.scene, bands, point)[15, 15, :3]
    assert np.abs(shown - expected).max() <= 1
    assert composites.composite(order.scene, bands, whole)[..., 3].any()


def test_snow_in_a_corner_does_not_leave_the_land_black(tmp_path):
    land = np.linspace(0.02, 0.06, 400, dtype=np.float32).reshape(20, 20)
    land[:6, :6] = 0.9
    place = {"crs": "EPSG:32630", "transform": Affine(60, 0, 4e5, 0, -60, 4e6)}
    file = tmp_path / "scene_B04.tif"
    with rasterio.open(file, "w", driver="GTiff", width=20, height=20, count=1, dtype="float32",
                       **place) as target:  # fmt: skip
        target.write(land, 1)
    scene = Scene.open(file)
    west, south, east, north = warp.mercator_bounds(scene.grid)
    shown = composites.composite(scene, ("B04",) * 3, View(west, south, east, north, 40, 40))
    seen = shown[..., 0][shown[..., 3] > 0]
    assert 55 < np.median(seen) < 75  # a quarter of 255; in proportion it would be 6
    assert seen.max() == 255


def test_a_scene_without_the_usual_bands_has_a_composite(order):
    narrow = order.scene.select(("B05", "B06"))
    assert list(composites.composites(narrow).values()) == [("B05", "B06", "B05")]
    assert composites.composites(None) == {}
    files = order.scene.select(("B02", "B03", "B04", "B08", "B12")).files
    files = tuple(replace(f, name="B8A") if f.name == "B08" else f for f in files)
    landsat = composites.composites(replace(order.scene, files=files))
    assert landsat["Colour infrared"] == ("B8A", "B04", "B03")
    assert landsat["Short-wave infrared"] == ("B12", "B8A", "B04")


def test_the_legend_names_classes_shares_and_source(order):
    picture = layers.paint(order, view_of(order))
    assert "run-a" in legend_view.heading(picture)
    lines = legend_view.rows(picture.entries)
    assert [line["name"] for line in lines] == list(order.run.legend.names)
    assert all("%" in line["share"] or line["share"] == "–" for line in lines)
    ramp = legend_view.footing(layers.paint(replace(order, overlay="Confidence"), view_of(order)))
    assert "0 to 1" in ramp
    assert "No layer" in legend_view.heading(layers.Picture(view_of(order)))


def test_the_legend_can_be_sorted_by_area(order):
    entries = layers.paint(order, view_of(order)).entries
    share = {entry.name: entry.share for entry in entries}
    sorted_ = [share[line["name"]] for line in legend_view.rows(entries, "area")]
    assert sorted_ == sorted(share.values(), reverse=True) != list(share.values())


# Plans


def state_of(**choices) -> State:
    return State(scene="sample", model="lakeland", **choices)


@pytest.mark.usefixtures("workspace")
def test_a_plan_says_how_large_and_how_long():
    run = replace(catalog.runs()[0], item={**catalog.runs()[0].item})
    run.item["properties"] = {**run.properties, "mlm:name": "lakeland"}
    found = plan.make(state_of(), catalog.cards()["lakeland"], [run])
    assert (found.width, found.height) == (256, 256)
    assert found.size == "256 × 256 px, 6.6 km²"
    assert found.cost is not None and found.cost.size_measured
    assert not found.problem


def box_of_the_middle() -> tuple[float, ...]:
    west, south, east, north = catalog.open_scene("sample").footprint.bounds
    dx, dy = (east - west) / 4, (north - south) / 4
    return west + dx, south + dy, east - dx, north - dy


def test_a_drawn_box_and_the_same_typed_are_one_region(workspace):
    west, south, east, north = box_of_the_middle()
    (x0, y0), (x1, y1) = warp.mercator(west, south), warp.mercator(east, north)
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    card = catalog.cards()["lakeland"]
    one = plan.make(state_of(region_mode=BOX, corners=corners), card, [])
    typed = f"{west}, {south}, {east}, {north}"
    two = plan.make(state_of(region_mode=TYPED, typed=typed), card, [])
    assert (one.width, one.height) == (two.width, two.height)
    assert 100 < one.width < 160
    call = plan.arguments(one, state_of(region_mode=BOX, corners=corners), workspace / "runs" / "x")
    place = call.index("--bbox")
    assert [float(v) for v in call[place + 1 : place + 5]] == pytest.approx(box_of_the_middle())
    assert call[:1] == ("classify",) and "--progress" in call


@pytest.mark.usefixtures("workspace")
def test_how_the_scene_is_read_reaches_the_call(workspace):
    state = state_of(scale=0.0002, offset=-0.1, tile=512)
    found = plan.make(state, catalog.cards()["lakeland"], [])
    assert not found.problem
    call = " ".join(plan.arguments(found, state, workspace / "runs" / "x"))
    assert "--tile 512" in call and call.endswith("--scale 0.0002 --offset -0.1")
    untold = plan.arguments(found, state_of(), workspace / "runs" / "x")
    assert not {"--scale", "--offset", "--tile"} & set(untold)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"region_mode": TYPED, "typed": "1 2 3"}, "four numbers"),
        ({"region_mode": TYPED, "typed": "1 2 3 x"}, "four numbers"),
        ({"region_mode": TYPED, "typed": "60.675 28.11 60.685 28.13"}, "latitude before longitude"),
        ({"region_mode": BOX}, "(?i)draw a box"),
        ({"region_mode": NAMED}, "(?i)choose a region"),
        ({"scene": "absent"}, "."),
        ({"scene": ""}, "scenes/"),
        ({"bands": "B02,B03"}, "2 bands"),
        ({"scale": 0}, "scale above 0 .*, got 0 and 0 .*under Advanced"),
        ({"scale": 1, "offset": float("inf")}, "finite offset"),
    ],
)
@pytest.mark.usefixtures("workspace")
def test_what_stands_against_a_plan_is_said_in_a_sentence(choices, said):
    state = state_of()
    state.param.update(**choices)
    found = plan.make(state, catalog.cards()["lakeland"], [])
    assert re.search(said, found.problem)
    assert "\n" not in found.problem


def test_durations_are_for_people():
    assert [plan.duration(s) for s in (0.2, 40, 300, 4800)] == ["1 s", "40 s", "5 min", "80 min"]
    assert plan.duration(7260) == "2 h 1 min"


# What is in the workspace


def test_a_broken_run_hides_no_other(made, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    assert catalog.runs() == [] and catalog.scenes() == {} and catalog.references() == {}
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "good").symlink_to(made / "runs" / "run-a")
    bad = tmp_path / "runs" / "bad"
    bad.mkdir()
    (bad / "run.json").write_text("{", encoding="utf-8")
    assert [run.id for run in catalog.runs()] == ["run-a"]
    assert list(catalog.broken()) == ["bad"]


def test_a_reading_becomes_options():
    assert Reading().arguments() == []
    asked = Reading("B02,B03", 0.0001, -0.1).arguments()
    assert asked == ["--bands", "B02,B03", "--scale", "0.0001", "--offset", "-0.1"]


def test_a_run_is_compared_with_one_of_the_same_scene():
    runs = [
        Run(Path(name), {"id": name, "properties": {"lulc:scene": {"name": scene}}})
        for name, scene in (
            ("abroad", "coast"),
            ("newest", "lakes"),
            ("a", "lakes"),
            ("b", "lakes"),
        )
    ]
    assert counterpart(runs, "a", "") == counterpart(runs, "a", "abroad") == "newest"
    assert counterpart(runs, "a", "b") == "b"
    assert counterpart(runs, "newest", "") == "a"
    assert counterpart(runs, "abroad", "a") == counterpart([], "", "") == ""


# Jobs: a small program stands for `lulc`

PROGRAM = """
import json, sys, time
what = sys.argv[1]
if what == "evaluate":
    sys.exit("lulc: there is no such reference")
for done in range(5):
    print(json.dumps({"done": done, "total": 4, "left_s": 4 - done}), file=sys.stderr, flush=True)
    while what == "endless" and done == 2:
        time.sleep(0.05)
if what == "fails":
    print("lulc: the scene lacks the bands B12", file=sys.stderr)
    sys.exit(2)
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch) -> Jobs:
    monkeypatch.setenv("LULC_WORKSPACE", str(tmp_path))
    return Jobs((sys.executable, "-c", PROGRAM))


def job(tmp_path: Path, name: str, what: str) -> Job:
    return Job(tmp_path / "runs" / name, (what,), name)


def test_a_job_counts_its_blocks_and_ends(jobs, tmp_path):
    done = jobs.wait(jobs.submit(job(tmp_path, "one", "works")), 60)
    assert (done.state, done.blocks_done, done.blocks, done.share) == ("done", 4, 4, 1)
    assert json.loads(catalog.call_path("one").read_text(encoding="utf-8"))["arguments"] == [
        "works"
    ]


def test_a_failed_job_says_why_and_keeps_the_log(jobs, tmp_path):
    failed = jobs.wait(jobs.submit(job(tmp_path, "one", "fails")), 60)
    assert failed.state == "failed"
    assert failed.message == "the scene lacks the bands B12"
    assert "B12" in failed.log.read_text(encoding="utf-8")


def test_jobs_wait_for_each_other_and_can_be_cancelled(jobs, tmp_path):
    first = jobs.submit(job(tmp_path, "first", "endless"))
    second = jobs.submit(job(tmp_path, "second", "works"))
    third = jobs.submit(job(tmp_path, "third", "works"))
    assert jobs.position(third) == 2
    with pytest.raises(LulcError, match="already"):
        jobs.submit(job(tmp_path, "first", "works"))
    jobs.cancel(second)
    assert second.state == "cancelled"
    jobs.cancel(first)
    assert jobs.wait(first, 60).state == "cancelled"
    assert jobs.wait(third, 60).state == "done"
    assert second.blocks == 0
    jobs.dismiss(second)
    assert [j.id for j in jobs.list()] == ["first", "third"]


def test_a_map_that_cannot_be_scored_is_still_a_map(jobs, tmp_path):
    asked = replace(job(tmp_path, "one", "works"), reference=tmp_path / "absent.tif")
    done = jobs.wait(jobs.submit(asked), 60)
    assert done.state == "done"
    assert done.message.startswith("Classified, but not scored")


# The house


@pytest.mark.usefixtures("workspace")
def test_the_page_is_made_without_tensorflow_or_a_warning():
    code = (
        "import sys, warnings; warnings.filterwarnings('error', module='dashboard')\n"
        "from dashboard.app import create_page, makers\n"
        "from dashboard.shelf import Shelf\n"
        "from dashboard.state import PLACES, State\n"
        "page, state = create_page(), State()\n"
        "assert page.title == 'lulc'\n"
        "views = [make() for make in makers(state, Shelf(state)).values()]\n"
        "assert len(views) == len(PLACES)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_the_state_knows_nothing_of_panel():
    code = "import sys, dashboard.state; assert 'panel' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("file", sorted((ROOT / "dashboard").rglob("*.py")), ids=lambda p: p.name)
def test_every_file_is_a_room_one_can_look_through(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 250
