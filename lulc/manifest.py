"""A run's `run.json`, a STAC Item from which the run can be repeated, and its QGIS style."""

from __future__ import annotations

import getpass
import json
import os
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pystac
import shapely
from odc.geo.geobox import GeoBox

from lulc import __version__, files
from lulc.legend import Legend
from lulc.mapfile import ACTIVATION_SCALE, MapFormat
from lulc.model import Model
from lulc.scene import Scene
from lulc.task import Task

_SCHEMAS = "https://stac-extensions.github.io"

#: The extensions whose fields the item uses.
EXTENSIONS = tuple(
    f"{_SCHEMAS}/{name}/schema.json"
    for name in (
        "projection/v2.0.0",
        "raster/v2.0.0",
        "classification/v2.0.0",
        "mlm/v1.4.0",
        "file/v2.1.0",
    )
)

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(task: Task, map_path: Path, facts: Mapping[str, Any], created: datetime) -> dict[str, Any]:
    """The item of a run that wrote `map_path`, as a dictionary ready for JSON.

    `facts` are further properties, such as warnings and timings.
    """
    scene, model, layout, grid = task.scene, task.model, task.layout, task.grid
    card, window = model.card, task.window
    outline = grid.extent.to_crs("EPSG:4326").geom
    properties = {
        "title": f"Land cover of {scene.name} by {card.name}",
        "created": created.isoformat(),
        **_projection(grid),
        **_mlm(model, layout),
        "processing:software": {"lulc": __version__, **_versions()},
        "lulc:scene": _scene(scene),
        "lulc:region": task.region and task.region.to_dict(),
        "lulc:window": [
            int(v) for v in (window.col_off, window.row_off, window.width, window.height)
        ],
        "lulc:model": {"name": card.name, "path": str(model.path), "weights": card.weights},
        "lulc:normalisation": {
            "mean": [band.mean for band in card.bands],
            "std": [band.std for band in card.bands],
            "index_coding": card.index_coding,
            "temperature": card.temperature,
        },
        "lulc:legend": card.legend.to_dict(),
        "lulc:dtype": layout.dtype,
        "lulc:simulated": scene.simulated,
        "lulc:model_simulated": card.simulated,
        "lulc:footprints": card.footprints,
        "lulc:host": platform.node(),
        "lulc:user": _user(),
        **facts,
    }
    made = pystac.Item(
        id=map_path.parent.name,
        geometry=json.loads(shapely.to_geojson(outline)),
        bbox=list(outline.bounds),
        datetime=created,
        properties=properties,
        stac_extensions=list(EXTENSIONS),
    )
    made.add_asset(
        "map",
        pystac.Asset(
            href="./map.tif",
            title="Classes and activations",
            media_type=_COG,
            roles=["data"],
            extra_fields={
                "bands": _bands(layout),
                "file:checksum": _multihash(files.sha256(map_path)),
                "file:size": map_path.stat().st_size,
            },
        ),
    )
    made.add_asset(
        "style",
        pystac.Asset(href="./map.qml", title="QGIS style", media_type="text/xml", roles=["style"]),
    )
    made.add_asset(
        "model",
        pystac.Asset(
            href=str(model.path / "model.keras"),
            title=card.title,
            media_type="application/zip",
            roles=["mlm:model", "mlm:weights"],
            extra_fields={
                "mlm:artifact_type": "tf.keras.Model.save",
                "file:checksum": _multihash(card.weights),
            },
        ),
    )
    return made.to_dict(include_self_link=False, transform_hrefs=False)


def _projection(grid: GeoBox) -> dict[str, Any]:
    assert grid.crs is not None
    epsg = grid.crs.to_epsg()
    code = {"proj:code": f"EPSG:{epsg}"} if epsg else {"proj:wkt2": grid.crs.to_wkt()}
    return {
        **code,
        "proj:shape": [int(grid.shape.y), int(grid.shape.x)],
        "proj:transform": [float(v) for v in grid.affine[:6]],
    }


def _mlm(model: Model, layout: MapFormat) -> dict[str, Any]:
    card = model.card
    return {
        "mlm:name": card.name,
        "mlm:architecture": "U-Net",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "TensorFlow",
        "mlm:framework_version": version("tensorflow"),
        "mlm:pretrained": True,
        "mlm:input": [
            {
                "name": "bands",
                "bands": list(card.band_names),
                "input": {
                    "shape": [-1, -1, -1, len(card.bands)],
                    "dim_order": ["batch", "height", "width", "bands"],
                    "data_type": "float32",
                },
                "value_scaling": [
                    {"type": "z-score", "mean": band.mean, "stddev": band.std}
                    for band in card.bands
                ],
            }
        ],
        "mlm:output": [
            {
                "name": "activations",
                "tasks": ["semantic-segmentation"],
                "result": {
                    "shape": [-1, -1, -1, len(card.legend.classes)],
                    "dim_order": ["batch", "height", "width", "classes"],
                    "data_type": layout.dtype,
                },
                "classification:classes": _classes(card.legend),
            }
        ],
    }


def _classes(legend: Legend) -> list[dict[str, Any]]:
    """Classes after the classification extension; its names are identifiers."""
    return [
        {
            "value": c.id,
            "name": "".join(ch if ch.isalnum() else "_" for ch in c.name).strip("_").lower(),
            "title": c.name,
            "color_hint": c.color[1:].upper(),
        }
        for c in legend.classes
    ]


def _bands(layout: MapFormat) -> list[dict[str, Any]]:
    nodata = 255 if layout.dtype == "uint8" else "nan"
    common = {"data_type": layout.dtype, "nodata": nodata}
    activation = {"raster:scale": ACTIVATION_SCALE} if layout.dtype == "uint8" else {}
    return [
        {"name": "class", **common, "classification:classes": _classes(layout.legend)},
        *({"name": name, **common, **activation} for name in layout.legend.names),
    ]


def _scene(scene: Scene) -> dict[str, Any]:
    checksums = {
        path: files.sha256(Path(path))
        for path in dict.fromkeys(
            file.path for part in (scene, scene.patch) if part for file in part.files
        )
        if Path(path).is_file()
    }

    def bands(part: Scene) -> list[dict[str, Any]]:
        return [
            {
                "name": file.name,
                "path": file.path,
                "number": file.number,
                "scale": file.scale,
                "offset": file.offset,
                "nodata": None if file.nodata is None else str(file.nodata),
                "sha256": checksums.get(file.path),
            }
            for file in part.files
        ]

    return {
        "name": scene.name,
        "bands": bands(scene),
        "patch": bands(scene.patch) if scene.patch else None,
    }


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "rasterio", "numpy", "odc-geo")
    return {name: version(name) for name in packages} | {
        "python": platform.python_version(),
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "unknown"


def _multihash(sha256: str) -> str:
    """A SHA-256 as the file extension wants it: the multihash code 12, its length 20 in hex."""
    return f"1220{sha256}"


def qgis_style(legend: Legend) -> str:
    """A QGIS layer style: band 1 in the legend's colours, nodata transparent."""
    entries = "".join(
        f'<paletteEntry value="{c.id}" label={quoteattr(c.name)} color="{c.color}" alpha="255"/>'
        for c in legend.classes
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology">\n'
        " <pipe>\n"
        '  <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" '
        'nodataColor="">\n'
        f"   <colorPalette>{entries}</colorPalette>\n"
        "  </rasterrenderer>\n"
        " </pipe>\n"
        "</qgis>\n"
    )
