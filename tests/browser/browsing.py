"""What the browser tests share: a server, watched pages, and hands and eyes on the page."""

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
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright", reason="needs playwright: pip install 'lulc[test]'")
from playwright.sync_api import Browser, Page, expect, sync_playwright

__all__ = ["Browser", "Page", "expect", "sync_playwright"]

ROOT = Path(__file__).resolve().parent.parent.parent

#: For every file of browser tests: `pytestmark = MARKS`.
MARKS = [
    pytest.mark.browser,
    # A busy machine now and then loses a gesture; what is really broken fails three times.
    pytest.mark.flaky(reruns=2),
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
expect.set_options(timeout=PATIENCE)

#: Chromium's remarks on drawing without a graphics card.
NOT_OURS = re.compile(r"GPU stall|GL Driver Message|WebGL|Automatic fallback to software")


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


@contextmanager
def served(workspace: Path, log: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address at which `panel serve dashboard` serves a workspace; it writes to `log`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", "dashboard"]
    command += ["--address", "127.0.0.1", "--port", str(port), *options]
    url = f"http://127.0.0.1:{port}/dashboard"
    environment = os.environ | {"LULC_WORKSPACE": str(workspace)} | environment
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        try:
            _wait_for(url, server, log)
            yield url
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert server.poll() is None, f"the server has ended; see {log}"
        try:
            with urllib.request.urlopen(url, timeout=60):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the server does not answer; see {log}")


@contextmanager
def watched(
    browser: Browser, picture: Path, *, width: int = 1440, height: int = 900, dark: bool = False
) -> Iterator[Page]:
    """A page that may ask this machine only, and must not complain; its picture in the end."""
    scheme = "dark" if dark else "light"
    opened = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
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
    try:
        yield opened
    finally:
        opened.screenshot(path=picture)
        opened.close()
    assert abroad == []
    assert complaints == [], complaints


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
    expect(page.get_by_text(what).locator("visible=true").first).to_be_visible()


#: The first map of the page: its images with their sizes and opacities, and its range.
MAP = """() => {
  const on_screen = figure => { try { return figure.inner_width > 20 } catch { return false } }
  if (!window.Bokeh?.documents?.length) return null
  for (const model of Bokeh.documents[0]._all_models.values()) {
    if (model.type != 'Figure' || !on_screen(model)) continue
    const images = model.renderers.filter(r => r.glyph?.type == 'ImageRGBA').map(r => ({
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
        if found and found["images"][1]["pixels"] > 100_000:
            before = differs_from["images"][1]["sum"] if differs_from else None
            if found["images"][1]["sum"] != before:
                return found
        page.wait_for_timeout(200)
    raise AssertionError("the map does not change")
