"""The tables between legends say something about every code."""

from __future__ import annotations

import pytest

from lulc import config
from lulc.errors import LegendError
from lulc.legend import Crosswalk, Legend, crosswalk

TABLES = sorted(p.stem.split("__") for p in (config.ASSETS / "crosswalks").glob("*.csv"))


@pytest.mark.parametrize(("source", "target"), TABLES)
def test_every_code_is_mapped_or_ignored(source, target):
    table = Crosswalk.load(source, target)
    known = Legend.load(source)
    said = set(table.pairs) | table.ignored
    assert not set(table.pairs) & table.ignored
    assert said >= set(known.ids)
    if source.startswith("clc"):  # the systems with codes for "no data" say so for each
        assert said >= set(known.special)
    other = Legend.load(target)
    for code, targets in table.pairs.items():
        assert targets and len(set(targets)) == len(targets)
        if code in known.by_id:
            assert set(targets) <= set(other.ids)


def test_levels_are_the_first_digits():
    for fine, coarse in (("clc", "clc2"), ("clc2", "clc1")):
        pairs = Crosswalk.load(fine, coarse).pairs
        assert all(targets == (code // 10,) for code, targets in pairs.items())


def test_the_two_directions_of_the_13_classes_say_the_same():
    there, back = Crosswalk.load("lulc13", "clc"), Crosswalk.load("clc", "lulc13")
    assert {(a, b) for a, bs in there.pairs.items() for b in bs} == {
        (a, b) for b, as_ in back.pairs.items() for a in as_
    }
    assert there.ignored == {12}
    assert back.ignored == {323, 335, 422, 423, 990, 995, 999}


def test_finnish_table_differs_from_its_level_3_only_where_level_4_knows_better():
    direct = crosswalk("clc-fi", "lulc13")
    through = crosswalk("clc-fi", "clc").then(crosswalk("clc", "lulc13"))
    known = Legend.load("clc-fi").by_id
    better = {known[i].name for i in known if direct.pairs.get(i) != through.pairs.get(i)}
    assert better == {
        "Inland marshes, aquatic",
        "Salt marshes, aquatic",
        "Peat production sites",
    }


def test_48_is_water_in_finland_and_nothing_in_the_grid_codes():
    assert crosswalk("clc-fi", "lulc13").pairs[48] == (13,)
    assert crosswalk("clc-grid", "clc").pairs[48] == (999,)
    assert 48 in crosswalk("clc-grid", "lulc13").ignored


def test_chains_and_identity():
    assert crosswalk("clc-grid", "lulc13").pairs[24] == (7, 8)
    assert crosswalk("clc-grid", "clc1").pairs[44] == (5,)
    assert crosswalk("lulc13", "lulc13").pairs[12] == (12,)
    own = Legend.from_dict(
        {"name": "own", "classes": [{"id": 9, "name": "Nine", "color": "#999999"}]}
    )
    assert crosswalk(own, own).pairs == {9: (9,)}


def test_no_way_back_from_level_1():
    with pytest.raises(LegendError, match=r"clc1__clc\.csv"):
        crosswalk("clc1", "clc")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source,target,note\n1,1,\n", "leaves out"),
        ("source,target,note\n" + "".join(f"{i},6,\n" for i in range(1, 6)), "unknown"),
        ("a,b\n1,2\n", "columns"),
    ],
)
def test_incomplete_tables_are_refused(tmp_path, monkeypatch, text, said):
    for folder in ("legends", "crosswalks"):
        (tmp_path / folder).mkdir()
    source = config.ASSETS / "legends" / "clc1.json"
    (tmp_path / "legends" / "clc1.json").write_text(source.read_text())
    (tmp_path / "legends" / "other.json").write_text(
        source.read_text().replace('"clc1"', '"other"')
    )
    (tmp_path / "crosswalks" / "clc1__other.csv").write_text(text)
    monkeypatch.setattr(config, "ASSETS", tmp_path)
    with pytest.raises(LegendError, match=said):
        crosswalk("clc1", "other")
