"""Counts, the ratios of them, and the way from two rasters to both."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from sklearn.metrics import classification_report, confusion_matrix, jaccard_score

from lulc import tables
from lulc.errors import LegendError, LulcError, ReferenceDataError
from lulc.evaluation import ORIENTATION, Evaluation, confusion, evaluate, evaluate_labels
from lulc.grouping import common_grouping
from lulc.legend import Legend, crosswalk
from lulc.reference import LabelMap

LULC13, CLC, FINNISH = Legend.load("lulc13"), Legend.load("clc"), Legend.load("clc-fi")


def grid(shape):
    height, width = shape
    bounds = (500000, 6700000, 500000 + 20 * width, 6700000 + 20 * height)
    return GeoBox.from_bbox(bounds, "EPSG:3067", shape=shape)


def labels(ids, legend=LULC13):
    ids = np.asarray(ids, legend.dtype)
    return LabelMap.from_array(ids, grid(ids.shape), legend)


def scored(prediction, reference, level="class"):
    return confusion(
        prediction, reference, common_grouping(prediction.legend, reference.legend, level)
    )


def written(path: Path, map_: LabelMap, **tags) -> Path:
    height, width = map_.grid.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=1,
        dtype=map_.legend.dtype,
        nodata=map_.legend.nodata,
        crs=str(map_.grid.crs),
        transform=map_.grid.affine,
    ) as file:
        file.write(map_.read(), 1)
        file.update_tags(**tags)
    return path


@pytest.fixture(scope="module")
def noisy():
    """A map that is right four times out of five, with nodata on both sides."""
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 14, (90, 70), np.uint8)
    ids = np.where(rng.random(truth.shape) < 0.2, rng.integers(1, 14, truth.shape), truth)
    truth[:5], ids[:, :7] = 255, 255
    return labels(ids), labels(truth)


def test_equal_to_scikit_learn(noisy):
    found = scored(*noisy)
    p, r = (m.read().ravel() for m in noisy)
    both = (p != 255) & (r != 255)
    p, r = p[both], r[both]
    ids = list(LULC13.ids)
    assert (found.matrix == confusion_matrix(r, p, labels=ids)).all()
    report = classification_report(r, p, labels=ids, output_dict=True, zero_division=np.nan)
    data = found.to_dict()
    for row in data["classes"]:
        theirs = report[str(row["id"])]
        for ours, name in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert row[ours] == pytest.approx(theirs[name], abs=1e-12)
        assert row["support"] == theirs["support"]
    for how in ("macro", "weighted"):
        for ours, name in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            theirs = report[f"{how} avg"][name]
            assert data[f"{how}_{ours}"] == pytest.approx(theirs, abs=1e-12)
    assert data["micro_f1"] == data["accuracy"] == pytest.approx(report["accuracy"], abs=1e-12)
    jaccard = jaccard_score(r, p, labels=ids, average=None)
    assert [row["iou"] for row in data["classes"]] == pytest.approx(jaccard.tolist(), abs=1e-12)


def test_undefined_as_scikit_learn_has_it():
    """A class never mapped, one mapped but not there, one nowhere."""
    p, r = np.array([[1, 1, 2, 3]]), np.array([[1, 1, 1, 4]])
    found = scored(labels(p), labels(r))
    report = classification_report(
        r.ravel(), p.ravel(), labels=list(LULC13.ids), output_dict=True, zero_division=np.nan
    )
    for row in found.to_dict()["classes"]:
        for ours, name in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            theirs = report[str(row["id"])][name]
            assert row[ours] == (None if np.isnan(theirs) else pytest.approx(theirs))
    rows = {row["id"]: row for row in found.to_dict()["classes"]}
    assert (rows[4]["precision"], rows[4]["recall"], rows[4]["f1"], rows[4]["iou"]) == (
        None,
        0,
        0,
        0,
    )
    assert (rows[2]["precision"], rows[2]["recall"], rows[2]["f1"]) == (0, None, 0)
    assert (rows[9]["f1"], rows[9]["iou"], rows[9]["support"]) == (None, None, 0)
    assert found.average("f1", "macro") == pytest.approx(np.nanmean(found.f1))
    assert found.average("f1", "macro") == pytest.approx(report["macro avg"]["f1-score"])
    assert found.average("f1", "weighted") == pytest.approx(report["weighted avg"]["f1-score"])
    assert "NaN" not in json.dumps(found.to_dict())
    assert any("Never mapped" in w and "Grasslands" in w for w in found.warnings)


def test_rows_are_the_reference():
    """Three fields mapped as water: a transposed matrix would say the opposite."""
    found = scored(labels([[13, 13, 13, 5]]), labels([[5, 5, 5, 5]]))
    fields, water = (LULC13.ids.index(i) for i in (5, 13))
    assert found.matrix[fields, water] == 3 and found.matrix[water, fields] == 0
    assert (found.recall[fields], found.precision[fields]) == (0.25, 1)
    assert found.support[fields] == 4 and found.predicted[water] == 3
    assert found.orientation == ORIENTATION == "rows are the reference, columns the prediction"
    first = next(csv.reader(io.StringIO(tables.matrix_csv(found))))
    assert first[0] == ORIENTATION
    data = found.to_dict() | {"orientation": "columns are the reference"}
    with pytest.raises(ReferenceDataError, match="expected a matrix"):
        Evaluation.from_dict(data)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 90), st.integers(0, 70), st.integers(0, 2**32 - 1))
def test_counts_of_parts_add_up(row, col, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 15, (90, 70), np.uint8)
    codes = rng.integers(0, 60, (90, 70), np.uint8)
    prediction, reference = labels(ids), labels(codes, FINNISH)
    whole = scored(prediction, reference)
    parts = [
        scored(prediction.crop(window), reference.crop(window))
        for rows in ((0, row), (row, 90))
        for cols in ((0, col), (col, 70))
        if rows[0] < rows[1] and cols[0] < cols[1]
        for window in [Window.from_slices(rows, cols)]
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert total == whole
    assert sum(vars(whole.pixels).values()) == 90 * 70
    assert whole.matrix.sum() == whole.pixels.scored


def test_strips_add_up(noisy, monkeypatch):
    whole = scored(*noisy)
    monkeypatch.setattr("lulc.confusion.CHUNK", 61)
    monkeypatch.setattr(
        LabelMap, "strips", lambda _: [Window(0, r, 70, min(7, 90 - r)) for r in range(0, 90, 7)]
    )
    assert scored(*noisy) == whole


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["class", "3", "2", "1"]),
    st.sampled_from(["clc", "clc-grid", "clc-fi", "lulc13"]),
    st.integers(0, 2**32 - 1),
)
def test_no_pixel_is_lost(level, codes, seed):
    rng = np.random.default_rng(seed)
    legend = Legend.load(codes)
    ids = rng.choice([*LULC13.ids, 255], (40, 30))
    reference = rng.choice([*legend.ids, legend.nodata], (40, 30))
    found = scored(labels(ids), labels(reference, legend), level)
    both = (ids != 255) & (reference != legend.nodata)
    assert found.pixels.nodata == (~both).sum()
    assert found.pixels.ignored_reference == sum(i.pixels for i in found.ignored_codes)
    assert found.pixels.ignored_prediction == sum(i.pixels for i in found.ignored_classes)
    assert sum(vars(found.pixels).values()) == ids.size
    left = np.isin(reference, [i.id for i in found.ignored_codes]) & both
    assert found.pixels.ignored_reference == left.sum()
    right = sum((np.isin(ids, g.members) & np.isin(reference, g.codes)).sum() for g in found.groups)
    assert np.trace(found.matrix) == right
    defined = found.f1[~np.isnan(found.f1)]
    assert ((defined >= 0) & (defined <= 1)).all()
    assert Evaluation.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_pine_for_spruce_is_no_error_against_corine():
    found = scored(labels([[7, 8, 12, 13]]), labels([[312, 312, 512, 323]], CLC))
    assert found.accuracy == 1
    assert vars(found.pixels) == {
        "scored": 2,
        "ignored_reference": 1,
        "ignored_prediction": 1,
        "nodata": 0,
    }
    data = found.to_dict()
    assert [m["members"] for m in data["merged"]] == [[7, 8]]
    assert data["merged"][0]["share"] == 1
    left_out = {"id": 12, "name": "Water vegetation", "pixels": 1, "share": 0.25}
    assert data["ignored"]["classes"] == [left_out]
    shrubs = {"id": 323, "name": "Sclerophyllous vegetation", "pixels": 1, "share": 0.25}
    assert shrubs in data["ignored"]["codes"]
    shares = {"scored": 0.5, "ignored_reference": 0.25, "ignored_prediction": 0.25, "merged": 1}
    assert data["shares"] == shares
    assert "2 scored (50.0%), 100.0% of them in merged classes" in str(found)
    assert any("not scored" in w for w in found.warnings)
    assert any("nothing but" in w for w in found.warnings)


def test_real_finnish_map_against_itself(shared_data):
    """Level 4 read as the 13 classes is right everywhere, at every level it reaches."""
    path = shared_data / "corine/syke_clc_helsinki_20m_codes1-49.tif"
    finnish = LabelMap.open(path)
    lut = np.full(256, 255, np.uint8)
    for code, targets in crosswalk("clc-fi", "lulc13").pairs.items():
        lut[code] = targets[0]
    prediction = LabelMap.from_array(lut[finnish.read()], finnish.grid, LULC13)
    found = evaluate_labels(prediction, path)
    assert (found.codes, found.accuracy) == ("clc-fi", 1)
    assert found.pixels.scored + found.pixels.nodata == 2093 * 1869
    assert found.reference["size"] == path.stat().st_size and len(found.reference["sha256"]) == 64
    itself = evaluate_labels(finnish, path, level="2")
    assert itself.accuracy == 1 and itself.pixels.ignored_prediction == 0


@pytest.mark.parametrize(
    ("codes", "values", "classes"),
    [
        ("worldcover", [10, 20, 30, 40, 50, 60, 80, 90], [6, 10, 4, 5, 1, 3, 13, 11]),
        (
            "nlcd",
            [11, 21, 24, 31, 41, 42, 43, 52, 71, 82, 95],
            [13, 1, 2, 3, 6, 8, 9, 10, 4, 5, 12],
        ),
        ("clcplus", [1, 2, 3, 4, 5, 6, 7, 9, 10], [2, 7, 6, 6, 10, 4, 5, 3, 13]),
        # As the product's own files have it, from 0; and from 1, which 9 (snow) tells.
        ("dynamicworld", [0, 1, 2, 3, 4, 5, 6, 7], [13, 9, 4, 12, 5, 10, 1, 3]),
        ("dynamicworld", [1, 2, 3, 4, 5, 6, 7, 8, 9], [13, 9, 4, 12, 5, 10, 1, 3, 13]),
    ],
)
@pytest.mark.parametrize("nodata", [None, 255])
def test_other_products_as_their_files_are(tmp_path, codes, values, classes, nodata):
    """Every class is what it is held to be, and nothing else: each alone is found right."""
    prediction = labels([classes])
    path = tmp_path / "reference.tif"
    profile = {
        "driver": "GTiff", "width": len(values), "height": 1, "count": 1, "dtype": "uint8",
        "crs": "EPSG:3067", "transform": prediction.grid.affine, "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.array([[values]], np.uint8))
    found = evaluate_labels(prediction, path, codes=codes)
    assert found.codes == codes and found.accuracy == 1
    snow = codes == "dynamicworld" and 9 in values
    assert found.pixels.scored == len(values) - snow
    assert found.pixels.ignored_reference == snow
    if codes in ("worldcover", "nlcd"):
        assert evaluate_labels(prediction, path) == replace(
            found, choices=found.choices | {"codes_named": None}
        )
    else:
        with pytest.raises(ReferenceDataError, match="name one with --codes"):
            evaluate_labels(prediction, path)


def test_our_own_file_of_dynamic_world_counts_from_1(tmp_path):
    legend = Legend.load("dynamicworld")
    path = written(tmp_path / "own.tif", labels([[1, 2, 3]], legend), LULC_LEGEND="dynamicworld")
    assert evaluate_labels(labels([[13, 6, 4]]), path).accuracy == 1


def test_mask_leaves_pixels_out(noisy):
    prediction, reference = noisy
    mask = labels(np.where(np.arange(90)[:, None] < 40, 255, np.ones((90, 70))))
    found = confusion(prediction, reference, common_grouping(LULC13, LULC13), mask)
    below = Window(0, 40, 70, 50)
    lower = scored(prediction.crop(below), reference.crop(below))
    assert (found.matrix == lower.matrix).all()
    assert found.pixels.nodata == lower.pixels.nodata + 40 * 70


def test_saved_and_loaded(noisy, tmp_path):
    found = scored(*noisy)
    found.save(tmp_path / "evaluation.json")
    assert Evaluation.load(tmp_path / "evaluation.json") == found
    assert [p.name for p in tmp_path.iterdir()] == ["evaluation.json"]
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(ReferenceDataError, match="schema"):
        Evaluation.load(tmp_path / "evaluation.json")
    with pytest.raises(ReferenceDataError, match="newer"):
        Evaluation.from_dict(found.to_dict() | {"schema": 99})


def test_a_run_keeps_its_scores(noisy, tmp_path):
    prediction, reference = noisy
    written(tmp_path / "map.tif", prediction)
    item = {"id": "r", "properties": {"lulc:legend": LULC13.to_dict()}}
    (tmp_path / "run.json").write_text(json.dumps(item))
    truth = written(tmp_path / "truth.tif", reference, LULC_LEGEND="lulc13")
    found = evaluate(tmp_path, truth)
    assert found == Evaluation.load(tmp_path / "evaluation.json")
    assert (found.matrix == scored(*noisy).matrix).all()
    evaluate(tmp_path, truth, codes="lulc13", level="1")
    assert json.loads((tmp_path / "evaluation-1.json").read_text())["level"] == "1"


def test_tables_say_the_same(noisy):
    found = scored(*noisy)
    text, markdown = str(found), tables.markdown(found)
    for name in LULC13.names:
        assert name in text and name in markdown
    assert f"{found.accuracy:.3f}" in text and ORIENTATION in markdown
    rows = list(csv.DictReader(io.StringIO(tables.scores_csv(found))))
    assert [float(r["f1"]) for r in rows] == pytest.approx(found.f1.tolist())
    matrix = list(csv.reader(io.StringIO(tables.matrix_csv(found))))[1:]
    assert [[int(v) for v in row[1:]] for row in matrix] == found.matrix.tolist()
    empty = scored(labels([[5, 5]]), labels([[5, 255]]))
    assert tables.UNDEFINED in str(empty)
    assert next(csv.DictReader(io.StringIO(tables.scores_csv(empty))))["f1"] == ""


@pytest.mark.parametrize(
    ("ids", "codes", "named", "level", "said"),
    [
        ([[255, 255]], [[311, 312]], "clc", "class", "2 are without data"),
        ([[5, 5]], [[323, 335]], "clc", "class", "2 of codes"),
        ([[12, 12]], [[511, 511]], "clc", "class", "2 of classes that are not scored"),
        ([[1, 1]], [[311, 312]], "lulc13", "class", "no codes of lulc13"),
        ([[1, 1]], [[311, 312]], "dynamicworld", "class", "no codes of dynamicworld"),
        ([[1, 1]], [[311, 312]], "corine", "class", "unknown codes"),
        ([[1, 1]], [[311, 312]], None, "7", "the level is one of"),
    ],
)
def test_bad_input_gets_one_line(tmp_path, ids, codes, named, level, said):
    path = written(tmp_path / "reference.tif", labels(codes, CLC))
    with pytest.raises(LulcError, match=said) as caught:
        evaluate_labels(labels(ids), path, codes=named, level=level)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused(noisy):
    prediction, reference = noisy
    grouping = common_grouping(LULC13, LULC13)
    with pytest.raises(ReferenceDataError, match="one grid"):
        confusion(prediction, reference.crop(Window(0, 0, 70, 89)), grouping)
    with pytest.raises(LegendError, match="cannot be added"):
        _ = scored(*noisy) + scored(*noisy, level="1")
