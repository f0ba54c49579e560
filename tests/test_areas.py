"""Areas and accuracies: published figures, an implementation of the test's own, known truth."""

from __future__ import annotations

import csv
import json
import math

import geopandas
import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window
from scipy.optimize import brentq
from scipy.special import xlog1py, xlogy

from lulc import limits, sample
from lulc import points as design
from lulc.areas import areas, estimate
from lulc.census import census, pixel_areas
from lulc.cli import cli, main
from lulc.errors import PointsError
from lulc.lakeland import generalise
from lulc.legend import Legend
from lulc.pointfiles import COLUMNS, DRIVERS
from lulc.points import allocate, draw, points, size_for
from lulc.reference import LabelMap
from lulc.runs import Run

LULC13 = Legend.load("lulc13")
GRID = GeoBox.from_bbox((500000, 6700000, 501200, 6700900), "EPSG:3067", shape=(90, 120))

#: The example of Olofsson et al. 2014, tables 8 and 9: rows are the map, hectares.
COUNTS = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
MAPPED = [18000, 13500, 288000, 580500]


def written_run(folder, ids, grid=GRID, **properties):
    folder.mkdir(parents=True)
    with rasterio.open(
        folder / "map.tif", "w", driver="GTiff", width=grid.shape.x, height=grid.shape.y, count=1,
        dtype="uint8", nodata=255, crs=grid.crs.to_wkt(), transform=grid.affine,
    ) as file:  # fmt: skip
        file.write(ids.astype("uint8"), 1)
    item = {"id": folder.name, "properties": {"lulc:legend": LULC13.to_dict(), **properties}}
    (folder / "run.json").write_text(json.dumps(item))
    return Run.open(folder)


@pytest.fixture
def truth():
    """Three classes in blobs, a fourth that is rare, and a column without data."""
    rng = np.random.default_rng(1)
    ids = np.repeat(np.repeat(rng.choice([5, 7, 13], (9, 12), p=[0.3, 0.5, 0.2]), 10, 0), 10, 1)
    ids[:15, 3:12] = 1
    ids[:, 0] = 255
    return ids


@pytest.fixture
def run(tmp_path, truth):
    """A map that calls a tenth of the fields and forests by each other's name."""
    rng = np.random.default_rng(2)
    wrong = (rng.random(truth.shape) < 0.1) & np.isin(truth, (5, 7))
    return written_run(tmp_path / "run", np.where(wrong, 12 - truth, truth))


def label(path, truth, grid=GRID, say=str):
    """Fill in a file of points as an interpreter who is never wrong."""

    def seen(lon, lat):
        x, y = geopandas.GeoSeries.from_xy([lon], [lat], crs=4326).to_crs(grid.crs.to_wkt())[0].xy
        column, row = ~grid.affine @ (x[0], y[0])
        return say(int(truth[int(row), int(column)]))

    if path.suffix == ".csv":
        with path.open() as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["REFERENCE"] = seen(float(row["LON"]), float(row["LAT"]))
        with path.open("w") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    else:
        frame = geopandas.read_file(path)
        frame["REFERENCE"] = [seen(p.x, p.y) for p in frame.geometry]
        frame.to_file(path)


def test_published_example():
    found = estimate(COUNTS, MAPPED)
    assert found.area.round().tolist() == [21158, 11686, 285770, 581386]
    assert found.area_ci.round().tolist() == [6158, 3756, 15510, 16282]
    assert round(found.overall_accuracy, 3) == 0.947
    assert round(found.overall_accuracy_ci, 3) == 0.018
    assert found.producers_accuracy.round(3).tolist() == [0.749, 0.847, 0.935, 0.962]
    assert found.users_accuracy.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert found.users_accuracy_ci.round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert found.producers_accuracy_ci.round(2).tolist() == [0.21, 0.25, 0.03, 0.02]


def test_published_size():
    """641 points for a standard error of 0.01; Olofsson et al. 2014, section 5.1."""
    weights = np.array(MAPPED) / sum(MAPPED)
    assert size_for(0.01, weights, [0.7, 0.6, 0.9, 0.95], 10_000_000) == 641
    # Cochran's textbook case: half and half, and no less certain than 5 % twice.
    assert size_for(0.05 / 1.96, [1], [0.5], 10**9) == 385


def olofsson(counts, mapped):
    """The estimators of Olofsson et al. 2014 in scalars: area, overall, user's, producer's."""
    k, total = len(mapped), sum(mapped)
    n = [sum(row) for row in counts]
    w = [area / total for area in mapped]
    p = [[w[i] * counts[i][j] / n[i] for j in range(k)] for i in range(k)]
    area, users, producers = [], [], []
    for j in range(k):
        share = sum(p[i][j] for i in range(k))
        variance = 0.0
        for i in range(k):
            q = counts[i][j] / n[i]
            variance += w[i] ** 2 * q * (1 - q) / (n[i] - 1)
        area.append((total * share, 1.96 * total * math.sqrt(variance)))
        u = counts[j][j] / n[j]
        users.append((u, 1.96 * math.sqrt(u * (1 - u) / (n[j] - 1))))
        if share == 0:
            producers.append((None, None))
            continue
        a = p[j][j] / share
        inside = mapped[j] ** 2 * (1 - a) ** 2 * u * (1 - u) / (n[j] - 1)
        outside = 0.0
        for i in range(k):
            if i != j:
                q = counts[i][j] / n[i]
                outside += mapped[i] ** 2 * q * (1 - q) / (n[i] - 1)
        variance = (inside + a**2 * outside) / (total * share) ** 2
        producers.append((a, 1.96 * math.sqrt(variance)))
    right = sum(p[i][i] for i in range(k))
    variance = sum(w[i] ** 2 * users[i][0] * (1 - users[i][0]) / (n[i] - 1) for i in range(k))
    return area, (right, 1.96 * math.sqrt(variance)), users, producers


def stehman(units, sizes, k):
    """The estimators of Stehman 2014, point by point; `units` are (stratum, map, reference)."""
    strata = {h: [(m, r) for g, m, r in units if g == h] for h in range(len(sizes))}

    def mean(values):
        return sum(values) / len(values)

    def covariance(xs, ys):
        mx, my = mean(xs), mean(ys)
        return sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / (len(xs) - 1)

    def ratio(above, below):
        top = bottom = variance = 0.0
        for h, size in enumerate(sizes):
            top += size * mean([above(*u) for u in strata[h]])
            bottom += size * mean([below(*u) for u in strata[h]])
        if bottom == 0:
            return None, None
        value = top / bottom
        for h, size in enumerate(sizes):
            y, x = [above(*u) for u in strata[h]], [below(*u) for u in strata[h]]
            spread = covariance(y, y) + value**2 * covariance(x, x) - 2 * value * covariance(x, y)
            variance += size**2 * spread / len(y)
        return value, 1.96 * math.sqrt(max(variance, 0)) / bottom

    def is_mapped(c):
        return lambda mapped, _: mapped == c

    def is_truly(c):
        return lambda _, truly: truly == c

    def is_both(c):
        return lambda mapped, truly: mapped == truly == c

    def is_any(*_):
        return 1

    total, classes = sum(sizes), range(k)
    area = [ratio(is_truly(c), is_any) for c in classes]
    users = [ratio(is_both(c), is_mapped(c)) for c in classes]
    producers = [ratio(is_both(c), is_truly(c)) for c in classes]
    overall = ratio(lambda mapped, truly: mapped == truly, is_any)
    return [(total * a, total * half) for a, half in area], overall, users, producers


def assert_same(found, theirs):
    data = found.to_dict()
    area, overall, users, producers = theirs
    for name, pairs in (
        ("area", area), ("users_accuracy", users), ("producers_accuracy", producers)
    ):  # fmt: skip
        for column, place in ((name, 0), (f"{name}_ci", 1)):
            for ours, pair in zip(data[column], pairs, strict=True):
                # The square root magnifies what rounding leaves of a variance of nothing.
                known = pair[place] is not None
                expected = pytest.approx(pair[place], rel=1e-6, abs=1e-6) if known else None
                assert ours == expected, column
    assert data["overall_accuracy"] == pytest.approx(overall[0], abs=1e-9)
    assert data["overall_accuracy_ci"] == pytest.approx(overall[1], abs=1e-6)


@st.composite
def tables(draw, least=2):
    k = draw(st.integers(1, 5))
    rows = st.lists(st.integers(0, 40), min_size=k, max_size=k).filter(lambda r: sum(r) >= least)
    mapped = st.lists(st.floats(0.5, 1e4), min_size=k, max_size=k)
    return draw(st.lists(rows, min_size=k, max_size=k)), draw(mapped)


@given(tables())
def test_equal_to_independent_olofsson(table):
    assert_same(estimate(*table), olofsson(*table))


@given(st.data())
def test_equal_to_independent_stehman(data):
    k, h = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    unit = st.tuples(st.integers(0, k - 1), st.integers(0, k - 1))
    units = [(g, *u) for g in range(h) for u in data.draw(st.lists(unit, min_size=2, max_size=15))]
    sizes = data.draw(st.lists(st.floats(1, 1e4), min_size=h, max_size=h))
    split = np.zeros((h, k, k), int)
    for u in units:
        split[u] += 1
    found = estimate(split.sum(axis=0), [1.0] * k, strata=(split, sizes))
    assert_same(found, stehman(units, sizes, k))


@given(tables())
def test_stehman_of_the_classes_is_olofsson(table):
    counts, mapped = np.array(table[0]), table[1]
    split = np.zeros((len(counts), *counts.shape), int)
    for i, row in enumerate(counts):
        split[i, i] = row
    plain, general = (estimate(counts, mapped, strata=s).to_dict() for s in (None, (split, mapped)))
    assert {k: v for k, v in plain.items() if k != "method"} == {
        k: v for k, v in general.items() if k != "method"
    }


@given(tables(least=1))
def test_areas_add_up(table):
    found = estimate(*table)
    assert found.area.sum() == pytest.approx(sum(table[1]))
    assert (found.area >= 0).all()


@given(st.lists(st.tuples(st.integers(2, 50), st.floats(0.1, 1e4)), min_size=1, max_size=8))
def test_perfect_sample_gives_the_mapped_areas(classes):
    points, mapped = zip(*classes, strict=True)
    found = estimate(np.diag(points), mapped)
    assert found.area.tolist() == pytest.approx(list(mapped))
    assert not found.area_ci.any() and not found.overall_accuracy_ci
    assert found.overall_accuracy == pytest.approx(1)
    assert (found.users_accuracy == 1).all() and (found.producers_accuracy == 1).all()


def test_undefined_is_null():
    """A class that no point was, one that is not on the map, and a lonely point."""
    found = estimate([[9, 3, 0], [0, 0, 0], [1, 0, 0]], [50, 0, 20]).to_dict()
    assert found["users_accuracy"] == [0.75, None, 0]
    assert found["producers_accuracy"][1:] == [0, None]
    assert found["area_ci"] == [None] * 3 and found["overall_accuracy_ci"] is None
    assert found["users_accuracy_ci"][0] is not None and found["users_accuracy_ci"][2] is None
    assert "NaN" not in json.dumps(found) and found["orientation"].startswith("rows are the map")


def held(found, true):
    """Whether each area, user's and producer's accuracy is within its interval, (3, class)."""
    right = np.diagonal(true)
    values = true.sum(axis=0), right / true.sum(axis=1), right / true.sum(axis=0)
    fields = found.area_interval, found.users_accuracy_interval, found.producers_accuracy_interval
    return np.array(
        [(ends[:, 0] <= v) & (v <= ends[:, 1]) for ends, v in zip(fields, values, strict=True)]
    )


def test_intervals_cover_the_truth():
    """500 samples of a known landscape: intervals hold the true areas, pixel counts do not."""
    rng = np.random.default_rng(11)
    true = np.array([[80, 5, 15], [10, 150, 40], [30, 20, 650]]) * 100.0  # hectares, map by truth
    mapped, real = true.sum(axis=1), true.sum(axis=0)
    hits, times = np.zeros(4), 500
    for _ in range(times):
        counts = [rng.multinomial(120, row / row.sum()) for row in true]
        found = estimate(counts, mapped)
        hits[:3] += abs(found.area - real) <= found.area_ci
        right = np.trace(true) / true.sum()
        hits[3] += abs(found.overall_accuracy - right) <= found.overall_accuracy_ci
    assert ((hits / times >= 0.92) & (hits / times <= 0.98)).all(), hits / times
    # By counting pixels the first class is 20 % too small, and no interval says so.
    assert abs(mapped - real).max() > 0.1 * real.min()


@pytest.mark.parametrize("size", [300, 1000])
def test_intervals_cover_the_truth_of_a_rare_class_too(size):
    """1 % of the ground, and what the large classes hide of it is met by 1.7 points or fewer."""
    rng = np.random.default_rng(3)
    true = np.array([[30000, 2000, 40], [3000, 60000, 60], [50, 50, 800]], float)
    mapped, real = true.sum(axis=1), true.sum(axis=0)
    numbers = allocate(size, "olofsson", mapped.astype(int).tolist(), np.diagonal(true) / mapped)
    shares, times = true / mapped[:, None], 300
    hits, symmetric = np.zeros((3, 3)), np.zeros(3)
    for _ in range(times):
        counts = [rng.multinomial(n, p) for n, p in zip(numbers, shares, strict=True)]
        found = estimate(counts, mapped)
        hits += held(found, true)
        symmetric += abs(found.area - real) <= found.area_ci
    # No less anywhere; more where hardly a point tells of a class (docs/areas.md).
    assert (hits / times >= 0.92).all() and hits.mean() / times <= 0.98, hits / times
    assert symmetric[2] / times < 0.85  # 1.96 standard errors do not


def test_intervals_cover_the_truth_in_strata_of_another_map():
    """Two strata that cut across the classes, one of them with most of a rare class."""
    rng = np.random.default_rng(5)
    rare = np.array([[30000, 2000, 40], [3000, 60000, 60], [50, 50, 800]], float)
    tables = np.array([rare * [1, 1, 3], rare * [[2, 1, 0.1], [1, 1, 0.1], [1, 1, 0.1]]])
    sizes, times = np.array([30, 70]), 300
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    true = (sizes[:, None, None] * shares).sum(axis=0)
    hits, known = np.zeros((3, 3)), np.zeros((3, 3))
    for _ in range(times):
        split = np.array([rng.multinomial(300, p.ravel()).reshape(3, 3) for p in shares])
        found = estimate(split.sum(axis=0), true.sum(axis=1), strata=(split, sizes))
        there = ~np.isnan([found.area, found.users_accuracy, found.producers_accuracy])
        hits, known = hits + held(found, true), known + there
    assert (hits / known >= 0.92).all() and (hits / known).mean() <= 0.98, hits / known


def test_limits_of_one_proportion_are_those_of_wilson_and_the_likelihood():
    """Of a single stratum, by formula and by root; doi:10.1214/ss/1009213286 has both."""
    for hits, n in ((0, 20), (1, 150), (7, 10), (75, 75)):
        p, z2 = hits / n, limits.Z**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n)

        def unlike(x, hits=hits, n=n, p=p, z2=z2):
            told = xlogy(hits, x) + xlog1py(n - hits, -x)
            return 2 * (xlogy(hits, p) + xlog1py(n - hits, -p) - told) - z2

        low = brentq(unlike, 1e-12, p) if hits else 0
        high = brentq(unlike, p, 1 - 1e-12) if hits < n else 1
        expected = min(low, middle - half), max(high, middle + half)
        found = limits.total([hits], [n], [2.0])
        assert found == pytest.approx([2 * end for end in expected], abs=1e-6)


def test_limits_of_a_sum_are_those_of_a_search():
    """Two strata: on a grid of proportions, the least and largest sums that are not refused."""
    y, n, w = np.array([2, 0]), np.array([40, 30]), np.array([0.3, 0.7])
    steps = np.linspace(0, 0.4, 1601)[1:-1]
    p = np.stack(np.meshgrid(steps, np.linspace(0, 0.3, 1201)[:-1], indexing="ij"), axis=-1)
    sums = (w * p).sum(axis=-1)
    told = (xlogy(y, p) + xlog1py(n - y, -p)).sum(axis=-1)
    best = (xlogy(y, y / n) + xlog1py(n - y, -y / n)).sum()
    # The likeliest proportions of each sum.
    place = np.floor(sums / 2e-4).astype(int).ravel()
    order = np.lexsort((told.ravel(), place))
    last = order[np.append(np.diff(place[order]) > 0, True)]
    spread = (w**2 * p * (1 - p) / n).sum(axis=-1).ravel()[last]
    near = (sums.ravel()[last] - (w * y / n).sum()) ** 2 <= limits.Z**2 * spread
    near |= 2 * (best - told.ravel()[last]) <= limits.Z**2
    found = limits.total(y, n, w)
    kept = sums.ravel()[last][near]
    assert found == pytest.approx((kept.min(), kept.max()), abs=1e-3)


@given(tables(least=1), st.booleans())
def test_intervals_hold_the_estimate(table, elsewhere):
    """And stay within what is possible, whether the strata are the classes or not."""
    counts, mapped = np.array(table[0]), np.array(table[1])
    strata = (counts[None], [mapped.sum()]) if elsewhere else None
    found = estimate(counts, mapped, strata=strata)
    ratios = ("users_accuracy", "producers_accuracy", "overall_accuracy")
    for name in ("area", *ratios):
        most = 1 if name in ratios else mapped.sum()
        value, ends = (np.atleast_1d(getattr(found, name + end)) for end in ("", "_interval"))
        ends = ends.reshape(-1, 2)
        known = ~np.isnan(value)
        assert (np.isnan(ends).any(axis=1) == ~known).all()
        low, high, slack = ends[known, 0], ends[known, 1], 1e-7 * max(most, 1)
        assert ((low >= 0) & (low <= value[known] + slack)).all()
        assert ((value[known] <= high + slack) & (high <= most + slack)).all()


def test_strata_of_any_size_have_limits():
    """A class of a square metre beside a million hectares: by what either can hide."""
    counts, mapped = [[9, 1], [0, 1_000_000]], [1e-4, 1e6]
    found = estimate(counts, mapped).area_interval
    hidden = 1e6 * limits.Z**2 / (1e6 + limits.Z**2)
    assert found[0] == pytest.approx((0.6e-4, hidden), rel=0.1)
    assert found.sum(axis=0)[::-1] == pytest.approx((1e6, 1e6), abs=20)


def test_what_is_right_at_all_its_points_is_not_certain():
    """Ten of ten: no half-width, but an interval; what a stratum cannot have adds nothing."""
    found = estimate([[10, 0], [0, 90]], [10, 90])
    assert found.users_accuracy_ci.tolist() == [0, 0] and found.area_ci.tolist() == [0, 0]
    low, high = found.users_accuracy_interval[0]
    assert high == 1 and low == pytest.approx(10 / (10 + limits.Z**2), abs=1e-6)
    assert found.area_interval[0, 0] < 10 < found.area_interval[0, 1] < 15
    data = found.to_dict()
    assert data["classes"][0]["area_interval"] == data["area_interval"][0]
    assert "score" in data["interval_method"]


def test_intervals_cover_the_truth_of_a_simulated_region():
    """Points drawn from a CORINE-like map of a lakeland, looked up in its exact truth."""
    size, times = 256, 400
    # Fields, forests, water, and all the rest.
    coarse = np.array([255, 1, 1, 1, 1, 5, 7, 7, 7, 7, 1, 1, 1, 13], np.uint8)
    truth = coarse[sample.Landscape(7).truth(Window(0, 0, size, size))]
    half = generalise.classes(7, 0, 0, size // 2, size // 2)
    ids = coarse[half.repeat(2, axis=0).repeat(2, axis=1)]
    grid = GeoBox.from_bbox((0, 0, 10 * size, 10 * size), "EPSG:3067", shape=ids.shape)
    labels = LabelMap.from_array(ids, grid, LULC13)
    classes = [1, 5, 7, 13]
    mapped, real = (np.array([(a == i).sum() for i in classes]) / 100 for a in (ids, truth))
    hits, ours, back = np.zeros(4), np.zeros(4), Transformer.from_crs(4326, 3067, always_xy=True)
    for seed in range(times):
        drawn = draw(labels, "olofsson", size=300, seed=seed)
        placed = back.transform(drawn.lon, drawn.lat)
        column, row = np.floor(~grid.affine @ placed).astype(int)
        counts = np.zeros((4, 4), int)
        pairs = np.searchsorted(classes, (drawn.classes, truth[row, column]))
        np.add.at(counts, tuple(pairs), 1)
        found = estimate(counts, mapped)
        hits += abs(found.area - real) <= found.area_ci
        ours += (found.area_interval[:, 0] <= real) & (real <= found.area_interval[:, 1])
    assert (ours / times >= 0.92).all() and ours.mean() / times <= 0.98, ours / times
    assert ((hits / times >= 0.92) & (hits / times <= 0.98)).all(), hits / times
    assert abs(mapped / real - 1).max() > 0.05


@pytest.mark.parametrize(
    ("counts", "mapped", "said"),
    [
        ([[1, 2, 3], [4, 5, 6]], [1, 2], "expected a square of counts"),
        ([[1, 2], [3]], [1, 2], "in even rows"),
        ([[1, -2], [3, 4]], [1, 2], "whole numbers"),
        ([[1, 2.5], [3, 4]], [1, 2], "whole numbers"),
        ([[1, 2], [3, 4]], [1, 2, 3], "a mapped area for each of 2"),
        ([[1, 2], [3, 4]], [1, -2], "mapped areas from 0"),
        ([[1, 2], [3, 4]], [0, 0], "mapped areas from 0"),
        ([[1, 2], [0, 0]], [1, 2], "class 2 has an area and no point"),
        ([[1, 2], [3, 4]], [1, 0], "row 2 has points and no mapped area"),
        ([], [], "expected a square of counts"),
        ("many", [1], "to be numbers"),
    ],
)
def test_bad_counts_get_one_line(counts, mapped, said, tmp_path, capsys):
    with pytest.raises(PointsError, match=said) as caught:
        estimate(counts, mapped)
    assert "\n" not in str(caught.value)
    (tmp_path / "counts.json").write_text(json.dumps({"counts": counts, "mapped": mapped}))
    with pytest.raises(SystemExit) as end:
        main(["areas", "--counts", str(tmp_path / "counts.json"), "--json"])
    assert end.value.code == 2 and not capsys.readouterr().out


def test_counts_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({"counts": COUNTS, "mapped": MAPPED, "names": list("abcd")}))
    with pytest.raises(SystemExit) as end:
        main(["areas", "--counts", str(path), "--json"])
    data = json.loads(capsys.readouterr().out)
    assert end.value.code == 0 and round(data["area"][0]) == 21158
    assert data["classes"][1]["name"] == "b"
    with pytest.raises(SystemExit):
        main(["areas", "--counts", str(path)])
    text = capsys.readouterr().out
    assert "21,158" in text and "0.947 ± 0.018" in text and "0.947 (0.925–0.963)" in text
    for arguments in (["areas"], ["areas", "run"], ["areas", "run", "--counts", str(path)]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2


@given(
    st.sampled_from(["proportional", "olofsson", "neyman"]),
    st.lists(st.tuples(st.integers(1, 10**6), st.floats(0.05, 0.95)), min_size=1, max_size=13),
    st.integers(1, 3000),
)
def test_allocations_add_up(how, classes, size):
    pixels, users = (list(v) for v in zip(*classes, strict=True))
    least = sum(min(2, n) for n in pixels)
    if not least <= size <= sum(pixels):
        with pytest.raises(PointsError, match="at least" if size < least else "at most"):
            allocate(size, how, pixels, users)
        return
    found = allocate(size, how, pixels, users)
    assert found.sum() == size
    assert (found <= pixels).all() and (found >= np.minimum(2, pixels)).all()


def test_allocations_are_what_they_are_called():
    pixels, users = [2000, 1500, 32000, 64500], [0.7, 0.6, 0.9, 0.95]
    assert allocate(641, "olofsson", pixels, users).tolist() == [75, 75, 163, 328]
    assert allocate(1000, "proportional", pixels, users).tolist() == [20, 15, 320, 645]
    weights = np.array(pixels) * np.sqrt(np.array(users) * (1 - np.array(users)))
    exact = 1000 * weights / weights.sum()
    assert allocate(1000, "neyman", pixels, users) == pytest.approx(exact, abs=1)
    # A class of three pixels gets three, and the others the rest.
    assert allocate(300, "olofsson", [3, 5000, 5000], [0.8] * 3).tolist() == [3, 149, 148]


@pytest.mark.parametrize("how", design.DESIGNS)
def test_points_are_where_they_say(run, how, monkeypatch):
    labels, users = run.labels(), {5: 0.7, 7: 0.9}
    found = draw(labels, how, size=200, users=users, seed=4)
    ids, (height, width) = labels.read(), labels.grid.shape
    xy = geopandas.GeoSeries.from_xy(found.lon, found.lat, crs=4326).to_crs(3067)
    column, row = ~labels.grid.affine @ (xy.x.to_numpy(), xy.y.to_numpy())
    assert np.abs(column % 1 - 0.5).max() < 0.01 and np.abs(row % 1 - 0.5).max() < 0.01
    flat = row.astype(int) * width + column.astype(int)
    assert len(set(flat.tolist())) == 200 and flat.max() < height * width
    assert (ids.ravel()[flat] == found.classes).all() and (found.classes != 255).all()
    assert (found.stratum == (0 if how == "random" else found.classes)).all()
    assert sum(s.area for s in found.strata) == pytest.approx((ids != 255).sum() * 0.01)
    # The same by any windows; other points by another seed.
    strips = [*LabelMap.from_array(ids, GRID, LULC13).strips()]
    assert len(strips) == 1
    monkeypatch.setattr(LabelMap, "strips", lambda _: _windows(7, height, width))
    again = draw(labels, how, size=200, users=users, seed=4)
    assert (again.lon == found.lon).all() and (again.lat == found.lat).all()
    other = draw(labels, how, size=200, users=users, seed=5)
    assert not np.array_equal(other.lon, found.lon)


def _windows(rows, height, width):
    return [Window(0, r, width, min(rows, height - r)) for r in range(0, height, rows)]


def test_every_pixel_is_as_likely(run):
    """Points over many seeds spread evenly over the pixels of a class."""
    labels = run.labels()
    ids = labels.read()
    drawn = []
    for seed in range(40):
        found = draw(labels, "proportional", size=400, seed=seed)
        forest = found.classes == 7
        xy = geopandas.GeoSeries.from_xy(found.lon[forest], found.lat[forest], crs=4326)
        drawn += (~GRID.affine @ (xy.to_crs(3067).x, xy.to_crs(3067).y))[0].tolist()
    expected = np.cumsum((ids == 7).sum(axis=0)) / (ids == 7).sum()
    counted = np.searchsorted(np.sort(drawn), np.arange(1, 121)) / len(drawn)
    # Kolmogorov's distance at one in ten thousand.
    assert np.abs(counted - expected).max() < 2.2 / math.sqrt(len(drawn))


@pytest.mark.parametrize("suffix", DRIVERS)
@pytest.mark.parametrize("how", ["random", "olofsson"])
def test_round_trip(run, truth, tmp_path, suffix, how):
    path = tmp_path / f"points{suffix}"
    drawn, written = points(run, path, design=how, size=600, seed=1)
    assert written == path and (drawn.design, len(drawn.lon)) == (how, 600)
    with pytest.raises(PointsError, match="exists and may hold labels"):
        points(run, path, size=600)
    with pytest.raises(PointsError, match="600 have none"):
        areas(run, path)
    label(path, truth, say=lambda i: LULC13.by_id[i].name if i == 5 else f"{i}.0")
    found = areas(run, path)
    ids = [1, 5, 7, 13]
    assert found.ids == tuple(ids) and found.unit == "ha" and found.strata is None
    mapped = run.labels().read()
    assert found.mapped == pytest.approx([(mapped == i).sum() * 0.01 for i in ids])
    real = np.array([(truth == i).sum() * 0.01 for i in ids])
    # Three standard errors, and the seed is fixed.
    assert (abs(found.area - real) <= 1.5 * found.area_ci + 1e-9).all()
    right = (mapped == truth)[truth != 255].mean()
    assert abs(found.overall_accuracy - right) <= 1.5 * found.overall_accuracy_ci
    assert found.counts.sum() == 600


def test_first_columns_are_those_of_collect_earth_online(run, truth, tmp_path):
    path = tmp_path / "points.csv"
    points(run, path, size=100)
    assert path.read_text().startswith("LON,LAT,PLOTID,")
    label(path, truth)
    expected = areas(run, path).to_dict()
    with path.open() as file:
        rows = list(csv.DictReader(file))
    back = [
        {
            "plotid": r["PLOTID"], "lon": r["LON"].replace(".", ","),
            "lat": r["LAT"].replace(".", ","), "pl_stratum": r["STRATUM"],
            "pl_stratum_ha": r["STRATUM_HA"], "Land cover": r["REFERENCE"],
        }
        for r in reversed(rows)
    ]  # fmt: skip
    with path.open("w", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(back[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(back)
    assert areas(run, path, column="LAND COVER").to_dict() == expected
    with pytest.raises(PointsError, match="REFERENCE"):
        areas(run, path)


def test_points_of_another_map_keep_their_strata(run, truth, tmp_path):
    """Drawn in the classes of one map, they score another by Stehman's estimators."""
    path = tmp_path / "points.csv"
    drawn, _ = points(run, path, size=300, seed=2)
    label(path, truth)
    other = written_run(tmp_path / "other", np.where(truth == 13, 7, truth))
    found = areas(other, path)
    assert found.strata == 4 and "Stehman" in found.to_dict()["method"]
    ids = [*found.ids]
    with path.open() as file:
        rows = list(csv.DictReader(file))
    strata = [s.id for s in drawn.strata]
    seen = [int(r["REFERENCE"]) for r in rows]
    units = [
        (strata.index(int(r["STRATUM"])), ids.index(7 if s == 13 else s), ids.index(s))
        for r, s in zip(rows, seen, strict=True)
    ]
    assert_same(found, stehman(units, [s.area for s in drawn.strata], len(ids)))


def test_points_may_be_left_out_on_purpose(run, truth, tmp_path):
    """Without the column that says how many there were; rounded weights are no missing points."""
    path = tmp_path / "points.csv"
    points(run, path, size=80, seed=1)
    label(path, truth)
    whole = areas(run, path)
    edited(path, lambda rows: [dict(r, WEIGHT_HA=f"{float(r['WEIGHT_HA']):.2f}") for r in rows])
    assert areas(run, path).to_dict() == whole.to_dict()
    edited(path, lambda rows: [{k: r[k] for k in r if k != "WEIGHT_HA"} for r in rows[2:]])
    assert areas(run, path).counts.sum() == 78


def test_random_sample_without_a_rare_class(run, truth, tmp_path):
    """Too few points to divide by class: plain proportions, as one stratum."""
    path = tmp_path / "points.csv"
    drawn, _ = points(run, path, design="random", size=60, seed=1)
    assert (drawn.classes == 1).sum() < 2
    label(path, truth)
    found = areas(run, path)
    assert found.strata == 1
    share = (found.counts.sum(axis=0) / 60) * found.mapped.sum()
    assert found.area == pytest.approx(share)


def test_default_size_and_place(run):
    drawn, path = points(run, standard_error=0.02)
    assert path == run.path / "points.gpkg" and path.is_file()
    assert len(drawn.lon) == size_for(0.02, [1], [0.8], (run.labels().read() != 255).sum())


def test_neyman_goes_by_the_scores(run, tmp_path):
    with pytest.raises(PointsError, match="evaluate it first"):
        points(run, tmp_path / "points.csv", design="neyman", size=200)
    precision = {5: 0.5, 7: 0.99, 13: 0.99, 1: 0}
    classes = [{"members": [i], "precision": p} for i, p in precision.items()]
    text = json.dumps({"level": "class", "classes": classes, "macro_f1": 0})
    (run.path / "evaluation.json").write_text(text)
    drawn, _ = points(run, tmp_path / "points.csv", design="neyman", size=200)
    area = {s.id: s.pixels for s in drawn.strata}
    density = {i: n / area[i] for i, n in drawn.allocation.items()}
    assert density[5] > 2 * density[7] and density[7] == pytest.approx(density[13], rel=0.1)


def edited(path, edit):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    rows = edit(rows) or rows
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda rows: rows[3].update(REFERENCE=""), "plot 4 of 80 has none"),
        (lambda rows: rows[3].update(REFERENCE="Lava"), "got 'Lava'"),
        (lambda rows: rows[3].update(REFERENCE="99"), "got '99'"),
        (lambda rows: rows[3].update(LON="20.0"), "plot 4 lies outside"),
        (lambda rows: rows[3].update(LON="inf"), "plot 4 lies outside"),
        (lambda rows: rows[3].update(LAT="north"), "numbers in LAT"),
        (lambda rows: rows[3].update(PLOTID="1"), "plot 1 more than once"),
        (lambda rows: [r for r in rows if r["STRATUM"] != "13"], "Waterbodies|Water bodies|Water"),
        (lambda rows: [dict(r, STRATUM_HA="7") for r in rows], "cover the map's 107 ha"),
        (lambda rows: rows[3].update(STRATUM_HA="7"), "one area for all points"),
        (lambda rows: rows[3].update(STRATUM="9"), "cover the map"),
        (
            lambda rows: [
                {k: v for k, v in dict(r, STRATUM=r["PLOTID"]).items() if k != "STRATUM_HA"}
                for r in rows
            ],
            "the column STRATUM_HA",
        ),
        (lambda rows: [{k: v for k, v in r.items() if k != "LAT"} for r in rows], "column LAT"),
        (lambda rows: rows.clear(), "it has none"),
        (lambda rows: rows[1:], r"the \d+ points that were drawn in stratum \d+, got"),
    ],
)
def test_bad_points_get_one_line(run, truth, tmp_path, edit, said):
    path = tmp_path / "points.csv"
    points(run, path, size=80, seed=1)
    label(path, truth)
    edited(path, edit)
    with pytest.raises(PointsError, match=said) as caught:
        areas(run, path)
    assert "\n" not in str(caught.value)


def test_bad_files_get_one_line(run, tmp_path):
    (tmp_path / "bad.gpkg").write_text("nothing")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe")
    line = {"type": "LineString", "coordinates": [[27, 60], [28, 60]]}
    feature = {"type": "Feature", "properties": {}, "geometry": line}
    collection = {"type": "FeatureCollection", "features": [feature]}
    (tmp_path / "line.geojson").write_text(json.dumps(collection))
    for name, said in (
        ("bad.gpkg", "not a file of points"), ("bad.csv", "UTF-8"), ("no.csv", "no such file"),
        ("line.geojson", "nothing but points"),
    ):  # fmt: skip
        with pytest.raises(PointsError, match=said) as caught:
            areas(run, tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 3}, "at least 8 points, 2 for each of 4 classes"),
        ({"size": 10**6}, "at most 10710 points"),
        ({"size": 1, "design": "random"}, "2 to 10710 points"),
        ({"standard_error": 0}, "between 0 and 1"),
        ({"standard_error": float("nan")}, "between 0 and 1"),
        ({"design": "best"}, "a design of random"),
        ({"out": "points.xlsx"}, "ends in .gpkg"),
    ],
)
def test_bad_designs_get_one_line(run, settings, said):
    with pytest.raises(PointsError, match=said) as caught:
        points(run, **settings)
    assert "\n" not in str(caught.value)
    assert not [*run.path.glob("points*")]


def test_points_on_the_command_line(run, capsys):
    with pytest.raises(SystemExit) as end:
        main(["points", str(run.path), "--size", "90", "--design", "random", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert end.value.code == 0 and data["size"] == 90 and data["strata"][0]["points"] == 90
    with pytest.raises(SystemExit) as end:
        main(["points", str(run.path), "--size", "90", "--standard-error", "0.1"])
    assert end.value.code == 2
    offered = next(p for p in cli.commands["points"].params if p.name == "design")
    assert tuple(offered.type.choices) == design.DESIGNS


def test_map_of_nodata_has_nothing_to_draw(tmp_path):
    empty = written_run(tmp_path / "empty", np.full(GRID.shape, 255))
    with pytest.raises(PointsError, match="only nodata"):
        points(empty, size=10)


@pytest.mark.parametrize(
    ("crs", "bounds"),
    [
        ("EPSG:4326", (28, 60, 28.02, 60.01)),
        ("EPSG:3857", (3116949, 8399737, 3119175, 8401965)),
        ("EPSG:2253", (13000000, 1000000, 13003280, 1003280)),
    ],
)
def test_pixels_have_the_area_of_the_ground(crs, bounds):
    """Degrees, stretched metres and feet all come to the hectares of the same ground."""
    grid = GeoBox.from_bbox(bounds, crs, shape=(40, 80))
    outline = geopandas.GeoSeries([grid.extent.geom], crs=crs)
    # An equal-area projection about the place says how much it is.
    here = outline.to_crs(4326).iloc[0].centroid
    true = outline.segmentize(abs(grid.affine.a)).to_crs(
        f"+proj=laea +lat_0={here.y} +lon_0={here.x} +ellps=WGS84"
    )
    assert pixel_areas(grid).sum() * 80 == pytest.approx(true.area.sum() / 1e4, rel=0.002)
    ids = np.ones(grid.shape, np.uint8)
    ids[:, :20] = 255
    found = census(LabelMap.from_array(ids, grid, LULC13))
    assert [s.pixels for s in found] == [40 * 60]
    assert found[0].area == pytest.approx(true.area.sum() / 1e4 * 0.75, rel=0.002)
