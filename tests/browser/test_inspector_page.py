"""Clicking the map in a browser: pixels are pinned, compared and cleared."""

from __future__ import annotations

import re

from browsing import MARKS, choose, expect, go, shown, wait_for_map

pytestmark = MARKS


#: How many spectra are drawn, and the letters on the map.
DRAWN = """() => {
  let found = {lines: 0, bars: 0, letters: ''}
  for (const model of Bokeh.documents[0]._all_models.values()) {
    if (model.type != 'GlyphRenderer') continue
    const [glyph, data] = [model.glyph.type, model.data_source.data]
    if (glyph == 'MultiLine' && model.glyph.ys.field == 'ys') found.lines += data.ys.length
    if (glyph == 'HBar' && data.pin) found.bars += data.y.length
    if (glyph == 'Text' && data.letter) found.letters += Array.from(data.letter).join('')
  }
  return found
}"""


def test_pixels_are_pinned_compared_and_cleared(page, address):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    go(page, "Pixel")
    shown(page, "Click the map to look into a pixel")
    page.wait_for_timeout(1000)
    page.mouse.click(640, 420)
    shown(page, "Nearest classes")
    page.wait_for_function(
        f"() => {{ const d = ({DRAWN})(); return d.bars == 13 && d.letters == 'A' }}",
    )
    page.mouse.click(720, 520)
    page.wait_for_function(
        f"() => {{ const d = ({DRAWN})(); return d.bars == 26 && d.letters == 'AB' }}",
    )
    assert page.evaluate(DRAWN)["lines"] == 2
    shown(page, "standard deviations within the classes")
    page.get_by_role("button", name="Clear", exact=True).click()
    shown(page, "Click the map to look into a pixel")
    page.wait_for_function(f"() => ({DRAWN})().letters == ''")


def test_a_link_restores_the_pins_and_back_takes_one_back(page, address):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    page.wait_for_timeout(1000)
    for number, place in enumerate(((640, 420), (720, 520)), 1):
        page.mouse.click(*place)
        pinned = r"pins=[\d.]+,[\d.]+" + r";[\d.]+,[\d.]+" * (number - 1)
        expect(page).to_have_url(re.compile(rf"{pinned}(&|$)"))
    page.reload()
    expect(page.get_by_role("tab", name="Pixel")).to_have_attribute("aria-selected", "true")
    page.wait_for_function(
        f"() => {{ const d = ({DRAWN})(); return d.bars == 26 && d.letters == 'AB' }}",
    )
    page.go_back()
    page.wait_for_function(
        f"() => {{ const d = ({DRAWN})(); return d.bars == 13 && d.letters == 'A' }}",
    )
    page.go_back()
    page.wait_for_function(f"() => ({DRAWN})().letters == ''")
    page.go_forward()
    page.wait_for_function(f"() => ({DRAWN})().letters == 'A'")


def test_a_click_on_the_map_opens_the_inspector(page, address):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    page.wait_for_timeout(1000)
    page.mouse.click(700, 400)
    expect(page.get_by_role("tab", name="Pixel")).to_have_attribute("aria-selected", "true")
    shown(page, "Spectrum")


def test_the_pixels_in_view_are_plotted_by_two_bands(page, address):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    go(page, "Bands")
    shown(page, "pixels of the screen")
    choose(page, "Across", "NDVI")
    page.wait_for_function(
        """() => [...Bokeh.documents[0]._all_models.values()].some(
             m => m.type == 'LinearAxis' && m.axis_label == 'NDVI (index, as stored)')""",
    )
