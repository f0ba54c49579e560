"""Blocks of ground on the map."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from lulc.blockmap import BlockMap
from lulc.blocks import SpatialBlocks
from lulc.errors import ReferenceDataError
from lulc.evaluation import count
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.reference import LabelMap
from lulc.scores import Evaluation
from lulc.strips import Strips

LULC13 = Legend.load("lulc13")


def grid_of(height: int, width: int) -> GeoBox:
    box = (500000, 6700000, 500000 + 10 * width, 6700000 + 10 * height)
    return GeoBox.from_bbox(box, "EPSG:3067", shape=(height, width))


def counted(height: int, width: int, side: float | None) -> tuple[np.ndarray, Evaluation]:
    """A truth, of which the map has a tenth wrong and knows nothing in the first rows."""
    random = np.random.default_rng(height * 1000 + width)
    truth = random.choice([5, 6, 13], (height, width)).astype(np.uint8)
    mapped = np.where(random.random(truth.shape) < 0.1, 5, truth).astype(np.uint8)
    mapped[: height // 3] = 255
    maps = [LabelMap.from_array(ids, grid_of(height, width), LULC13) for ids in (mapped, truth)]
    found = count(Strips(*maps, common_grouping(LULC13, LULC13)), ("intervals",))
    found.parts["intervals"] = found.blocks.sized(side)
    return np.where(mapped == 255, -1, mapped == truth), found


@given(st.integers(3, 150), st.integers(3, 150), st.sampled_from([None, 40, 333, 5000]))
def test_blocks_add_up_to_the_scores_and_lie_where_they_were_counted(height, width, side):
    right, found = counted(height, width, side)
    grid = grid_of(height, width)
    shown = BlockMap.of(found.blocks, grid)
    assert shown.scored.sum() == found.pixels.scored and shown.joined == 1
    assert shown.right.sum() / shown.scored.sum() == pytest.approx(found.accuracy)
    assert shown.area.sum() == pytest.approx(found.pixels.scored * 1e-4)
    for outline, scored, agree in zip(shown.outlines, shown.scored, shown.right, strict=True):
        (left, top), (far, bottom) = (
            ~grid.affine @ corner
            for corner in (outline.bounds[::3], (outline.bounds[2], outline.bounds[1]))
        )
        part = right[round(top) : round(bottom), round(left) : round(far)]
        assert ((part >= 0).sum(), (part == 1).sum()) == (scored, agree)
    assert shapely.union_all(shown.outlines).area == pytest.approx(
        sum(outline.area for outline in shown.outlines)  # none lies over another
    )


def test_they_are_the_blocks_that_intervals_are_drawn_from():
    _, found = counted(120, 140, 150.0)
    shown = BlockMap.of(found.blocks, grid_of(120, 140))
    drawn = found.blocks.matrices.sum(axis=(1, 2))
    assert shown.scored.tolist() == drawn[drawn > 0].tolist()
    assert shown.side == found.blocks.side


def test_more_than_can_be_shown_are_joined():
    _, found = counted(120, 140, 40.0)
    few = BlockMap.of(found.blocks, grid_of(120, 140), most=100)
    assert 25 < len(few.scored) <= 100 < len(found.blocks.matrices)
    assert few.side == few.joined * found.blocks.side and few.joined > 1
    assert few.scored.sum() == found.pixels.scored


def test_the_worst_blocks_are_those_with_most_wrong_pixels():
    matrices = np.array([[[9, 1], [0, 0]], [[90, 2], [5, 3]], [[1, 0], [0, 1]], [[0, 6], [1, 0]]])
    outlines = np.array([shapely.box(i, 0, i + 1, 1) for i in range(4)], object)
    found = BlockMap(outlines, matrices, 1e-4, 10.0, 1)
    assert found.worst(2) == [1, 3] and found.worst(9) == [1, 3, 0]
    assert found.confused(1) == (1, 0, 5) and found.confused(3) == (0, 1, 6)


def test_blocks_of_another_map_are_refused():
    _, found = counted(60, 50, None)
    with pytest.raises(ReferenceDataError, match="score it again"):
        BlockMap.of(found.blocks, grid_of(60, 5000))
    twice = SpatialBlocks(found.blocks.groups, found.blocks.sheets * 2)
    with pytest.raises(ReferenceDataError, match="squares of one map"):
        BlockMap.of(twice, grid_of(60, 50))


def test_blocks_of_a_map_in_degrees_have_an_area():
    grid = GeoBox.from_bbox((28, 60.6, 28.1, 60.65), "EPSG:4326", shape=(50, 50))
    maps = [LabelMap.from_array(np.full((50, 50), 5, np.uint8), grid, LULC13) for _ in range(2)]
    found = count(Strips(*maps, common_grouping(LULC13, LULC13)), ("intervals",))
    shown = BlockMap.of(found.blocks, grid)
    assert shown.area.sum() == pytest.approx(5.48 * 5.57, rel=0.01)  # km of longitude, latitude
    assert (shown.agreement == 1).all()
