"""How long a click waits for its answer while a classification runs for somebody else.

    python -m benchmarks.responsive [--rounds 15] [--size 1024]

A served dashboard and two pages of it in a Chromium without a window, on the simulated sample.
In one, an analyst clicks: an entry of the legend, another layer, a tab. The time is taken in
the page itself, from the click to what it asks for on the screen. First nothing else happens;
then the other page has the sample classified, in small blocks so that it takes a while.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
from playwright.sync_api import sync_playwright

from benchmarks.page import layer, served
from benchmarks.timing import machine
from lulc.demo import demo

#: Seconds to wait for anything at all.
PATIENCE = 120

#: Side of the job's blocks in pixels: small, so that a small scene takes its time.
TILE = 32

#: Notes when the page is clicked, and when what is looked for can be seen.
WATCH = """([words, pressed]) => {
  const all = root => [...root.querySelectorAll('*')].flatMap(
    node => node.shadowRoot ? [node, ...all(node.shadowRoot)] : [node])
  const there = () => all(document).some(node =>
    (pressed ? node.getAttribute('aria-pressed') === pressed : node.childElementCount < 3) &&
    node.textContent.includes(words) && node.getBoundingClientRect().height > 0)
  window.answered = null
  document.addEventListener('click', () => {
    const begin = performance.now()
    const look = () => there() ? window.answered = performance.now() - begin : setTimeout(look, 5)
    look()
  }, {once: true, capture: true})
}"""


def answer(page: Any, click: Callable[[], Any], words: str, pressed: str | None = None) -> float:
    """Seconds from a click until the words, or the pressed state, can be seen."""
    page.evaluate(WATCH, [words, pressed])
    click()
    page.wait_for_function("() => window.answered !== null")
    return page.evaluate("window.answered") / 1000


def clicks(page: Any) -> dict[str, Callable[[], list[float]]]:
    """What is clicked: each a function that clicks there and back, and returns both seconds."""

    def legend() -> list[float]:
        row = page.get_by_role("button", name="Water bodies").locator("visible=true").first
        return [answer(page, row.click, "Water bodies", pressed) for pressed in ("false", "true")]

    def layers() -> list[float]:
        return [
            answer(page, layer(page, name), words)
            for name, words in (("Confidence", "largest activation"), ("Classes", "Classes of"))
        ]

    def tab() -> list[float]:
        return [
            answer(page, page.get_by_role("tab", name=name).click, words)
            for name, words in (("Runs", "On disk"), ("Explore", "Advanced"))
        ]

    return {"legend entry": legend, "another layer": layers, "tab": tab}


def measured(page: Any, rounds: int, goes_on: Callable[[], bool]) -> dict[str, list[float]]:
    """Seconds of each click in each round, after one that does not count."""
    ways = clicks(page)
    for there_and_back in ways.values():
        there_and_back()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, there_and_back in ways.items():
            if goes_on():
                seconds[name] += there_and_back()
    return seconds


def start_job(page: Any, url: str) -> None:
    """Have the sample classified, in small blocks; returns when the first ones are done."""
    page.goto(url)
    page.get_by_role("button", name="Advanced").click()
    side = page.get_by_label("Block side (px)")
    side.fill(str(TILE))
    side.press("Enter")
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Classify", exact=True).click()
    page.get_by_text(" blocks, about").first.wait_for()


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Pairs of clicks of each kind.")
@click.option("--size", default=1024, show_default=True, help="Side of the sample in pixels.")
@click.option("--chromium", help="The browser's program; Playwright's own unless given.")
def main(rounds: int, size: int, chromium: str | None) -> None:
    """Time clicks without and with a job."""
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        os.environ["LULC_WORKSPACE"] = temporary
        demo(size=size, style="none", say=lambda _: None)
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        with served(Path(temporary)) as (url, _):
            pages = [browser.new_page(viewport={"width": 1440, "height": 900}) for _ in range(2)]
            for page in pages:
                page.set_default_timeout(1000 * PATIENCE)
            page, busy = pages
            page.goto(url)
            page.get_by_text("share of the map in view").locator("visible=true").first.wait_for()
            alone = measured(page, rounds, lambda: True)
            start_job(busy, url)
            at_work = busy.get_by_role("button", name="Cancel", exact=True)
            beside = measured(page, rounds, lambda: at_work.count() > 0)
        browser.close()
    click.echo(f"{machine()}; {size} x {size} px")
    click.echo(f"{'click on':16}{'alone ms':>18}{'beside a job ms':>20}{'clicks':>9}")
    click.echo(f"{'':16}{'median':>9}{'worst':>9}{'median':>11}{'worst':>9}")
    for name, values in alone.items():
        figures = [1000 * f(v) for v in (values, beside[name]) for f in (median, max)]
        click.echo(
            f"{name:16}{figures[0]:9.0f}{figures[1]:9.0f}{figures[2]:11.0f}{figures[3]:9.0f}"
            f"{len(beside[name]):9}"
        )


if __name__ == "__main__":
    main()
