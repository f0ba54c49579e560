"""Scores by distance to the reference's boundaries, and of a generalised map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from scipy import ndimage

from lulc.boundary import EDGES, Boundary, distances
from lulc.errors import LegendError, ReferenceDataError
from lulc.evaluation import count, evaluate_labels
from lulc.generalised import Generalised, generalised
from lulc.grouping import common_grouping
from lulc.legend import Legend
from lulc.reference import LabelMap
from lulc.sample import Landscape
from lulc.strips import Strips

LULC13, CLC = Legend.load("lulc13"), Legend.load("clc-grid")
ORIGIN = (500000, 6700000)


def labels(ids, legend=LULC13, size=10):
    ids = np.asarray(ids, legend.dtype)
    height, width = ids.shape
    left, bottom = ORIGIN
    box = (left, bottom, left + size * width, bottom + size * height)
    return LabelMap.from_array(ids, GeoBox.from_bbox(box, "EPSG:3067", shape=ids.shape), legend)


def strips(prediction, reference):
    grouping = common_grouping(prediction.legend, reference.legend)
    return Strips(prediction, reference, grouping)


def boundary(prediction, reference):
    return count(strips(prediction, reference), ["boundary"]).parts["boundary"]


@pytest.fixture(scope="module")
def truth():
    return Landscape(7).truth(Window(0, 0, 256, 256))


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (-1, 1)])
def test_a_reference_shifted_by_a_pixel_is_right_in_its_interior(truth, shift):
    found = count(strips(labels(truth), labels(np.roll(truth, shift, axis=(0, 1)))), ["boundary"])
    part = found.parts["boundary"]
    present = part.interior.support > 0
    assert (part.interior.f1[present] == 1).all() and present.sum() > 5
    assert (found.f1[present] < 1).all()
    assert part.curve[0].accuracy < part.curve[2].accuracy
    assert part.matrices.sum() == found.matrix.sum()


@pytest.mark.parametrize("shift", [(0, 2), (2, 2)])
def test_so_is_one_of_coarser_pixels(truth, shift, tmp_path):
    """Two pixels of the map are one of the reference's."""
    coarse = np.kron(truth[::4, ::4], np.ones((4, 4), np.uint8))
    moved = np.roll(coarse, shift, axis=(0, 1))
    whole = labels(moved[::2, ::2], size=20)
    with rasterio.open(
        tmp_path / "reference.tif", "w", driver="GTiff", width=128, height=128, count=1,
        dtype="uint8", crs="EPSG:3067", transform=whole.grid.affine,
    ) as file:  # fmt: skip
        file.write(whole.read(), 1)
        file.update_tags(LULC_LEGEND="lulc13")
    found = evaluate_labels(labels(coarse), tmp_path / "reference.tif", parts=["boundary"])
    part = found.parts["boundary"]
    assert (part.size, found.accuracy < 1, part.interior.accuracy) == (20, True, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_any_strips_give_the_same_counts(rows, seed, times):
    rng = np.random.default_rng(seed)
    small = rng.integers(1, 6, (60 // (10 * times) + 1, 50 // (10 * times) + 1))
    reference = np.kron(small, np.ones((10 * times, 10 * times), int))[:60, :50]
    reference[rng.random(reference.shape) < 0.01] = 255
    prediction = np.where(rng.random(reference.shape) < 0.2, 3, np.minimum(reference, 5))
    whole = strips(labels(prediction), labels(reference))
    found = count(whole, ["boundary"]).parts["boundary"]
    tally = Boundary.tally(whole)
    # All rows are read at once; they are given out in strips of any height.
    slab = next(whole.read(tally.margin))
    for top in range(0, 60, rows):
        tally.add(slab.part(Window(0, top, 50, min(rows, 60 - top))))
    assert tally.result().to_dict() == found.to_dict()
    one = Boundary.tally(whole)
    for top in range(0, 60, rows):
        bottom = min(60, top + rows)
        first, last = max(0, top - one.margin), min(60, bottom + one.margin)
        around = slab.part(Window(0, first, 50, last - first))
        alone = type(slab)(
            whole, around.window, around.codes, around.classes, around.inside, around.zone
        )
        one.add(alone.part(Window(0, top, 50, bottom - top)))
    assert (one.result().matrices == found.matrices).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(10.0, 10.0), (14.0, 10.0)]))
def test_distances_are_those_of_every_pixel_tried(seed, pixel):
    rng = np.random.default_rng(seed)
    groups = np.kron(rng.integers(-1, 3, (3, 3)), np.ones((5, 5), int)).astype(np.int16)
    beside = ndimage.generic_filter(
        groups, lambda v: (v != v[2]).any(), footprint=[[0, 1, 0], [1, 1, 1], [0, 1, 0]],
        mode="nearest", output=bool,
    )  # fmt: skip
    found = distances(groups, pixel)
    if not beside.any():
        assert np.isinf(found).all()
        return
    places = np.argwhere(beside) * pixel
    for place in np.ndindex(groups.shape):
        nearest = np.hypot(*(places - np.array(place) * pixel).T).min()
        assert found[place] == pytest.approx(nearest + min(pixel) / 2)


def test_read_back_and_added(truth):
    part = boundary(labels(truth), labels(np.roll(truth, 1)))
    data = part.to_dict()
    assert Boundary.from_dict(data).to_dict() == data
    assert (part + part).matrices.sum() == 2 * truth.size
    assert len(data["curve"]) == len(EDGES) - 1 and data["curve"][-1]["to"] is None
    assert "interior" in part.text()
    with pytest.raises(LegendError, match="cannot be added"):
        part + boundary(labels(truth, size=20), labels(truth, size=20))


def test_each_distance_has_intervals_of_its_own_pixels(truth):
    """The interior's are those of a reference that is nowhere else."""
    rng = np.random.default_rng(2)
    wrong = np.kron(rng.random((32, 32)) < 0.2, np.ones((8, 8), bool))
    reference = labels(np.where(wrong, truth % 13 + 1, truth))
    found = count(strips(labels(truth), reference), ["boundary", "intervals"])
    part, blocks = found.parts["boundary"], found.blocks
    *curve, interior = part.bounds(blocks)
    metres = distances(reference.read().astype(np.int16), (10, 10))
    inside = labels(np.where(metres > 15, truth, 255))
    alone = count(strips(inside, reference), ["intervals"]).blocks
    matrices = blocks.joined(part.by_square)[:, EDGES.index(1.5) :].sum(axis=1)
    edge = np.s_[1:-1, 1:-1]  # the edge of the map is a boundary, too
    assert matrices.sum() == part.interior.matrix.sum() > 0.9 * (metres > 15)[edge].sum()
    assert (alone.sized(blocks.side).matrices >= matrices).all()
    for counts, bounds in zip((*part.curve, part.interior), (*curve, interior), strict=True):
        low, high = bounds.averages["accuracy"]
        assert low <= counts.accuracy <= high or not counts.pixels.scored
    low, high = interior.averages["accuracy"]
    assert f"{part.interior.accuracy:.3f} ({low:.3f}–{high:.3f})" in part.text(blocks)
    assert "(" not in part.text().splitlines()[-1] and part.bounds(None) == []
    twice = part + part
    assert twice.matrices.sum() == 2 * part.matrices.sum() and len(twice.by_square) == 2
    assert not (part + replace(part, by_square=())).by_square
    with pytest.raises(LegendError, match="different regions"):
        twice.bounds(blocks)
    assert len(twice.bounds(blocks + blocks)) == len(EDGES)


def test_of_corine_nothing_below_100_metres_is_told(truth):
    codes = np.where(truth == 13, 41, 23)
    part = boundary(labels(np.where(truth == 13, 13, 6)), labels(codes, CLC))
    assert part.size == 100 and part.to_dict()["interior_from"] == 150


def test_generalised_to_the_unit(truth):
    truth = truth.copy()
    truth[30:50, 60:90] = 255
    found = generalised(labels(truth), 200).read()
    assert ((found == 255) == (truth == 255)).all()
    for c in np.unique(found[found != 255]):
        places, number = ndimage.label(found == c)
        assert number == 0 or np.bincount(places.ravel())[1:].min() >= 200
    assert (generalised(labels(truth), 1).read() == truth).all()


def test_generalised_in_slabs_as_in_one(truth, monkeypatch):
    whole = generalised(labels(truth), 6).read()
    monkeypatch.setattr("lulc.generalised.SLAB_PIXELS", 100 * 256)
    assert (generalised(labels(truth), 6).read() == whole).mean() > 0.999


def test_what_the_reference_cannot_show_is_no_error():
    """Islands of 1 ha in a map, of which a reference of 25 ha knows nothing."""
    ids, codes = np.full((100, 100), 13), np.full((100, 100), 41)
    ids[20:30, 20:30] = 6
    whole = strips(labels(ids), labels(codes, CLC))
    plain, part = count(whole), Generalised.of(whole, None)
    assert plain.accuracy == 0.99 and part.counts.accuracy == 1
    assert part.mmu == 25 and "25 ha" in part.text()
    blocks = count(whole, ["intervals"]).blocks
    low, high = part.figures(blocks)["accuracy_ci"]
    assert low < high == 1 and f"accuracy 1.000 (~{low:.3f}–1.000)" in part.text(blocks)
    assert Generalised.from_dict(part.to_dict()).to_dict() == part.to_dict()
    assert Generalised.of(whole, 0.5).counts.accuracy == 0.99
    for none in (-1.0, 0.0, np.nan, np.inf, 100.0):
        with pytest.raises(ReferenceDataError, match="above 0 and less than the map's 100"):
            Generalised.of(whole, none)
    with pytest.raises(ReferenceDataError, match="states no minimum mapping unit"):
        Generalised.of(strips(labels(ids), labels(ids)), None)


def test_distances_are_said_in_three_digits(truth):
    part = boundary(labels(truth), labels(np.roll(truth, 1)))
    found = replace(part, size=9.99745)
    said = found.text()
    assert "whose pixel is 10 m (interior: farther than 15 m)" in said
    ends = [line.split()[0] for line in said.splitlines()[2 : len(EDGES)]]
    assert ends == ["0", "5", "10", "15", "20", "30", "40", "60"]
