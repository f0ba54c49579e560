"""The page: one state, one shelf, four places."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import holoviews as hv
import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

from dashboard import address, catalog
from dashboard.address import Address
from dashboard.keys import Keys
from dashboard.pages.activations import Activations
from dashboard.pages.compare import Compare
from dashboard.pages.explore import Explore
from dashboard.pages.network import Network
from dashboard.pages.runs import Runs
from dashboard.pages.scores import Scores
from dashboard.shelf import Shelf
from dashboard.state import State

#: What the address of the page remembers: parameter and its name there.
IN_ADDRESS = {
    "place": "page", "scene": "scene", "run": "run", "other": "with", "overlay": "layer",
    "class_id": "class", "base": "image", "reference": "reference", "level": "level",
    "extent": "view", "look": "look", "threshold": "from", "trio": "rgb", "order": "order",
    "triple": "composite", "scheme": "colours", "by": "sorted", "hidden": "hidden",
    "inside": "inside", "spot": "at",
}  # fmt: skip

#: What the browser's back button takes back; the rest of the address goes along.
STEPS = ["place", "scene", "run", "other", "overlay", "class_id"]

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
    activations, network = Activations(state, shelf), Network(state, shelf)
    views = {
        "Explore": explore,
        "Activations": activations,
        "Network": network,
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
    keys = Keys(bound(state, shelf))
    page = pmui.Page(
        title="lulc",
        header=[Address(state, IN_ADDRESS, STEPS), pn.layout.HSpacer(), keys],
        main=[tabs],
        theme_config=THEME,
        busy_indicator=None,
        sx={
            # It is there whatever `busy_indicator` says, and has no name to be read out.
            "& .MuiAppBar-root > .MuiLinearProgress-root": {"display": "none"},
            "& .MuiToolbar-root": {"minHeight": "44px !important"},
            "& .MuiAppBar-root": {"backgroundColor": "#0b6e75 !important", "color": "white"},
        },
    )
    # Bound to the server's, it would be sent, and all of the page walked through for that, before
    # and after every single callback: a sixth of a second each time, for nothing that is shown.
    with edit_readonly(page):
        page.busy = False
    if pn.state.curdoc is not None:
        # What changes before the page is connected may reach it before what it is about.
        for start in (
            explore.start,
            activations.start,
            network.start,
            scores.start,
            compare.start,
            explore.progress.watch,
        ):
            pn.state.onload(start)
    return page


def bound(state: State, shelf: Shelf) -> dict[str, Callable[[], None]]:
    """What the keys do."""

    def step(by: int) -> None:
        run = shelf.run(state.run)
        if run is not None and state.place in ("Explore", "Activations"):
            ids = run.legend.ids
            at = ids.index(state.class_id) if state.class_id in ids else -by
            state.param.update(class_id=ids[(at + by) % len(ids)], overlay="Activation")

    def swap() -> None:
        state.bare = not state.bare

    before, after = partial(step, -1), partial(step, 1)
    return {
        "ArrowLeft": before, "ArrowUp": before, "ArrowRight": after, "ArrowDown": after, " ": swap,
    }  # fmt: skip


def begin(state: State, shelf: Shelf) -> None:
    """Fill the state: what the address says, or else the newest run and its scene."""
    if pn.state.location is not None:
        state.param.update(**address.read(pn.state.location.search, state, IN_ADDRESS))
    newest = next((r for r in shelf.runs if state.scene in ("", r.scene)), None)
    run = shelf.run(state.run) or newest
    state.run = run.id if run else ""
    if state.scene not in shelf.scenes:
        found = run.scene if run and run.scene in shelf.scenes else next(iter(shelf.scenes), "")
        state.scene = found
    if state.reference not in shelf.references:
        state.reference = catalog.reference_for(state.scene)
    if state.other and shelf.run(state.other) is None:
        state.other = ""
