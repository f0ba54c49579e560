"""Classifying from the page: the queue, blocks as they come, cancelling, a server that restarts."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import statistics
import time
from pathlib import Path

import pytest
from browsing import MARKS, PATIENCE, Page, expect, served, shown, wait_for_map

from benchmarks import responsive
from dashboard.running.process import Process

pytestmark = MARKS

#: How many pixels of finished blocks the map shows.
BLOCKS = """() => {
  const blocks = [...Bokeh.documents[0]._all_models.values()].find(model => model.name == 'blocks')
  const image = blocks?.data_source.data.image?.[0]
  return image ? image.reduce((sum, value) => sum + (value > 0), 0) : 0
}"""

#: What a job under way says.
COUNTED = re.compile(r"\d+%: \d+ of \d+ blocks")


def classify(page: Page) -> None:
    start = page.get_by_role("button", name="Classify", exact=True)
    expect(start).to_be_enabled(timeout=PATIENCE)
    start.click()


def classify_slowly(page: Page) -> None:
    """Start a run of many small blocks."""
    wait_for_map(page)
    page.get_by_role("button", name="Advanced").click()
    side = page.get_by_label("Block side (px)")
    side.fill("8")
    side.press("Enter")
    classify(page)
    shown(page, COUNTED)


def button(page: Page, name: str):
    """The button of that name in the newest job that has one."""
    return page.get_by_role("button", name=name, exact=True).locator("visible=true").first


def kept(workspace: Path) -> dict:
    """What is kept of the newest job."""
    path = max((workspace / "logs").glob("*.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(path.read_text(encoding="utf-8"))


def test_blocks_appear_others_wait_and_a_cancelled_run_goes_on(page, address, workspace):
    page.goto(f"{address}?run=run-a")
    classify_slowly(page)
    page.wait_for_function(f"() => ({BLOCKS})() > 0", timeout=PATIENCE)
    worker = Process.find(kept(workspace)["worker"])
    classify(page)
    shown(page, "Waiting, 1 before it")
    page.reload()  # the job goes on, and the page shows it again
    shown(page, COUNTED)
    page.wait_for_function(f"() => ({BLOCKS})() > 0", timeout=PATIENCE)
    button(page, "Cancel").click()  # the newest, which waits
    shown(page, "Cancelled; what was computed is kept.")
    assert worker is not None
    begin = time.monotonic()
    button(page, "Cancel").click()
    while worker.running:
        page.wait_for_timeout(20)
    assert time.monotonic() - begin < 2
    expect(page.get_by_text("Cancelled;")).to_have_count(2, timeout=PATIENCE)
    page.wait_for_function(f"() => ({BLOCKS})() == 0", timeout=PATIENCE)
    button(page, "Dismiss").click()
    expect(page.get_by_text("Cancelled;")).to_have_count(1, timeout=PATIENCE)
    button(page, "Resume").click()
    shown(page, COUNTED)
    expect(page.get_by_text("Done.").first).to_be_visible(timeout=3 * PATIENCE)
    assert "--resume" in kept(workspace)["arguments"]


def test_a_failed_job_says_why_and_shows_its_log(page, address, workspace):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    image = workspace / "scenes" / "sample" / "bands.tif"
    expect(page.get_by_role("button", name="Classify", exact=True)).to_be_enabled(timeout=PATIENCE)
    image.rename(workspace / "bands.tif")
    try:
        classify(page)
        shown(page, re.compile("Failed: the model lakeland takes the 9 bands"))
    finally:
        (workspace / "bands.tif").rename(image)
    button(page, "Log").click()
    shown(page, re.compile(r"logs/.*lakeland.*\.log"))
    page.reload()
    button(page, "Delete").click()
    expect(page.get_by_text("Failed:")).to_have_count(0, timeout=PATIENCE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_a_job_survives_its_server(page, workspace, screenshots, how):
    """An ended server stops the job, which can go on; one that is killed leaves it at work."""
    with served(workspace, screenshots / f"server-{how.name}.log") as url:
        page.goto(f"{url}?run=run-a")
        classify_slowly(page)
        page.goto("about:blank")
        os.kill(kept(workspace)["server"][0], how)
    with served(workspace, screenshots / f"server-after-{how.name}.log") as url:
        page.goto(f"{url}?run=run-a")
        if how is signal.SIGTERM:
            shown(page, "Stopped: the server ended")
            button(page, "Resume").click()
        expect(page.get_by_text("Done.").first).to_be_visible(timeout=3 * PATIENCE)
        assert ("--resume" in kept(workspace)["arguments"]) == (how is signal.SIGTERM)
        button(page, "Open").click()
        shown(page, re.compile(r"Classes of \d+-\d+-sample-lakeland"))
        button(page, "Dismiss").click()


def test_a_click_elsewhere_is_answered_while_a_job_runs(open_page, address):
    """The median of clicks on several things, in a session other than the one with the job."""
    busy, other = open_page(), open_page()
    other.goto(f"{address}?run=run-b")
    wait_for_map(other)
    ways = responsive.clicks(other)
    for there_and_back in ways.values():  # which opens a page the first time
        there_and_back()
    busy.goto(f"{address}?run=run-a")
    classify_slowly(busy)
    under_way = busy.get_by_text(COUNTED)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for name, there_and_back in (*ways.items(), *ways.items()):
        if under_way.count():
            seconds[name] += there_and_back()
    answers = list(itertools.chain(*seconds.values()))
    assert len(answers) >= 2 * len(ways)
    assert statistics.median(answers) < 0.3, seconds
