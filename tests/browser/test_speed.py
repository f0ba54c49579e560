"""How soon a gesture in the page shows on a large map."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import MARKS

from benchmarks import page as gestures

pytestmark = MARKS


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A made-up run of 12 megapixels."""
    folder = tmp_path_factory.mktemp("large")
    gestures.prepare(folder, 3000, 4000)
    return folder


def best(limit: int, once: Callable[[], tuple[float, bool]]) -> tuple[float, bool]:
    """The quickest of at most four: a busy machine is slow now and then, the page is not."""
    found = once()
    for _ in range(3):
        if found[0] < limit:
            return found
        found = min(found, once())
    if found[0] >= limit and os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("the machine is busy with something else: what is felt cannot be measured")
    return found


def test_another_layer_is_there_within_400_ms_and_the_map_stays(page, address):
    page.goto(address)
    gestures.ready(page)

    def switched(name: str) -> tuple[float, bool]:
        gestures.felt(page, "click", gestures.layer(page, "Entropy"), 1)
        return gestures.felt(page, "click", gestures.layer(page, name), 1)

    for name in gestures.LAYERS:
        spent, stayed = best(400, lambda name=name: switched(name))
        assert stayed, name
        assert spent < 400, name


def test_a_zoom_and_a_pan_are_painted_within_a_second(page, address):
    page.goto(address)
    gestures.ready(page)
    for kind, gesture in (("wheel", gestures.wheel), ("pointerup", gestures.drag)):
        for image in (0, 1):
            spent, stayed = best(
                1000,
                lambda kind=kind, gesture=gesture, image=image: gestures.felt(
                    page, kind, lambda: gesture(page), image
                ),
            )
            assert not stayed
            assert spent < 1000
