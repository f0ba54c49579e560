"""The lists of a session: what the workspace held when it was last looked at."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import param

from dashboard import catalog
from dashboard.state import State
from lulc.card import ModelCard
from lulc.runs import Run
from lulc.unfinished import unfinished


class Shelf(param.Parameterized):
    """Scenes, references, regions, models and runs; empty until `refresh`, and read anew when the
    state says so."""

    scenes = param.List(doc="Names of the scenes.")
    references = param.Dict(default={}, doc="Files of references by name.")
    regions = param.List(doc="Names of the regions.")
    cards = param.Dict(default={}, doc="Model cards by name; a sentence for an unusable one.")
    runs = param.List(doc="Finished runs, the newest first.")
    unfinished = param.List(doc="Runs that were stopped.")
    broken = param.Dict(default={}, doc="Why a run cannot be opened, by its folder.")

    def __init__(self, state: State, **params: Any) -> None:
        super().__init__(**params)
        self.state = state
        state.param.watch(self.refresh, "stamp")

    async def refresh(self, *_: Any) -> None:
        """Look at the workspace again."""
        self.param.update(**await asyncio.to_thread(_look))

    def run(self, identifier: str) -> Run | None:
        """The run of that id, or None."""
        return next((run for run in self.runs if run.id == identifier), None)

    def card(self, name: str) -> ModelCard | None:
        """The card of that model if it can be used."""
        card = self.cards.get(name)
        return card if isinstance(card, ModelCard) else None


def label(run: Run) -> str:
    """A run in a list: what, by which model, when."""
    return f"{run.scene} · {run.model} · {run.created.astimezone():%d %b %Y %H:%M:%S}"


def labelled(runs: Sequence[Run]) -> dict[str, str]:
    """Ids of runs by their label; of runs that look alike, the label has the id as well."""
    alike = Counter(label(run) for run in runs)
    return {label(r) + (f" ({r.id})" if alike[label(r)] > 1 else ""): r.id for r in runs}


def _look() -> dict[str, Any]:
    return {
        "scenes": list(catalog.scenes()),
        "references": catalog.references(),
        "regions": catalog.regions(),
        "cards": catalog.cards(),
        "runs": catalog.runs(),
        "unfinished": unfinished(),
        "broken": catalog.broken(),
    }
