"""What pressing Classify would do: the region in pixels, what stands against it, the call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from odc.geo.geobox import GeoBox

from dashboard import catalog
from dashboard.catalog import Reading
from dashboard.choosing import devices, regions
from dashboard.choosing.coverage import missing
from dashboard.choosing.estimate import Estimate, estimate
from dashboard.state import NAMED, POLYGON, State
from dashboard.ties import sentence, spoken
from lulc import config
from lulc.card import ModelCard
from lulc.errors import LulcError
from lulc.grid import cut
from lulc.inputs import needed
from lulc.region import Region
from lulc.runs import Run
from lulc.scene import Scene


@dataclass(frozen=True)
class Plan:
    """A classification before it is started."""

    scene: Scene | None = None
    """The scene."""
    region: Region | None = None
    """The region; None is the whole scene."""
    grid: GeoBox | None = None
    """The pixels that will be classified."""
    cost: Estimate | None = None
    """What it will take."""
    problem: str = ""
    """Why it cannot start, in a sentence."""
    warning: str = ""
    """What to see to before starting."""
    note: str = ""
    """What to know."""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.grid.shape.x) if self.grid else 0

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.grid.shape.y) if self.grid else 0

    @property
    def size(self) -> str:
        """The size in pixels and square kilometres."""
        if self.scene is None or not self.width:
            return ""
        area = self.width * self.height * self.scene.pixel_size**2 / 1e6
        square = f"{area:,.0f}" if area >= 100 else f"{area:.2g}" if area < 10 else f"{area:.1f}"
        return f"{self.width:,} × {self.height:,} px, {square} km²"


def reading(state: State) -> Reading:
    """How the scene is read."""
    return Reading(state.bands, state.scale, state.offset)


def _assumed(state: State) -> str:
    """What the newest run of the scene tells of it, where nothing else does."""
    given = reading(state)
    known = catalog.completed(state.scene, given)
    if known == given:
        return ""
    return f"read with scale {known.scale:.6g} and offset {known.offset:.6g}, as for its last run"


def make(
    state: State,
    card: ModelCard | None,
    runs: Sequence[Run],
    cards: Mapping[str, ModelCard | str] | None = None,
) -> Plan:
    """The plan of the choices as they are; never raises for what a user chose."""
    if not state.scene:
        return Plan(problem="There is no scene yet: put a raster into scenes/ of the workspace.")
    try:
        scene, unscaled = catalog.seen_scene(state.scene, reading(state))
    except LulcError as error:
        return Plan(problem=spoken(error))
    plan = Plan(scene, note=_assumed(state))
    try:
        plan = replace(plan, region=regions.chosen(state))
        window = plan.region.window(scene.grid) if plan.region else scene.whole()
        plan = replace(plan, grid=cut(scene.grid, window))
        outside = (plan.region.outside(scene.grid) or "") if plan.region else ""
        empty = missing(scene, window, plan.region)
        if empty == 1:
            return replace(plan, problem="The region has no data in this scene: choose another.")
        hole = f"{share(empty)} of the region has no data and stays empty" if empty else ""
        notes = ". ".join(sentence(s) for s in (hole, plan.note) if s)
        plan = replace(plan, warning=sentence(outside), note=notes)
        if card is None:
            return replace(plan, problem="There is no model to classify with.")
        needed(scene, card)
        if unscaled:
            raise unscaled
    except LulcError as error:
        return replace(plan, problem=sentence(spoken(error)))
    pixels = plan.width * plan.height
    kind = devices.kind(state.device)
    cost = estimate(pixels, card, kind, state.dtype, runs, cards or {})
    return replace(plan, cost=cost, problem=_name_problem(state))


def model_for(state: State, cards: Mapping[str, ModelCard | str], wanted: Sequence[str]) -> str:
    """The first model whose bands the scene has, those that are wanted before all others; the
    one that is chosen where none fits or the scene cannot be opened."""
    try:
        scene, _ = catalog.seen_scene(state.scene, reading(state))
    except LulcError:
        return state.model
    for name in (*wanted, *cards):
        card = cards.get(name)
        if isinstance(card, ModelCard):
            with suppress(LulcError):
                needed(scene, card)
                return name
    return state.model


def arguments(plan: Plan, state: State, out: Path) -> tuple[str, ...]:
    """The call of `lulc` that carries a plan out into the folder `out`.

    A polygon that was drawn is kept beside the run's log: the call can be given again.
    """
    paths = [str(path.resolve()) for path in catalog.scenes()[state.scene]]
    call = ["classify", *paths, "--model", state.model, "--device", state.device]
    call += ["--out", str(out), "--progress", "json", "--json"]
    if state.region_mode == NAMED:
        call += ["--region", state.region_name]
    elif state.region_mode == POLYGON and plan.region is not None:
        logs = catalog.log_path(out.name).parent
        kept = Region(out.name, plan.region.outline, plan.region.crs).save(logs)
        call += ["--region", str(kept.resolve())]
    elif plan.region is not None:
        call += ["--bbox", *(f"{value:.8f}" for value in plan.region.outline.bounds)]
        call += ["--crs", plan.region.crs] if plan.region.crs != "EPSG:4326" else []
    call += ["--tile", str(state.tile)] if state.tile else []
    call += ["--dtype", state.dtype] if state.dtype != "uint8" else []
    return (*call, *catalog.completed(state.scene, reading(state)).arguments())


def new_folder(state: State) -> Path:
    """A folder for a run that does not exist yet: as named, or when, what, with what."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = config.workspace().resolve() / "runs"
    name = state.run_name.strip() or f"{stamp}-{state.scene}-{state.model}"
    numbered = (folder / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000))
    return next(path for path in numbered if not path.exists())


def duration(seconds: float) -> str:
    """Seconds for people: 40 s, 5 min, 1 h 20 min."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def megabytes(size: float) -> str:
    """Bytes for people: 0.4 MB, 58 MB, 1.2 GB."""
    mega = size / 1e6
    if mega >= 1000:
        return f"{mega / 1000:.1f} GB"
    return f"{mega:.0f} MB" if mega >= 10 else f"{max(mega, 0.1):.1f} MB"


def share(part: float) -> str:
    """A share for people, never nothing for something: 12 %, under 1 %."""
    return f"{part:.0%}".replace("%", " %") if part >= 0.01 else "under 1 %"


def _name_problem(state: State) -> str:
    name = state.run_name.strip()
    if name and (Path(name).name != name or name.startswith(".")):
        return f"Expected a name without slashes or a leading dot for the new run; got {name!r}."
    return ""
