"""Labels of a reference that a run's activations contradict most: a layer and a ranked list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from lulc import files
from lulc.activations import Activations
from lulc.census import degrees
from lulc.errors import ReferenceDataError, RunError
from lulc.grouping import Group, common_grouping
from lulc.leakage import Zones
from lulc.patchsearch import Search
from lulc.reference import open_reference
from lulc.runs import Run
from lulc.tables import aligned, number, short

#: The layer in a run's folder.
LAYER = "suspects.tif"

#: Columns of the list, in order.
COLUMNS = (
    "rank",
    "given",
    "given_name",
    "suggested",
    "suggested_name",
    "score",
    "pixels",
    "area_ha",
    "lon",
    "lat",
)

#: Lines of the list in a terminal.
SHOWN = 20


@dataclass(frozen=True)
class Suspect:
    """A patch whose label the activations contradict."""

    rank: int
    """1 is the most suspicious."""
    given: Group
    """What the reference says."""
    suggested: Group
    """What the activations say."""
    score: float
    """0.5..1: see `lulc.patches.Patches.score`."""
    pixels: int
    """Its size."""
    area: float
    """The same in hectares."""
    lon: float
    """Longitude of a point in it, in degrees, WGS 84."""
    lat: float
    """Latitude of the same."""
    outline: BaseGeometry
    """Along its pixels' edges, in the map's CRS."""

    def row(self) -> dict[str, Any]:
        """As in the files, by `COLUMNS`."""
        given, suggested = self.given, self.suggested
        names = given.id, given.name, suggested.id, suggested.name
        sizes = round(self.score, 4), self.pixels, round(self.area, 4)
        values = self.rank, *names, *sizes, round(self.lon, 7), round(self.lat, 7)
        return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True)
class Suspects:
    """What was found in a reference."""

    run: str
    """The run's id."""
    suspects: tuple[Suspect, ...]
    """By rank."""
    patches: int
    """Patches of the reference, those too small to be listed too."""
    seen_share: float | None
    """Share of the labelled pixels in the model's training areas; None if it does not tell."""
    unknown: tuple[Group, ...]
    """Listed classes that are contradicted on average: `lulc.patches.Patches.unknown`."""
    layer: Path
    """GeoTIFF of the score in percent."""
    path: Path
    """GeoPackage of the list."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before using the list, a sentence each."""
        said = []
        if self.unknown:
            said.append(
                f"The activations contradict {', '.join(group.name for group in self.unknown)} "
                "on average: the model hardly knows them, or most of their labels are wrong."
            )
        if self.seen_share:
            said.append(
                f"{self.seen_share:.1%} of the labelled pixels lie in the model's training areas: "
                "what is wrong there it may have learnt, and then it is not found."
            )
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `lulc suspects`."""
        return {
            "run": self.run,
            "layer": str(self.layer),
            "path": str(self.path),
            "patches": self.patches,
            "seen_share": self.seen_share,
            "warnings": list(self.warnings),
            "suspects": [suspect.row() for suspect in self.suspects],
        }

    def __str__(self) -> str:
        rows = [["rank", "labelled", "score", "ha", "lon", "lat", "activations say"]]
        rows += [
            [
                str(s.rank),
                short(s.given.name),
                number(s.score),
                f"{s.area:.2f}",
                f"{s.lon:.5f}",
                f"{s.lat:.5f}",
                short(s.suggested.name),
            ]
            for s in self.suspects[:SHOWN]
        ]
        found = f"{len(self.suspects)} of {self.patches} patches are suspicious"
        return "\n".join([*aligned(rows), "", f"{found}: {self.path}", *self.warnings])


def suspects(
    run: Run | str | Path,
    reference: str | Path,
    *,
    codes: str | None = None,
    level: str = "class",
    layer: str | None = None,
    out: str | Path | None = None,
) -> Suspects:
    """Find the patches of a reference that a run contradicts; flat memory but for the list.

    Writes `suspects.tif` into the run's folder (uint8, the score of every patch in percent,
    255 where there is none), and the list as a GeoPackage.

    Args:
        codes, level, layer: as of `lulc.evaluation.evaluate`.
        out: the GeoPackage; `suspects.gpkg` in the run's folder unless given.

    Raises:
        ReferenceDataError: as `evaluate`, or not one labelled pixel on the map.
        RunError: a run without activations, or a file that is no GeoPackage.
    """
    opened = Run.open(run) if isinstance(run, str | Path) else run
    path = Path(out) if out is not None else opened.path / "suspects.gpkg"
    if path.suffix.lower() != ".gpkg":
        raise RunError(f"expected a file that ends in .gpkg for the list; got {path}")
    activations = Activations.of(opened)
    if activations is None:
        raise RunError(f"expected a run with activations; {opened.id} has a map of classes only")
    prediction = opened.labels()
    grid = prediction.grid
    labels = open_reference(reference, grid, codes, layer, known=[opened.legend])
    grouping = common_grouping(opened.legend, labels.legend, level)
    search = Search(prediction, activations, labels, grouping)
    patches, firsts, seen = search.measure(Zones.of([opened], grid))
    if not len(patches.given):
        raise ReferenceDataError(f"{reference} has no label on a pixel of {opened.id}")
    ranked = patches.suspicious()
    target = opened.path / LAYER
    outlines = search.draw(target, patches, firsts, ranked)
    score, suggested, listed = patches.score, patches.suggested, []
    for rank, patch in enumerate(ranked.tolist(), 1):
        outline, area = outlines[patch]
        point = outline.representative_point()
        listed.append(
            Suspect(
                rank,
                grouping.groups[patches.given[patch]],
                grouping.groups[suggested[patch]],
                float(score[patch]),
                int(patches.pixels[patch]),
                area,
                *degrees(str(grid.crs)).transform(point.x, point.y),
                outline,
            )
        )
    _write(path, listed, str(grid.crs))
    unknown = tuple(
        group
        for g, group in enumerate(grouping.groups)
        if g in patches.unknown and any(suspect.given == group for suspect in listed)
    )
    return Suspects(opened.id, tuple(listed), len(patches.given), seen, unknown, target, path)


def _write(path: Path, listed: Sequence[Suspect], crs: str) -> None:
    import geopandas  # late: it takes half a second

    rows = [suspect.row() for suspect in listed]
    frame = geopandas.GeoDataFrame(
        {column: [row[column] for row in rows] for column in COLUMNS},
        geometry=[suspect.outline for suspect in listed],
        crs=crs,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        frame.to_file(temporary, driver="GPKG", layer="suspects")
