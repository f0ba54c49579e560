"""The page: one state, one shelf, four places."""

from __future__ import annotations

from contextlib import suppress

import holoviews as hv
import panel as pn
import panel_material_ui as pmui

from dashboard.compare import Compare
from dashboard.explore import Explore
from dashboard.runs import Runs
from dashboard.scores import Scores
from dashboard.shelf import Shelf
from dashboard.state import State

#: What the address of the page remembers: parameter and its name there.
IN_ADDRESS = {
    "place": "page", "scene": "scene", "run": "run", "other": "with", "overlay": "layer",
    "class_id": "class", "base": "image", "reference": "reference", "level": "level",
}  # fmt: skip

#: The look: calm, dense enough for an instrument.
_TEXT = {"fontSize": 13, "button": {"textTransform": "none"}}
THEME = {
    "light": {"palette": {"primary": {"main": "#0b6e75"}}, "typography": _TEXT},
    "dark": {"palette": {"primary": {"main": "#5cc4cc"}}, "typography": _TEXT},
}


def create_page() -> pmui.Page:
    """A page of its own for a session."""
    pn.extension(notifications=False)
    hv.extension("bokeh")
    # Bokeh draws images without WebGL, and without a graphics card WebGL is slow.
    hv.renderer("bokeh").webgl = False
    state = State()
    shelf = Shelf(state)
    begin(state, shelf)
    explore, scores, compare = Explore(state, shelf), Scores(state, shelf), Compare(state, shelf)
    views = {
        "Explore": explore,
        "Scores": scores,
        "Compare": compare,
        "Runs": Runs(state, shelf),
    }
    tabs = pmui.Tabs(
        *((name, view.panel) for name, view in views.items()),  # type: ignore[attr-defined]
        sizing_mode="stretch_both",
    )
    places = list(views)
    tabs.param.watch(lambda event: state.param.update(place=places[event.new]), "active")
    state.param.watch(lambda event: tabs.param.update(active=places.index(event.new)), "place")
    tabs.active = places.index(state.place)
    page = pmui.Page(
        title="lulc",
        main=[tabs],
        theme_config=THEME,
        busy_indicator=None,
        sx={
            "& .MuiToolbar-root": {"minHeight": "44px !important"},
            "& .MuiAppBar-root": {"backgroundColor": "#0b6e75 !important", "color": "white"},
        },
    )
    if pn.state.curdoc is not None:
        # What changes before the page is connected may reach it before what it is about.
        for start in (explore.start, scores.start, compare.start, explore.progress.watch):
            pn.state.onload(start)
    return page


def begin(state: State, shelf: Shelf) -> None:
    """Fill the state: what the address says, or else the newest run and its scene."""
    if pn.state.location is not None:
        with suppress(ValueError):  # an address that someone typed
            pn.state.location.sync(state, IN_ADDRESS)
    newest = next((r for r in shelf.runs if state.scene in ("", r.scene)), None)
    run = shelf.run(state.run) or newest
    state.run = run.id if run else ""
    if state.scene not in shelf.scenes:
        found = run.scene if run and run.scene in shelf.scenes else next(iter(shelf.scenes), "")
        state.scene = found
    if state.reference not in shelf.references:
        state.reference = next(iter(shelf.references), "")
    if state.other and shelf.run(state.other) is None:
        state.other = ""
