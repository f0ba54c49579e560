"""Where the map is right: the blocks of ground that intervals are drawn from, on a map."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import panel_material_ui as pmui
from bokeh.events import Tap
from odc.geo.geom import Geometry

from dashboard.charts.chart import TALL, Chart
from dashboard.help import about
from dashboard.newest import Newest
from dashboard.state import State
from dashboard.ties import SIMULATED, alert, say, sentence, words
from lulc.blockmap import BlockMap
from lulc.errors import LulcError
from lulc.grouping import Group
from lulc.runs import Run
from lulc.scores import Evaluation
from lulc.tables import several

#: Blocks that are drawn at most: more would hold the event loop up.
MOST = 300

#: Blocks that are listed beside the map.
WORST = 5


class Where:
    """Draws the blocks of an evaluation once its panel is opened; a click on one goes there."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._shown: tuple[BlockMap, Run] | None = None
        self._wanted: tuple[Evaluation, Run] | None = None
        self._drawn: tuple[Evaluation, Run] | None = None
        self._newest = Newest(self._draw)
        self.chart = Chart(_blocks, TALL, tapped=self._tapped, sizing_mode=None, margin=(0, 10))
        self.said, self.told = alert(), words()
        self.worst = [_button(partial(self._go, place)) for place in range(WORST)]
        self.beside = pmui.Column(
            words(object="<small><b>Where most pixels differ</b></small>"),
            *self.worst,
            width=420,
            margin=(10, 10),
        )
        self.panel = pmui.Accordion(
            (
                "Where the map is right",
                pmui.Column(
                    about("Agreement by block of ground", "where"),
                    self.said, pmui.FlexBox(self.chart.pane, self.beside), self.told,
                    sizing_mode="stretch_width",
                ),
            ),
            active=[], sizing_mode="stretch_width", margin=(10, 10), variant="outlined",
            title_variant="body2",
        )  # fmt: skip
        self.panel.param.watch(self._opened, "active")

    async def show(self, evaluation: Evaluation, run: Run) -> None:
        """Show the blocks of an evaluation of a run, now or when the panel is opened."""
        self._wanted = evaluation, run
        self.panel.visible = evaluation.blocks is not None
        await self._opened()

    async def _opened(self, *_: Any) -> None:
        if self.panel.active and self.panel.visible:
            await self._newest.want()

    async def _draw(self) -> None:
        wanted = self._wanted
        if wanted is None or wanted == self._drawn:
            return
        self.told.object = "<small role='status'>Drawing the blocks …</small>"
        try:
            found, flat = await asyncio.to_thread(prepared, *wanted)
        except LulcError as error:
            self.chart.pane.visible = self.beside.visible = False
            self.told.object = ""
            say(self.said, sentence(str(error)), "warning")
            return
        if self._newest.outdated:
            return
        self._drawn = wanted
        say(self.said, "")
        self.chart.pane.visible = True
        self._shown = found, wanted[1]
        await self.chart.show(found, wanted[1].grid, flat)
        self._list(found, wanted[0].groups)
        self.told.object = told(found, *wanted)

    def _list(self, found: BlockMap, groups: Sequence[Group]) -> None:
        blocks = found.worst(WORST)
        self.beside.visible = bool(blocks)
        for place, button in enumerate(self.worst):
            button.visible = place < len(blocks)
            if button.visible:
                button.label = listed(found, blocks[place], groups)

    def _go(self, place: int) -> None:
        if self._shown is not None:
            found, run = self._shown
            blocks = found.worst(WORST)
            if place < len(blocks):
                self._look_at(blocks[place], found, run)

    def _tapped(self, event: Tap) -> None:
        if self._shown is not None and event.x is not None and event.y is not None:
            self.visit(float(event.x), float(event.y))

    def visit(self, x: float, y: float) -> None:
        """Look at the disagreement in the block at a place of the scene's CRS, on Explore."""
        if self._shown is None:
            return
        found, run = self._shown
        block = found.at(x, y)
        if block is not None:
            self._look_at(block, found, run)

    def _look_at(self, block: int, found: BlockMap, run: Run) -> None:
        ground = Geometry(found.outlines[block], run.grid.crs).to_crs("EPSG:4326")
        self.state.param.update(
            extent=tuple(round(side, 6) for side in ground.boundingbox),
            overlay="Disagreement", place="Explore",
        )  # fmt: skip


def _button(go: Callable[[], None]) -> pmui.Button:
    return pmui.Button(
        variant="text", size="small", sizing_mode="stretch_width", margin=0,
        on_click=lambda _: go(), sx={"justifyContent": "flex-start", "textAlign": "left"},
    )  # fmt: skip


def listed(found: BlockMap, block: int, groups: Sequence[Group]) -> str:
    """A block in words: how much of it differs, and what is confused most often."""
    wrong = int(found.scored[block] - found.right[block])
    row, column, pixels = found.confused(block)
    return (
        f"{1 - found.agreement[block]:.0%} of {found.area[block]:.1f} km² differ; "
        f"{pixels / wrong:.0%} of that is {groups[row].name}, mapped as {groups[column].name}"
    ).replace("%", " %")


def prepared(evaluation: Evaluation, run: Run) -> tuple[BlockMap, Any]:
    """The blocks, and the projection that they are drawn in; takes seconds the first time.

    Raises ReferenceDataError for scores of a map on another grid.
    """
    from dashboard.charts.ground import Flat

    assert evaluation.blocks is not None  # the panel is hidden without them
    return BlockMap.of(evaluation.blocks, run.grid, MOST), Flat(run.grid)


def _blocks(*data: Any) -> Any:
    from dashboard.charts import ground  # `prepared` has imported it, in a thread

    return ground.blocks(*data)


def told(found: BlockMap, evaluation: Evaluation, run: Run) -> str:
    """What the blocks are, and the source, as HTML."""
    n = found.joined
    what = (
        f"{several(len(found.scored), 'block')} of {found.side:,.0f} m with scored pixels"
        + (f", each {n} × {n} of those that" if n > 1 else ": those that")
        + " the intervals are drawn from (where a part of one is scored, it counts as that part)"
    )
    part = " that the model has not seen" if _unseen(evaluation) else ""
    least, mean, most = (
        f"{value * 100:.{digits}f} %"
        for value, digits in (
            (found.agreement.min(), 0), (evaluation.accuracy, 1), (found.agreement.max(), 0)
        )
    )  # fmt: skip
    among = least if least == most else f"{least} to {most}"
    source = Path(str((evaluation.reference or {}).get("path", "?"))).name
    lines = [
        f"{what}. Map and reference agree on {mean} of all scored pixels{part}; on "
        f"{among} of a block's. Click a block to see on Explore where they differ.",
        f"Source: {source} ({evaluation.codes}) and the map of {run.id}, in the scene's CRS "
        f"({str(run.grid.crs)[:40]})." + (f" {SIMULATED}." if run.simulated else ""),
    ]
    return f"<small>{'<br>'.join(map(escape, lines))}</small>"


def _unseen(evaluation: Evaluation) -> bool:
    return evaluation.leakage is not None and evaluation.leakage.only_unseen
