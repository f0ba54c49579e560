"""Where the map is right: the blocks as GeoViews draws them, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loops import finish
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely.geometry import box

from dashboard import catalog
from dashboard.charts import where
from dashboard.charts.where import Where
from dashboard.state import State
from lulc.blockmap import BlockMap
from lulc.evaluation import evaluation_path
from lulc.scores import Evaluation

hv = pytest.importorskip("holoviews")
hv.extension("bokeh")


@pytest.fixture
def scored(workspace):
    """A run of the workspace and its scores."""
    assert workspace
    run = catalog.find_run("run-a")
    return Evaluation.load(evaluation_path(run.path)), run


def rendered(found: BlockMap, grid: GeoBox):
    """The Bokeh figure, and the columns that it draws."""
    from dashboard.charts import ground

    figure = hv.render(ground.blocks(found, grid, ground.Flat(grid)), backend="bokeh")
    [glyphs] = figure.renderers
    return figure, glyphs


def test_blocks_are_drawn_in_the_scenes_own_crs_and_coloured_by_agreement(scored):
    evaluation, run = scored
    found, _ = where.prepared(evaluation, run)
    figure, glyphs = rendered(found, run.grid)
    data, mapper = glyphs.data_source.data, glyphs.glyph.fill_color.transform
    assert type(glyphs.glyph).__name__ == "MultiPolygons"
    assert list(data["Agreement"]) == pytest.approx(list(found.agreement * 100))
    assert (mapper.low % 10, mapper.high) == (0, 100) and mapper.low <= min(data["Agreement"])
    west, south, east, north = run.grid.boundingbox
    assert (figure.x_range.start, figure.x_range.end) == pytest.approx((west, east))
    assert (figure.y_range.start, figure.y_range.end) == pytest.approx((south, north))
    first = data["xs"][0][0][0], data["ys"][0][0][0]
    assert (min(first[0]), max(first[1])) == pytest.approx((west, north))
    assert figure.xaxis[0].axis_label == "easting (m)" and figure.xaxis[0].visible
    assert figure.hover[0].tooltips[0] == ("Agreement", "@{Agreement}{0.0} %")
    assert "map and reference agree (%)" in figure.right[0].title


def test_degrees_and_metres_are_as_long_both_ways(scored):
    _, run = scored
    figure, _ = rendered(one_block(run.grid), run.grid)
    assert figure.frame_width == pytest.approx(figure.frame_height, rel=0.01)
    grid = GeoBox.from_bbox((28, 60, 28.2, 60.1), "EPSG:4326", shape=(100, 200))
    figure, _ = rendered(one_block(grid), grid)
    assert figure.frame_width / figure.frame_height == pytest.approx(1, rel=0.01)  # cos 60° = 0.5
    assert figure.xaxis[0].axis_label == "longitude (°)"


def one_block(grid: GeoBox) -> BlockMap:
    outlines = np.array([grid.extent.geom], object)
    return BlockMap(outlines, np.array([[[5, 1], [0, 4]]]), 0.01, 960.0, 1)


def test_what_is_said_names_the_blocks_and_the_source(scored):
    evaluation, run = scored
    found, _ = where.prepared(evaluation, run)
    said = where.told(found, evaluation, run)
    assert f"{len(found.scored)} blocks of {found.side:,.0f} m" in said
    assert "those that the intervals are drawn from" in said
    assert f"{evaluation.accuracy * 100:.1f} % of all scored pixels" in said
    assert "Source: sample-truth.tif" in said and "Simulated region" in said
    assert "each 3 × 3 of those" in where.told(replace(found, joined=3), evaluation, run)


def test_nothing_is_drawn_before_the_panel_is_opened(scored):
    async def visit() -> tuple[object, object]:
        shown = Where(State())
        await shown.show(*scored)
        before = shown.chart.pane.object
        shown.panel.active = [0]
        await shown._opened()
        return before, shown.chart.pane.object

    closed, opened = finish(visit())
    assert closed is None and opened is not None


async def opened(state: State, *scored) -> Where:
    shown = Where(state)
    shown.panel.active = [0]
    await shown.show(*scored)
    return shown


def test_a_click_on_a_block_goes_to_its_disagreement_on_the_map(scored):
    evaluation, run = scored
    state = State(place="Scores")
    shown = finish(opened(state, evaluation, run))
    found, _ = where.prepared(evaluation, run)
    outline = found.outlines[-1]
    far = run.grid.boundingbox.left - 1e4, run.grid.boundingbox.top
    shown.visit(*far)
    assert state.place == "Scores" and state.extent is None
    shown.visit(outline.centroid.x, outline.centroid.y)
    assert (state.place, state.overlay) == ("Explore", "Disagreement")
    there = Geometry(box(*state.extent), "EPSG:4326").to_crs(run.grid.crs).geom
    assert there.buffer(1).contains(outline)
    assert there.area < 1.2 * outline.area


def test_the_worst_blocks_are_listed_and_lead_there_too(scored):
    evaluation, run = scored
    state = State(place="Scores")
    shown = finish(opened(state, evaluation, run))
    found, _ = where.prepared(evaluation, run)
    worst = found.worst(where.WORST)
    listed = [button for button in shown.worst if button.visible]
    assert len(listed) == len(worst)
    row, column, _ = found.confused(worst[0])
    there, mapped = evaluation.groups[row].name, evaluation.groups[column].name
    assert listed[0].label.endswith(f"{there}, mapped as {mapped}")
    assert listed[0].label.startswith(f"{(1 - found.agreement[worst[0]]) * 100:.0f} % of ")
    shown._go(0)
    assert (state.place, state.overlay) == ("Explore", "Disagreement")
    place = Geometry(box(*state.extent), "EPSG:4326").to_crs(run.grid.crs).geom
    assert place.buffer(1).contains(found.outlines[worst[0]])


def test_geoviews_is_imported_when_it_is_needed_only():
    code = "import sys, dashboard.app; assert not {'geoviews', 'cartopy'} & set(sys.modules)"
    root = Path(where.__file__).parent.parent.parent
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
