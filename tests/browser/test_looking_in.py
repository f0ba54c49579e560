"""Activations, the network, the address, the keys and accessibility, in a real browser."""

from __future__ import annotations

import json
import re

import pytest
import workspaces
from browsing import MARKS, PATIENCE, choose, expect, go, shown, the_map, wait_for_map

pytestmark = MARKS

#: Every page, and what is there once it has come to rest.
PAGES = {
    "Explore": "share of the map in view",
    "Activations": re.compile(r"AP 0\.\d"),
    "Network": "the largest variance first",
    "Scores": "macro F1",
    "Compare": "The two maps agree on",
    "Runs": "On disk",
}


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """One run claims to be of a bundled model, whose network can be looked into."""
    made = workspaces.make(tmp_path_factory.mktemp("looking"))
    path = made / "runs" / "run-a" / "run.json"
    item = json.loads(path.read_text(encoding="utf-8"))
    item["properties"]["mlm:name"] = "lakeland"
    path.write_text(json.dumps(item), encoding="utf-8")
    return made


def picked(page):
    return page.locator("button[aria-pressed=true]:visible")


def at_rest(page) -> list[float]:
    """What the map shows, once neither it nor the address has changed for a while."""
    wait_for_map(page)
    expect(page).to_have_url(re.compile(r"view=\d"))
    last = None
    for _ in range(PATIENCE // 1500):
        now = (the_map(page)["range"], page.url)
        if now == last:
            return now[0]
        last = now
        page.wait_for_timeout(1500)
    raise AssertionError("the map does not come to rest")


def test_a_class_is_masked_with_its_area_precision_and_recall(page, address):
    page.goto(f"{address}?page=Activations&run=run-a&class=13&reference=sample-truth")
    shown(page, re.compile(r"AP 0\.\d"))
    expect(picked(page)).to_contain_text("Water bodies")
    shown(page, re.compile(r"[\d,]+ ha with at least 0.50 of Water bodies; precision \d"))
    shown(page, re.compile(r"Precision and recall are over the [\d,]+ scored pixels"))
    mask = wait_for_map(page)
    slider = page.get_by_role("slider", name="Least activation")
    slider.focus()
    for _ in range(8):
        slider.press("PageUp")
    shown(page, re.compile(r"^[\d,]+ ha with at least (0\.9|1)"))
    wait_for_map(page, differs_from=mask)
    page.locator("button.card:visible", has_text="Fields").click()
    shown(page, re.compile("of Fields; precision"))
    choose(page, "Shown", "Three classes")
    choose(page, "Red", "Water bodies")
    expect(page).to_have_url(re.compile("rgb=13,"))
    choose(page, "Order", "as in the legend")
    expect(page.locator("button.card:visible").first).to_contain_text("Built-up areas, sparse")


def test_a_layer_and_the_bands_behind_a_class_are_shown(page, address):
    page.goto(f"{address}?page=Network&run=run-a")
    shown(page, "Click the map")
    shown(page, "12 of the 12 maps of decoder_stage2_relu2")
    expect(page.locator("figure.card:visible")).to_have_count(12)
    choose(page, "Layer of the network", "encoder_stage2_relu1")
    shown(page, "12 of the 32 maps of encoder_stage2_relu1")
    page.mouse.click(400, 450)
    shown(page, re.compile("Mean activation of .* in the dashed window"))
    shown(page, "B08")
    choose(page, "Class", "Water bodies")
    shown(page, "Mean activation of Water bodies")
    page.get_by_role("button", name="Help: Bands that drive a class").click()
    shown(page, "hide each other")
    page.keyboard.press("Escape")
    expect(page.get_by_text("hide each other")).to_be_hidden()


def test_a_run_of_an_unknown_model_says_so(page, address):
    page.goto(f"{address}?page=Network&run=run-b")
    shown(page, "The model noise 0.3 of this run is not in the workspace")


def test_the_link_restores_the_page_with_its_extent(page, address):
    page.goto(f"{address}?run=run-b")
    before = at_rest(page)
    kept = {part.partition("=")[0] for part in page.url.partition("?")[2].split("&")}
    assert kept == {"scene", "run", "reference", "view"}  # nobody has chosen more
    page.mouse.move(640, 450)
    page.mouse.wheel(0, -300)
    page.wait_for_function("old => !location.search.includes(old)", arg=_view(page))
    moved = at_rest(page)
    assert moved != pytest.approx(before)
    choose(page, "Layer above", "Activation")
    expect(page).to_have_url(re.compile("layer=Activation"))
    page.reload()
    shown(page, "Activation of")
    assert at_rest(page) == pytest.approx(moved, abs=1)
    go(page, "Activations")
    shown(page, re.compile(r"AP 0\.\d"))
    assert at_rest(page)[0] < moved[1]  # the other map shows the same place


def _view(page) -> str:
    return re.search(r"view=([^&]*)", page.url)[1]


def test_back_takes_back_the_layer_the_run_and_the_page(page, address):
    page.goto(f"{address}?run=run-a")
    at_rest(page)
    choose(page, "Layer above", "Activation")
    expect(page).to_have_url(re.compile("layer=Activation"))
    go(page, "Scores")
    expect(page).to_have_url(re.compile("page=Scores"))
    shown(page, "macro F1")
    page.go_back()
    shown(page, "Activation of")
    expect(page).to_have_url(re.compile("^(?!.*page=).*layer=Activation"))
    page.go_back()
    shown(page, "Classes of run-a")
    expect(page).to_have_url(re.compile("^(?!.*layer=)"))
    page.go_forward()
    shown(page, "Activation of")


def test_keys_step_through_the_classes_and_lift_the_layer(page, address):
    page.goto(f"{address}?run=run-a&class=12&layer=Activation")
    shown(page, "Activation of Water vegetation")
    first = wait_for_map(page)
    page.keyboard.press("ArrowRight")
    shown(page, "Activation of Water bodies")
    wait_for_map(page, differs_from=first)
    page.keyboard.press("ArrowRight")
    shown(page, "Activation of Built-up areas, sparse")
    page.keyboard.press("Space")
    shown(page, "No layer over the image")
    page.keyboard.press("Space")
    shown(page, "Activation of Built-up areas, sparse")
    page.keyboard.press("?")
    shown(page, "the class before or after")
    page.keyboard.press("Escape")
    expect(page.get_by_text("the class before or after")).to_be_hidden()


def test_keys_stay_with_the_field_that_is_typed_in(page, address):
    page.goto(f"{address}?run=run-a&class=12&layer=Activation")
    shown(page, "Activation of Water vegetation")
    choose(page, "Region", "Coordinates")
    page.get_by_label("West south east north").fill("28 60")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("?")
    page.keyboard.press("Space")
    page.wait_for_timeout(800)
    assert "class=12" in page.url
    expect(page.get_by_text("the class before or after")).to_be_hidden()
    shown(page, "Activation of Water vegetation")


@pytest.mark.parametrize("place", PAGES)
def test_nothing_serious_stands_in_the_way_of_anyone(open_page, address, place):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    page = open_page(width=1152, height=720)  # a laptop's screen at 125 %
    page.goto(f"{address}?page={place}&run=run-a&with=run-b&at=28.2,60.65")
    shown(page, PAGES[place])
    for theme in ("light", "dark"):
        for _ in range(20):  # colours change little by little
            serious = findings(axe, page)
            if not serious:
                break
            page.wait_for_timeout(1000)
        assert serious == {}, theme
        page.get_by_role("button", name="Toggle theme").click()
        page.wait_for_timeout(500)


def findings(axe, page) -> dict[str, list[str]]:
    """Rules that axe finds broken, serious or worse, and the elements that break them."""
    report = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response
    return {
        found["id"]: [node["html"][:200] for node in found["nodes"]]
        for found in report["violations"]
        if found["impact"] in ("serious", "critical")
    }
