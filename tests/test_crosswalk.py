"""The tables between legends say something about every code."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lulc import config
from lulc.errors import LegendError
from lulc.legend import Crosswalk, Legend, crosswalk

#: Legends of land cover products that are not CORINE's.
COVERS = ["dynamicworld", "worldcover", "nlcd", "clcplus"]
TABLES = sorted(p.stem.split("__") for p in (config.ASSETS / "crosswalks").glob("*.csv"))


@pytest.mark.parametrize(("source", "target"), TABLES)
def test_every_code_is_mapped_or_ignored(source, target):
    table = Crosswalk.load(source, target)
    known = Legend.load(source)
    said = set(table.pairs) | table.ignored
    assert not set(table.pairs) & table.ignored
    assert said >= set(known.ids)
    if source.startswith("clc"):  # systems with codes for "no data" say so for each
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


@pytest.mark.parametrize("target", ["clc", "lulc13"])
@pytest.mark.parametrize("source", COVERS)
def test_other_products_are_read_both_ways(source, target):
    for a, b in ((source, target), (target, source)):
        assert [a, b] in TABLES
    with (config.ASSETS / "crosswalks" / f"{source}__{target}.csv").open(newline="") as file:
        assert all(row["note"] for row in csv.DictReader(file) if not row["target"])


@pytest.mark.parametrize(("source", "target"), [t for t in TABLES if t[::-1] in TABLES])
def test_two_directions_say_the_same(source, target):
    there, back = Crosswalk.load(source, target), Crosswalk.load(target, source)
    assert {(a, b) for a, bs in there.pairs.items() for b in bs} == {
        (a, b) for b, as_ in back.pairs.items() for a in as_
    }


def test_what_corine_has_no_class_for():
    there, back = Crosswalk.load("lulc13", "clc"), Crosswalk.load("clc", "lulc13")
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


relations = st.dictionaries(st.integers(1, 9), st.sets(st.integers(1, 9), min_size=1).map(sorted))


def table(source, target, pairs, ignored=()):
    return Crosswalk(source, target, {a: tuple(b) for a, b in pairs.items()}, frozenset(ignored))


def linked(crosswalk):
    return {(a, b) for a, bs in crosswalk.pairs.items() for b in bs}


@given(relations, relations, relations, st.sets(st.integers(10, 15)))
def test_tables_compose_as_relations_do(first, second, third, ignored):
    a, b, c = table("a", "b", first, ignored), table("b", "c", second), table("c", "d", third)
    through = a.then(b)
    assert linked(through) == {(x, z) for x, y in linked(a) for y2, z in linked(b) if y == y2}
    assert set(through.pairs) | through.ignored == set(a.pairs) | a.ignored  # no code is lost
    assert linked(a.then(b).then(c)) == linked(a.then(b.then(c)))
    assert linked(a.inverse()) == {(y, x) for x, y in linked(a)}
    assert linked(through.inverse()) == linked(b.inverse().then(a.inverse()))
    assert linked(a.inverse().inverse()) == linked(a)
