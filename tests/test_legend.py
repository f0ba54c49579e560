"""Legends, and their coarsest common grouping."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from lulc.errors import LegendError
from lulc.grouping import LEVELS, common_grouping
from lulc.legend import LandClass, Legend, legends

#: Legends of land cover products that are not CORINE's.
COVERS = ["dynamicworld", "worldcover", "nlcd", "clcplus"]


@pytest.mark.parametrize("name", legends())
def test_bundled_legend_survives_its_dictionary(name):
    legend = Legend.load(name)
    assert legend.name == name
    assert Legend.from_dict(json.loads(json.dumps(legend.to_dict()))) == legend
    assert len(set(legend.names)) == len(legend.names)
    assert legend.source


def test_sizes_and_types():
    sizes = {n: len(Legend.load(n).classes) for n in ("lulc13", "clc", "clc2", "clc1", "clc-fi")}
    assert sizes == {"lulc13": 13, "clc": 44, "clc2": 15, "clc1": 5, "clc-fi": 49}
    assert (Legend.load("lulc13").dtype, Legend.load("lulc13").nodata) == (np.uint8, 255)
    assert (Legend.load("clc").dtype, Legend.load("clc").nodata) == (np.uint16, 65535)


def test_grid_codes_count_the_classes_of_level_3():
    grid, clc = Legend.load("clc-grid"), Legend.load("clc")
    assert grid.ids == tuple(range(1, 45))
    assert (grid.names, grid.colormap()[1]) == (clc.names, clc.colormap()[111])


def test_official_colour():
    assert Legend.load("clc").by_id[312].rgb == (0, 166, 0)


@pytest.mark.parametrize("name", ["lulc13", "dynamicworld", "worldcover", "clcplus"])
def test_colours_can_be_told_apart(name):
    for a, b in itertools.combinations(Legend.load(name).classes, 2):
        assert np.abs(np.subtract(a.rgb, b.rgb)).sum() >= 40, (a, b)


def test_a_legend_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"name": "mine", "classes": [{"id": 3, "name": "Sea", "color": "#0000FF"}]}')
    assert Legend.load(path).classes == (LandClass(3, "Sea", "#0000ff"),)
    assert Legend.load(path).title == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a legend"),
        ("[]", "not a legend"),
        ('{"name": "x"}', "classes"),
        ('{"name": "x", "classes": []}', "1 to 254 classes"),
        ('{"name": "x", "classes": [{"id": 0, "name": "a", "color": "#000000"}]}', r"\[0\]"),
        ('{"name": "x", "classes": [{"id": 1, "name": "a", "color": "red"}]}', "color"),
    ],
)
def test_malformed_legends_are_refused(tmp_path, text, said):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(LegendError, match=said):
        Legend.load(path)


def test_unknown_legend_names_those_that_exist():
    with pytest.raises(LegendError, match="lulc13"):
        Legend.load("corine")


def test_pine_and_spruce_are_one_against_corine():
    grouping = common_grouping(Legend.load("lulc13"), Legend.load("clc-grid"))
    assert [g.members for g in grouping.merged] == [(7, 8)]
    assert grouping.merged[0].name == (
        "Pine-dominated coniferous forest / Spruce-dominated coniferous forest"
    )
    assert len(grouping.groups) == 11
    assert grouping.ignored_classes == (12,)
    names = {grouping.reference.by_id[i].name for i in grouping.ignored_codes}
    assert names == {
        "Sclerophyllous vegetation",
        "Glaciers and perpetual snow",
        "Salines",
        "Intertidal flats",
    }
    assert any("does not tell them apart" in note for note in grouping.notes())


def test_finnish_codes_confirm_water_vegetation():
    grouping = common_grouping(Legend.load("lulc13"), Legend.load("clc-fi"))
    assert (len(grouping.groups), grouping.ignored_classes, grouping.ignored_codes) == (12, (), ())


def test_a_table_of_either_direction_serves():
    """Only clc-fi to clc is tabulated."""
    grouping = common_grouping(Legend.load("clc-fi"), Legend.load("clc"))
    assert [(g.id, g.codes) for g in grouping.merged if 3 in g.members] == [(3, (121,))]


def test_classes_that_straddle_level_1_are_named():
    grouping = common_grouping(Legend.load("lulc13"), Legend.load("clc"), "1")
    assert [g.id for g in grouping.groups] == [1, 4, 5]
    assert grouping.merged[0].members == tuple(range(1, 11))
    said = " ".join(grouping.notes())
    assert "Bare areas spans Artificial surfaces, Forest and semi-natural areas" in said
    assert "Grasslands spans Agricultural areas, Forest and semi-natural areas" in said


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("reference", ["clc", "clc-grid", "clc-fi", "lulc13", *COVERS])
@pytest.mark.parametrize(
    "prediction", ["lulc13", "clc", "clc-fi", "clc-grid", "clc1", "clc2", *COVERS]
)
def test_grouping_is_a_partition(prediction, reference, level):
    try:
        grouping = common_grouping(Legend.load(prediction), Legend.load(reference), level)
    except LegendError:
        # A coarse legend reaches no finer level; two national systems meet at level 3 only.
        systems = {prediction, reference}
        national = systems == {"clc-fi", "clc-grid"} and level == "class"
        assert systems & {"clc1", "clc2"} or national
        return
    members = [m for g in grouping.groups for m in g.members] + [*grouping.ignored_classes]
    codes = [c for g in grouping.groups for c in g.codes] + [*grouping.ignored_codes]
    assert sorted(members) == sorted(grouping.prediction.ids)
    assert sorted(codes) == sorted(grouping.reference.ids)
    assert all(g.members and g.codes for g in grouping.groups)
    assert [g.id for g in grouping.groups] == sorted({g.id for g in grouping.groups})
    for index, group in enumerate(grouping.groups):
        assert set(np.flatnonzero(grouping.prediction_lut == index)) == set(group.members)
        assert set(np.flatnonzero(grouping.reference_lut == index)) == set(group.codes)
    assert grouping.prediction_lut[grouping.prediction.nodata] == -1


@pytest.mark.parametrize(
    ("prediction", "reference", "level", "said"),
    [
        ("clc1", "clc", "3", "clc1 does not reach CORINE level 3"),
        ("clc2", "clc1", "2", "clc1 does not reach CORINE level 2"),
        ("own", "clc", "class", "no crosswalk"),
        ("lulc13", "clc", "4", "class, 3, 2, 1"),
    ],
)
def test_levels_out_of_reach(prediction, reference, level, said):
    own = Legend("own", "Own", (LandClass(9, "Nine", "#999999"),))
    with pytest.raises(LegendError, match=said):
        common_grouping(
            own if prediction == "own" else Legend.load(prediction), Legend.load(reference), level
        )


@pytest.mark.parametrize(
    ("reference", "merged", "left_out"),
    [
        ("dynamicworld", {(1, 2), (6, 7, 8, 9), (11, 12)}, ()),
        ("worldcover", {(1, 2), (6, 7, 8, 9), (11, 12)}, ()),
        ("nlcd", {(1, 2), (7, 8), (11, 12)}, ()),
        ("clcplus", {(1, 2), (7, 8), (4, 11, 12)}, (9,)),
    ],
)
def test_what_other_products_tell_apart_of_the_13_classes(reference, merged, left_out):
    grouping = common_grouping(Legend.load("lulc13"), Legend.load(reference))
    assert {g.members for g in grouping.merged} == merged
    assert grouping.ignored_classes == left_out
