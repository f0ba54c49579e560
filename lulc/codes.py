"""Which codes a file of labels holds: named by the user, written in the file, or refused.

The values 1..44 mean one thing in the EEA's CORINE rasters and another in the Finnish ones
(48 is no data there and water here), so a range of values is never enough: a file settles
it only by a tag, its category names, its colours, or a value that a single legend has.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window

from lulc.errors import LegendError, ReferenceDataError
from lulc.legend import Legend, crosswalk, legends

#: Tags of a raster that name its codes; the second is written by `lulc classify`.
TAGS = ("LULC_CODES", "LULC_LEGEND")

#: Pixels up to which every value is looked at; of a larger raster, every n-th strip is.
EXACT_PIXELS = 100_000_000

#: Share of the classes present that must have a legend's name, or colour, for it to decide,
#: and by how much it must lead. Measured: an EEA raster has 1.00 of the colours of the grid
#: codes and 0.19 of the Finnish ones; a Finnish raster 0.59 of its own and 0.13 of the others.
DECISIVE, LEAD = 0.5, 0.2

#: Largest difference of a channel (0..255) between two editions of one official colour.
COLOR_TOLERANCE = 12

#: The attribute of CORINE polygons: Code_18, CODE_18, code_12, ...
_FIELD = re.compile(r"code_?(\d\d)", re.IGNORECASE)


def detect_codes(path: str | Path, codes: str | None = None, known: Sequence[Legend] = ()) -> str:
    """Name of the legend that a raster's values are codes of.

    Args:
        codes: the name if the user gave one; it wins, but must fit the values.
        known: legends beyond the bundled ones that the file may be of.

    Raises:
        ReferenceDataError: values that fit several legends or none, or not the one named.
    """
    return check_raster(Path(path), codes, known).name


def check_raster(path: Path, codes: str | None = None, known: Sequence[Legend] = ()) -> Legend:
    """As `detect_codes`, but the legend itself."""
    with open_raster(path) as file:
        named = codes or next((tag for t in TAGS if (tag := file.tags().get(t))), None)
        if named:
            legend = _named(named, known)
            _check_values(path, present_values(file), legend)
            return legend
        values = present_values(file)
        colors = file.colormap(1) if file.colorinterp[0].name == "palette" else {}
        names = _category_names(file)
    bundled = [Legend.load(name) for name in legends()]
    others = [legend for legend in known if legend.name not in {b.name for b in bundled}]
    fitting = [legend for legend in [*bundled, *others] if not _foreign(values, legend)]
    if len(fitting) == 1:
        return fitting[0]
    present = [int(v) for v in values]
    for shares in (
        {c.name: _share(present, names, {k.id: k.name for k in c.classes}) for c in fitting},
        {c.name: _color_share(present, colors, c) for c in fitting},
    ):
        *_, second, best = sorted([0.0, 0.0, *shares.values()])
        if best >= DECISIVE and best - second >= LEAD:
            return next(legend for legend in fitting if shares[legend.name] == best)
    given = ", ".join(legend.name for legend in fitting)
    raise ReferenceDataError(
        f"the values {_listed(values)} of {path} are codes of {given}; name one with --codes"
        if fitting
        else f"the values {_listed(values)} of {path} are codes of no legend here "
        f"({', '.join(legends())}); name a legend file with --codes"
    )


def shift(path: Path, legend: Legend) -> int:
    """What to add to a raster's values for ids of the legend: 1 where the file counts from 0.

    A product that counts from 0 (`Legend.first`) is read so, unless the file is one of ours,
    which a tag tells, or has a value that only a count from 1 reaches.
    """
    if legend.first == 1:
        return 0
    with open_raster(path) as file:
        ours = any(file.tags().get(tag) for tag in TAGS)
        counts_from_1 = ours or max(legend.ids) in present_values(file)
    return 0 if counts_from_1 else 1 - legend.first


def check_field(
    path: Path,
    layer: str,
    field: str,
    codes: str | None = None,
    known: Sequence[Legend] = (),
) -> Legend:
    """The legend of a polygon layer's code field: CORINE's 3-digit codes unless named otherwise."""
    import pyogrio

    table = pyogrio.read_dataframe(path, layer=layer, columns=[field], read_geometry=False)
    legend = _named(codes or "clc", known)
    values = numbers(table[field].unique())
    _check_values(path, np.unique(values[~np.isnan(values)]), legend)
    return legend


def polygon_layer(
    path: Path, layer: str | None = None
) -> tuple[str, str, str, tuple[float, float, float, float]]:
    """Layer, code field, CRS and bounds of a vector file.

    Raises:
        ReferenceDataError: no such layer, several that would do, no code field, no CRS.
    """
    import pyogrio

    found = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    if layer is not None and layer not in found:
        raise ReferenceDataError(f"{path} has no layer {layer}, but {', '.join(found)}")
    fields = {}
    for name in [layer] if layer else found:
        matches = [
            (match[1] < "80", match[1], column)  # CORINE began in 1985: 90 is before 00
            for column in pyogrio.read_info(path, layer=name)["fields"]
            if (match := _FIELD.fullmatch(column))
        ]
        if matches:
            fields[name] = max(matches)[2]
    if len(fields) != 1:
        raise ReferenceDataError(
            f"{path} has several layers of codes, {', '.join(fields)}: name one with --layer"
            if fields
            else f"{path} has no field such as Code_18 in {', '.join([layer] if layer else found)}"
        )
    name, field = fields.popitem()
    info = pyogrio.read_info(path, layer=name, force_total_bounds=True)
    if info["crs"] is None:
        raise ReferenceDataError(f"{path} has no CRS: set one, for example with ogr2ogr -a_srs")
    return name, field, info["crs"], info["total_bounds"]


def is_vector(path: Path) -> bool:
    """Whether a file holds polygons rather than a raster."""
    import pyogrio
    from pyogrio.errors import DataSourceError

    if path.suffix.lower() in (".tif", ".tiff", ".vrt", ".img", ".nc"):
        return False
    try:
        return len(pyogrio.list_layers(path)) > 0
    except DataSourceError:
        return False


def open_raster(path: Path) -> rasterio.DatasetReader:
    """A raster with a CRS, or one line why not."""
    if not path.exists():
        raise ReferenceDataError(f"no such file: {path}")
    try:
        with warnings.catch_warnings():  # the missing CRS is said below, in plain words
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = rasterio.open(path)
    except RasterioIOError as error:
        raise ReferenceDataError(f"{path} is neither a raster nor polygons: {error}") from None
    if file.crs is None:
        file.close()
        raise ReferenceDataError(f"{path} has no CRS: set one, for example with gdal_edit -a_srs")
    return file


def present_values(file: rasterio.DatasetReader) -> NDArray[np.float64]:
    """Distinct values of band 1 but the file's nodata and NaN: all of them below `EXACT_PIXELS`."""
    usual = np.zeros(1 << 16, bool)
    strange: set[float] = set()
    for strip in _strips(file):
        raw = file.read(1, window=strip).ravel()
        if raw.dtype.kind == "f":
            raw = raw[~np.isnan(raw)]
        # Counting 16-bit values is ten times as fast as sorting; the few others are sorted.
        small = np.clip(raw, 0, usual.size - 1).astype(np.uint16)
        odd = raw != small
        if odd.any():
            strange.update(np.unique(raw[odd]).tolist())
            small = small[~odd]
        usual |= np.bincount(small, minlength=usual.size) > 0
    values = {*np.flatnonzero(usual).tolist(), *strange} - {file.nodata}
    return np.array(sorted(values), float)


def numbers(codes: Iterable[Any]) -> NDArray[np.float64]:
    """Codes written as text or number; NaN where there is none."""

    def number(code: Any) -> float:
        text = str(code).strip()
        try:
            return float(text) if text and code is not None else float("nan")
        except ValueError:
            raise ReferenceDataError(f"expected a CORINE code such as 311, got {text!r}") from None

    return np.array([number(code) for code in codes], float)


def _strips(file: rasterio.DatasetReader) -> Iterator[Window]:
    rows = file.block_shapes[0][0]
    rows *= max(1, (1 << 22) // (file.width * rows))
    step = -(-file.width * file.height // EXACT_PIXELS)
    for top in range(0, file.height, rows * step):
        yield Window(0, top, file.width, min(rows, file.height - top))


def _named(name: str, known: Sequence[Legend]) -> Legend:
    try:
        return next((k for k in known if k.name == name), None) or Legend.load(name)
    except LegendError as error:
        raise ReferenceDataError(f"unknown codes: {error}") from None


def _foreign(values: NDArray[np.float64], legend: Legend) -> list[float]:
    """Values that are neither a class of the legend nor a known way to say that there is none."""
    allowed = {0, legend.nodata, *legend.ids, *legend.special}
    return [float(v) for v in values if v not in allowed]


def _check_values(path: Path, values: NDArray[np.float64], legend: Legend) -> None:
    foreign = _foreign(values, legend)
    if foreign:
        raise ReferenceDataError(
            f"{path} has the values {_listed(foreign)}, which are no codes of {legend.name}: "
            "name other codes with --codes, or declare the value as nodata"
        )


def _share(present: Sequence[int], given: dict[int, str], expected: dict[int, str]) -> float:
    """Of the classes present, the share whose name in the file is the legend's."""
    shared = [i for i in present if i in expected]
    same = sum(given.get(i, "").casefold() == expected[i].casefold() for i in shared)
    return same / len(shared) if shared else 0.0


def _color_share(present: Sequence[int], colors: dict[int, Any], legend: Legend) -> float:
    """Of the classes present, the share whose colour in the file is about the legend's."""
    expected = {c.id: c.rgb for c in legend.classes}
    if legend.name == "clc-fi":  # national editions colour a class as its level-3 class
        parents = Legend.load("clc").by_id
        pairs = crosswalk(legend, "clc").pairs
        expected = {i: parents[pairs[i][0]].rgb for i in legend.ids}
    shared = [i for i in present if i in expected]
    near = [
        i in colors
        and max(abs(a - b) for a, b in zip(colors[i], expected[i], strict=False)) <= COLOR_TOLERANCE
        for i in shared
    ]
    return sum(near) / len(shared) if shared else 0.0


def _category_names(file: rasterio.DatasetReader) -> dict[int, str]:
    """GDAL's category names of band 1, which rasterio shows only through a VRT."""
    with tempfile.TemporaryDirectory() as folder:
        vrt = Path(folder) / "names.vrt"
        rasterio.shutil.copy(file, vrt, driver="VRT")
        categories = ElementTree.parse(vrt).findall("VRTRasterBand[@band='1']/CategoryNames/*")
    return {i: c.text.strip() for i, c in enumerate(categories) if c.text}


def _listed(values: Iterable[float]) -> str:
    shown = [f"{v:g}" for v in values]
    return ", ".join(shown) if len(shown) <= 6 else ", ".join([*shown[:3], "...", *shown[-3:]])
