"""The curves on the page of scores draw what was counted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lulc.boundary import EDGES, Boundary
from lulc.bounds import Bounds
from lulc.cellbounds import CellBounds
from lulc.grouping import Group
from lulc.histograms import Histograms, count

hv = pytest.importorskip("holoviews")
hv.extension("bokeh")

from bokeh.models import Segment  # noqa: E402

from dashboard.charts import curves, plots  # noqa: E402
from dashboard.charts.evidence import describe  # noqa: E402

GROUPS = (Group(1, "water", "#0000ff", (1,), (1,)), Group(2, "land", "#00ff00", (2,), (2,)))


@pytest.fixture(scope="module")
def found() -> Histograms:
    """Two classes; the map is right in 7 of 10 pixels and says 0.9 everywhere."""
    reference = np.array([[0] * 5 + [1] * 5], np.int16)
    mapped = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 0, 0]], np.int16)
    activations = np.where(np.arange(2)[:, None, None] == mapped, 0.9, 0.1).astype(np.float32)
    return count(GROUPS, activations, reference, mapped, rounded=False)


def drawn(overlay: hv.Overlay, kind: type, label: str) -> np.ndarray:
    """The numbers of one element of a chart."""
    elements = overlay.traverse(lambda e: e, [kind])
    return next(e for e in elements if e.label == label).array().astype(float)


def test_reliability_draws_only_bins_that_hold_pixels(found: Histograms) -> None:
    table = drawn(curves.reliability(found, 0), hv.Scatter, "class mapped")
    assert table[:, :3] == pytest.approx(np.array([[0.9, 0.7, 10]]))


def test_thresholds_draw_the_scores_of_the_class_and_its_best(found: Histograms) -> None:
    chart = curves.thresholds(found, 0)
    assert drawn(chart, hv.Curve, "precision")[-1] == pytest.approx([0.9, 4 / 6])
    assert drawn(chart, hv.Curve, "recall")[-1] == pytest.approx([0.9, 4 / 5])
    assert drawn(chart, hv.Scatter, "best F1")[0] == pytest.approx([0.9, 8 / 11])


def known(found: Histograms, cautious: bool = False) -> CellBounds:
    """Intervals of 0.1 to either side of every point of the curves."""
    groups = len(found.groups)
    maps = [*found.reliabilities, found.overall]
    curves = [ranking.to_dict()["curve"] for ranking in found.rankings]
    values = {
        name: np.array([[point[name] for point in curve] for curve in curves], float)
        for name in ("precision", "recall", "f1")
    }
    values |= {
        "observed": np.array([each.observed for each in maps]),
        "ece": np.array([each.ece for each in maps]),
        "brier": np.array(found.brier),
        "average_precision": np.array([each.average_precision for each in found.rankings]),
        "best_f1": np.full(groups, 0.5),
    }
    return CellBounds(
        {name: each[..., None] + np.array([-0.1, 0.1]) for name, each in values.items()},
        {name: np.full(each.shape, cautious) for name, each in values.items()},
    )


@pytest.mark.parametrize("cautious", [False, True])
def test_intervals_are_lines_through_the_points_of_reliability(found, cautious) -> None:
    chart = curves.reliability(found, 0, known(found, cautious))
    lines = [e.array() for e in chart.traverse(lambda e: e, [hv.Segments]) if len(e)]
    assert lines[0] == pytest.approx(np.array([[0.9, 0.6, 0.9, 0.8]]))
    assert len(lines) == 2 and len(lines[1]) == 2  # of the mapped class, of the class chosen
    drawn = hv.render(chart, backend="bokeh").renderers
    full = [r for r in drawn if isinstance(r.glyph, Segment) and r.data_source.data]
    filled = [r.glyph for r in full if all(len(column) for column in r.data_source.data.values())]
    assert [bool(glyph.line_dash) for glyph in filled] == [cautious] * 2
    assert "95 %" in chart.opts.get().kwargs["ylabel"]
    assert "95 %" not in curves.reliability(found, 0).opts.get().kwargs["ylabel"]


def test_intervals_are_bands_around_the_curves_of_thresholds(found: Histograms) -> None:
    bounds = known(found)
    chart = curves.thresholds(found, 1, bounds)
    precision, recall, f1 = (e.array() for e in chart.traverse(lambda e: e, [hv.Area]))
    assert recall[0] == pytest.approx([0, 0.9, 1.1])
    assert precision[-1] == pytest.approx([0.88, 0.65, 0.85])
    assert f1[:, 0].tolist() == precision[:, 0].tolist()
    hv.render(chart, backend="bokeh")
    [band] = curves.precision_recall(found, 1, bounds).traverse(lambda e: e, [hv.Area])
    table = band.array()
    assert (np.diff(table[:, 0]) >= 0).all()
    assert table[-1] == pytest.approx([1, 0.4, 0.6])
    assert not curves.precision_recall(found, 1).traverse(lambda e: e, [hv.Area])


def test_words_have_intervals(found: Histograms) -> None:
    said = describe(found, 0, known(found))
    ece = found.overall.ece
    assert f"{ece:.3f} ({ece - 0.1:.3f}–{ece + 0.1:.3f})" in said
    assert "(0.400–0.600)" in said and "95 % intervals" in said
    assert "(~0.400–0.600)" in describe(found, 0, known(found, True))


def test_precision_recall_draws_the_share_of_the_class_as_chance(found: Histograms) -> None:
    chart = curves.precision_recall(found, 1)
    assert drawn(chart, hv.Curve, "by chance")[:, 1] == pytest.approx([0.5, 0.5])


def test_the_matrix_has_shares_of_its_rows_and_names_that_can_be_laid_out() -> None:
    counted = SimpleNamespace(matrix=np.array([[3, 1], [0, 0]]), groups=GROUPS)
    cells = plots.matrix(counted).traverse(lambda e: e, [hv.HeatMap])[0].data
    assert cells["Mapped as"].dtype == object
    first = cells[cells["Reference"] == "1 water"]
    assert first["Shown"].tolist() == [0.75, 0.25]
    assert first["Mapped as"].tolist() == ["water", "land"]
    assert cells[cells["Reference"] == "2 land"]["Shown"].isna().all()


def test_cautious_intervals_are_dashed_and_others_are_not() -> None:
    bounds = np.array([[0.5, 0.7], [0.1, 0.9]])
    cautious = {"f1": np.array([False, True])}
    counted = SimpleNamespace(
        groups=GROUPS, support=np.array([5, 5]), f1=np.array([0.6, 0.6]),
        precision=np.array([0.6, 0.6]), recall=np.array([0.6, 0.6]),
        blocks=SimpleNamespace(bounds=SimpleNamespace(ratios={"f1": bounds}, cautious=cautious)),
    )  # fmt: skip
    chart = plots.scores(counted)
    _, sure, careful = chart.traverse(lambda e: e, [hv.Segments])
    assert sure.array().tolist() == [["1 water", 0.5, "1 water", 0.7]]
    assert careful.array().tolist() == [["2 land", 0.1, "2 land", 0.9]]
    lines = hv.render(chart, backend="bokeh").renderers
    dashes = [bool(r.glyph.line_dash) for r in lines if isinstance(r.glyph, Segment)]
    assert dashes == [False, False, True]
    assert "dashed if cautious" in str(chart.opts.get().kwargs["ylabel"])


def test_words_say_which_way_the_map_leans(found: Histograms) -> None:
    assert "too sure of itself by 20.0 points" in describe(found, 0)
    humble = replace(found, mapped_sums=found.mapped_sums * 0.5)
    assert "too modest by 25.0 points" in describe(humble, 0)


def test_a_class_without_a_pixel_is_said_and_drawn_empty(found: Histograms) -> None:
    counts = found.counts.copy()
    counts[1, 1] = 0
    empty = replace(found, counts=counts)
    assert "nothing of this class" in describe(empty, 1)
    assert np.isnan(drawn(curves.thresholds(empty, 1), hv.Scatter, "best F1")).all()
    for chart in (curves.reliability, curves.thresholds, curves.precision_recall):
        hv.render(chart(empty, 1, known(empty)), backend="bokeh")
    nothing = curves.precision_recall(empty, 1, known(empty)).traverse(lambda e: e, [hv.Area])
    assert not any(len(band) for band in nothing)


def test_boundary_draws_the_distances_in_metres() -> None:
    matrices = np.zeros((len(EDGES) - 1, 2, 2), np.int64)
    matrices[0], matrices[-1] = [[1, 1], [1, 1]], [[3, 0], [0, 5]]
    chart = curves.boundary(Boundary(GROUPS, 20.0, matrices), 1)
    accuracy = drawn(chart, hv.Scatter, "accuracy of all classes")
    assert accuracy[0] == pytest.approx([5, 0.5, 0, 10, 4])
    assert accuracy[-1, 1:3] == pytest.approx([1, EDGES[-2] * 20])
    assert np.isnan(accuracy[1:-1, 1]).all()
    assert not any(len(lines) for lines in chart.traverse(lambda x: x, [hv.Segments]))


def test_boundary_draws_intervals_dotted_where_cautious() -> None:
    matrices = np.tile(np.array([[3, 1], [1, 3]]), (len(EDGES) - 1, 1, 1))
    accuracy, f1 = np.array([0.5, 0.9]), np.array([[0.1, 0.2], [0.6, 0.8]])
    known = Bounds(
        {"f1": f1}, {"accuracy": accuracy}, {"f1": np.array([False, True]), "accuracy": False}
    )
    gone = Bounds(
        {"f1": f1 * np.nan}, {"accuracy": accuracy * np.nan}, {"f1": [False] * 2, "accuracy": False}
    )
    found = Boundary(GROUPS, 20.0, matrices)
    chart = curves.boundary(found, 1, [known, *[gone] * (len(EDGES) - 2), known])
    drawn = [each for each in chart.traverse(lambda x: x, [hv.Segments]) if len(each)]
    assert [each.array().tolist() for each in drawn] == [[[5, 0.5, 5, 0.9]], [[5, 0.6, 5, 0.8]]]
    hv.render(chart, backend="bokeh")
