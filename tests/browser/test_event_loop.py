"""Nothing blocks the event loop: no callback of the server takes over 200 ms on the sample.

A callback that takes too long does so each time; one that did once met something else (a page of
another test, the garbage collector), so a visit of the page is made again before it counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from browsing import MARKS, Page, choose, go, served, shown, wait_for_map

pytestmark = MARKS

WATCH = Path(__file__).with_name("loop_watch.py")

#: How often a visit is made before what was slow in each counts.
VISITS = 3


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> Path:
    """The file with a line for every callback that took too long."""
    return tmp_path_factory.mktemp("loop") / "slow.jsonl"


@pytest.fixture(scope="module")
def address(workspace, screenshots, slow) -> Iterator[str]:
    """A server whose event loop is watched."""
    log = screenshots / "server-watched.log"
    options = ("--setup", str(WATCH))
    with served(workspace, log, *options, LULC_TEST_SLOW_CALLBACKS=str(slow)) as url:
        yield url


def look_at_the_map(page: Page) -> None:
    before = wait_for_map(page)
    for layer in ("Confidence", "Entropy", "Activation", "Reference", "Disagreement"):
        choose(page, "Layer above", layer)
        before = wait_for_map(page, differs_from=before)
    page.mouse.move(700, 420)
    page.mouse.wheel(0, -300)
    wait_for_map(page, differs_from=before)
    page.wait_for_timeout(1000)  # until the list of layers is closed
    page.mouse.click(700, 420)
    shown(page, "Nearest classes")
    page.get_by_role("tab", name="Bands").click()


def open_another_page(place: str, words: str, page: Page) -> None:
    wait_for_map(page)
    go(page, place)
    shown(page, words)


def look_where_the_map_is_right(page: Page) -> None:
    open_another_page("Scores", "What lies behind the scores", page)
    page.get_by_role("button", name="Where the map is right").click()
    shown(page, "those that the intervals are drawn from")


def change_the_theme(page: Page) -> None:
    wait_for_map(page)
    page.get_by_role("button", name="theme").click()


def start_a_job_and_stop_it(page: Page) -> None:
    wait_for_map(page)
    page.get_by_role("button", name="Classify", exact=True).click()
    page.get_by_role("button", name="Cancel").first.click()
    shown(page, "Cancelled")
    page.get_by_role("button", name="Log").first.click()
    shown(page, ".log")


@pytest.mark.parametrize(
    "visit",
    [
        pytest.param(look_at_the_map, id="map"),
        *(
            pytest.param(partial(open_another_page, place, words), id=place)
            for place, words in (
                ("Activations", "average precision"),
                ("Network", "Feature maps"),
                ("Compare", "The two maps agree on"),
                ("Runs", "On disk"),
            )
        ),
        pytest.param(look_where_the_map_is_right, id="Scores"),
        pytest.param(change_the_theme, id="theme"),
        pytest.param(start_a_job_and_stop_it, id="job"),
    ],
)
def test_no_callback_takes_long(page, address, slow, visit: Callable[[Page], None]):
    found: list[str] = []
    for _ in range(VISITS):
        slow.write_text("", encoding="utf-8")
        page.goto(f"{address}?run=run-a")
        visit(page)
        page.wait_for_timeout(1500)
        found = slow.read_text(encoding="utf-8").splitlines()
        if not found:
            return
    pytest.fail("\n".join(str(json.loads(line)) for line in found))
