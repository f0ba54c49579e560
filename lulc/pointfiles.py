"""Files of sample points: GeoPackage, GeoJSON and CSV, written empty and read back labelled.

The first columns are those that Collect Earth Online asks for, in its order; what it exports
prefixes the others with `pl_`, which is understood. QGIS opens all three.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc import files
from lulc.errors import PointsError

#: Columns of a file, in order. REFERENCE is for who looks at the points.
COLUMNS = (
    "LON",
    "LAT",
    "PLOTID",
    "MAPCLASS",
    "MAPNAME",
    "STRATUM",
    "STRATUM_HA",
    "WEIGHT_HA",
    "REFERENCE",
)

#: The column of the labels.
REFERENCE = "REFERENCE"

#: Formats by suffix; None is CSV.
DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON", ".csv": None}

#: Other names of columns that are understood, in lower case.
_OTHER_NAMES = {"longitude": "lon", "latitude": "lat", "plot_id": "plotid"}

#: Decimals of degrees: a centimetre.
_DECIMALS = 7


@dataclass(frozen=True)
class LabelledPoints:
    """Points as read, (n,) each, in the order of the file."""

    plots: tuple[str, ...]
    """Plot ids."""
    lon: NDArray[np.float64]
    """Longitudes in degrees, WGS 84."""
    lat: NDArray[np.float64]
    """Latitudes."""
    labels: tuple[str, ...]
    """What was seen there: an id or a name; empty where nothing was said."""
    strata: tuple[str, ...] | None
    """Names of the strata; None if the file has no such column."""
    stratum_areas: NDArray[np.float64] | None
    """Hectares of the point's stratum; None if the file has no such column."""
    weights: NDArray[np.float64] | None = None
    """Hectares that the point stands for; None if the file has no such column."""


def check_target(path: Path) -> None:
    """Raise PointsError for a format that is not written, or a file that is there."""
    if path.suffix.lower() not in DRIVERS:
        raise PointsError(f"expected a file that ends in {', '.join(DRIVERS)}; got {path}")
    if path.exists():
        raise PointsError(f"{path} exists and may hold labels: expected a new file")


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write points, each with a value for every one of `COLUMNS`.

    Raises:
        PointsError: as `check_target`.
    """
    check_target(path)
    rows = [
        {**row, "LON": round(row["LON"], _DECIMALS), "LAT": round(row["LAT"], _DECIMALS)}
        for row in rows
    ]
    driver = DRIVERS[path.suffix.lower()]
    if driver is None:
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        files.write_text(path, out.getvalue())
        return
    import geopandas  # late: it takes half a second

    frame = geopandas.GeoDataFrame(
        {column: [row[column] for row in rows] for column in COLUMNS},
        geometry=geopandas.points_from_xy([r["LON"] for r in rows], [r["LAT"] for r in rows]),
        crs="EPSG:4326",
    )
    # Text, so that ids and names both fit.
    frame[REFERENCE] = frame[REFERENCE].astype("str")
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        frame.to_file(temporary, driver=driver, layer=path.stem)


def read(path: str | Path, column: str = REFERENCE) -> LabelledPoints:
    """Read points back; upper and lower case and the order of the columns do not matter.

    Args:
        column: the column of the labels, such as the question of a Collect Earth Online survey.

    Raises:
        PointsError: no such file, none of points, columns that are missing, or a plot twice.
    """
    path = Path(path)
    if not path.is_file():
        raise PointsError(f"no such file: {path}")
    rows = _from_csv(path) if path.suffix.lower() == ".csv" else _from_vector(path)
    if not rows:
        raise PointsError(f"expected points in {path}; it has none")
    asked = column.strip().lower()
    missing = [name for name in ("lon", "lat", "plotid", asked) if name not in rows[0]]
    if missing:
        raise PointsError(
            f"expected the column{'s'[: len(missing) > 1]} {', '.join(missing).upper()} in {path}; "
            f"it has {', '.join(rows[0])}"
        )
    plots = tuple(row["plotid"] for row in rows)
    twice = (
        {plot for plot in plots if plots.count(plot) > 1} if len(set(plots)) < len(plots) else ()
    )
    if twice:
        raise PointsError(
            f"expected each plot once in {path}; {some(sorted(twice))} more than once"
        )
    return LabelledPoints(
        plots,
        _numbers(rows, "lon", path),
        _numbers(rows, "lat", path),
        tuple(row[asked] for row in rows),
        tuple(row["stratum"] for row in rows) if "stratum" in rows[0] else None,
        _numbers(rows, "stratum_ha", path) if "stratum_ha" in rows[0] else None,
        _numbers(rows, "weight_ha", path) if "weight_ha" in rows[0] else None,
    )


def some(plots: Sequence[str]) -> str:
    """The first few of many plots, for a message."""
    listed = ", ".join(plots[:5])
    return f"plot {listed}" + (f" and {len(plots) - 5} more" if len(plots) > 5 else "")


def _from_csv(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PointsError(f"expected a CSV file in UTF-8; {path} fails at {error}") from None
    head = text.partition("\n")[0]
    # Spreadsheets write semicolons where a comma is the decimal sign.
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=head.count))
    return [
        {_key(name): (value or "").strip() for name, value in row.items() if isinstance(name, str)}
        for row in reader
    ]


def _from_vector(path: Path) -> list[dict[str, str]]:
    import geopandas  # late: it takes half a second

    try:
        frame = geopandas.read_file(path)
    except Exception as error:  # pyogrio raises several kinds
        reason = " ".join(str(error).split())
        raise PointsError(f"{path} is not a file of points that GDAL reads: {reason}") from None
    if not isinstance(frame, geopandas.GeoDataFrame) or frame.crs is None:
        raise PointsError(f"expected points with a coordinate reference system in {path}")
    if not (frame.geom_type == "Point").all():
        raise PointsError(f"expected nothing but points in {path}")
    where = frame.geometry.to_crs(4326)
    # The geometry counts: a point that was moved has left its LON and LAT behind.
    table = frame.drop(columns=frame.geometry.name)
    places = {"lon": [str(x) for x in where.x], "lat": [str(y) for y in where.y]}
    columns = {_key(str(name)): _texts(table[name]) for name in table} | places
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _texts(values: Any) -> list[str]:
    return ["" if gone else str(v).strip() for v, gone in zip(values, values.isna(), strict=True)]


def _key(name: str) -> str:
    plain = name.strip().lower().removeprefix("pl_")
    return _OTHER_NAMES.get(plain, plain)


def _numbers(rows: Sequence[Mapping[str, str]], column: str, path: Path) -> NDArray[np.float64]:
    try:
        return np.array([float(row[column].replace(",", ".")) for row in rows])
    except ValueError as error:
        raise PointsError(f"expected numbers in {column.upper()} of {path}: {error}") from None
