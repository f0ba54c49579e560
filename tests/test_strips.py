"""One pass over a map and its reference, and what tallies see of them."""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import strips as strips_module
from lulc.activations import Activations, probabilities, summed
from lulc.boundary import BoundaryTally
from lulc.errors import ReferenceDataError
from lulc.evaluation import Evaluation, count
from lulc.grouping import common_grouping
from lulc.leakage import SEEN, UNSEEN
from lulc.legend import Legend
from lulc.mapfile import MapFormat
from lulc.parts import PARTS
from lulc.reference import LabelMap
from lulc.strips import Strips

LULC13, CLC = Legend.load("lulc13"), Legend.load("clc")
SHAPE = (150, 60)
GRID = GeoBox.from_bbox((500000, 6700000, 500600, 6701500), "EPSG:3067", shape=SHAPE)


@dataclass(frozen=True)
class StripedZones:
    """Zones by column: the left half is seen, unless nothing is unseen."""

    grid: GeoBox
    nowhere: bool = False
    halo: int = 3
    left: int = 0

    def read(self, window):
        columns = np.arange(window.col_off, window.col_off + window.width) + self.left
        zone = np.where((columns < 30) | self.nowhere, SEEN, UNSEEN).astype(np.uint8)
        return np.broadcast_to(zone, (int(window.height), int(window.width)))


@dataclass(frozen=True)
class Kept:
    """A part as simple as can be: how many pixels were kept, and the sum of an activation."""

    pixels: int
    water: float

    @classmethod
    def tally(cls, strips):
        return KeptTally() if strips.activations else None

    @classmethod
    def from_dict(cls, data):
        return cls(data["pixels"], data["water"])

    def to_dict(self, _=None, /):
        return {"pixels": self.pixels, "water": self.water}

    def text(self, _=None, /):
        return f"{self.pixels} pixels"

    def __add__(self, other):
        return Kept(self.pixels + other.pixels, self.water + other.water)


class KeptTally:
    margin = 0

    def __init__(self):
        self.pixels, self.water = 0, 0.0

    def add(self, strip):
        self.pixels += int(strip.kept.sum())
        self.water += float(strip.activations()[-1][strip.kept].sum())

    def result(self):
        return Kept(self.pixels, self.water)


def map_file(path, dtype="uint8"):
    """A map with activations, some of it without data, and its activations and classes."""
    rng = np.random.default_rng(2)
    activations = rng.dirichlet(np.full(13, 0.3), SHAPE).transpose(2, 0, 1).astype(np.float32)
    valid = rng.random(SHAPE) < 0.9
    layout = MapFormat(LULC13, dtype)
    bands = layout.encode(activations, valid)
    with rasterio.open(
        path, "w", driver="GTiff", width=SHAPE[1], height=SHAPE[0], count=14, dtype=dtype,
        nodata=layout.nodata, crs="EPSG:3067", transform=GRID.affine,
    ) as file:  # fmt: skip
        file.write(bands)
    return bands, valid


def strips_of(path, **options):
    reference = np.random.default_rng(3).choice([*CLC.ids, CLC.nodata], SHAPE).astype(np.uint16)
    return Strips(
        LabelMap.open(path, LULC13),
        LabelMap.from_array(reference, GRID, CLC),
        common_grouping(LULC13, CLC),
        activations=Activations(path, LULC13),
        **options,
    )


@pytest.fixture
def small_strips(monkeypatch):
    """Slabs of 70 rows in strips of 64 x 25 pixels, whatever the real sizes are."""
    windows = [Window(0, row, 60, min(70, 150 - row)) for row in (0, 70, 140)]
    monkeypatch.setattr(LabelMap, "strips", lambda _: iter(windows))
    monkeypatch.setattr(strips_module, "STRIP_ROWS", 64)
    monkeypatch.setattr(strips_module, "STRIP_PIXELS", 64 * 25)


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("margin", [0, 5, 80])
def test_every_pixel_comes_once_and_with_its_margin(tmp_path, margin):
    bands, _ = map_file(tmp_path / "map.tif")
    strips = strips_of(tmp_path / "map.tif", zones=StripedZones(GRID))
    codes, classes = strips.reference.read(), bands[0]
    zone = strips.zones.read(Window(0, 0, 60, 150))
    reference = strips.grouping.reference_lut[codes]
    prediction = strips.grouping.prediction_lut[classes]
    whole = {
        "codes": codes,
        "classes": classes,
        "zone": zone,
        "reference": reference,
        "prediction": prediction,
        "kept": (reference >= 0) & (prediction >= 0) & (zone == UNSEEN),
    }
    times = np.zeros(SHAPE, int)
    for strip in strips.read(margin):
        place = strip.window.toslices()
        times[place] += 1
        near = tuple(
            slice(max(0, along.start - margin), min(size, along.stop + margin))
            for along, size in zip(place, SHAPE, strict=True)
        )
        around = strip.around(margin)
        for name, expected in whole.items():
            assert (getattr(strip, name) == expected[place]).all()
            assert (getattr(around, name) == expected[near]).all()
            assert (getattr(around, name)[strip.inner(around)] == expected[place]).all()
    assert (times == 1).all()


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_activations_are_summed_into_groups(tmp_path, dtype):
    bands, valid = map_file(tmp_path / "map.tif", dtype)
    strips = strips_of(tmp_path / "map.tif")
    if dtype == "float32":
        strips = replace(strips, prediction=LabelMap.from_array(bands[0], GRID, LULC13))
    scale = 0.004 if dtype == "uint8" else 1
    # Without water vegetation, which CORINE has not, and with the two conifers as one.
    groups = [g.members for g in strips.grouping.groups]
    assert (7, 8) in groups and 12 not in {m for g in groups for m in g}
    for strip in strips.read(3):
        found, part = strip.activations(), bands[(slice(1, None), *strip.window.toslices())]
        assert found.dtype == np.float32 and found.shape == (len(groups), *strip.codes.shape)
        there = valid[strip.window.toslices()]
        assert np.isnan(found[:, ~there]).all()
        for share, members in zip(found, groups, strict=True):
            total = sum(part[m - 1].astype(float) for m in members) * scale
            assert share[there] == pytest.approx(total[there], abs=1e-6)


@pytest.mark.usefixtures("small_strips")
def test_a_slab_is_read_once_from_the_file(tmp_path, monkeypatch):
    map_file(tmp_path / "map.tif")
    read, stored = [], Activations.stored
    monkeypatch.setattr(Activations, "stored", lambda *a: read.append(a[1]) or stored(*a))
    strips = strips_of(tmp_path / "map.tif")
    number = sum(strip.stored[0].size == strip.activations()[0].size for strip in strips.read(3))
    assert (number, len(read)) == (13, 3)
    assert sum(window.width * window.height for window in read) == SHAPE[0] * SHAPE[1]


@pytest.mark.usefixtures("small_strips")
def test_activations_of_a_margin_are_read_where_they_are_asked_for(tmp_path):
    bands, _ = map_file(tmp_path / "map.tif")
    for strip in strips_of(tmp_path / "map.tif").read(3):
        around = strip.around(3)
        assert (around.stored == bands[(slice(1, None), *around.window.toslices())]).all()


@pytest.mark.usefixtures("small_strips")
def test_a_wide_slab_is_cut_across(tmp_path, monkeypatch):
    """What is read at once is bounded, whatever the width; it has its margin on all sides."""
    monkeypatch.setattr(strips_module, "STRIP_ROWS", 70)
    monkeypatch.setattr(strips_module, "BLOCK_PIXELS", 70 * 50)
    map_file(tmp_path / "map.tif")
    slabs = {strip.slab.window.flatten() for strip in strips_of(tmp_path / "map.tif").read(3)}
    assert slabs == {
        (0, 0, 47, 73), (41, 0, 19, 73), (0, 67, 47, 76), (41, 67, 19, 76), (0, 137, 60, 13)
    }  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 254))
def test_sums_of_bytes_are_exact(seed, classes):
    """All classes that a legend can have, in groups, add up to what they were."""
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 251, (classes, 4, 5), np.uint8)
    cuts = np.sort(rng.integers(0, classes + 1, 3))
    groups = [g.tolist() for g in np.split(rng.permutation(classes), cuts) if g.size]
    found = summed(stored, groups)
    assert (found.sum(axis=0, dtype=np.int64) == stored.sum(axis=0, dtype=np.int64)).all()
    whole = summed(stored, [range(classes)])
    assert (whole[0] == stored.sum(axis=0, dtype=np.int64)).all()
    shares = probabilities(stored, groups)
    assert shares.sum(axis=0) == pytest.approx(stored.sum(axis=0) * 0.004, rel=1e-5)


@pytest.mark.usefixtures("small_strips")
def test_a_part_is_counted_on_the_scored_pixels_and_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(PARTS, "kept", Kept)
    map_file(tmp_path / "map.tif")
    strips = strips_of(tmp_path / "map.tif", zones=StripedZones(GRID))
    found = count(strips, ["kept"])
    assert 0 < found.parts["kept"].pixels == found.pixels.scored
    again = Evaluation.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found and again.parts == found.parts
    twice = found + again
    assert twice.parts["kept"].pixels == twice.pixels.scored == 2 * found.pixels.scored
    # Without an unseen pixel the scores are those of all, and so is the part.
    nowhere = replace(strips, zones=StripedZones(GRID, nowhere=True))
    seen = count(nowhere, ["kept"])
    assert seen.parts["kept"].pixels == seen.pixels.scored == seen.leakage.seen.pixels.scored
    # The two do not mix, and a map without activations has no such part.
    assert not (found + seen).parts
    assert not count(replace(strips, activations=None), ["kept"]).parts


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.integers(1, 40),
    st.integers(7, 80),
    st.booleans(),
)
def test_strips_of_any_size_give_the_same(tmp_path_factory, slab, wide, strip, across, zones):
    """Every part that there is, with the matrix, whatever is read and counted at once."""
    folder = tmp_path_factory.mktemp("map")
    map_file(folder / "map.tif")
    strips = strips_of(folder / "map.tif", zones=StripedZones(GRID) if zones else None)
    whole = count(strips, list(PARTS))
    windows = [Window(0, row, 60, min(slab, 150 - row)) for row in range(0, 150, slab)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelMap, "strips", lambda _: iter(windows))
        patch.setattr(strips_module, "BLOCK_PIXELS", slab * wide)
        patch.setattr(strips_module, "STRIP_PIXELS", strip * across)
        patch.setattr(strips_module, "STRIP_ROWS", strip)
        parts = count(strips, list(PARTS))
    assert "activations" in whole.parts
    same(parts.to_dict(), whole.to_dict())


def part_of(strips, window, margin=0):
    """The strips of a window alone, as if it were a file of its own; with a margin, that is read
    and not scored."""
    height, width = strips.prediction.grid.shape
    left, top = max(0, window.col_off - margin), max(0, window.row_off - margin)
    right = min(width, window.col_off + window.width + margin)
    bottom = min(height, window.row_off + window.height + margin)
    grown = Window(left, top, right - left, bottom - top)
    prediction, reference = (m.crop(grown) for m in (strips.prediction, strips.reference))
    core = np.full(prediction.grid.shape, 255, np.uint8)
    rows, columns = window.row_off - top, window.col_off - left
    core[rows : rows + window.height, columns : columns + window.width] = 1
    zones = strips.zones and replace(strips.zones, grid=prediction.grid, left=left)
    return replace(
        strips,
        prediction=prediction,
        reference=reference,
        mask=LabelMap.from_array(core, prediction.grid, LULC13) if margin else None,
        zones=zones,
        activations=strips.activations.crop(grown),
    )


def patchy_strips(path, zones):
    """The map of `map_file`, and a reference with patches, so that distances differ."""
    strips = strips_of(path, zones=StripedZones(GRID) if zones else None)
    codes = np.kron(strips.reference.read()[:10, :4], np.ones((15, 15), np.uint16))
    return replace(strips, reference=LabelMap.from_array(codes, GRID, replace(CLC, detail=20.0)))


@settings(max_examples=12, deadline=None)
@given(
    st.sets(st.integers(1, SHAPE[0] - 1), max_size=2),
    st.sets(st.integers(1, SHAPE[1] - 1), max_size=2),
    st.booleans(),
)
def test_areas_scored_apart_add_up(tmp_path_factory, rows, columns, zones):
    """Any division in windows, each as if it were a file of its own: the counts of the whole."""
    folder = tmp_path_factory.mktemp("map")
    map_file(folder / "map.tif")
    strips = patchy_strips(folder / "map.tif", zones)
    tops, lefts = [0, *sorted(rows), SHAPE[0]], [0, *sorted(columns), SHAPE[1]]
    windows = [
        Window(left, top, right - left, bottom - top)
        for top, bottom in pairwise(tops)
        for left, right in pairwise(lefts)
    ]
    whole = count(strips, list(PARTS))
    margin = BoundaryTally(strips).margin
    alone = [count(part_of(strips, window)) for window in windows]
    assert reduce(operator.add, alone).to_dict() == count(strips).to_dict()
    # Tallies of every pixel add up whatever is around them; distances need what is around.
    for names, halo in ((["activations", "intervals"], 0), (["boundary"], margin)):
        parts = [counted(part_of(strips, window, halo), names, whole) for window in windows]
        for name in names:
            found = reduce(operator.add, [part[name] for part in parts])
            if name == "intervals":
                matrices = [sheet.squares.counts.sum(axis=(0, 1)) for sheet in found.sheets]
                assert (sum(matrices) == whole.matrix).all()
            elif name == "boundary":
                matrices = [each.counts.sum(axis=(0, 1)) for each in found.by_square]
                assert (sum(matrices) == found.matrices).all()
                alike = [replace(each, by_square=()) for each in (found, whole.parts[name])]
                same(*(each.to_dict() for each in alike))
            elif name == "activations":
                both = found, whole.parts[name]
                ours, theirs = (sum(s.counts.sum(axis=(0, 1)) for s in p.by_square) for p in both)
                assert (ours == theirs).all()
                same(*(replace(part, by_square=()).to_dict() for part in both))
            else:
                same(found.to_dict(), whole.parts[name].to_dict())
    # Without what is around, no pixel is lost, and none is farther from a boundary.
    bare = [counted(part_of(strips, window), ["boundary"], whole)["boundary"] for window in windows]
    both = reduce(operator.add, bare), whole.parts["boundary"]
    near, far = (part.matrices.sum(axis=(1, 2)) for part in both)
    assert near.sum() == far.sum() and (np.cumsum(near) >= np.cumsum(far)).all()


def counted(strips, names, whole):
    """Parts of these names on the pixels that the whole is scored by."""
    unseen = whole.leakage is None or whole.leakage.only_unseen
    strips = replace(strips, only_unseen=unseen)
    tallies = {name: PARTS[name].tally(strips) for name in names}
    strips.count(list(tallies.values()))
    return {name: tally.result() for name, tally in tallies.items()}


def same(found, expected):
    """Equal JSON, but for the last digits of sums."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            same(*pair)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
    else:
        assert found == expected


def test_a_map_of_classes_has_no_activations(tmp_path):
    map_file(tmp_path / "map.tif")
    strips = replace(strips_of(tmp_path / "map.tif"), activations=None)
    with pytest.raises(ReferenceDataError, match="activations"):
        next(strips.read()).activations()
