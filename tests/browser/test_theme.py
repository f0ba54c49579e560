"""Light and dark: as the system is set, until someone chooses; maps and charts go along."""

from __future__ import annotations

import io

import numpy as np
from browsing import MARKS, PATIENCE, go, shown
from PIL import Image

pytestmark = MARKS

#: What is around the maps and charts on the screen, as #rrggbb or #rgb.
BORDERS = """() => {
  const on_screen = figure => { try { return figure.inner_width > 20 } catch { return false } }
  return [...Bokeh.documents[0]._all_models.values()]
    .filter(model => model.type == 'Figure' && on_screen(model))
    .map(figure => figure.border_fill_color)
}"""


def brightness(page) -> float:
    """Of the page's median pixel, 0 to 255."""
    return float(np.median(np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"))))


def wait_for(page, dark: bool) -> None:
    """Wait until the page, and what Bokeh draws on it, have one theme."""
    found = None
    for _ in range(PATIENCE // 500):
        borders = page.evaluate(BORDERS)
        found = {int(color[1:3], 16) < 128 for color in borders}, brightness(page) < 128
        if found == ({dark}, dark):
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"expected {dark}, got {found}")


def toggle(page) -> None:
    page.get_by_role("button", name="Toggle theme").click()


def test_the_systems_setting_is_followed_until_one_is_chosen(open_page, address):
    page = open_page(dark=True)
    page.goto(f"{address}?page=Scores&run=run-a&with=run-b")
    shown(page, "rows are the reference")
    wait_for(page, dark=True)
    page.emulate_media(color_scheme="light")
    wait_for(page, dark=False)
    page.emulate_media(color_scheme="dark")
    wait_for(page, dark=True)
    toggle(page)
    wait_for(page, dark=False)
    page.reload()
    shown(page, "rows are the reference")
    wait_for(page, dark=False)
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1000)
    wait_for(page, dark=False)
    assert "theme" not in page.url
    another = open_page(dark=True)  # of someone else, who was sent the link
    another.goto(page.url)
    shown(another, "rows are the reference")
    wait_for(another, dark=True)
    go(another, "Compare")  # what is opened later is dark too
    shown(another, "The two maps agree")
    wait_for(another, dark=True)
