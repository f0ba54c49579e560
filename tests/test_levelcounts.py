"""Activations counted by level: the same whatever is counted at once, and of each square."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from lulc import levelcounts, strips
from lulc.activations import Activations
from lulc.cells import CELLS, by_cell
from lulc.evaluation import count
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.levelcounts import count_steps, count_values
from lulc.mapfile import ACTIVATION_SCALE, MapFormat
from lulc.reference import LabelMap
from lulc.scores import Evaluation

LULC13 = Legend.load("lulc13")
GRID = GeoBox((75, 130), Affine(10, 0, 5e5, 0, -10, 67e5), "EPSG:3067")


@pytest.mark.parametrize("way", ["steps", "values"])
def test_every_column_of_squares_has_what_its_pixels_have(way):
    random = np.random.default_rng(1)
    shape = 30, 40
    steps = random.integers(0, 251, (3, *shape)).astype(np.uint16)
    steps[0, :2] = 320  # a sum of two above 1
    reference = random.integers(-1, 3, shape).astype(np.int16)
    mapped = random.integers(0, 3, shape).astype(np.int16)
    values = steps if way == "steps" else (steps * np.float32(ACTIVATION_SCALE))
    counted = count_steps if way == "steps" else count_values
    across = np.arange(40) // 7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levelcounts, "CHUNK", 130)
        found = counted([2, 1, 1], values, reference, mapped, across)
    for column in range(across[-1] + 1):
        one = across == column
        alone = counted(
            [2, 1, 1], values[..., one], reference[:, one], mapped[:, one], across[one] * 0
        )
        np.testing.assert_array_equal(found.cells[column], alone.cells[0])
        np.testing.assert_array_equal(found.cells[column], by_cell(alone.counts))
    assert found.counts[:-1].sum() == 3 * (reference >= 0).sum() == 3 * found.counts[-1].sum()
    np.testing.assert_array_equal(found.cells.sum(axis=0), by_cell(found.counts))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A map with activations of a truth that they tell something of."""
    path = tmp_path_factory.mktemp("map") / "map.tif"
    random = np.random.default_rng(3)
    truth = random.choice(LULC13.ids, (5, 9)).repeat(15, 0).repeat(15, 1)[:75, :130]
    shares = random.dirichlet(np.full(13, 0.3), GRID.shape).transpose(2, 0, 1)
    shares += 0.5 * (truth == np.array(LULC13.ids)[:, None, None])
    shares = (shares / shares.sum(axis=0)).astype(np.float32)
    bands = MapFormat(LULC13).encode(shares, random.random(GRID.shape) < 0.9)
    with rasterio.open(
        path, "w", driver="GTiff", height=75, width=130, count=14, dtype="uint8", nodata=255,
        crs=str(GRID.crs), transform=GRID.affine,
    ) as file:  # fmt: skip
        file.write(bands)
    return strips.Strips(
        LabelMap.from_array(bands[0], GRID, LULC13),
        LabelMap.from_array(truth.astype(np.uint8), GRID, LULC13),
        common_grouping(LULC13, LULC13),
        activations=Activations(path, LULC13),
    )


def test_strips_cut_across_squares_give_the_same(whole):
    [squares] = count(whole, ["activations"]).parts["activations"].by_square
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "STRIP_PIXELS", 700)
        patch.setattr(strips, "STRIP_ROWS", 11)
        patch.setattr(strips, "BLOCK_PIXELS", 1100)
        [pieces] = count(whole, ["activations"]).parts["activations"].by_square
    np.testing.assert_array_equal(squares.counts, pieces.counts)
    assert squares.counts.shape[2:] == (14, 2, CELLS)


def test_the_mapped_groups_pixels_are_those_of_the_matrices(whole):
    found = count(whole, ["activations", "intervals"])
    [squares], [sheet] = found.parts["activations"].by_square, found.blocks.sheets
    mapped, matrices = squares.counts[:, :, -1], sheet.squares.counts
    right = np.einsum("rcii->rc", matrices)
    np.testing.assert_array_equal(mapped[:, :, 1].sum(axis=-1), right)
    np.testing.assert_array_equal(mapped.sum(axis=(2, 3)), matrices.sum(axis=(2, 3)))
    there = squares.counts[:, :, :-1, 1].sum(axis=-1)
    np.testing.assert_array_equal(there, matrices.sum(axis=3))


def test_figures_have_intervals_where_squares_and_blocks_are(whole):
    found = count(whole, ["activations", "intervals"])
    found = replace(found, parts=found.parts | {"intervals": found.blocks.sized(100)})
    data = json.loads(json.dumps(found.to_dict()))
    scores = data["activations"]
    for figures, names in (
        (scores["overall"], ("ece", "overconfidence", "brier", "mean_average_precision")),
        (scores["classes"][0]["calibration"], ("ece", "overconfidence")),
        (scores["classes"][0]["ranking"], ("average_precision", "best_f1")),
        (scores["classes"][0]["ranking"]["curve"][5], ("precision", "recall", "f1")),
        (scores["overall"]["curve"][6], ("observed",)),
    ):
        for name in names:
            low, high = figures[f"{name}_ci"]
            assert low <= high
            if name != "ece":
                assert low <= figures[name] <= high, name
    part = found.parts["activations"]
    assert part.bounds(found.blocks) is part.bounds(found.blocks)
    low, high = scores["overall"]["brier_ci"]
    assert f"{low:.3f}–{high:.3f})" in part.text(found.blocks)
    assert "(" not in part.text()
    for row in scores["classes"]:
        for point in row["ranking"]["curve"]:
            for name in ("recall", "f1"):
                assert (point[name] is None) == (point[f"{name}_ci"] is None)
    assert Evaluation.from_dict(data).to_dict() == found.to_dict()


def test_an_evaluation_without_squares_has_no_intervals_of_activations(whole):
    found = count(whole, ["activations", "intervals"])
    data = found.to_dict()
    del data["activations"]["by_square"]
    older = Evaluation.from_dict(data)
    figures = older.to_dict()["activations"]
    assert figures["overall"]["ece"] == data["activations"]["overall"]["ece"]
    assert "ece_ci" not in figures["overall"] and "cautious" not in figures["overall"]
    assert not (older + found).parts["activations"].by_square
    assert len((found + found).parts["activations"].by_square) == 2
    both = (found + found).to_dict()["activations"]
    assert both["overall"]["ece_ci"] is not None
