"""The dashboard in a real browser, served as people serve it; no request leaves the machine.

Skipped with the reason where there is no Chromium. Pictures are kept in artefacts/.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import workspaces

pytest.importorskip("playwright", reason="needs playwright: pip install 'lulc[test]'")
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = ROOT / "artefacts"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # Playwright leaves its own pipes and loop to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Milliseconds to wait for what a slow machine takes its time for.
PATIENCE = 60_000

#: Chromium's remarks on drawing without a graphics card; and Bokeh's when a chart gets another
#: number of rows, between whose columns it paints once: a moment later the chart is right.
NOT_OURS = re.compile(
    r"GPU stall|GL Driver Message|WebGL|Automatic fallback to software"
    r"|^Size mismatch$|^Offset is outside the bounds of the DataView$"
)


def chromium() -> str | None:
    """The path of a Chromium: $CHROMIUM, one on PATH, or Playwright's own."""
    given = os.environ.get("CHROMIUM")
    if given:
        return shutil.which(given)
    specification = importlib.util.spec_from_file_location("browser", ROOT / "scripts/browser.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.find()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: put it on PATH, set CHROMIUM, or run scripts/browser.py")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Path:
    return workspaces.make(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def address(workspace) -> Iterator[str]:
    """Where `panel serve dashboard` serves the workspace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ARTEFACTS.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "panel", "serve", "dashboard"]
    command += ["--address", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/dashboard"
    environment = os.environ | {"LULC_WORKSPACE": str(workspace)}
    with (ARTEFACTS / f"server-{os.getpid()}.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert server.poll() is None, "the server has ended; see artefacts/"
        try:
            with urllib.request.urlopen(url, timeout=60):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail("the server does not answer; see artefacts/")


@pytest.fixture
def page(browser, request) -> Iterator[Page]:
    """A page that may ask this machine only, and must not complain."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(PATIENCE)
    abroad: list[str] = []
    complaints: list[str] = []

    def only_here(route) -> None:
        url = route.request.url
        if urlsplit(url).scheme in ("data", "blob") or urlsplit(url).hostname == "127.0.0.1":
            route.continue_()
        else:
            abroad.append(url)
            route.abort()

    def heard(text: str) -> None:
        if not NOT_OURS.search(text):
            complaints.append(text)

    opened.route("**/*", only_here)
    opened.on("console", lambda said: heard(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: heard(str(error)))
    yield opened
    opened.screenshot(path=ARTEFACTS / f"{request.node.name}.png")
    opened.close()
    assert abroad == []
    assert complaints == []


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a select that is on the screen."""
    page.get_by_role("combobox", name=label, exact=True).locator("visible=true").click()
    page.get_by_role("menuitem", name=option).first.click()


def go(page: Page, place: str) -> None:
    page.get_by_role("tab", name=place).click()


def legend(page: Page) -> str:
    return page.get_by_role("list", name="Legend").locator("visible=true").inner_text()


def shown(page: Page, what: str | re.Pattern[str]) -> None:
    """Wait until some words are on the screen."""
    expect(page.get_by_text(what).locator("visible=true").first).to_be_visible(timeout=PATIENCE)


#: The first map of the page: its images with their sizes and opacities, and its range.
MAP = """() => {
  const on_screen = figure => { try { return figure.inner_width > 20 } catch { return false } }
  if (!window.Bokeh?.documents?.length) return null
  for (const model of Bokeh.documents[0]._all_models.values()) {
    if (model.type != 'Figure' || !on_screen(model)) continue
    const images = model.renderers.filter(r => r.glyph.type == 'ImageRGBA').map(r => ({
      pixels: r.data_source.data.image[0].length,
      sum: r.data_source.data.image[0].reduce((a, b) => (a + b) % 1000003, 0),
      alpha: r.glyph.global_alpha.value ?? r.glyph.global_alpha,
    }))
    if (images.length)
      return {images, range: [model.x_range.start, model.x_range.end, model.y_range.start]}
  }
  return null
}"""


def the_map(page: Page) -> dict:
    return page.evaluate(MAP)


def wait_for_map(page: Page, differs_from: dict | None = None) -> dict:
    """Wait until the map shows something, or another layer than it did."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        found = the_map(page)
        if found and found["images"][1]["pixels"] > 100:
            before = differs_from["images"][1]["sum"] if differs_from else None
            if found["images"][1]["sum"] != before:
                return found
        page.wait_for_timeout(200)
    raise AssertionError("the map does not change")


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
    page.wait_for_function(f"() => ({MAP})().images[1].alpha < 0.65", timeout=PATIENCE)
    expect(page).to_have_url(re.compile("layer=Reference"), timeout=PATIENCE)


def test_a_drawn_box_is_classified_and_scored(page, address, workspace):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    choose(page, "Region", "Drawn")
    shown(page, "drag from corner to corner")
    page.wait_for_function(
        """() => [...Bokeh.documents[0]._all_models.values()].some(
             m => m.type == 'BoxSelectTool' && m.active)""",
        timeout=PATIENCE,
    )
    page.mouse.move(640, 380)
    page.mouse.down()
    page.mouse.move(700, 440, steps=4)
    page.mouse.move(820, 560, steps=4)
    page.mouse.up()
    use = page.get_by_role("button", name="Use this region")
    expect(use).to_be_enabled(timeout=PATIENCE)
    use.click()
    expect(use).to_be_disabled(timeout=PATIENCE)
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
        timeout=PATIENCE,
    )


def test_scores_at_another_level_are_asked_for_and_made(page, address):
    page.goto(f"{address}?page=Scores&run=run-b")
    shown(page, "macro F1")
    choose(page, "Level", "level 1")
    shown(page, "No scores at this level yet")
    choose(page, "Reference", "sample-corine")
    page.get_by_role("button", name="Score").click()
    shown(page, "(clc-fi)")
    choose(page, "Order", "by F1")
    choose(page, "Cells", "pixels")


def test_deleting_a_run_asks_first(page, address, workspace):
    workspaces.add_run(workspace, "run-c", 0.5)
    page.goto(f"{address}?page=Runs&run=run-c")
    shown(page, "run-c")
    shown(page, "On disk")
    page.get_by_role("button", name="Delete …").first.click()
    shown(page, "cannot be undone")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("cannot be undone")).to_be_hidden(timeout=PATIENCE)
    assert (workspace / "runs" / "run-c").is_dir()
    page.get_by_role("button", name="Delete …").first.click()
    shown(page, "cannot be undone")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("cell", name="run-c")).to_have_count(0, timeout=PATIENCE)
    assert not (workspace / "runs" / "run-c").exists()
