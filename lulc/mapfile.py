"""The map file: blocks while a run goes on, and the GeoTIFF they become.

Blocks are small GeoTIFFs in the run's spool. A virtual mosaic of them, with overviews that
suit each band, is copied once into a Cloud Optimized GeoTIFF: no pixel is held longer than
a block, and the result does not depend on the order in which blocks were finished. Bands lie
one after the other: who wants the classes reads the classes alone, not all activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile
from rasterio.windows import Window

from lulc import config, files
from lulc.legend import Legend

#: uint8 activations are 0..250: times this is the probability.
ACTIVATION_SCALE = 0.004
NODATA = 255

#: What assembling takes beside the blocks, in their own size: the map, and its overviews twice,
#: within it and for themselves. Halving a map quarters its pixels but only halves its edges, so
#: that all overviews together take at most about as much as the map; 1.6 to 2.6 were measured.
ROOM = 3.0

#: Side of the map's tiles, in pixels.
_TILE = 512

#: Rows and columns below which a further overview is of no use.
_SMALLEST = 256

#: Rows and columns of an overview that are made at once: rows of its tiles, and the 14 bands of
#: the four times as many pixels below it are 15 MB.
_ROWS, _COLUMNS = 256, 1024


@dataclass(frozen=True)
class MapFormat:
    """How classes and activations are stored."""

    legend: Legend
    """The classes, in the order of the activation bands."""
    dtype: str = "uint8"
    """`uint8`, activations 0..250; or `float32`, the activations themselves."""

    @property
    def count(self) -> int:
        """Bands: the class and one activation for each class."""
        return 1 + len(self.legend.classes)

    @property
    def nodata(self) -> float:
        """255, or NaN in a float32 map."""
        return NODATA if self.dtype == "uint8" else float("nan")

    @property
    def descriptions(self) -> tuple[str, ...]:
        """The bands' descriptions."""
        return ("class", *self.legend.names)

    def encode(self, activations: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Store activations, float32 (class, y, x), as bands (1 + class, y, x).

        Band 1 is the id of the largest activation (the first of equal ones).
        """
        bands = np.empty((self.count, *valid.shape), self.dtype)
        bands[0] = np.array(self.legend.ids, self.dtype)[_first_largest(activations)]
        for stored, activation in zip(bands[1:], activations, strict=True):
            if self.dtype == "uint8":
                np.rint(activation / ACTIVATION_SCALE, out=stored, casting="unsafe")
            else:
                stored[:] = activation
        np.copyto(bands, self.nodata, where=~valid, casting="unsafe")
        return bands


def _first_largest(activations: np.ndarray) -> np.ndarray:
    """`activations.argmax(axis=0)` as uint8, in whole bands: eight times as fast."""
    most, number = activations.max(axis=0), len(activations)
    left = np.ones(most.shape, np.uint8)  # classes from the first largest one on
    for place, activation in enumerate(activations):
        largest = (activation == most).view(np.uint8)
        np.maximum(left, largest * np.uint8(number - place), out=left)
    return np.uint8(number) - left


def encoded(bands: np.ndarray, layout: MapFormat, grid: GeoBox) -> bytes:
    """One block's bands (band, y, x) as the bytes of a GeoTIFF.

    In memory: GDAL closes a file that did not fit on the disk without a word.
    """
    profile = {
        "driver": "GTiff",
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype,
        "crs": str(grid.crs),
        "transform": grid.affine,
        "nodata": layout.nodata,
        "compress": "zstd",
        "zstd_level": 1,
        "interleave": "band",
        "blockysize": min(256, bands.shape[1]),
    }
    with MemoryFile() as memory:
        with files.MAKING_RASTER, memory.open(**profile) as target:
            target.write(bands)
        return bytes(memory.getbuffer())


def assemble(
    blocks: Sequence[tuple[Path, Window]], target: Path, layout: MapFormat, grid: GeoBox
) -> None:
    """Make the map of finished blocks, each with its window in the map, on the map's grid.

    Raises OSError when the disk has no room for it.
    """
    spool = blocks[0][0].parent
    files.check_room(target.parent, ROOM * sum(path.stat().st_size for path, _ in blocks) + 2**20)
    with rasterio.Env(GDAL_CACHEMAX=config.GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"):
        mosaic = _virtual(spool / "mosaic.vrt", blocks, layout, grid, [])
        overviews = _overviews(mosaic, spool, layout)
        mosaic = _virtual(spool / "mosaic.vrt", blocks, layout, grid, overviews)
        with files.replacing(target) as temporary:
            rasterio.shutil.copy(
                mosaic,
                temporary,
                # GDAL's COG driver cannot lay bands one after the other before 3.11; with the
                # source's overviews, this one writes in the same order as that.
                driver="GTiff",
                copy_src_overviews=True,
                interleave="BAND",
                tiled=True,
                blockxsize=_TILE,
                blockysize=_TILE,
                compress="ZSTD",
                zstd_level=1,
                predictor=2 if layout.dtype == "uint8" else 3,
                num_threads="ALL_CPUS",
                bigtiff="IF_SAFER",
            )
            # The sidecar that the copy may leave is ours to write.
            temporary.with_name(temporary.name + ".aux.xml").unlink(missing_ok=True)
    files.write_text(target.with_name(target.name + ".aux.xml"), _sidecar(layout.legend))


def _overviews(mosaic: Path, spool: Path, layout: MapFormat) -> list[Path]:
    """Halve the mosaic again and again: the most frequent class, the mean activation."""
    made: list[Path] = []
    source_path = mosaic
    while True:
        with rasterio.open(source_path) as source:
            height, width = -(-source.height // 2), -(-source.width // 2)
            if max(source.height, source.width) <= _SMALLEST:
                return made
            profile = source.profile | {
                "driver": "GTiff",
                "height": height,
                "width": width,
                "tiled": True,
                "blockxsize": 256,
                "blockysize": 256,
                "compress": "zstd",
                "zstd_level": 1,
                "interleave": "band",
                "transform": source.transform @ Affine.scale(2),
                "BIGTIFF": "IF_SAFER",
            }
            path = spool / f"overview-{len(made) + 1}.tif"
            # Under a name of its own until it is whole: a cancelled run may still be at this
            # when it is asked for again.
            with (
                files.replacing(path) as temporary,
                rasterio.open(temporary, "w", **profile) as target,
            ):
                for row, column in product(range(0, height, _ROWS), range(0, width, _COLUMNS)):
                    size = min(_COLUMNS, width - column), min(_ROWS, height - row)
                    window = Window(column, row, *size)
                    halved = _halved(_below(source, window), layout)
                    target.write(halved, window=window)
        made.append(path)
        source_path = path


def _below(source: rasterio.DatasetReader, window: Window) -> np.ndarray:
    """The pixels under an overview's window, (band, y, x), two by two each: edges go on."""
    wanted = 2 * int(window.height), 2 * int(window.width)
    below = Window(
        window.col_off * 2,
        window.row_off * 2,
        min(wanted[1], source.width - window.col_off * 2),
        min(wanted[0], source.height - window.row_off * 2),
    )
    pixels = source.read(window=below)
    odd = [(0, n - have) for n, have in zip(wanted, pixels.shape[1:], strict=True)]
    return np.pad(pixels, [(0, 0), *odd], mode="edge") if any(map(sum, odd)) else pixels


def _halved(pixels: np.ndarray, layout: MapFormat) -> np.ndarray:
    """Half as many rows and columns of (band, y, x), of which there are even numbers."""
    bands, rows, columns = pixels.shape
    shape = rows // 2, columns // 2
    classes = [np.ascontiguousarray(four) for four in _fours(pixels[0])]
    there = [c != NODATA if layout.dtype == "uint8" else ~np.isnan(c) for c in classes]
    number = np.add.reduce(there, dtype=np.uint8)
    halved = np.empty((bands, *shape), pixels.dtype)
    halved[0] = _most_frequent(classes, there)
    # Where the mean is not that of four whole numbers: at the edges of what is there.
    rest = (number > 0) & (number < 4) if layout.dtype == "uint8" else np.ones(shape, bool)
    for band in range(1, bands):
        if layout.dtype == "uint8":
            halved[band] = _mean_of_four(pixels[band])
        counted = [
            np.where(mine_there[rest], four[rest], 0)
            for mine_there, four in zip(there, _fours(pixels[band]), strict=True)
        ]
        mean = np.add.reduce(counted, dtype=np.float32) / np.maximum(number[rest], 1)
        halved[band, rest] = np.rint(mean) if layout.dtype == "uint8" else mean
    halved[:, number == 0] = layout.nodata
    return halved


def _fours(band: np.ndarray) -> list[np.ndarray]:
    """The four pixels (y, x) under each of an overview, as four views."""
    return [band[y::2, x::2] for y in (0, 1) for x in (0, 1)]


def _mean_of_four(band: np.ndarray) -> np.ndarray:
    """As np.rint of the mean of uint8 (y, x), halves to even, 20 times as fast.

    Two pixels side by side are added as the two bytes of one number.
    """
    pairs = band.view(np.uint16)
    sums = (pairs & 255) + (pairs >> 8)
    total = sums[::2] + sums[1::2]
    return (total + 1 + (total >> 2 & 1)) >> 2


def _most_frequent(classes: Sequence[np.ndarray], there: Sequence[np.ndarray]) -> np.ndarray:
    """The class that most of four pixels have; of equally frequent ones the first met."""
    best, most = classes[0], np.zeros(classes[0].shape, np.uint8)
    for mine, mine_there in zip(classes, there, strict=True):
        votes = np.zeros_like(most)
        for other in classes:
            votes += mine == other
        votes *= mine_there
        best = np.where(votes > most, mine, best)
        most = np.maximum(votes, most)
    return best


def _virtual(
    path: Path,
    blocks: Sequence[tuple[Path, Window]],
    layout: MapFormat,
    grid: GeoBox,
    overviews: Sequence[Path],
) -> Path:
    """Write a virtual raster that places every block, with its overviews in other files."""
    height, width = grid.shape
    kind = "Byte" if layout.dtype == "uint8" else "Float32"
    root = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    ET.SubElement(root, "SRS").text = grid.crs.to_wkt() if grid.crs else ""
    ET.SubElement(root, "GeoTransform").text = ", ".join(
        repr(float(value)) for value in grid.affine.to_gdal()
    )
    metadata = ET.SubElement(root, "Metadata")
    ET.SubElement(metadata, "MDI", key="LULC_LEGEND").text = layout.legend.name
    for number, description in enumerate(layout.descriptions, 1):
        band = ET.SubElement(root, "VRTRasterBand", dataType=kind, band=str(number))
        ET.SubElement(band, "Description").text = description
        ET.SubElement(band, "NoDataValue").text = str(layout.nodata)
        if number > 1 and layout.dtype == "uint8":
            ET.SubElement(band, "Scale").text = str(ACTIVATION_SCALE)
        for block, window in blocks:
            source = ET.SubElement(band, "SimpleSource")
            ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = block.name
            ET.SubElement(source, "SourceBand").text = str(number)
            size = {"xSize": str(int(window.width)), "ySize": str(int(window.height))}
            # Said here, GDAL need not open every block to learn it.
            ET.SubElement(
                source,
                "SourceProperties",
                RasterXSize=size["xSize"],
                RasterYSize=size["ySize"],
                DataType=kind,
                BlockXSize=size["xSize"],
                BlockYSize=str(min(256, int(window.height))),
            )
            for rectangle, x, y in (("SrcRect", 0, 0), ("DstRect", window.col_off, window.row_off)):
                ET.SubElement(source, rectangle, {"xOff": str(int(x)), "yOff": str(int(y)), **size})
        for overview in overviews:
            entry = ET.SubElement(band, "Overview")
            ET.SubElement(entry, "SourceFilename", relativeToVRT="1").text = overview.name
            ET.SubElement(entry, "SourceBand").text = str(number)
    files.write_text(path, ET.tostring(root, encoding="unicode"))
    return path


def _sidecar(legend: Legend) -> str:
    """GDAL's sidecar: a colour table and category names, which a GeoTIFF of several bands
    cannot hold."""
    by_id = legend.by_id
    names, colours = [], []
    for value in range(max(legend.ids) + 1):
        entry = by_id.get(value)
        names.append(f"<Category>{escape(entry.name) if entry else ''}</Category>")
        red, green, blue = entry.rgb if entry else (0, 0, 0)
        alpha = 255 if entry else 0
        colours.append(f'<Entry c1="{red}" c2="{green}" c3="{blue}" c4="{alpha}"/>')
    return (
        '<PAMDataset><PAMRasterBand band="1"><ColorInterp>Palette</ColorInterp>'
        f"<CategoryNames>{''.join(names)}</CategoryNames>"
        f"<ColorTable>{''.join(colours)}</ColorTable></PAMRasterBand></PAMDataset>\n"
    )
