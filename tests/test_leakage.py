"""What a model has seen of the ground it is scored on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import samples
from lulc.compare import compare
from lulc.errors import LegendError
from lulc.evaluation import Evaluation, confusion, count, evaluate
from lulc.grouping import common_grouping
from lulc.leakage import BUFFER, SEEN, UNSEEN, ZONES, Zones
from lulc.legend import Legend
from lulc.reference import LabelMap
from lulc.region import Region
from lulc.runs import Run
from lulc.strips import Strips

LULC13 = Legend.load("lulc13")
GRID = GeoBox.from_bbox((500000, 6700000, 501200, 6700900), "EPSG:3067", shape=(90, 120))
SAME = common_grouping(LULC13, LULC13)

#: Upper-left corners (row, column) of the reference system's training tiles of 850 pixels.
TILES = ((250, 250), (4000, 250), (1500, 1500), (1100, 600), (1500, 3200), (100, 2200),
         (400, 2800), (3400, 800))  # fmt: skip


def footprint(boxes, grid):
    """Boxes of pixels (left, top, right, bottom) as the footprints of a card."""
    outline = shapely.union_all([
        shapely.box(*grid.pix2wld(left, bottom), *grid.pix2wld(right, top))
        for left, top, right, bottom in boxes
    ])  # fmt: skip
    degrees = Region("training", outline, str(grid.crs)).to("EPSG:4326")
    return json.loads(shapely.to_geojson(degrees))


def run_of(folder, ids, boxes=(), grid=GRID, halo=8):
    folder.mkdir()
    with rasterio.open(
        folder / "map.tif", "w", driver="GTiff", width=grid.shape.x, height=grid.shape.y, count=1,
        dtype="uint8", nodata=255, crs=grid.crs.to_wkt(), transform=grid.affine,
    ) as file:  # fmt: skip
        file.write(ids.astype("uint8"), 1)
        file.update_tags(LULC_LEGEND="lulc13")
    properties = {"lulc:legend": LULC13.to_dict(), "lulc:halo": halo}
    if boxes:
        properties["lulc:footprints"] = footprint(boxes, grid)
    item = {"id": folder.name, "properties": properties}
    (folder / "run.json").write_text(json.dumps(item))
    return Run.open(folder)


def zones_of(boxes, halo, grid=GRID):
    properties = {"lulc:footprints": footprint(boxes, grid), "lulc:halo": halo}
    return Zones.of([Run(None, {"properties": properties})], grid)


def whole(grid=GRID):
    return Window(0, 0, grid.shape.x, grid.shape.y)


@pytest.fixture
def truth():
    return np.random.default_rng(4).integers(1, 14, GRID.shape)


@pytest.fixture
def leaky(tmp_path, truth):
    """Right wherever it was trained (columns 40 to 80), and half of the time elsewhere."""
    rng = np.random.default_rng(5)
    elsewhere = np.where(rng.random(truth.shape) < 0.5, truth, truth % 13 + 1)
    ids = elsewhere.copy()
    ids[:, 40:80] = truth[:, 40:80]
    reference = run_of(tmp_path / "truth", truth).map_path
    return run_of(tmp_path / "leaky", ids, [(40, 0, 80, 90)]), reference


boxes = st.lists(
    st.tuples(st.integers(-30, 110), st.integers(-30, 80), st.integers(1, 40), st.integers(1, 40)),
    min_size=1,
    max_size=4,
).map(lambda found: [(x, y, x + w, y + h) for x, y, w, h in found])


@settings(max_examples=40)
@given(boxes, st.integers(0, 20), st.integers(20, 90), st.integers(30, 120))
def test_zones_by_any_windows(boxes, halo, rows, columns):
    """Seen is what a footprint holds; buffer is within the halo of it, row- and column-wise."""
    y, x = np.mgrid[:90, :120]
    expected = np.full(GRID.shape, UNSEEN)
    for reach, zone in ((halo, BUFFER), (0, SEEN)):
        for left, top, right, bottom in boxes:
            across = (x >= left - reach) & (x < right + reach)
            expected[across & (y >= top - reach) & (y < bottom + reach)] = zone
    zones = zones_of(boxes, halo)
    assert (zones.read(whole()) == expected).all()
    parts = np.empty(GRID.shape, np.uint8)
    for row in range(0, 90, rows):
        for column in range(0, 120, columns):
            window = Window(column, row, min(columns, 120 - column), min(rows, 90 - row))
            parts[window.toslices()] = zones.read(window)
    assert (parts == expected).all()


def test_what_one_of_two_models_has_seen_is_seen(tmp_path, truth):
    first = run_of(tmp_path / "a", truth, [(0, 0, 20, 90)], halo=5)
    second = run_of(tmp_path / "b", truth, [(15, 0, 30, 90)], halo=10)
    found = Zones.of([first, second], GRID).read(whole())[0]
    assert found.tolist() == [SEEN] * 30 + [BUFFER] * 10 + [UNSEEN] * 80
    assert Zones.of([run_of(tmp_path / "c", truth)], GRID) is None


def test_footprints_on_the_other_side_of_the_earth():
    far = shapely.MultiPolygon([shapely.box(-150, -89, -140, -60), shapely.box(26, 60, 28, 61)])
    properties = {"lulc:footprints": json.loads(shapely.to_geojson(far)), "lulc:halo": 8}
    zones = Zones.of([Run(None, {"properties": properties})], GRID)
    assert (zones.read(whole()) == SEEN).all()


def test_scores_are_those_of_the_unseen(leaky, truth):
    run, reference = leaky
    found = evaluate(run, reference)
    data = found.to_dict()
    ids = run.labels().read()
    right, columns = ids == truth, np.arange(120)
    seen = (columns >= 40) & (columns < 80)
    near = (columns >= 32) & (columns < 88)
    leakage = data["leakage"]
    for zone, chosen in (("unseen", ~near), ("buffer", near & ~seen), ("seen", seen)):
        assert leakage[f"{zone}_share"] == pytest.approx(chosen.mean())
        assert leakage[zone]["accuracy"] == pytest.approx(right[:, chosen].mean())
        assert leakage[zone]["pixels"]["scored"] == chosen.sum() * 90
        assert {"macro_f1", "micro_f1", "weighted_f1", "classes", "matrix"} <= set(leakage[zone])
    assert leakage["seen"]["macro_f1"] == 1 and leakage["halo"] == 8
    assert found.accuracy == leakage["unseen"]["accuracy"] == data["accuracy"] < 0.6
    assert data["macro_f1"] == leakage["unseen"]["macro_f1"]
    assert any("33.3% of the scored pixels lie in the model's" in w for w in found.warnings)
    assert "53.3% that are unseen" in str(found)
    assert Evaluation.load(run.path / "evaluation.json") == found
    assert found.to_dict() == Evaluation.from_dict(json.loads(json.dumps(data))).to_dict()


def test_intervals_of_a_zone_rest_on_its_own_pixels(leaky, truth):
    """The blocks of what was seen are those of a map that ends there."""
    run, reference = leaky
    found = evaluate(run, reference, block=150)
    zones = Zones.of([run], GRID).read(whole())
    matrices = found.blocks.joined(found.leakage.by_square)
    assert (matrices[:, UNSEEN] == found.blocks.matrices).all()
    ids = run.labels().read()
    for zone, name in enumerate(ZONES):
        there = np.where(zones == zone, ids, 255).astype(np.uint8)
        maps = (LabelMap.from_array(a, GRID, LULC13) for a in (there, truth.astype(np.uint8)))
        alone = count(Strips(*maps, SAME), ["intervals"]).blocks.sized(150)
        assert (matrices[:, zone] == alone.matrices).all()
        low, high = found.to_dict()["leakage"][name]["accuracy_ci"]
        assert low < alone.matrices.trace(axis1=1, axis2=2).sum() / (zones == zone).sum() <= high
    assert found.to_dict()["leakage"]["unseen"]["accuracy_ci"] == found.to_dict()["accuracy_ci"]
    assert not evaluate(run, reference, parts=()).leakage.by_square


def test_a_region_has_its_own_shares(leaky):
    run, reference = leaky
    left, bottom, right, top = 500000, 6700000, 500600, 6700900
    region = Region.box((left, bottom, right, top), "EPSG:3067")
    found = evaluate(run, reference, region=region)
    assert found.leakage.share("seen") == pytest.approx(20 / 60)
    assert found.leakage.share("buffer") == pytest.approx(8 / 60)


def test_without_unseen_pixels_it_is_no_accuracy(tmp_path, truth):
    run = run_of(tmp_path / "run", truth, [(-5, -5, 115, 95)])
    found = evaluate(run, run.map_path)
    assert found.warnings[0].startswith("This score is no accuracy")
    assert found.leakage.share("unseen") == 0
    assert found.leakage.share("seen") == pytest.approx(115 / 120)
    assert found.pixels.scored == truth.size and found.accuracy == 1
    data = found.to_dict()
    assert data["leakage"]["unseen"] is None and data["leakage"]["seen"]["accuracy"] == 1
    again = Evaluation.from_dict(data)
    assert again == found and again.warnings == found.warnings


def test_trained_elsewhere_or_who_knows_where(tmp_path, truth):
    away = run_of(tmp_path / "away", truth, [(400, 400, 500, 500)])
    found = evaluate(away, away.map_path)
    assert found.leakage.share("unseen") == 1 and "training" not in " ".join(found.warnings)
    assert found.to_dict()["leakage"]["seen"] is None
    unknown = run_of(tmp_path / "unknown", truth)
    assert evaluate(unknown, unknown.map_path).to_dict()["leakage"] is None


def test_zones_of_parts_add_up(truth):
    zones = zones_of([(10, 10, 60, 40)], 8)
    ids = np.where(np.random.default_rng(6).random(truth.shape) < 0.3, truth % 13 + 1, truth)
    prediction, reference = (
        LabelMap.from_array(a.astype(np.uint8), GRID, LULC13) for a in (ids, truth)
    )
    found = confusion(prediction, reference, SAME, zones=zones)
    parts = []
    for window in (Window(0, 0, 120, 33), Window(0, 33, 120, 57)):
        cut = prediction.crop(window)
        part = zones_of([(10, 10, 60, 40)], 8)
        part = Zones(cut.grid, part.footprints)
        parts.append(confusion(cut, reference.crop(window), SAME, zones=part))
    assert parts[0] + parts[1] == found
    plain = Evaluation.from_dict(found.to_dict() | {"leakage": None})
    with pytest.raises(LegendError, match="with and without zones"):
        _ = found + plain


def test_runs_are_compared_where_neither_model_was_trained(tmp_path, truth):
    first = run_of(tmp_path / "a", truth, [(0, 0, 30, 90)])
    second = run_of(tmp_path / "b", truth, [(90, 0, 120, 90)])
    found = compare(first, second, first.map_path)
    assert found.a.pixels.scored == found.b.pixels.scored == 90 * (120 - 2 * 38)
    for run in (first, second):
        evaluate(run, first.map_path)
    stored = compare(first, second)
    # Kept scores are of different pixels: those are not compared.
    assert stored.a is None and any("different areas" in note for note in stored.notes)


def test_published_test_of_the_reference_system():
    """27.5 % of its 20,281,520 scored pixels lie in its own training tiles.

    The scene of 5477 x 6068 pixels loses 500 a side, which leaves 4477 columns and 5068 rows: the
    only orientation that holds all eight training tiles (one reaches row 4850). Of those
    22,689,436 pixels, 2,407,916 have no reference; the tiles have one everywhere, so these lie
    elsewhere, and where does not matter for the shares of the seen.
    """
    height, width, scored, side = 5068, 4477, 20_281_520, 850
    grid = GeoBox.from_bbox(
        (540000, 6740000, 540000 + 10 * width, 6740000 + 10 * height),
        "EPSG:3067",
        shape=(height, width),
    )
    tiles = [(column, row, column + side, row + side) for row, column in TILES]
    zones = zones_of(tiles, 64, grid)
    labels = np.full(grid.shape, 5, np.uint8)
    unlabelled = height * width - scored
    free = np.ones(grid.shape, bool)
    for left, top, right, bottom in tiles:
        free[top:bottom, left:right] = False
    labels.ravel()[np.flatnonzero(free.ravel())[-unlabelled:]] = 255
    map_ = LabelMap.from_array(np.full(grid.shape, 5, np.uint8), grid, LULC13)
    reference = LabelMap.from_array(labels, grid, LULC13)
    found = confusion(map_, reference, SAME, zones=zones)
    parts = found.leakage
    assert sum(p.pixels.scored for p in (parts.unseen, parts.buffer, parts.seen)) == scored
    assert parts.seen.pixels.scored == 5_567_500
    assert round(parts.share("seen"), 3) == 0.275
    assert found.pixels.scored == parts.unseen.pixels.scored < scored - 5_567_500
    # Validation tile 0, at row 1000 and column 2200.
    first = zones.read(Window(2200, 1000, side, side))
    assert round((first == SEEN).mean(), 3) == 0.159


def test_footprints_of_training_come_back(tmp_path, truth):
    """What `train` writes into a card covers the labels it was trained on, and not the rest."""
    trained = np.zeros(GRID.shape, bool)
    trained[:, :60] = True
    degrees = samples.outline(trained, GRID)
    run = run_of(tmp_path / "run", truth)
    run.item["properties"]["lulc:footprints"] = json.loads(shapely.to_geojson(degrees))
    found = evaluate(run, run.map_path)
    # The outline is good to about a pixel of ten metres.
    assert found.leakage.share("seen") == pytest.approx(0.5, abs=0.02)
    assert found.leakage.share("buffer") == pytest.approx(8 / 120, abs=0.02)
    assert found.leakage.share("unseen") == pytest.approx(52 / 120, abs=0.02)
