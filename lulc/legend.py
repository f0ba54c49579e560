"""Classes, their colours, and how one legend is read in the terms of another.

The tables are data: `assets/legends/<name>.json` and `assets/crosswalks/<from>__<to>.csv`.
Crosswalks are many-to-many: a class may be any of several codes of another legend.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lulc import config
from lulc.errors import LegendError


@dataclass(frozen=True)
class LandClass:
    """One class of a legend."""

    id: int
    """The value in a raster; from 1."""
    name: str
    """As shown to people."""
    color: str
    """`#rrggbb`."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers 0..255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


@dataclass(frozen=True)
class Legend:
    """An ordered list of classes under a name."""

    name: str
    """Short name, as on the command line."""
    title: str
    """One line for people."""
    classes: tuple[LandClass, ...]
    """In the order of the bands of an activation map."""
    source: str = ""
    """Where the classes and colours come from."""
    special: Mapping[int, str] = field(default_factory=dict, hash=False)
    """Values that occur in files and are no class (no data, unclassified), with their meaning."""
    first: int = 1
    """What the product's own files count from: 0 for Dynamic World, whose ids here are 1 more."""
    detail: float | None = None
    """The width in metres below which the product shows nothing; None where it states none."""
    mmu: float | None = None
    """Its minimum mapping unit in hectares; None where it states none."""

    def __post_init__(self) -> None:
        ids = [c.id for c in self.classes]
        bad = [i for i in ids if not 1 <= i < self.nodata]
        if not 1 <= len(ids) <= 254 or len(set(ids)) < len(ids) or bad:
            raise LegendError(
                f"a legend needs 1 to 254 classes with ids that differ and lie in "
                f"1..{self.nodata - 1}, but {self.name!r} has {ids}"
            )

    @classmethod
    def load(cls, name_or_path: str | Path) -> Legend:
        """The bundled legend of that name, or the one in a JSON file.

        Raises:
            LegendError: no such legend, or a file that is none; names those that exist.
        """
        path = Path(name_or_path)
        if path.suffix != ".json":
            path = config.ASSETS / "legends" / f"{name_or_path}.json"
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise LegendError(
                f"no legend {str(name_or_path)!r}: give a JSON file or one of "
                f"{', '.join(legends())}"
            ) from None
        except (ValueError, OSError, LegendError) as error:
            raise LegendError(f"{path} is not a legend: {error}") from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Legend:
        """The inverse of `to_dict`; raises LegendError when a key is missing or malformed."""
        try:
            classes = tuple(
                LandClass(int(c["id"]), str(c["name"]), _color(c["color"])) for c in data["classes"]
            )
            special = {int(code): str(text) for code, text in data.get("special", {}).items()}
            name, first = str(data["name"]), int(data.get("first", 1))
            stated = {k: float(data[k]) for k in ("detail", "mmu") if k in data}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LegendError(
                "a legend has a name and classes, each with id, name and color (#rrggbb); "
                f"this one fails at {error}"
            ) from None
        title, source = str(data.get("title", name)), str(data.get("source", ""))
        return cls(name, title, classes, source, special, first, **stated)

    def to_dict(self) -> dict[str, Any]:
        """As in the JSON file."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "classes": [{"id": c.id, "name": c.name, "color": c.color} for c in self.classes],
            "special": {str(code): text for code, text in self.special.items()},
            **({"first": self.first} if self.first != 1 else {}),
            **({"detail": self.detail} if self.detail is not None else {}),
            **({"mmu": self.mmu} if self.mmu is not None else {}),
        }

    @property
    def ids(self) -> tuple[int, ...]:
        """The class ids, in order."""
        return tuple(c.id for c in self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, in order."""
        return tuple(c.name for c in self.classes)

    @property
    def by_id(self) -> dict[int, LandClass]:
        """The classes by their id."""
        return {c.id: c for c in self.classes}

    @property
    def dtype(self) -> np.dtype:
        """uint8 where the ids allow it, uint16 for 3-digit codes."""
        return np.dtype(np.uint8 if max(c.id for c in self.classes) < 255 else np.uint16)

    @property
    def nodata(self) -> int:
        """What stands for no class in an array of these ids: 255, or 65535 for 3-digit codes."""
        return int(np.iinfo(self.dtype).max) if self.classes else 255

    def colormap(self) -> dict[int, tuple[int, int, int, int]]:
        """Colour table as rasterio writes it: id to red, green, blue, opaque."""
        return {c.id: (*c.rgb, 255) for c in self.classes}


def legends() -> list[str]:
    """Names of the bundled legends."""
    return sorted(path.stem for path in (config.ASSETS / "legends").glob("*.json"))


@dataclass(frozen=True)
class Crosswalk:
    """What a class of one legend may be in another, many-to-many."""

    source: str
    """Name of the legend read."""
    target: str
    """Name of the legend it is read in."""
    pairs: Mapping[int, tuple[int, ...]]
    """Source id to the target ids it may be; at least one each."""
    ignored: frozenset[int] = frozenset()
    """Source ids with no counterpart, left out knowingly."""
    tables: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The tables it was made of, `<from>__<to>`, each with the sha256 of its file."""

    @classmethod
    def load(cls, source: str, target: str) -> Crosswalk:
        """The table `assets/crosswalks/<source>__<target>.csv`.

        Raises:
            LegendError: no such table, a code of neither legend, or a source code left unsaid.
        """
        path = config.ASSETS / "crosswalks" / f"{source}__{target}.csv"
        try:
            text = path.read_bytes()
            table = csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""))
            rows = [(int(r["source"]), r["target"].strip()) for r in table]
            targets: dict[int, list[int]] = {code: [] for code, _ in rows}
            for code, other in rows:
                targets[code] += [int(other)] if other else []
        except FileNotFoundError:
            raise LegendError(f"no crosswalk from {source} to {target}: expected {path}") from None
        except (KeyError, ValueError, AttributeError) as error:
            raise LegendError(f"{path} needs columns source, target, note: {error}") from None
        known, other_legend = Legend.load(source), Legend.load(target)
        unsaid = set(known.ids) - set(targets)
        strange = set(targets) - set(known.ids) - set(known.special)
        allowed = {*other_legend.ids, *other_legend.special}
        strange |= {t for ts in targets.values() for t in ts} - allowed
        if unsaid or strange:
            raise LegendError(
                f"{path} must map every code of {source} once or more, or to nothing: "
                f"it leaves out {sorted(unsaid)} and has the unknown codes {sorted(strange)}"
            )
        return cls(
            source,
            target,
            {code: tuple(ts) for code, ts in targets.items() if ts},
            frozenset(code for code, ts in targets.items() if not ts),
            {path.stem: hashlib.sha256(text).hexdigest()},
        )

    def then(self, other: Crosswalk) -> Crosswalk:
        """This crosswalk followed by another; what the second ignores is ignored."""
        pairs = {}
        for code, middles in self.pairs.items():
            found = {t for middle in middles for t in other.pairs.get(middle, ())}
            if found:
                pairs[code] = tuple(sorted(found))
        ignored = self.ignored | (set(self.pairs) - set(pairs))
        tables = {**self.tables, **other.tables}
        return Crosswalk(self.source, other.target, pairs, frozenset(ignored), tables)

    def inverse(self) -> Crosswalk:
        """The same pairs the other way round; what has no counterpart is not listed."""
        pairs: dict[int, tuple[int, ...]] = {}
        for code, targets in self.pairs.items():
            for target in targets:
                pairs[target] = (*pairs.get(target, ()), code)
        return Crosswalk(self.target, self.source, pairs, tables=self.tables)


def crosswalk(source: Legend | str, target: Legend | str) -> Crosswalk:
    """From one legend to another: the identity, a table, or the shortest chain of tables.

    Raises:
        LegendError: no chain of tables leads there.
    """
    start = source if isinstance(source, str) else source.name
    goal = target if isinstance(target, str) else target.name
    if start == goal:
        ids = source.ids if isinstance(source, Legend) else Legend.load(source).ids
        return Crosswalk(start, goal, {i: (i,) for i in ids})
    paths = sorted(p.stem.split("__") for p in (config.ASSETS / "crosswalks").glob("*__*.csv"))
    chains, seen = [[start]], {start}
    while chains:
        chain = chains.pop(0)
        if chain[-1] == goal:
            tables = [Crosswalk.load(a, b) for a, b in pairwise(chain)]
            whole = tables[0]
            for table in tables[1:]:
                whole = whole.then(table)
            return whole
        for a, b in paths:
            if a == chain[-1] and b not in seen:
                seen.add(b)
                chains.append([*chain, b])
    raise LegendError(
        f"the legend {start} cannot be read as {goal}: no crosswalk leads there; "
        f"add {start}__{goal}.csv to {config.ASSETS / 'crosswalks'}"
    )


def _color(text: object) -> str:
    color = str(text).lower()
    if len(color) != 7 or color[0] != "#":
        raise ValueError(f"color {color!r}")
    bytes.fromhex(color[1:])
    return color
