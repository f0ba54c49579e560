"""The coarsest common grouping of two legends: what a score can tell apart.

A class of the map may be several codes of the reference, and a code several classes. Only
the connected components of that relation can be scored without guessing; which classes
were merged or left out for it is part of the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc.errors import LegendError
from lulc.legend import Crosswalk, Legend, crosswalk

#: The legend that stands for each level of CORINE.
CLC_LEVELS = {"3": "clc", "2": "clc2", "1": "clc1"}

#: What scores can be asked for: the classes of the map, or a level of CORINE.
LEVELS = ("class", *CLC_LEVELS)


@dataclass(frozen=True)
class Group:
    """Classes of the map and codes of the reference that are scored as one."""

    id: int
    """Smallest class id of the map, or smallest CORINE code at levels 3, 2, 1."""
    name: str
    """Names of the classes (or of the CORINE codes), joined by ' / '."""
    color: str
    """`#rrggbb`, of the first class (or CORINE code)."""
    members: tuple[int, ...]
    """Class ids of the map."""
    codes: tuple[int, ...]
    """Codes of the reference."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Group:
        """The inverse of `dataclasses.asdict`, from JSON with perhaps other keys beside.

        Raises KeyError, TypeError.
        """
        members, codes = tuple(data["members"]), tuple(data["codes"])
        return cls(data["id"], data["name"], data["color"], members, codes)


@dataclass(frozen=True)
class Grouping:
    """A partition of the classes and codes that can be scored, and what cannot."""

    level: str
    """'class', '3', '2' or '1'."""
    prediction: Legend
    """The legend of the map."""
    reference: Legend
    """The legend of the reference."""
    groups: tuple[Group, ...]
    """By id."""
    bridges: Mapping[int, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Class ids that span several codes of the level, with the names of those codes."""
    crosswalks: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The tables it follows from, `<from>__<to>`, each with the sha256 of its file."""

    @property
    def merged(self) -> tuple[Group, ...]:
        """Groups of more than one class of the map."""
        return tuple(g for g in self.groups if len(g.members) > 1)

    @property
    def ignored_classes(self) -> tuple[int, ...]:
        """Class ids of the map that nothing in the reference can confirm."""
        kept = {m for g in self.groups for m in g.members}
        return tuple(i for i in self.prediction.ids if i not in kept)

    @property
    def ignored_codes(self) -> tuple[int, ...]:
        """Codes of the reference that no class of the map stands for."""
        kept = {c for g in self.groups for c in g.codes}
        return tuple(i for i in self.reference.ids if i not in kept)

    @property
    def prediction_lut(self) -> NDArray[np.int16]:
        """Index of the group by class id; -1 is ignored. Shape (256,) or (65536,)."""
        return _lut(self.prediction, [g.members for g in self.groups])

    @property
    def reference_lut(self) -> NDArray[np.int16]:
        """Index of the group by reference code; -1 is ignored. Shape (256,) or (65536,)."""
        return _lut(self.reference, [g.codes for g in self.groups])

    def notes(self) -> list[str]:
        """What was merged or left out and why, a sentence each."""
        names = {i: c.name for i, c in self.prediction.by_id.items()}
        said = []
        for group in self.merged:
            why = [
                f"{names[m]} spans {', '.join(self.bridges[m])}"
                for m in group.members
                if m in self.bridges
            ]
            together = " + ".join(names[m] for m in group.members)
            where = self.reference.name if self.level == "class" else f"CORINE level {self.level}"
            reason = "; ".join(why) or f"{where} does not tell them apart"
            said.append(f"Scored as one: {together} ({reason}).")
        if self.ignored_classes:
            listed = ", ".join(names[i] for i in self.ignored_classes)
            said.append(f"Not scored, no {self.reference.name} code confirms it: {listed}.")
        if self.ignored_codes:
            known = self.reference.by_id
            listed = ", ".join(f"{i} {known[i].name}" for i in self.ignored_codes)
            said.append(f"Left out of the reference, no class stands for it: {listed}.")
        return said


def common_grouping(prediction: Legend, reference: Legend, level: str = "class") -> Grouping:
    """Group the classes of a map and the codes of a reference so that both can be scored.

    Args:
        level: 'class' keeps the map's own classes wherever the reference tells them apart;
            '3', '2', '1' read both as CORINE codes of that level.

    Raises:
        LegendError: an unknown level, one that a legend does not reach, or nothing in common.
    """
    if level not in LEVELS:
        raise LegendError(f"the level is one of {', '.join(LEVELS)}, not {level!r}")
    if level == "class":
        nodes = prediction
        own = crosswalk(prediction, prediction)
        theirs = _related(reference, prediction)
    else:
        nodes = Legend.load(CLC_LEVELS[level])
        own, theirs = _at_level(prediction, level), _at_level(reference, level)
    groups = []
    for component in _components(own, theirs):
        members = tuple(i for i in prediction.ids if component & set(own.pairs.get(i, ())))
        codes = tuple(i for i in reference.ids if component & set(theirs.pairs.get(i, ())))
        if members and codes:
            known = [nodes.by_id[n] for n in sorted(component) if n in nodes.by_id]
            name = " / ".join(c.name for c in known)
            groups.append(Group(known[0].id, name, known[0].color, members, codes))
    if not groups:
        raise LegendError(
            f"the legends {prediction.name} and {reference.name} have nothing in common "
            f"at level {level}: score against a reference of related classes"
        )
    bridges = {
        i: tuple(nodes.by_id[t].name for t in own.pairs[i] if t in nodes.by_id)
        for i in prediction.ids
        if len(own.pairs.get(i, ())) > 1
    }
    ordered = tuple(sorted(groups, key=lambda group: group.id))
    tables = {**own.tables, **theirs.tables}
    return Grouping(level, prediction, reference, ordered, bridges, tables)


def _related(reference: Legend, prediction: Legend) -> Crosswalk:
    """Reference codes to classes of the map, by a table of either direction."""
    try:
        return crosswalk(reference, prediction)
    except LegendError as error:
        try:
            return crosswalk(prediction, reference).inverse()
        except LegendError:
            raise error from None


def _at_level(legend: Legend, level: str) -> Crosswalk:
    try:
        return crosswalk(legend, CLC_LEVELS[level])
    except LegendError as error:
        raise LegendError(f"{legend.name} does not reach CORINE level {level}: {error}") from None


def _components(*relations: Crosswalk) -> list[set[int]]:
    """Sets of targets that some source links, over all relations."""
    components: list[set[int]] = []
    for relation in relations:
        for targets in relation.pairs.values():
            linked = set(targets)
            apart = []
            for component in components:
                if component & linked:
                    linked |= component
                else:
                    apart.append(component)
            components = [*apart, linked]
    return components


def _lut(legend: Legend, parts: list[tuple[int, ...]]) -> NDArray[np.int16]:
    lut = np.full(np.iinfo(legend.dtype).max + 1, -1, np.int16)
    for index, ids in enumerate(parts):
        lut[list(ids)] = index
    return lut
