"""The page: one state, one shelf, and the places behind the tabs."""

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
from dashboard.patience import Patience
from dashboard.places import Places, View
from dashboard.shelf import Shelf
from dashboard.state import State
from dashboard.theme import Theme

#: What the address of the page remembers: parameter and its name there.
IN_ADDRESS = {
    "place": "page", "scene": "scene", "region_mode": "region", "region_name": "named",
    "corners": "corners", "typed": "typed", "typed_crs": "crs",
    "run": "run", "other": "with", "overlay": "layer", "class_id": "class", "base": "image",
    "below": "below", "above": "above", "reference": "reference", "codes": "codes",
    "level": "level", "bands": "bands", "scale": "scale", "offset": "offset",
    "extent": "view", "look": "look", "threshold": "from", "trio": "rgb", "order": "order",
    "triple": "composite", "scheme": "colours", "by": "sorted", "hidden": "hidden",
    "inside": "inside", "spot": "at", "pins": "pins",
}  # fmt: skip

#: What the browser's back button takes back; the rest of the address goes along.
STEPS = ["place", "scene", "run", "other", "overlay", "class_id", "pins"]

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
    if pn.state.location is not None:
        state.param.update(**address.read(pn.state.location.search, state, IN_ADDRESS))
    places = Places(state, makers(state, shelf))
    keys = Keys(bound(state, shelf))
    page = pmui.Page(
        title="lulc",
        header=[Theme(), Address(state, IN_ADDRESS, STEPS), Patience(), pn.layout.HSpacer(), keys],
        main=[places.tabs],
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

    async def begin() -> None:
        await shelf.refresh()
        settle(state, shelf)
        await places.open()

    if pn.state.curdoc is not None:
        pn.state.onload(begin)
    return page


def makers(state: State, shelf: Shelf) -> dict[str, Callable[[], View]]:
    """What makes each page, by its name, from left to right."""
    made: dict[str, Callable[[State, Shelf], View]] = {
        "Explore": Explore, "Activations": Activations, "Network": Network, "Scores": Scores,
        "Compare": Compare, "Runs": Runs,
    }  # fmt: skip
    return {name: partial(make, state, shelf) for name, make in made.items()}


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


def settle(state: State, shelf: Shelf) -> None:
    """Fill what the address left open: the newest run and its scene, and a reference."""
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
