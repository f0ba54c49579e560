"""What pressing Classify would do: the region in pixels, what stands against it, the call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dashboard import catalog, warp
from dashboard.catalog import Reading
from dashboard.state import DRAWN, NAMED, TYPED, State
from lulc import config
from lulc.card import ModelCard
from lulc.errors import LulcError, RegionError
from lulc.inputs import needed
from lulc.region import Region
from lulc.runs import Run
from lulc.scene import Scene

#: Bytes of a pixel of the map on the disk, all bands, compressed: measured on the sample.
BYTES_A_PIXEL = 11


@dataclass(frozen=True)
class Plan:
    """A classification before it is started."""

    scene: Scene | None = None
    """The scene."""
    region: Region | None = None
    """The region; None is the whole scene."""
    width: int = 0
    """Pixels."""
    height: int = 0
    """Pixels."""
    seconds: float | None = None
    """How long it may take, judging by the last run of the model on this machine."""
    problem: str = ""
    """Why it cannot start, in a sentence."""
    warning: str = ""
    """What to know before starting."""

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


def chosen_region(state: State) -> Region | None:
    """The region that is chosen; None is the whole scene. Raises RegionError."""
    if state.region_mode == NAMED:
        if not state.region_name:
            raise RegionError(
                "choose a region; files put into regions/ of the workspace appear here"
            )
        return Region.load(state.region_name)
    if state.region_mode == DRAWN:
        if state.box is None:
            raise RegionError("draw a box on the map and press Use this region")
        west, south, east, north = state.box
        return Region.box((*warp.degrees(west, south), *warp.degrees(east, north)))
    if state.region_mode == TYPED:
        numbers = state.typed.replace(",", " ").split()
        if len(numbers) != 4:
            raise RegionError("type four numbers: west south east north, in degrees")
        return Region.box(numbers)  # type: ignore[arg-type]  # it turns them into numbers
    return None


def make(state: State, card: ModelCard | None, runs: list[Run]) -> Plan:
    """The plan of the choices as they are; never raises for what a user chose."""
    if not state.scene:
        return Plan(problem="There is no scene yet: put a raster into scenes/ of the workspace.")
    try:
        scene = catalog.open_scene(state.scene, reading(state))
    except LulcError as error:
        return Plan(problem=str(error))
    try:
        region = chosen_region(state)
        window = region.window(scene.grid) if region else scene.whole()
        warning = (region.outside(scene.grid) or "") if region else ""
    except LulcError as error:
        return Plan(scene, problem=_sentence(str(error)))
    width, height = int(window.width), int(window.height)
    plan = Plan(scene, region, width, height, warning=_sentence(warning))
    if card is None:
        return Plan(**{**vars(plan), "problem": "There is no model to classify with."})
    try:
        needed(scene, card)
    except LulcError as error:
        return Plan(**{**vars(plan), "problem": _sentence(str(error))})
    return Plan(**{**vars(plan), "seconds": _seconds(width * height, card, runs)})


def arguments(plan: Plan, state: State, out: Path) -> tuple[str, ...]:
    """The call of `lulc` that carries a plan out into the folder `out`."""
    paths = [str(path.resolve()) for path in catalog.scenes()[state.scene]]
    call = ["classify", *paths, "--model", state.model, "--device", state.device]
    call += ["--out", str(out), "--progress", "json", "--json"]
    if state.region_mode == NAMED:
        call += ["--region", state.region_name]
    elif plan.region is not None:
        call += ["--bbox", *(f"{value:.8f}" for value in plan.region.outline.bounds)]
    return (*call, *reading(state).arguments())


def new_folder(state: State) -> Path:
    """A folder for a run that does not exist yet: when, what, with what."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = config.workspace().resolve() / "runs"
    name = f"{stamp}-{state.scene}-{state.model}"
    numbered = (folder / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000))
    return next(path for path in numbered if not path.exists())


def duration(seconds: float) -> str:
    """Seconds for people: 40 s, 5 min, 1 h 20 min."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _seconds(pixels: int, card: ModelCard, runs: list[Run]) -> float | None:
    for run in runs:
        timings = run.properties.get("lulc:timings")
        if run.model == card.name and timings:
            height, width = run.properties["proj:shape"]
            return 8 + timings["total_s"] * pixels / (width * height)
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
