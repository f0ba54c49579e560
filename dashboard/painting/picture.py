"""What is wanted on the map, and what was painted for it: values that hold no file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from dashboard.mapping.positions import net
from dashboard.mapping.warp import View
from dashboard.ramps import Ramp
from lulc.legend import Legend
from lulc.runs import Run
from lulc.scene import Scene

#: No class, and no number, in the arrays that are read out under the pointer.
NOTHING = 255


@dataclass(frozen=True)
class Order:
    """What is wanted on the map; equal orders give equal pictures."""

    scene: Scene | None = None
    """The image below."""
    base: str = "True colour"
    """One of `composites(scene)`, the own triple, or none."""
    run: Run | None = None
    """The run whose map lies above."""
    overlay: str = "Classes"
    """One of `layers.OVERLAYS`."""
    class_id: int = 0
    """The class of the activation."""
    reference: Path | None = None
    """Labels to show or to compare with."""
    codes: str | None = None
    """Code system of the reference; None finds it out."""
    triple: tuple[str, ...] = ()
    """Bands of the own triple: red, green, blue."""
    scheme: str = ""
    """One of `schemes.SCHEMES`; empty is the legend's own colours."""
    hidden: frozenset[str] = frozenset()
    """Names of the classes that are not painted."""
    calibrated: bool = True
    """Whether the scene's numbers are reflectance; else they are as they are stored."""

    @property
    def unit(self) -> str:
        """Of the scene's bands."""
        return "reflectance, 0 to 1" if self.calibrated else "number as stored"


@dataclass(frozen=True)
class Entry:
    """A line of the legend."""

    name: str
    """The class."""
    color: str
    """`#rrggbb`; empty where it is not painted."""
    share: float
    """Share of the pixels in view that have a value, 0..1."""


@dataclass(frozen=True)
class Probe:
    """What is read out under the pointer, near where it is."""

    view: View
    """The pixels of the screen that were read."""
    numbers: tuple[NDArray[np.integer], ...] = ()
    """(y, x) each: the class id of the run, its activation in per cent, the other class with the
    largest activation and that in per cent, 255 where there is none; and the code of the
    reference, 65535 where there is none. Empty where there is nothing to read."""
    legend: Legend | None = None
    """Of the run."""
    label_legend: Legend | None = None
    """Of the reference."""


@dataclass(frozen=True)
class Place:
    """Where a view lies in a scene's own coordinates."""

    crs: str
    """The scene's CRS, by its code where it has one."""
    degrees: bool
    """Whether its unit is the degree and not the metre."""
    x: tuple[tuple[float, ...], ...]
    """Eastings (rows, columns) at knots spread over the view, rows from north to south."""
    y: tuple[tuple[float, ...], ...]
    """Northings, likewise."""

    @classmethod
    def of(cls, view: View, grid: GeoBox) -> Place:
        """The view in the coordinates of a grid; between the knots it is off by under a metre."""
        assert grid.crs is not None  # a scene or run without one cannot be opened
        columns, rows = net(view.grid, grid, 17)
        to = grid.affine
        x, y = to.a * columns + to.b * rows + to.c, to.d * columns + to.e * rows + to.f
        degrees = bool(grid.crs.geographic)
        x, y = (np.round(part, 6 if degrees else 1) for part in (x, y))
        return cls(_code(grid), degrees, _tuples(x), _tuples(y))


def _tuples(table: NDArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())


def _code(grid: GeoBox) -> str:
    code = None if grid.crs is None else grid.crs.to_epsg()
    return f"EPSG:{code}" if code else "scene's CRS"


@dataclass(frozen=True)
class Picture:
    """A view, painted."""

    view: View
    """The window of the map."""
    base: NDArray[np.uint8] | None = None
    """(y, x, 4), red green blue alpha."""
    overlay: NDArray[np.uint8] | None = None
    """(y, x, 4), red green blue alpha."""
    classes: NDArray[np.uint8] | None = None
    """(y, x) class ids of the run, 255 where there is none."""
    values: NDArray[np.uint8] | None = None
    """(y, x) what an overlay of numbers shows, in per cent; 255 where there is none."""
    labels: NDArray[np.uint16] | None = None
    """(y, x) codes of the reference, 65535 where there is none."""
    place: Place | None = None
    """The view in the scene's coordinates."""
    legend: Legend | None = None
    """Of `classes`, in the colours of the scheme."""
    label_legend: Legend | None = None
    """Of `labels`, in the colours of the scheme."""
    title: str = ""
    """What the overlay is, with its source."""
    entries: tuple[Entry, ...] = ()
    """The legend of an overlay of classes."""
    scale: Ramp | None = None
    """The legend of an overlay of numbers."""
    notes: tuple[str, ...] = ()
    """What to know first."""
