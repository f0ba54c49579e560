"""What one session looks at. Parameters only: no Panel, no files."""

from __future__ import annotations

from typing import Any

import param

#: How a region is chosen.
WHOLE, NAMED, BOX, POLYGON, TYPED = (
    "Whole scene", "Named or from a file", "Box on the map", "Polygon on the map", "Coordinates",
)  # fmt: skip

#: What the levels that classes are scored at are called.
LEVELS = {"Classes of the map": "class", "CORINE level 3": "3", "level 2": "2", "level 1": "1"}

#: The pages, from left to right.
PLACES = ["Explore", "Activations", "Network", "Scores", "Compare", "Runs"]


class State(param.Parameterized):
    """The choices of a session; views watch them and each other's results through them."""

    place: Any = param.Selector(default="Explore", objects=PLACES, doc="The open page.")
    scene = param.String(doc="Name of the scene.")
    run = param.String(doc="Id of the run that is looked at.")
    other = param.String(doc="Id of the run it is compared with.")
    model = param.String(doc="Name of the model to classify with.")
    device = param.String(default="auto", doc="auto, cpu or gpu:N.")
    reference = param.String(doc="Name of the reference; empty is none.")
    codes = param.String(doc="Code system of the reference; empty finds it out.")

    bands = param.String(doc="Names of the scene's bands where its files do not say.")
    scale = param.Number(default=None, allow_None=True, doc="Reflectance per number.")
    offset = param.Number(default=None, allow_None=True, doc="Reflectance of the number 0.")

    tile = param.Integer(default=None, allow_None=True, bounds=(1, None), doc="Pixels a block.")
    dtype: Any = param.Selector(default="uint8", objects=["uint8", "float32"])
    run_name = param.String(doc="Name of the new run; empty makes one.")

    region_mode: Any = param.Selector(default=WHOLE, objects=[WHOLE, NAMED, BOX, POLYGON, TYPED])
    region_name = param.String(doc="Name of the region in the workspace.")
    corners = param.List(
        default=[], item_type=tuple, doc="Corners (x, y) drawn on the map, EPSG:3857."
    )
    typed = param.String(doc="Four numbers: west south east north.")
    typed_crs = param.String(default="EPSG:4326", doc="Their CRS.")

    base = param.String(default="True colour", doc="The composite below.")
    overlay = param.String(default="Classes", doc="What lies over it.")
    below = param.Number(default=1.0, bounds=(0, 1), doc="Opacity of the composite below.")
    above = param.Number(default=0.75, bounds=(0, 1), doc="Opacity of what lies over it.")
    bare = param.Boolean(default=False, doc="Whether the layer above is lifted for a moment.")
    class_id = param.Integer(default=1, doc="The class whose activation is shown.")

    triple = param.String(doc="Bands of the own triple, as B12,B08,B04.")
    basemap = param.Boolean(default=False, doc="Whether map tiles are wanted below.")
    scheme = param.String(default="Own", doc="The colours of the classes.")
    by: Any = param.Selector(
        default="legend", objects=["legend", "area"], doc="The legend's order."
    )
    hidden = param.List(default=[], item_type=str, doc="Names of the classes not painted.")
    pins = param.List(default=[], item_type=tuple, doc="Places looked into: (longitude, latitude).")

    extent = param.Tuple(
        default=None, length=4, allow_None=True, doc="What the maps show: W S E N in degrees."
    )
    look: Any = param.Selector(
        default="Mask", objects=["Mask", "Activation", "Three classes"], doc="Of activations."
    )
    order: Any = param.Selector(default="ap", objects=["ap", "legend", "area"], doc="Of classes.")
    threshold = param.Number(default=0.5, bounds=(0, 1), doc="From where a class is masked.")
    trio = param.Tuple(default=None, length=3, allow_None=True, doc="Classes as red, green, blue.")
    inside = param.String(doc="The layer of the network that is looked at.")
    spot = param.Tuple(
        default=None, length=2, allow_None=True, doc="The window asked for bands: lon, lat."
    )

    level: Any = param.Selector(default="class", objects=list(LEVELS.values()))
    stamp = param.Integer(default=0, doc="Raised when something in the workspace changed.")

    def changed(self) -> None:
        """Say that the workspace has changed: lists are to be read anew."""
        self.stamp += 1
