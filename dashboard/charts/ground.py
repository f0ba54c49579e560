"""Blocks of ground as a map in the scene's own CRS, by GeoViews.

Imported as the server starts, or in a thread: GeoViews and Cartopy take a second, and what they
leave in memory would take the garbage collector a while each time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cartopy.crs
import geopandas
import geoviews
import holoviews as hv
import numpy as np
from affine import Affine
from bokeh.models import BasicTicker, PrintfTickFormatter
from odc.geo.geobox import GeoBox

from lulc.blockmap import BlockMap
from lulc.grid import pixel_metres

#: Pixels of the screen that the map is high and wide at most, without axes and colour bar.
_TALL, _WIDE = 420, 900

#: Per cent to which the colours' lower end is rounded.
_STEP = 10


class Flat(cartopy.crs.Projection):
    """The CRS of a grid, any that PROJ knows, bounded by the grid.

    What is in it already is drawn as it is: Cartopy would cut and join every outline anew.
    """

    def __init__(self, grid: GeoBox) -> None:
        assert grid.crs is not None  # a run without one cannot be opened
        super().__init__(grid.crs.to_wkt())
        west, south, east, north = grid.boundingbox
        self.bounds = west, east, south, north
        self.threshold = min(east - west, north - south) / 100

    def project_geometry(self, geometry: Any, src_crs: Any = None) -> Any:
        """A geometry of another CRS in this one."""
        return geometry if src_crs is self else super().project_geometry(geometry, src_crs)


def blocks(found: BlockMap, grid: GeoBox, flat: Flat) -> geoviews.Polygons:
    """Blocks coloured by the share of their scored pixels on which map and reference agree."""
    table = {
        "Agreement": found.agreement * 100,
        "Scored": found.area,
        "Pixels": found.scored,
    }
    made = geoviews.Polygons(
        geopandas.GeoDataFrame(table, geometry=found.outlines), vdims=list(table), crs=flat
    )
    lowest = min(table["Agreement"].min(), 100 - _STEP)
    tall, wide = _frame(grid)
    return made.opts(
        projection=flat,
        show_bounds=False,
        color="Agreement",
        cmap="cividis",
        clim=(lowest // _STEP * _STEP, 100),
        colorbar=True,
        clabel="scored pixels on which map and reference agree (%)",
        line_color="white",
        line_width=0.5,
        frame_height=tall,
        frame_width=wide,
        tools=["hover"],
        hover_tooltips=[
            ("Agreement", "@{Agreement}{0.0} %"),
            ("Scored", "@{Scored}{0.00} km² (@{Pixels}{0,0} px)"),
        ],
        toolbar=None,
        default_tools=[],
        title="",
        hooks=[_axes(grid)],
    )


def rehearse() -> None:
    """Draw a block that nobody sees: the first drawing takes longer than the others."""
    grid = GeoBox((1, 1), Affine(10, 0, 0, 0, -10, 0), "EPSG:3857")
    outlines = np.array([grid.extent.geom], object)
    block = BlockMap(outlines, np.ones((1, 1, 1), int), 1e-4, 10, 1)
    hv.render(blocks(block, grid, Flat(grid)), backend="bokeh")


def _frame(grid: GeoBox) -> tuple[int, int]:
    """Height and width in pixels of the screen, a metre as long both ways."""
    tall, wide = (n * metres for n, metres in zip(grid.shape, pixel_metres(grid), strict=True))
    pixel = max(tall / _TALL, wide / _WIDE)
    return round(tall / pixel), round(wide / pixel)


def _axes(grid: GeoBox) -> Callable[[Any, Any], None]:
    """What shows the axes, which GeoViews hides where a map is in no projection of its own."""
    assert grid.crs is not None
    if grid.crs.geographic:
        labels, digits = ("longitude (°)", "latitude (°)"), "%.2f"
    else:
        unit = {"metre": "m"}.get(grid.crs.units[0], grid.crs.units[0])
        labels, digits = (f"easting ({unit})", f"northing ({unit})"), "%d"

    def show(plot: Any, element: Any) -> None:  # noqa: ARG001 (HoloViews' signature)
        for axis, label in zip((plot.state.xaxis, plot.state.yaxis), labels, strict=True):
            axis.visible, axis.axis_label = True, label
            axis.formatter = PrintfTickFormatter(format=digits)
            axis.ticker = BasicTicker(desired_num_ticks=4)

    return show
