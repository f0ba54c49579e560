"""Where each band of a scene lies, what it is called and how its numbers become reflectance.

Neither the name nor the scale is ever guessed from values: both are read from the file, its
name or the STAC item beside it (`lulc.calibration`), or asked for.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning

from lulc import config, indices, landsat
from lulc.calibration import calibrate
from lulc.errors import SceneError
from lulc.grid import grid_of

#: Suffixes looked for in a folder. A file given by name may have any.
RASTER_SUFFIXES = (".tif", ".tiff", ".nc", ".img", ".vrt", ".jp2")

#: Names of Sentinel-2 bands in STAC catalogues (the eo extension's common names and the
#: asset keys of public Sentinel-2 collections).
COMMON_NAMES = {
    "coastal": "B01",
    "blue": "B02",
    "green": "B03",
    "red": "B04",
    "rededge1": "B05",
    "rededge2": "B06",
    "rededge3": "B07",
    "nir": "B08",
    "nir08": "B8A",
    "nir09": "B09",
    "swir16": "B11",
    "swir22": "B12",
}

_BAND = re.compile(r"(?:^|[_\-. ])B(?:and)?_?0?(\d{1,2}A?)(?=$|[_\-. (:])", re.IGNORECASE)
#: What drivers and programs call a band without a name: its place in the file.
_PLACE = re.compile(r"(?:GDAL )?(?:band|layer)(?: number)?[ _]?0*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class BandFile:
    """One band: a band number in a file, its name and its calibration."""

    name: str
    """The band's name: B02, B8A, NDVI, ..."""
    path: str
    """What GDAL opens."""
    number: int
    """The band's number in the file, from 1."""
    grid: GeoBox
    """The file's own grid."""
    dtype: str
    """The file's data type."""
    nodata: float | None
    """The stored number that means no data."""
    scale: float
    """reflectance = number * scale + offset"""
    offset: float
    """reflectance = number * scale + offset"""
    simulated: bool = False
    """Whether the file says that it was simulated."""

    @property
    def zero_may_be_nodata(self) -> bool:
        """Whether 0 in every such band means no data: whole numbers without a nodata value.

        Sentinel-2 products reserve DN 0 for that and do not say so in the file.
        """
        return self.nodata is None and np.issubdtype(np.dtype(self.dtype), np.integer)


def find(
    paths: Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
) -> list[BandFile]:
    """List the bands of some files, folders or GDAL names, in the order given.

    Raises SceneError where a name or a scale is missing, or a band stands in two files.
    """
    found: list[BandFile] = []
    for path in _rasters(paths):
        with _headers(path) as source:
            grid = grid_of(source)
            simulated = source.tags().get("SIMULATED", "").lower() == "yes"
            for number in source.indexes:
                if names is None:
                    name = _name(source, number, path)
                else:
                    name = tidy(names[len(found)]) if len(found) < len(names) else None
                known = (float(source.scales[number - 1]), float(source.offsets[number - 1]))
                if name is not None and not indices.is_index(name):
                    known = calibrate(source, number, scale=scale, offset=offset)
                found.append(
                    BandFile(
                        name=name or "",
                        path=path,
                        number=number,
                        grid=grid,
                        dtype=source.dtypes[number - 1],
                        nodata=source.nodatavals[number - 1] if nodata is None else nodata,
                        scale=known[0],
                        offset=known[1],
                        simulated=simulated,
                    )
                )
    if names is not None and len(names) != len(found):
        raise SceneError(
            f"--bands names {len(names)} bands, the files hold {len(found)}: expected one name "
            "for each band, in the order of the files"
        )
    unnamed = [f"band {f.number} of {Path(f.path).name}" for f in found if not f.name]
    if unnamed:
        raise SceneError(
            f"{len(unnamed)} of {len(found)} bands have no name ({unnamed[0]}): expected a "
            "description or a file name such as scene_B05.tif; name them with --bands B02,B03,... "
            "(Sentinel-2's names, for Landsat too)"
        )
    twice = {file.name for file in found if [f.name for f in found].count(file.name) > 1}
    if twice:
        raise SceneError(
            f"the bands {', '.join(sorted(twice))} are given more than once; "
            "expected each band in one file"
        )
    return found


def stem(paths: Sequence[str | Path]) -> str:
    """A short name for a scene of these files: the folder's where it is one, else the first's."""
    first = Path(str(paths[0]))
    generic = first.stem.lower() in ("bands", "scene", "stack", "mosaic") or _BAND.search(
        first.stem
    )
    chosen = first.resolve().parent.name if generic and not first.is_dir() else first.stem
    return re.sub(r"[^A-Za-z0-9_-]+", "-", chosen).strip("-") or "scene"


def tidy(name: str) -> str:
    """A band's name as lulc writes it: b2, B2 and Band_2 are B02; ndvi is NDVI."""
    text = name.strip()
    match = _BAND.search(text)
    if match:
        digits = match[1].upper()
        return f"B{digits}" if digits.endswith("A") else f"B{int(digits):02d}"
    if text.upper() in indices.FORMULAS:
        return text.upper()
    return COMMON_NAMES.get(text.lower(), text)


@contextmanager
def open_raster(path: str) -> Iterator[rasterio.DatasetReader]:
    """Open a raster with GDAL's cache bounded; SceneError for what GDAL cannot open."""
    try:
        with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE), rasterio.open(path) as source:
            yield source
    except rasterio.errors.RasterioIOError as error:
        if _is_local(path) and not Path(path).exists():
            raise SceneError(f"no such file: {path}") from error
        reason = " ".join(str(error.__cause__ or error).split())
        raise SceneError(f"{path} is not a raster that GDAL can read: {reason}") from error


def _is_local(path: str) -> bool:
    return not re.match(r"^(/vsi|[a-zA-Z0-9+]+:)", path)


@contextmanager
def _headers(path: str) -> Iterator[rasterio.DatasetReader]:
    """Open to look at the headers: a container, or a file to refuse, has no place on the earth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with open_raster(path) as source:
            yield source


def _rasters(paths: Sequence[str | Path]) -> list[str]:
    """The rasters of files, folders and containers with several variables."""
    rasters: list[str] = []
    for path in paths:
        rasters += _in_folder(Path(path)) if Path(path).is_dir() else _expanded(str(path))
    if not rasters:
        raise SceneError("expected at least one raster; got none")
    return rasters


def _expanded(path: str) -> list[str]:
    """A container's variables, or the raster itself."""
    with _headers(path) as source:
        subdatasets = [] if source.count else source.subdatasets
    return subdatasets or [path]


def _in_folder(folder: Path) -> list[str]:
    """The rasters of a folder whose bands are Sentinel-2's or indices, else all with names.

    A folder may hold land cover, a cloud mask or a preview beside the bands.
    """
    inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in RASTER_SUFFIXES)
    first: dict[str, str | None] = {}
    for path in (part for file in inside for part in _expanded(str(file))):
        with _headers(path) as source:
            first[path] = _name(source, 1, path)
    named = [path for path, name in first.items() if name]
    if not named:
        raise SceneError(f"expected rasters with named bands in the folder {folder}; none")
    known = [p for p in named if first[p] in COMMON_NAMES.values() or first[p] in indices.FORMULAS]
    return known or named


def _name(source: rasterio.DatasetReader, number: int, path: str) -> str | None:
    """A band's name from its description, its variable or the file's name; None if unnamed."""
    numbering = landsat.numbering(path, source.descriptions)

    def known(text: str) -> str | None:
        match = _BAND.search(text)
        if numbering is None or match is None:
            return tidy(text)
        return numbering.get(int(match[1])) if match[1].isdigit() else None

    given = [source.descriptions[number - 1]]
    if source.count == 1:
        tags = source.tags(number)
        given += [tags.get("long_name"), tags.get("NETCDF_VARNAME")]
    for text in given:
        place = _PLACE.fullmatch(text) if text else None
        # GDAL calls the variables of a NetCDF file Band1, Band2, ...
        if text and not (place and (source.driver == "netCDF" or int(place[1]) == number)):
            return known(text)
    if source.count == 1 and _is_local(path):
        name = Path(path).stem
        match = _BAND.search(name)
        if match:
            return known(match[0].strip("_-. "))
        for part in re.split(r"[_\-. ]", name):
            if part.upper() in indices.FORMULAS:
                return part.upper()
    return None
