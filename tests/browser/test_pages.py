"""The places of the dashboard: what an analyst sees and does there, in a real browser."""

from __future__ import annotations

import re

import pytest
import workspaces
from browsing import MAP, MARKS, PATIENCE, choose, expect, go, legend, shown, wait_for_map

pytestmark = MARKS


def test_the_page_shows_the_newest_run_and_says_that_it_is_simulated(page, address):
    page.goto(address)
    shown(page, "Simulated region, not real imagery")
    shown(page, "share of the map in view")
    assert "Water bodies" in legend(page)
    assert re.search(r"\d %", legend(page))
    wait_for_map(page)
    assert page.title() == "lulc"


def test_layers_switch_keep_the_zoom_and_change_the_legend(page, address):
    page.goto(f"{address}?run=run-a")
    shown(page, "Classes of run-a")
    first = wait_for_map(page)
    choose(page, "Layer above", "Activation")
    choose(page, "Class", "Water bodies")
    shown(page, "Activation of Water bodies")
    shown(page, "activation, 0 to 1")
    activation = wait_for_map(page, differs_from=first)
    assert activation["range"] == pytest.approx(first["range"])
    choose(page, "Layer above", "Disagreement")
    shown(page, "Map and reference differ")
    choose(page, "Layer above", "Reference")
    shown(page, "sample-")
    wait_for_map(page, differs_from=activation)
    slider = page.get_by_role("slider", name="Opacity of the layer")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowLeft")
    page.wait_for_function(f"() => ({MAP})().images[1].alpha < 0.65")
    expect(page).to_have_url(re.compile("layer=Reference"))


def test_a_drawn_box_is_classified_and_scored(page, address, workspace):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    choose(page, "Region", "Box on the map")
    shown(page, "from corner to corner")
    page.wait_for_function(
        """() => [...Bokeh.documents[0]._all_models.values()].some(
             m => m.type == 'BoxSelectTool' && m.active)""",
    )
    page.wait_for_timeout(500)  # the page hears of it before it acts on it
    page.mouse.move(640, 380)
    page.mouse.down()
    page.mouse.move(700, 440, steps=4)
    page.mouse.move(820, 560, steps=4)
    page.mouse.up()
    shown(page, "km²")
    choose(page, "Score against", "sample-truth")
    page.get_by_role("button", name="Classify", exact=True).click()
    shown(page, "sample with lakeland")
    shown(page, re.compile(r"Starting|of \d+ blocks|Scoring|Done"))
    page.reload()  # the job goes on, and the page shows it again
    expect(page.get_by_text("Done.").first).to_be_visible(timeout=3 * PATIENCE)
    page.get_by_role("button", name="Open", exact=True).click()
    shown(page, "-sample-lakeland")
    new = [p for p in (workspace / "runs").iterdir() if "lakeland" in p.name]
    assert len(new) == 1 and (new[0] / "evaluation.json").is_file()
    go(page, "Scores")
    shown(page, "macro F1")
    shown(page, "rows are the reference, columns the prediction")
    page.get_by_role("button", name="Score again").wait_for()


def test_a_job_can_be_cancelled_and_gone_on_with(page, address, workspace):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    page.get_by_role("button", name="Classify", exact=True).click()
    page.get_by_role("button", name="Cancel").last.click()
    shown(page, "Cancelled")
    page.get_by_role("button", name="Log").last.click()
    shown(page, ".log")
    assert (workspace / "logs").is_dir()


def test_two_runs_are_compared_by_eye_and_by_number(page, address):
    page.goto(f"{address}?page=Compare&run=run-a&with=run-b")
    shown(page, "The two maps agree on")
    shown(page, "Macro F1: A")
    shown(page, "Differences of F1, B − A")
    shown(page, "95 % interval")
    page.get_by_role("button", name="Help: Differences of F1").click()
    shown(page, "comes from drawing whole blocks")
    page.keyboard.press("Escape")
    before = wait_for_map(page)
    page.mouse.move(320, 420)
    page.mouse.wheel(0, -400)
    ranges = """() => {
      const on_screen = figure => { try { return figure.inner_width > 20 } catch { return false } }
      return [...Bokeh.documents[0]._all_models.values()]
        .filter(m => m.type == 'Figure' && on_screen(m) &&
                     m.renderers.some(r => r.glyph.type == 'ImageRGBA'))
        .map(m => [m.x_range.start, m.x_range.end, m.y_range.start, m.y_range.end]) }"""
    page.wait_for_function(
        f"""old => {{ const r = ({ranges})()
            return r.length == 2 && r[0][0] > old + 1 && r[0].every((v, i) => v == r[1][i]) }}""",
        arg=before["range"][0],
    )
    left, right, below, above = page.evaluate(f"({ranges})()[0]")
    page.mouse.move(320, 622)  # the numbers below the first map
    page.mouse.wheel(0, 400)
    page.wait_for_timeout(500)
    west, east, south, north = page.evaluate(f"({ranges})()[0]")
    assert (east - west) / (north - south) == pytest.approx((right - left) / (above - below))


def test_scores_at_another_level_are_asked_for_and_made(page, address, workspace):
    # Left by an earlier try of the test.
    (workspace / "runs" / "run-b" / "evaluation-1.json").unlink(missing_ok=True)
    page.goto(f"{address}?page=Scores&run=run-b")
    shown(page, "macro F1")
    choose(page, "Level", "level 1")
    shown(page, "No scores at this level yet")
    choose(page, "Reference", "sample-corine")
    page.get_by_role("button", name="Score").click()
    shown(page, "(clc-fi)")
    choose(page, "Order", "by F1")
    choose(page, "Cells", "pixels")
    shown(page, "expected calibration error")
    choose(page, "Labels held right", "70 to 80 %")
    shown(page, "the F1 of a perfect map")
    page.get_by_role("button", name="Where the map is right").click()
    shown(page, "those that the intervals are drawn from")
    shown(page, "Source: sample-corine.tif (clc-fi) and the map of run-b")
    drawn = """() => [...Bokeh.documents[0]._all_models.values()].find(
      model => model.glyph?.type == 'MultiPolygons')?.data_source.data.Agreement.length"""
    page.wait_for_function(f"() => ({drawn})() > 3")
    choose(page, "Level", "Classes of the map")
    shown(page, "Source: sample-truth.tif")


def test_suspicious_labels_are_listed_and_shown_on_the_map(page, address):
    page.goto(f"{address}?page=Scores&run=run-a&reference=sample-corine")
    shown(page, "Is the reference wrong?")
    page.get_by_role("button", name="Look for suspicious labels").click()
    shown(page, "patches are suspicious")
    page.get_by_role("button", name="Show it on the map").click()
    shown(page, "Suspicious labels, checked with")


def test_deleting_a_run_asks_first(page, address, workspace):
    workspaces.add_run(workspace, "run-c", 0.5)
    page.goto(f"{address}?page=Runs&run=run-c")
    shown(page, "run-c")
    shown(page, "On disk")
    page.get_by_role("button", name="Delete …").first.click()
    shown(page, "cannot be undone")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("cannot be undone")).to_be_hidden()
    assert (workspace / "runs" / "run-c").is_dir()
    page.get_by_role("button", name="Delete …").first.click()
    shown(page, "cannot be undone")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("cell", name="run-c")).to_have_count(0)
    assert not (workspace / "runs" / "run-c").exists()
