"""The list of suspicious labels leads to the map."""

from __future__ import annotations

import pytest
import shapely

from lulc.grouping import Group
from lulc.suspects import Suspect

pytest.importorskip("panel")

from dashboard.charts.suspicion import LEAST_MARGIN_M, surroundings, title
from dashboard.mapping.warp import mercator


def suspect(outline: shapely.Geometry) -> Suspect:
    fields, water = (
        Group(5, "Fields", "#ffff00", (5,), (5,)), Group(13, "Water", "#0000ff", (13,), (13,)),
    )  # fmt: skip
    return Suspect(1, fields, water, 0.9, 16, 0.16, 25.0, 61.0, outline)


def test_a_small_patch_is_shown_with_what_lies_around_it() -> None:
    west, south, east, north = surroundings(suspect(shapely.box(0, 0, 40, 80)), "EPSG:3857")
    assert mercator(west, south) == pytest.approx((-LEAST_MARGIN_M, -LEAST_MARGIN_M))
    assert mercator(east, north) == pytest.approx((40 + LEAST_MARGIN_M, 80 + LEAST_MARGIN_M))


def test_a_large_patch_gets_its_own_size_to_each_side() -> None:
    west, south, east, north = surroundings(suspect(shapely.box(0, 0, 1000, 2000)), "EPSG:3857")
    assert mercator(west, south) == pytest.approx((-2000, -2000))
    assert mercator(east, north) == pytest.approx((3000, 4000))


def test_a_patch_is_put_in_a_few_words() -> None:
    assert title(suspect(shapely.box(0, 0, 1, 1))) == "1: Fields or Water?"
