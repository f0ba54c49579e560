"""Sample points to look at: how many, how many in each class of the map, and where.

The design after Cochran 1977 and Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015), section
5. Every pixel of a stratum is as likely as any other; the same seed gives the same points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox

from lulc import pointfiles
from lulc.census import Stratum, census, degrees
from lulc.errors import PointsError
from lulc.legend import Legend
from lulc.reference import LabelMap
from lulc.runs import Run

#: How the points are shared out: over the whole map, or over its classes by area; by area with
#: a floor for rare classes (Olofsson); by area and expected errors (Neyman).
DESIGNS = ("random", "proportional", "olofsson", "neyman")

#: Points of a rare class in Olofsson's allocation, which says 50 to 100.
RARE = 75

#: Points a class needs at least, for a variance.
FEWEST = 2

#: User's accuracy expected of a class that nothing is known of.
EXPECTED = 0.8

#: Expected accuracies are kept within this distance of 0 and 1: none is sure beforehand.
UNSURE = 0.05


@dataclass(frozen=True)
class Sample:
    """Points drawn from a map, in random order."""

    design: str
    """One of `DESIGNS`."""
    strata: tuple[Stratum, ...]
    """What they were drawn in."""
    legend: Legend
    """The map's classes."""
    lon: NDArray[np.float64]
    """(n,) longitudes in degrees, WGS 84."""
    lat: NDArray[np.float64]
    """(n,) latitudes."""
    classes: NDArray[np.int64]
    """(n,) class ids on the map."""
    stratum: NDArray[np.int64]
    """(n,) stratum ids."""

    @property
    def allocation(self) -> dict[int, int]:
        """Points by stratum id."""
        return {s.id: int((self.stratum == s.id).sum()) for s in self.strata}

    def rows(self) -> list[dict[str, Any]]:
        """The points as `lulc.pointfiles` writes them, numbered from 1, without labels."""
        points, areas = self.allocation, {s.id: s.area for s in self.strata}
        names = self.legend.by_id
        columns = [c.tolist() for c in (self.lon, self.lat, self.classes, self.stratum)]
        return [
            {
                "LON": lon,
                "LAT": lat,
                "PLOTID": plot,
                "MAPCLASS": i,
                "MAPNAME": names[i].name,
                "STRATUM": h,
                "STRATUM_HA": areas[h],
                "WEIGHT_HA": areas[h] / points[h],
                "REFERENCE": "",
            }
            for plot, (lon, lat, i, h) in enumerate(zip(*columns, strict=True), 1)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The design as JSON."""
        points = self.allocation
        return {
            "design": self.design,
            "size": len(self.lon),
            "strata": [{**asdict(s), "points": points[s.id]} for s in self.strata],
        }


def size_for(standard_error: float, weights: ArrayLike, users: ArrayLike, pixels: int) -> int:
    """Points needed for a standard error of the overall accuracy.

    Cochran 1977, equation 5.25; Olofsson et al. 2014, equation 13. With one stratum it is
    the size of a simple random sample.

    Args:
        standard_error: wanted, 0..1 without the ends.
        weights: share of each stratum in the map's area.
        users: user's accuracy expected of each.
        pixels: of the map.
    """
    if not 0 < standard_error < 1:
        raise PointsError(
            f"expected a standard error between 0 and 1, such as 0.01; got {standard_error:g}"
        )
    w, u = np.asarray(weights, float), np.asarray(users, float)
    spread = u * (1 - u)
    needed = (w @ np.sqrt(spread)) ** 2 / (standard_error**2 + (w @ spread) / pixels)
    return min(pixels, math.ceil(needed - 1e-9))


def allocate(size: int, design: str, pixels: Sequence[int], users: ArrayLike) -> NDArray[np.int64]:
    """Points for each class, (k,), summing to `size`.

    Args:
        design: 'proportional', 'olofsson' or 'neyman'.
        pixels: of each class; none gets more points than pixels, or fewer than `FEWEST`.
        users: user's accuracy expected of each class, for Neyman's allocation.
    """
    most = np.asarray(pixels, np.int64)
    least = np.minimum(FEWEST, most)
    if size < least.sum():
        raise PointsError(
            f"expected at least {least.sum()} points, {FEWEST} for each of {len(most)} classes "
            f"on the map; got {size}"
        )
    if size > most.sum():
        raise PointsError(f"expected at most {most.sum()} points, one a pixel; got {size}")
    weights = most.astype(float)
    if design == "neyman":
        u = np.asarray(users, float)
        weights *= np.sqrt(u * (1 - u))
    elif design == "olofsson":
        # At most half the points go to the floor, or no class would get what its area asks for.
        least = np.minimum(np.maximum(least, min(RARE, size // (2 * len(most)))), most)
    return _apportioned(size, weights, least, most)


def _apportioned(
    size: int, weights: NDArray, least: NDArray[np.int64], most: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Whole numbers in proportion to weights, within bounds, that add up to `size`."""
    low, high = 0.0, most.max() / weights.min()
    for _ in range(200):
        middle = (low + high) / 2
        few = np.clip(middle * weights, least, most).sum() < size
        low, high = (middle, high) if few else (low, middle)
    exact = np.clip(high * weights, least, most)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    # The largest remainders get what rounding down has left.
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: size - whole.sum()]] += 1
    return whole


def points(
    run: Run | str | Path,
    out: str | Path | None = None,
    *,
    design: str = "olofsson",
    size: int | None = None,
    standard_error: float = 0.01,
    seed: int = 0,
) -> tuple[Sample, Path]:
    """Draw points from a run's map and write them, by default to `points.gpkg` in its folder.

    What the kept scores of the run say of a class's precision is what is expected of it.

    Raises:
        PointsError: as `draw` and `lulc.pointfiles.write`, or Neyman's allocation without scores.
    """
    opened = Run.open(run) if isinstance(run, str | Path) else run
    path = Path(out) if out is not None else opened.path / "points.gpkg"
    pointfiles.check_target(path)
    scores = opened.evaluations().get("class", {}).get("classes", ())
    users = {m: c["precision"] for c in scores if c["precision"] is not None for m in c["members"]}
    if design == "neyman" and not users:
        raise PointsError(
            f"Neyman's allocation goes by the scores of a run, and {opened.id} has none: "
            "evaluate it first, or take another design"
        )
    sample = draw(
        opened.labels(),
        design,
        size=size,
        standard_error=standard_error,
        users=users,
        seed=seed,
    )
    pointfiles.write(path, sample.rows())
    return sample, path


def draw(
    labels: LabelMap,
    design: str = "olofsson",
    *,
    size: int | None = None,
    standard_error: float = 0.01,
    users: Mapping[int, float] | None = None,
    seed: int = 0,
) -> Sample:
    """Draw points from a map, in flat memory.

    Args:
        design: one of `DESIGNS`.
        size: number of points; None takes what the standard error needs.
        standard_error: wanted of the overall accuracy, where no size is given.
        users: user's accuracy expected of the classes by id; `EXPECTED` of the others.
        seed: the same seed gives the same points, whatever the windows.

    Raises:
        PointsError: an unknown design, a size that does not fit, or a map without a class.
    """
    if design not in DESIGNS:
        raise PointsError(f"expected a design of {', '.join(DESIGNS)}; got {design!r}")
    classes = census(labels)
    if not classes:
        raise PointsError("expected a map with classes to draw points from; it has only nodata")
    pixels = [s.pixels for s in classes]
    guess = np.clip([(users or {}).get(s.id, EXPECTED) for s in classes], UNSURE, 1 - UNSURE)
    areas = np.array([s.area for s in classes])
    weights = areas / areas.sum()
    if design == "random":
        whole = Stratum(0, "whole map", sum(pixels), float(areas.sum()))
        if size is None:
            size = size_for(standard_error, [1], [weights @ guess], whole.pixels)
        if not FEWEST <= size <= whole.pixels:
            raise PointsError(
                f"expected {FEWEST} to {whole.pixels} points, at most one a pixel; got {size}"
            )
        strata: tuple[Stratum, ...] = (whole,)
        shares = np.array([size])
    else:
        if size is None:
            size = size_for(standard_error, weights, guess, sum(pixels))
            size = max(size, sum(min(FEWEST, n) for n in pixels))
        strata, shares = classes, allocate(size, design, pixels, guess)
    # A generator for each stratum: what is drawn in one does not depend on the others.
    wanted = {
        s.id: np.sort(np.random.default_rng((seed, s.id)).choice(s.pixels, n, replace=False))
        for s, n in zip(strata, shares.tolist(), strict=True)
    }
    places, ids, stratum = _located(labels, wanted)
    order = np.random.default_rng((seed, len(ids))).permutation(len(ids))
    lon, lat = _degrees(labels.grid, places[order])
    return Sample(design, strata, labels.legend, lon, lat, ids[order], stratum[order])


def _located(
    labels: LabelMap, wanted: Mapping[int, NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns (n, 2), classes and strata of pixels wanted by number in their stratum.

    The pixels of a stratum are numbered row by row, and the answer is in that order, so that the
    windows do not matter.
    """
    seen = dict.fromkeys(wanted, 0)
    places, ids, strata = [], [], []
    for window in labels.strips():
        block = labels.read(window).ravel()
        for stratum, numbers in wanted.items():
            inside = block == stratum if stratum else block != labels.legend.nodata
            count = int(np.count_nonzero(inside))
            first, last = np.searchsorted(numbers, [seen[stratum], seen[stratum] + count])
            if last > first:
                flat = np.flatnonzero(inside)[numbers[first:last] - seen[stratum]]
                row, column = np.divmod(flat, int(window.width))
                places.append(np.column_stack([row + int(window.row_off), column]))
                ids.append(block[flat].astype(np.int64))
                strata.append(np.full(len(flat), stratum))
            seen[stratum] += count
    found = np.concatenate(places)
    order = np.lexsort((found[:, 1], found[:, 0]))
    return found[order], np.concatenate(ids)[order], np.concatenate(strata)[order]


def _degrees(grid: GeoBox, places: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
    """Longitudes and latitudes of the centres of pixels (n, 2)."""
    x, y = grid.affine @ (places[:, 1] + 0.5, places[:, 0] + 0.5)  # type: ignore[operator]
    return degrees(str(grid.crs)).transform(x, y)
