"""Choosing a region: on the map, in lists, by numbers, from a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import rasterio
import shapely
from browsing import MARKS, choose, expect, shown, wait_for_map

from lulc.region import Region
from lulc.sample import write

pytestmark = MARKS

#: Whether a gesture of the map is the one that the pointer makes now.
ACTIVE = """type => [...Bokeh.documents[0]._all_models.values()].some(
    model => model.type == type && model.active)"""


def size(page) -> str:
    """What the form says about the region's size."""
    return page.get_by_text("km²").locator("visible=true").first.inner_text()


def wait_for(page, gesture: str) -> None:
    page.wait_for_function(ACTIVE, arg=gesture)
    page.wait_for_timeout(500)  # the page hears of it before it acts on it


def forget(workspace: Path, region: str) -> None:
    """Take a region away that an earlier try of the test has kept."""
    (workspace / "regions" / f"{region}.geojson").unlink(missing_ok=True)


def drag(page, *places: tuple[int, int]) -> None:
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def test_a_box_is_drawn_turned_into_a_polygon_edited_and_cleared(page, address, workspace):
    forget(workspace, "four-corners")
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    choose(page, "Region", "Box on the map")
    shown(page, "from corner to corner")
    wait_for(page, "BoxSelectTool")
    drag(page, (640, 380), (700, 440), (820, 560))
    shown(page, "on the disk")
    box = size(page)
    choose(page, "Region", "Polygon on the map")
    shown(page, "corner after corner")
    wait_for(page, "PointDrawTool")
    drag(page, (820, 560), (850, 590), (900, 640))
    expect(page.get_by_text(box)).to_have_count(0)
    shown(page, "km²")
    drag(page, (900, 640), (700, 500), (560, 450))
    shown(page, "does not cross itself")
    page.get_by_role("button", name="Clear").click()
    shown(page, "Click three corners or more")
    for place in ((600, 350), (800, 350), (700, 550)):
        page.mouse.click(*place)
        page.wait_for_timeout(400)  # two clicks at once are a double click
    shown(page, "km²")
    triangle = size(page)
    page.mouse.click(700, 350)  # in the middle of the first edge
    page.wait_for_timeout(700)
    drag(page, (700, 350), (700, 330), (700, 300))
    expect(page.get_by_text(triangle)).to_have_count(0)
    shown(page, "km²")
    page.get_by_role("textbox", name="Keep it as").fill("four corners")
    page.get_by_role("button", name="Keep", exact=True).click()
    shown(page, "four-corners")
    mode = page.get_by_role("combobox", name="Region", exact=True)
    expect(mode).to_have_text(re.compile(r"^Named"))
    kept = Region.read(workspace / "regions" / "four-corners.geojson")
    assert len(shapely.get_coordinates(kept.outline)) == 5
    assert kept.outline.is_valid and kept.outline.area > 0


def test_coordinates_are_typed_in_either_crs(page, address, workspace):
    with rasterio.open(workspace / "scenes" / "sample" / "bands.tif") as file:
        west, south, *_ = file.bounds
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    choose(page, "Region", "Coordinates")
    shown(page, "Type four numbers")
    field = page.get_by_role("textbox", name="West south east north")
    field.fill("2 45 3 46")
    field.press("Enter")
    shown(page, "outside the scene")
    choose(page, "Coordinates in", "the scene's CRS")
    field.fill(f"{west} {south} {west + 640} {south + 320}")
    field.press("Enter")
    shown(page, "64 × 32 px")
    field.fill(f"{west - 640} {south} {west + 640} {south + 320}")
    field.press("Enter")
    shown(page, "only what is inside is used")


def test_files_of_polygons_are_taken_or_refused_in_a_sentence(page, address, workspace):
    forget(workspace, "a-field")
    with rasterio.open(workspace / "scenes" / "sample" / "bands.tif") as file:
        west, south, *_ = file.bounds
    place = Region.box((west, south, west + 800, south + 800), "EPSG:3067", "a field")
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    choose(page, "Region", "Named or from a file")
    shown(page, "GeoJSON, GeoPackage or zipped shapefile")
    point = {"type": "Point", "coordinates": [28.1, 60.6]}
    files = page.locator("input[type=file]")
    files.set_input_files(
        {
            "name": "spots.geojson",
            "mimeType": "application/geo+json",
            "buffer": json.dumps(point).encode(),
        }
    )
    shown(page, "it has Point")
    made = place.save(workspace).read_bytes()
    (workspace / "a field.geojson").unlink()
    files.set_input_files(
        {"name": "a field.geojson", "mimeType": "application/geo+json", "buffer": made}
    )
    shown(page, "80 × 80 px")
    named = page.get_by_role("combobox", name="Named region")
    expect(named).to_have_text("a-field")
    expect(page.get_by_text("it has Point")).to_be_hidden()
    assert (workspace / "regions" / "a-field.geojson").is_file()


def test_scenes_are_marked_on_the_map_and_chosen_by_a_click(open_page, address, workspace):
    second = workspace / "scenes" / "beside"
    if not second.exists():
        # Moved by four times its width, so that both are in view and apart.
        made = write(second, size=64)
        for name, path in made.items():
            if name != "bands":
                path.unlink()
        with rasterio.open(made["bands"], "r+") as file:
            file.transform = rasterio.Affine.translation(4000, 0) @ file.transform
    page = open_page(width=1024, height=768)
    page.goto(f"{address}?run=run-a")
    wait_for_map(page)
    page.get_by_role("button", name="Show all").click()
    where = """() => {
      const models = [...Bokeh.documents[0]._all_models.values()]
      const named = models.find(m => m.type == 'ColumnDataSource' && m.data.name?.length == 1)
      const figure = models.find(m => m.type == 'Figure' && m.renderers.some(
        r => r.data_source?.id == named?.id))
      if (!figure) return null
      const view = Bokeh.index.find_one ? Bokeh.index.find_one(figure) : null
      const [x, y] = [named.data.x[0], named.data.y[0]]
      const [west, east] = [figure.x_range.start, figure.x_range.end]
      if (!view || x < west || x > east) return null
      const frame = view.frame.bbox, place = view.el.getBoundingClientRect()
      return [place.left + frame.left + view.frame.x_scale.compute(x) - frame.left,
              place.top + view.frame.y_scale.compute(y)]
    }"""
    page.wait_for_function(where)
    page.wait_for_timeout(500)
    x, y = page.evaluate(where)
    page.mouse.move(x, y)
    shown(page, "click to choose this scene")
    page.mouse.click(x, y)
    expect(page.get_by_role("combobox", name="Scene")).to_have_text("beside")
    shown(page, "64 × 64 px")
