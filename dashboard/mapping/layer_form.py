"""The column beside the map: the image below, the layer above, and their legend."""

from __future__ import annotations

from typing import Any

import panel_material_ui as pmui

from dashboard.help import about
from dashboard.mapping.canvas import Canvas
from dashboard.mapping.legend_view import LegendView
from dashboard.painting import composites, layers, schemes
from dashboard.painting.composites import COMPOSITES, NO_BASE, TRIPLE
from dashboard.painting.layers import Picture
from dashboard.shelf import Shelf, labelled
from dashboard.state import State
from dashboard.ties import alert, choose, select, tie, words
from lulc.scene import Scene


class LayerForm:
    """Chooses what the map shows."""

    def __init__(self, state: State, shelf: Shelf, canvas: Canvas) -> None:
        self.state, self.shelf, self.canvas = state, shelf, canvas
        self.said = alert()
        self.run = tie(select("Run", options={"none": ""}), state, "run")
        self.base = tie(select("Image below", options=[*COMPOSITES, TRIPLE]), state, "base")
        self.triple = [select(name) for name in ("Red", "Green", "Blue")]
        self.bands = pmui.Row(*self.triple, sizing_mode="stretch_width", visible=False)
        self.overlay = tie(select("Layer above", options=list(layers.OVERLAYS)), state, "overlay")
        self.activation = tie(select("Class", options={}), state, "class_id")
        self.opacities = [
            _opacity("Opacity of the image", state, "below", canvas.base.glyph),
            _opacity("Opacity of the layer", state, "above", canvas.overlay.glyph),
        ]
        self.basemap = tie(
            pmui.Switch(label="Basemap (online)", size="small", margin=(2, 10)), state, "basemap"
        )
        self.answer = words()
        self.scheme = tie(select("Colours", options=list(schemes.SCHEMES)), state, "scheme")
        self.by = tie(
            select("Sorted by", options={"legend": "legend", "area": "area"}), state, "by"
        )
        self.legend = LegendView(state)
        self.panel = pmui.Column(
            about("Layers", "layers"),
            self.run, self.base, self.bands, self.opacities[0], self.overlay, self.activation,
            self.opacities[1], self.basemap, self.answer, self.said,
            about("Legend", "legend"), pmui.Row(self.scheme, self.by, sizing_mode="stretch_width"),
            self.legend.panel,
            sizing_mode="stretch_width",
        )  # fmt: skip
        state.param.watch(self._fold, ["overlay", "base"])
        state.param.watch(self._switch, ["basemap"])
        shelf.param.watch(self.lists, ["runs"])
        canvas.basemap.param.watch(self._answered, "said")
        for widget in self.triple:
            widget.param.watch(self._chosen, "value")
        self._fold()
        self._switch()

    def lists(self, *_: Any) -> None:
        """Offer the runs that there are, and the classes of the one that is looked at."""
        choose(self.run, {"none": "", **labelled(self.shelf.runs)}, self.state.run)
        self.classes()

    def classes(self) -> None:
        """Offer the classes of the run that is looked at."""
        run = self.shelf.run(self.state.run)
        if run is not None:
            names = {c.name: c.id for c in run.legend.classes}
            choose(self.activation, names, self.state.class_id)

    def images(self, scene: Scene | None) -> None:
        """Offer the images that a scene has the bands for."""
        names = [*composites.composites(scene)]
        offered = [*names, TRIPLE, NO_BASE]
        if names and offered != self.base.options:
            choose(self.base, offered, self.state.base)
        if scene is not None and list(scene.bands) != self.triple[0].options:
            wanted = self.state.triple.split(",")
            known = next(iter(composites.composites(scene).values()))
            wanted = wanted if set(wanted) <= set(scene.bands) and len(wanted) == 3 else [*known]
            for widget, band in zip(self.triple, wanted, strict=True):
                choose(widget, scene.bands, band)

    def show(self, picture: Picture) -> None:
        """Explain this picture."""
        self.legend.show(picture)

    def _chosen(self, *_: Any) -> None:
        bands = [widget.value for widget in self.triple]
        if all(bands) and self.state.base == TRIPLE:  # else nobody has chosen them
            self.state.triple = ",".join(bands)

    def _fold(self, *_: Any) -> None:
        self.activation.visible = self.state.overlay == "Activation"
        self.bands.visible = self.state.base == TRIPLE

    def _switch(self, *_: Any) -> None:
        self.canvas.basemap.wanted = self.state.basemap
        self.answer.visible = self.state.basemap

    def _answered(self, *_: Any) -> None:
        self.answer.object = self.canvas.basemap.said


def _opacity(label: str, state: State, name: str, glyph: Any) -> pmui.FloatSlider:
    """A slider for how much of what a glyph draws is seen."""

    def show(*_: Any) -> None:
        glyph.global_alpha = getattr(state, name)

    state.param.watch(show, name)
    show()
    slider = pmui.FloatSlider(
        label=label, start=0, end=1, step=0.05,
        sizing_mode="stretch_width", size="small", margin=(4, 14),
    )  # fmt: skip
    return tie(slider, state, name)
