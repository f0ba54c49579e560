"""Make the pictures of the README: python scripts/screenshots.py.

Sets up the demonstration's workspace, serves it and photographs it in a headless Chromium, so
that the pictures show what the program shows. Needs Chromium: see scripts/browser.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import browser
import click
from playwright.sync_api import Page, sync_playwright

from lulc import config
from lulc.demo import demo
from lulc.serve import command

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]

RUN, OTHER = "sample-lakeland", "sample-lakeland-balanced"

#: File, address, a sign that the page is there, size, dark or not.
PICTURES = (
    ("map-light", f"?run={RUN}", "share of the map in view", (1440, 900), False),
    ("map-dark", f"?run={RUN}", "share of the map in view", (1440, 900), True),
    ("map-small", f"?run={RUN}", "share of the map in view", (1024, 768), False),
    (
        "activations", f"?page=Activations&run={RUN}&class=13&reference=sample-truth",
        "AP 0.", (1440, 900), False,
    ),
    (
        "network", f"?page=Network&run={RUN}&at=28.175573,60.656387",
        "the largest variance first", (1440, 900), False,
    ),
    ("scores", f"?page=Scores&run={OTHER}", "macro F1", (1440, 900), False),
    ("compare", f"?page=Compare&run={RUN}&with={OTHER}", "maps agree on", (1440, 900), False),
    ("runs", f"?page=Runs&run={RUN}", "On disk", (1440, 900), False),
)  # fmt: skip


def wait_for(url: str) -> None:
    """Wait until the server answers."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=60):
                return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(f"expected the dashboard at {url}; nothing answers")


def photograph(page: Page, address: str, path: Path, sign: str, *, dark: bool) -> None:
    """Open an address, wait for what it shows and take its picture."""
    page.goto(address)
    page.get_by_text(sign).locator("visible=true").first.wait_for()
    if dark:
        page.get_by_role("button", name="Toggle theme").click()
    # Maps are painted after the words; there is no sign on the page that says so.
    page.wait_for_timeout(8000)
    page.screenshot(path=path)


@contextmanager
def sample_workspace() -> Iterator[Path]:
    """A workspace for the time of the pictures, under a name that may be seen in them."""
    folder = Path(tempfile.gettempdir()) / "lulc"
    folder.mkdir()
    try:
        yield folder / "workspace"
    finally:
        shutil.rmtree(folder)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=config.ASSETS / "screenshots")
@click.option("--port", default=5017, show_default=True)
def main(out: Path, port: int) -> None:
    """Make the pictures."""
    found = browser.find()
    if found is None:
        raise SystemExit("expected Chromium; none found: see scripts/browser.py")
    out.mkdir(parents=True, exist_ok=True)
    with sample_workspace() as workspace, sync_playwright() as playwright:
        os.environ["LULC_WORKSPACE"] = str(workspace)
        demo(style="none")
        url = f"http://127.0.0.1:{port}/dashboard"
        server = subprocess.Popen(command(port=port), stdout=sys.stderr)
        try:
            wait_for(url)
            chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
            for name, query, sign, (width, height), dark in PICTURES:
                page = chromium.new_page(viewport={"width": width, "height": height})
                page.set_default_timeout(120_000)
                photograph(page, url + query, out / f"{name}.png", sign, dark=dark)
                page.close()
                click.echo(out / f"{name}.png")
            chromium.close()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
