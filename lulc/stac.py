"""Sentinel-2 scenes from a STAC API: search a box and a time, read only the box, no clouds."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import rasterio
import shapely
from odc.geo.geobox import GeoBox

from lulc import composite, config, files
from lulc.bandfiles import BandFile, open_raster, tidy
from lulc.calibration import of_asset
from lulc.composite import Dated
from lulc.errors import SceneError
from lulc.grid import grid_of
from lulc.region import Region
from lulc.scene import Scene

#: The bands of Sentinel-2 that are fetched unless others are named: all of 10 and 20 m that
#: the bundled models and the Finnish mosaics have.
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")

#: Seconds to wait for an answer of a STAC API.
TIMEOUT = 30.0

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Fetched:
    """A scene that was composed."""

    path: Path
    """The GeoTIFF."""
    grid: GeoBox
    """Its grid."""
    items: tuple[str, ...]
    """Ids of the items it was composed from."""
    clear: float
    """Share of its pixels that were clear on at least one date."""


def fetch(
    bbox: Sequence[float],
    period: str,
    *,
    url: str | None = None,
    collection: str = "sentinel-2-l2a",
    bands: Sequence[str] = BANDS,
    max_cloud: float = 40.0,
    resolution: float = 10.0,
    out: Path | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Fetched:
    """Compose a cloud-free scene of a box: the median of the clear pixels of all dates.

    `bbox` is west south east north in degrees; `period` is `START/END`, dates after ISO 8601;
    `max_cloud` is in percent of an item; `resolution` in metres. The scene is written into the
    folder `out` (in the workspace by default) as `bands.tif` with a STAC item beside it that
    lists its sources. Raises SceneError when the API or an image cannot be read, when there is
    no item or no clear pixel, RegionError for a box that is none.
    """
    box = Region.box(bbox)
    url = url or config.STAC
    wanted = tuple(dict.fromkeys(tidy(band) for band in bands))
    if resolution <= 0:
        raise SceneError(f"expected a resolution above 0 m; got {resolution:g}")
    out = out or _new_folder(period)
    if out.exists():
        raise SceneError(f"the folder {out} exists; choose another --out")
    items = search(url, collection, box, period, max_cloud)
    grid, dates = _dates(items, wanted, box, resolution)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        clear = composite.write(partial / "bands.tif", grid, dates, wanted, _tags(items), progress)
        if clear == 0:
            raise SceneError(
                f"no pixel of the box is clear in any of {len(items)} items: "
                "give a longer --datetime or a larger --max-cloud"
            )
        record = _record(out.name, grid, wanted, items, url, collection)
        files.write_text(partial / "bands.json", json.dumps(record, indent=1) + "\n")
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Fetched(out / "bands.tif", grid, tuple(str(item["id"]) for item in items), clear)


def search(url: str, collection: str, box: Region, period: str, max_cloud: float) -> list[Item]:
    """The items of a collection in a box and a period, at most so cloudy, the oldest first.

    Raises SceneError when there is none, or the API does not answer.
    """
    # Imported late: it takes half a second, and only this needs it.
    from pystac_client import Client
    from pystac_client.exceptions import APIError
    from pystac_client.stac_api_io import StacApiIO

    def asked(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (APIError, pystac.STACError, OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise SceneError(f"the STAC API {url} cannot be asked: {reason}") from error

    api = asked(lambda: Client.open(url, stac_io=StacApiIO(max_retries=1), timeout=TIMEOUT))
    try:
        request = api.search(collections=[collection], bbox=box.outline.bounds, datetime=period)
    except Exception as error:  # no request yet: it is the dates, and of no kind of their own
        raise SceneError(f"expected dates such as 2024-06-01/2024-08-31; got {period!r}") from error
    found = asked(lambda: list(request.items_as_dicts()))
    place = " ".join(f"{value:g}" for value in box.outline.bounds)
    if not found:
        raise SceneError(
            f"{url} has no item of {collection} in the box {place} and the period {period}: "
            "check the axis order (west south east north), --datetime and --collection"
        )
    cloud = [float(item["properties"].get("eo:cloud_cover") or 0) for item in found]
    clear = [item for item, share in zip(found, cloud, strict=True) if share <= max_cloud]
    if not clear:
        raise SceneError(
            f"all {len(found)} items are cloudier than --max-cloud {max_cloud:g} %; the clearest "
            f"has {min(cloud):g} %"
        )
    return sorted(clear, key=_when)


def _when(item: Item) -> str:
    """When an item was taken, as text that sorts by time."""
    properties = item["properties"]
    return str(properties.get("datetime") or properties.get("start_datetime") or "")


def _dates(
    items: Sequence[Item], bands: Sequence[str], box: Region, resolution: float
) -> tuple[GeoBox, list[Dated]]:
    """The composite's grid and the items' images on it."""
    with ThreadPoolExecutor(composite.READERS) as pool:
        opened = list(pool.map(_bands, items, [bands] * len(items)))
    crs, _ = Counter(str(found[0].grid.crs) for found in opened).most_common(1)[0]
    # Edges at multiples of the resolution: those are the edges of Sentinel-2's own pixels.
    grid = GeoBox.from_bbox(box.to(crs).bounds, crs, resolution=resolution, tight=False)
    dates = [
        Dated(Scene(str(item["id"]), found, grid), _href(_assets(item)["SCL"]))
        for item, found in zip(items, opened, strict=True)
    ]
    return grid, dates


def _assets(item: Item) -> dict[str, dict[str, Any]]:
    """An item's assets by band name (B02, ..., SCL); of B02_10m and B02_20m the finer one."""
    found: dict[str, dict[str, Any]] = {}
    for key, asset in sorted(item.get("assets", {}).items()):
        name = "SCL" if key.upper().startswith("SCL") and "JP2" not in key.upper() else tidy(key)
        found.setdefault(name, asset)
    return found


def _href(asset: Mapping[str, Any]) -> str:
    return str(asset["href"])


def _bands(item: Item, names: Sequence[str]) -> tuple[BandFile, ...]:
    """The bands of an item. Raises SceneError for absent ones, or where no scale is told."""
    assets = _assets(item)
    absent = [name for name in (*names, "SCL") if name not in assets]
    if absent:
        raise SceneError(
            f"the item {item['id']} lacks {', '.join(absent)}; it has {', '.join(assets)}: "
            "name other --bands or another --collection"
        )
    found = []
    for name in names:
        asset = assets[name]
        known = of_asset(asset, item["properties"])[0]
        if known is None:
            raise SceneError(
                f"the item {item['id']} does not tell how the numbers of {name} become "
                "reflectance (raster:scale, raster:bands or s2:processing_baseline)"
            )
        with rasterio.Env(**composite.REMOTE), open_raster(_href(asset)) as source:
            found.append(
                BandFile(
                    name=name,
                    path=_href(asset),
                    number=1,
                    grid=grid_of(source),
                    dtype=source.dtypes[0],
                    # Sentinel-2 products reserve 0 for nodata, whether the file says so or not.
                    nodata=0.0 if source.nodata is None else source.nodata,
                    scale=known[0],
                    offset=known[1],
                    simulated=source.tags().get("SIMULATED", "").lower() == "yes",
                )
            )
    return tuple(found)


def _baseline(item: Item) -> str:
    properties = item["properties"]
    return str(properties.get("s2:processing_baseline") or properties.get("processing:version", ""))


def _tags(items: Sequence[Item]) -> dict[str, str]:
    """What the GeoTIFF itself says of its sources."""
    return {
        "TITLE": "Sentinel-2: median of the clear pixels of several dates",
        "ITEMS": " ".join(str(item["id"]) for item in items),
        "DATES": " ".join(dict.fromkeys(_when(item)[:10] for item in items)),
        "PROCESSING_BASELINES": " ".join(sorted({b for item in items if (b := _baseline(item))})),
    }


def _record(
    name: str, grid: GeoBox, bands: Sequence[str], items: Sequence[Item], url: str, collection: str
) -> dict[str, Any]:
    """The STAC item beside the scene."""
    outline = grid.extent.to_crs("EPSG:4326").geom
    record = pystac.Item(
        id=name,
        geometry=json.loads(shapely.to_geojson(outline)),
        bbox=list(outline.bounds),
        datetime=None,
        properties={
            "title": "Sentinel-2: median of the clear pixels of several dates",
            "description": "Modified Copernicus Sentinel data",
            "start_datetime": _when(items[0]),
            "end_datetime": _when(items[-1]),
            "created": datetime.now(UTC).isoformat(),
            "proj:code": str(grid.crs),
            "proj:shape": [grid.shape.y, grid.shape.x],
            "proj:transform": list(grid.affine[:6]),
            "lulc:sources": [
                {
                    "id": item["id"],
                    "collection": item.get("collection", collection),
                    "datetime": _when(item),
                    "eo:cloud_cover": item["properties"].get("eo:cloud_cover"),
                    "processing_baseline": _baseline(item),
                    "assets": {band: _href(_assets(item)[band]) for band in (*bands, "SCL")},
                }
                for item in items
            ],
            "lulc:source_api": url,
        },
        stac_extensions=[
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
        ],
    )
    scale = {"data_type": "uint16", "nodata": 0, "raster:scale": composite.SCALE}
    asset = pystac.Asset(
        href="./bands.tif",
        media_type=pystac.MediaType.GEOTIFF,
        roles=["data"],
        extra_fields={"bands": [{"name": b, **scale, "raster:offset": 0} for b in bands]},
    )
    record.add_asset("data", asset)
    return record.to_dict(include_self_link=False, transform_hrefs=False)


def _new_folder(period: str) -> Path:
    """A folder of the workspace that does not exist, named after the period."""
    days = [part[:10].replace(".", "") for part in period.split("/")]
    name = "_".join(["sentinel2", *(day for day in days if day.replace("-", "").isalnum())])
    place = config.workspace() / "scenes"
    candidates = (place / (name if n == 1 else f"{name}_{n}") for n in range(1, 1000))
    return next(path for path in candidates if not path.exists())
