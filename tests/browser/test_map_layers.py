"""The column beside the map in a browser: layers, colours, legend, pointer, basemap."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browsing import MAP, MARKS, choose, served, shown, the_map, wait_for_map
from playwright.sync_api import Page, expect

pytestmark = MARKS

#: A tile of one colour.
TILE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415478da63d8b06103000384018184bb55a60000000049454e44ae426082"
)


def row(page: Page, name: str):
    """The line of the legend with that name."""
    found = page.get_by_role("button", name=re.compile(f"^{name}")).locator("visible=true")
    return found.first


#: How many pixels of the layer on the screen are painted.
SEEN = """() => {
  const on_screen = figure => { try { return figure.inner_width > 20 } catch { return false } }
  for (const model of Bokeh.documents[0]._all_models.values()) {
    if (model.type != 'Figure' || !on_screen(model)) continue
    const images = model.renderers.filter(r => r.glyph?.type == 'ImageRGBA')
    if (images.length > 1)
      return images[1].data_source.data.image[0].reduce((n, v) => n + (v >>> 24 > 0), 0)
  }
}"""


def seen(page: Page) -> int:
    """How many pixels of the layer are painted."""
    return page.evaluate(SEEN)


def wait_for(page: Page, what: str) -> None:
    page.wait_for_function(what)


def settled(page: Page) -> dict:
    """The map once nothing more is painted."""
    before, found = None, wait_for_map(page)
    while found != before:
        page.wait_for_timeout(1500)
        before, found = found, the_map(page)
    return found


def test_classes_are_hidden_isolated_and_shown_again(page, address):
    page.goto(f"{address}?run=run-a")
    first = settled(page)
    whole = seen(page)
    row(page, "Pine-dominated").click()
    expect(row(page, "Pine-dominated")).to_have_attribute("aria-pressed", "false")
    wait_for(page, f"() => 0 < ({SEEN})() && ({SEEN})() < {whole} * 0.8")
    assert the_map(page)["range"] == pytest.approx(first["range"])
    row(page, "Fields").dblclick()
    expect(row(page, "Mixed forest")).to_have_attribute("aria-pressed", "false")
    expect(row(page, "Fields")).to_have_attribute("aria-pressed", "true")
    wait_for(page, f"() => 0 < ({SEEN})() && ({SEEN})() < {whole} * 0.3")
    row(page, "Fields").dblclick()
    expect(row(page, "Mixed forest")).to_have_attribute("aria-pressed", "true")
    wait_for(page, f"() => ({SEEN})() == {whole}")
    row(page, "Fields").focus()
    page.keyboard.press("Enter")
    expect(row(page, "Fields")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Show all").locator("visible=true").click()
    expect(row(page, "Fields")).to_have_attribute("aria-pressed", "true")


def test_the_legend_is_sorted_and_recoloured(page, address):
    page.goto(f"{address}?run=run-a")
    first = wait_for_map(page)
    choose(page, "Sorted by", "area")
    rows = page.get_by_role("list", name="Legend").locator("visible=true").get_by_role("listitem")
    expect(rows.first).not_to_contain_text("Built-up areas, sparse")
    texts = rows.all_inner_texts()
    numbers = [float(m[1]) for text in texts if (m := re.search(r"([\d.]+) %", text))]
    assert numbers == sorted(numbers, reverse=True) and len(texts) == 13
    choose(page, "Colours", "Colour-blind safe")
    safe = wait_for_map(page, differs_from=first)
    choose(page, "Colours", "CORINE")
    shown(page, "no code of level 3")
    wait_for_map(page, differs_from=safe)


def test_layers_explain_themselves(page, address):
    page.goto(f"{address}?run=run-a")
    before = wait_for_map(page)
    for layer, said in (
        ("Confidence", "largest activation"),
        ("Entropy", "share of the largest entropy"),
        ("Margin", "0 is undecided"),
        ("Agreement", "They agree"),
    ):
        choose(page, "Layer above", layer)
        shown(page, said)
        after = wait_for_map(page, differs_from=before)
        assert after["range"] == pytest.approx(before["range"])
        before = after


def test_an_own_triple_is_folded_away_until_chosen(page, address):
    page.goto(f"{address}?run=run-a")
    first = wait_for_map(page)
    red = page.get_by_role("combobox", name="Red", exact=True).locator("visible=true")
    expect(red).to_have_count(0)
    choose(page, "Image below", "Own triple")
    expect(red).to_have_count(1)
    choose(page, "Red", "B12")
    before = first["images"][0]["sum"]
    wait_for(page, f"() => ({MAP})()?.images[0].sum != {before}")
    slider = page.get_by_role("slider", name="Opacity of the image")
    slider.focus()
    slider.press("ArrowLeft")
    wait_for(page, f"() => ({MAP})().images[0].alpha < 0.99")


def test_the_pointer_reads_class_runner_up_reference_and_place(page, address):
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    page.mouse.move(700, 420)
    page.mouse.move(704, 424, steps=3)
    for what in ("Second", "Reference", "EPSG:3067", "° N"):
        shown(page, what)
    # Read where the pointer rests, and said without its being moved again.
    shown(page, re.compile(r" (90|40) %$"))
    box = page.get_by_text("EPSG:3067").locator("visible=true").first.inner_text()
    east, north = (int(m) for m in re.findall(r"(\d+) m", box))
    found = the_map(page)["range"]
    assert 500_000 < east < 700_000 and 6_600_000 < north < 6_900_000 and len(found) == 3


@pytest.fixture(scope="module")
def with_tiles(workspace, screenshots) -> Iterator[str]:
    """The dashboard with a basemap of its own."""
    tiles = "http://127.0.0.1:9/tiles/{Z}/{X}/{Y}.png"
    log = screenshots / "server-basemap.log"
    with served(workspace, log, LULC_BASEMAP=tiles, LULC_BASEMAP_ATTRIBUTION="Agency") as url:
        yield url


def test_the_basemap_appears_once_it_answers(page, with_tiles):
    page.route("**/tiles/**", lambda route: route.fulfill(body=TILE, content_type="image/png"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/tiles/" in request.url else 0)
    page.goto(f"{with_tiles}?run=run-a")
    wait_for_map(page)
    assert asked == []
    page.get_by_role("switch", name="Basemap (online)").click()
    shown(page, "Agency")
    assert asked


def test_a_basemap_that_does_not_answer_is_said_and_in_nobodys_way(page, with_tiles):
    page.route("**/tiles/**", lambda route: route.fulfill(body="no", content_type="text/plain"))
    page.goto(f"{with_tiles}?run=run-a")
    first = wait_for_map(page)
    page.get_by_role("switch", name="Basemap (online)").click()
    shown(page, "No basemap: 127.0.0.1:9 does not answer")
    choose(page, "Layer above", "Confidence")
    wait_for_map(page, differs_from=first)
