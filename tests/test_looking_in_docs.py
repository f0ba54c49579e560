"""What docs/looking-in.md says of the pages Activations and Network, and of the link, is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from dashboard.activity.thumbs import histogram
from dashboard.app import IN_ADDRESS
from dashboard.pages import network
from dashboard.state import PLACES
from lulc import features
from lulc.mapfile import ACTIVATION_SCALE

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "looking-in.md").read_text(encoding="utf-8")
SOURCES = "".join(
    (ROOT / "dashboard" / name).read_text(encoding="utf-8")
    for name in ("pages/activations.py", "pages/network.py", "painting/masks.py")
)


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def test_controls_that_are_named_are_on_the_pages():
    named = set(re.findall(r"\*\*(.+?)\*\*", " ".join(PAGE.split())))
    assert len(named) > 8
    assert not {name for name in named if f'"{name}"' not in SOURCES} - set(PLACES)


def test_what_a_link_keeps_is_what_the_address_has():
    assert set(re.findall(r"`(\w+)`", section("The link"))) == set(IN_ADDRESS.values())


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (r"in steps of\s+(\d\.\d+)", ACTIVATION_SCALE),
        (r"in (\d+) bars", inspect.signature(histogram).parameters["bars"].default),
        (r"at most (\d+) × \d+ pixels", features.LARGEST),
        (r"the (\d+) maps", inspect.signature(features.feature_maps).parameters["most"].default),
        (r"about (\d+) × \d+ pixels", network._SPOT),
    ],
)
def test_figures_are_those_of_the_code(said, number):
    found = re.search(said, PAGE)
    assert found and float(found[1]) == number
