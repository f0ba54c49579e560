"""Where each band of a scene lies, what it is called and how its numbers become reflectance.

Neither the name nor the scale is ever guessed from values: both are read from the file, its
name or the STAC item beside it, or asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from lulc import config, indices
from lulc.errors import SceneError

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

#: Since processing baseline 04.00, in force from this day, Sentinel-2 products carry an
#: offset of -1000 DN (ESA, Sentinel-2 products specification, PSD 14.9). Products made
#: anew since then carry it for older dates too, and their names do not tell.
BASELINE_04_00 = "20220125"

_BAND = re.compile(r"(?:^|[_\-. ])B(?:and)?_?0?(\d{1,2}A?)(?=$|[_\-. (:])", re.IGNORECASE)
_PRODUCT = re.compile(r"S2[A-D]_MSIL[12][AC]_(\d{8})T\d{6}", re.IGNORECASE)
_BASELINE = re.compile(r"_N(\d{4})_")


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
    unnamed: list[str] = []
    for path in _rasters(paths):
        with open_raster(path) as source:
            grid = GeoBox.from_rio(source)
            simulated = source.tags().get("SIMULATED", "").lower() == "yes"
            stac = _stac_bands(path)
            for number in source.indexes:
                name = _name(source, number, path)
                if name is None and not names:
                    unnamed.append(f"band {number} of {Path(path).name}")
                found.append(
                    BandFile(
                        name=name or "",
                        path=path,
                        number=number,
                        grid=grid,
                        dtype=source.dtypes[number - 1],
                        nodata=source.nodatavals[number - 1] if nodata is None else nodata,
                        scale=float(source.scales[number - 1]),
                        offset=float(source.offsets[number - 1]),
                        simulated=simulated,
                    )
                )
                if name is None or not indices.is_index(name):
                    found[-1] = _calibrated(found[-1], source, stac, scale, offset)
    if names:
        found = _named(found, names)
    elif unnamed:
        raise SceneError(
            f"the bands have no names ({unnamed[0]} of {len(found)}): expected a description "
            "or a file name such as scene_B05.tif; name them with --bands B02,B03,..."
        )
    twice = {file.name for file in found if [f.name for f in found].count(file.name) > 1}
    if twice:
        raise SceneError(
            f"the bands {', '.join(sorted(twice))} are given more than once; "
            "expected each band in one file"
        )
    return found


def _named(found: list[BandFile], names: Sequence[str]) -> list[BandFile]:
    if len(names) != len(found):
        raise SceneError(
            f"--bands names {len(names)} bands, the files hold {len(found)}: expected one name "
            "for each band, in the order of the files"
        )
    return [BandFile(**{**vars(f), "name": tidy(n)}) for f, n in zip(found, names, strict=True)]


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
        with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE_MIB), rasterio.open(path) as source:
            yield source
    except rasterio.errors.RasterioIOError as error:
        if _is_local(path) and not Path(path).exists():
            raise SceneError(f"no such file: {path}") from error
        reason = " ".join(str(error.__cause__ or error).split())
        raise SceneError(f"{path} is not a raster that GDAL can read: {reason}") from error


def _is_local(path: str) -> bool:
    return not re.match(r"^(/vsi|[a-zA-Z0-9+]+:)", path)


def _rasters(paths: Sequence[str | Path]) -> list[str]:
    """The rasters of files, folders and containers with several variables."""
    rasters: list[str] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in RASTER_SUFFIXES)
            named = [p for p in inside if _has_names(str(p))]
            if not named:
                raise SceneError(f"expected rasters with named bands in the folder {path}; none")
            rasters += [str(p) for p in named]
            continue
        with open_raster(str(given)) as source:
            subdatasets = [] if source.count else source.subdatasets
        rasters += subdatasets or [str(given)]
    if not rasters:
        raise SceneError("expected at least one raster; got none")
    return rasters


def _has_names(path: str) -> bool:
    with open_raster(path) as source:
        return bool(source.subdatasets) or _name(source, 1, path) is not None


def _name(source: rasterio.DatasetReader, number: int, path: str) -> str | None:
    """A band's name from its description, its variable or the file's name; None if unnamed."""
    description = source.descriptions[number - 1]
    if description:
        return tidy(description)
    variable = source.tags(number).get("NETCDF_VARNAME") or source.tags(number).get("long_name")
    if variable and source.count == 1:
        return tidy(variable)
    if source.count == 1:
        name = Path(path.split(":")[-1]).stem
        match = _BAND.search(name)
        if match:
            return tidy(match[0].strip("_-. "))
        for part in re.split(r"[_\-. ]", name):
            if part.upper() in indices.FORMULAS:
                return part.upper()
    return None


def _calibrated(
    file: BandFile,
    source: rasterio.DatasetReader,
    stac: dict[str, tuple[float, float]],
    scale: float | None,
    offset: float | None,
) -> BandFile:
    """The band with its scale and offset: what the user says, the file, STAC, or its name."""
    product = _PRODUCT.search(Path(file.path).name)
    known: tuple[float, float] | None
    if scale is not None:
        known = (scale, offset or 0.0)
    elif (file.scale, file.offset) != (1.0, 0.0):
        known = (file.scale, file.offset)
    elif file.name in stac:
        known = stac[file.name]
    elif product and product[1] < BASELINE_04_00 and not _reprocessed(file.path):
        known = (1e-4, 0.0)
    elif np.issubdtype(np.dtype(file.dtype), np.floating) and _looks_like_reflectance(source, file):
        known = (1.0, 0.0)
    else:
        raise SceneError(
            f"{file.path} does not say how its numbers ({file.dtype}) become reflectance 0..1; "
            "give --scale and --offset (Sentinel-2 L2A: --scale 0.0001, and --offset -0.1 "
            "since processing baseline 04.00)"
        )
    if offset is not None:
        known = (known[0], offset)
    return BandFile(**{**vars(file), "scale": float(known[0]), "offset": float(known[1])})


def _reprocessed(path: str) -> bool:
    baseline = _BASELINE.search(path)
    return bool(baseline and int(baseline[1]) >= 400)


def _looks_like_reflectance(source: rasterio.DatasetReader, file: BandFile) -> bool:
    """Whether a float band's middle holds reflectance: a read of at most 256 x 256 pixels."""
    side = min(256, source.width, source.height)
    window = Window((source.width - side) // 2, (source.height - side) // 2, side, side)
    values = source.read(file.number, window=window).astype(float)
    values = values[np.isfinite(values) & (values != (file.nodata if file.nodata else np.nan))]
    return values.size == 0 or float(np.percentile(np.abs(values), 99)) <= 2.0


def _stac_bands(path: str) -> dict[str, tuple[float, float]]:
    """Scale and offset by band name from a STAC item beside the file, where there is one."""
    file = Path(path)
    if not _is_local(path):
        return {}
    for candidate in (file.with_suffix(".json"), *sorted(file.parent.glob("*.json"))[:8]):
        item = _stac_item(candidate)
        asset = _asset_of(item, file.name) if item else None
        if item and asset:
            applied = bool(item.get("properties", {}).get("earthsearch:boa_offset_applied"))
            return _asset_scales(asset, applied)
    return {}


def _stac_item(path: Path) -> dict[str, Any] | None:
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_item = isinstance(item, dict) and "stac_version" in item and "assets" in item
    return item if is_item else None


def _asset_of(item: dict[str, Any], filename: str) -> dict[str, Any] | None:
    for key, asset in item["assets"].items():
        if str(asset.get("href", "")).rsplit("/", 1)[-1] == filename:
            return {"key": key, **asset}
    return None


def _asset_scales(asset: dict[str, Any], offset_applied: bool) -> dict[str, tuple[float, float]]:
    """Scales of an asset after STAC 1.1 (`bands`) or the raster extension (`raster:bands`)."""
    names = [b.get("name") for b in asset.get("eo:bands", [])]
    scales: dict[str, tuple[float, float]] = {}
    for number, band in enumerate(asset.get("bands") or asset.get("raster:bands") or []):
        merged = {**asset, **band}
        scale = merged.get("raster:scale", merged.get("scale"))
        offset = merged.get("raster:offset", merged.get("offset", 0.0))
        name = band.get("name") or (names[number] if number < len(names) else asset["key"])
        if scale is not None:
            # Earth Search removes the offset from the pixels but goes on declaring it.
            scales[tidy(str(name))] = (float(scale), 0.0 if offset_applied else float(offset))
    return scales
