"""A region: a named outline on the earth, and the window of a grid it covers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from odc.geo.geobox import GeoBox
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.features import geometry_mask
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from lulc import config, files
from lulc.errors import RegionError
from lulc.grid import cut

#: Geometry types of layers, as GDAL says them, that hold anything.
_MAY_BE_POLYGONS = ("Unknown", "GeometryCollection", "Unknown Z", "GeometryCollection Z")

SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".zip")


@dataclass(frozen=True)
class Region:
    """An outline in a coordinate reference system."""

    name: str
    """What it is called in lists."""
    outline: BaseGeometry
    """A polygon or several."""
    crs: str
    """The outline's coordinate reference system, as pyproj reads it."""

    @classmethod
    def box(cls, bounds: Sequence[float], crs: str = "EPSG:4326", name: str = "box") -> Region:
        """The box west, south, east, north. Raises RegionError for one that is none."""
        try:
            west, south, east, north = (float(value) for value in bounds)
        except (TypeError, ValueError):
            raise RegionError(
                f"expected a box of four numbers, west south east north; got {bounds!r}"
            ) from None
        given = f"got west {west:g}, south {south:g}, east {east:g}, north {north:g}"
        if not np.isfinite([west, south, east, north]).all():
            raise RegionError(f"expected four finite numbers; {given}")
        if not (west < east and south < north):
            raise RegionError(f"expected west < east and south < north; {given}")
        if _crs(crs).is_geographic and not (west >= -180 and east <= 180):
            raise RegionError(
                f"expected longitudes in -180..180; {given}: is it another CRS (--crs)?"
            )
        if _crs(crs).is_geographic and not (south >= -90 and north <= 90):
            raise RegionError(
                f"expected latitudes in -90..90; {given}: is it another CRS (--crs), "
                "or latitude before longitude?"
            )
        return cls(name, shapely.box(west, south, east, north), crs)

    @classmethod
    def read(cls, path: str | Path) -> Region:
        """The union of the polygons in a GeoJSON, GeoPackage or (zipped) shapefile."""
        path = Path(path)
        if not path.is_file():
            raise RegionError(f"no such file: {path}")
        try:
            layers = _polygon_layers(path)
            if len(layers) > 1:
                raise RegionError(
                    f"expected one layer of polygons in {path}; it has {', '.join(layers)}: "
                    "save the one you mean as a file of its own"
                )
            frame = gpd.read_file(path, layer=next(iter(layers), None))
        except RegionError:
            raise
        except Exception as error:  # pyogrio raises several kinds, and json's
            reason = " ".join(str(error).split())
            raise RegionError(
                f"{path} is not a file of polygons that GDAL reads: {reason}"
            ) from None
        if not isinstance(frame, gpd.GeoDataFrame) or frame.geometry.isna().all():
            raise RegionError(f"expected polygons in {path}; it has no geometry")
        if frame.crs is None:
            raise RegionError(f"{path} has no coordinate reference system; expected one")
        outline = _polygons(frame.geometry.union_all())
        if outline.area == 0:
            kinds = ", ".join(sorted(set(frame.geom_type.dropna())))
            raise RegionError(f"expected polygons with an area in {path}; it has {kinds}")
        return cls(path.stem, outline, frame.crs.to_string())

    @classmethod
    def load(cls, name: str) -> Region:
        """The region of that name in the workspace or bundled. Raises RegionError."""
        for place in _places():
            for suffix in SUFFIXES:
                if (place / f"{name}{suffix}").is_file():
                    return cls.read(place / f"{name}{suffix}")
        raise RegionError(
            f"expected a file or a region of {', '.join(regions()) or 'none yet'}; got {name!r}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Name, CRS, and the outline as a GeoJSON geometry in that CRS."""
        outline = json.loads(shapely.to_geojson(self.outline))
        return {"name": self.name, "crs": self.crs, "geometry": outline}

    def save(self, folder: Path) -> Path:
        """Write the region as GeoJSON (longitude and latitude) under its name."""
        path = folder / f"{self.name}.geojson"
        feature = {
            "type": "Feature",
            "properties": {"name": self.name},
            "geometry": json.loads(shapely.to_geojson(self.to("EPSG:4326"))),
        }
        text = json.dumps({"type": "FeatureCollection", "features": [feature]})
        files.write_text(path, text)
        return path

    def to(self, crs: Any) -> BaseGeometry:
        """The outline in another CRS; long edges are divided first, since they bend."""
        target = _crs(crs)
        if target == _crs(self.crs):
            return self.outline
        bounds = self.outline.bounds
        longest = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
        dense = shapely.segmentize(self.outline, longest / 32)
        return gpd.GeoSeries([dense], crs=self.crs).to_crs(target).iloc[0]

    def window(self, grid: GeoBox) -> Window:
        """The pixels of a grid that the outline touches, cut to the grid.

        Raises RegionError when there are none.
        """
        outline = self.to(grid.crs)
        height, width = grid.shape
        inverse = ~grid.affine
        corners = shapely.transform(
            outline, lambda xy: np.column_stack(inverse @ (xy[:, 0], xy[:, 1]))
        )
        left, top, right, bottom = corners.bounds
        if not np.isfinite([left, top, right, bottom]).all() or not (
            left < width and right > 0 and top < height and bottom > 0
        ):
            raise RegionError(f"{self._outside(grid)}{self._swapped(grid)}")
        first_x, first_y = max(0, int(np.floor(left + 1e-6))), max(0, int(np.floor(top + 1e-6)))
        last_x = min(width, int(np.ceil(right - 1e-6)))
        last_y = min(height, int(np.ceil(bottom - 1e-6)))
        if last_x <= first_x or last_y <= first_y:
            raise RegionError(f"the region {self.name} covers no pixel of the scene")
        return Window(first_x, first_y, last_x - first_x, last_y - first_y)

    def outside(self, grid: GeoBox) -> str | None:
        """A warning when more than a hundredth of the region lies beyond the grid."""
        outline = self.to(grid.crs)
        share = 1 - outline.intersection(grid.extent.geom).area / outline.area
        return (
            f"{self._outside(grid, share)}: only what is inside is used" if share > 0.01 else None
        )

    def mask(self, grid: GeoBox, window: Window) -> np.ndarray | None:
        """Which pixels of a window have their centre inside, bool (y, x); None for a box.

        A box stands for all the pixels of its window: in another CRS it is not cut askew.
        """
        if self.outline.equals(self.outline.envelope):
            return None
        part = cut(grid, window)
        height, width = part.shape
        with files.MAKING_RASTER:
            return geometry_mask(
                [self.to(grid.crs)], out_shape=(height, width), transform=part.affine, invert=True
            )

    def _outside(self, grid: GeoBox, share: float = 1.0) -> str:
        region, scene = (
            " ".join(f"{value:.5g}" for value in bounds)
            for bounds in (self.to("EPSG:4326").bounds, _geographic(grid).bounds)
        )
        how = "lies" if share == 1 else f"lies to {share:.0%}"
        return (
            f"the region {self.name} ({region}) {how} outside the scene ({scene}; "
            "west south east north in degrees)"
        )

    def _swapped(self, grid: GeoBox) -> str:
        swapped = shapely.transform(self.outline, lambda xy: xy[:, ::-1])
        try:
            hit = Region(self.name, swapped, self.crs).to("EPSG:4326").intersects(_geographic(grid))
        except shapely.GEOSException:
            return ""
        return ": is latitude before longitude? Expected west south east north" if hit else ""


def regions() -> list[str]:
    """Names of the regions in the workspace and of those bundled."""
    found = [
        file.stem
        for place in _places()
        if place.is_dir()
        for file in sorted(place.iterdir())
        if file.suffix.lower() in SUFFIXES
    ]
    return list(dict.fromkeys(found))


def _polygon_layers(path: Path) -> list[str]:
    """The layers of a vector file that may hold polygons."""
    listed = pyogrio.list_layers(path)
    return [str(name) for name, kind in listed if kind in _MAY_BE_POLYGONS or "Polygon" in kind]


def _polygons(geometry: BaseGeometry) -> BaseGeometry:
    """The valid polygons of a geometry: what else is in it would be burnt into masks."""
    parts = shapely.get_parts(shapely.make_valid(shapely.get_parts(geometry)))
    return shapely.union_all([part for part in parts if part.area > 0])


def _places() -> tuple[Path, Path]:
    return config.workspace() / "regions", config.ASSETS / "regions"


def _crs(crs: Any) -> CRS:
    try:
        return CRS.from_user_input(str(crs))
    except CRSError as error:
        raise RegionError(f"expected a CRS such as EPSG:4326; got {crs!r}") from error


def _geographic(grid: GeoBox) -> BaseGeometry:
    return grid.extent.to_crs("EPSG:4326").geom
