"""Where the map is right: the blocks of ground that intervals are drawn from, on a map."""

from __future__ import annotations

import asyncio
from html import escape
from pathlib import Path
from typing import Any

import panel_material_ui as pmui
from bokeh.events import Tap
from odc.geo.geom import Geometry

from dashboard.charts import plots
from dashboard.help import about
from dashboard.newest import Newest
from dashboard.state import State
from dashboard.ties import SIMULATED, alert, say, sentence, words
from lulc.blockmap import BlockMap
from lulc.errors import LulcError
from lulc.runs import Run
from lulc.scores import Evaluation

#: Blocks that are drawn at most: more would hold the event loop up.
MOST = 300


class Where:
    """Draws the blocks of an evaluation once its panel is opened; a click on one goes there."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._shown: tuple[BlockMap, Run] | None = None
        self._wanted: tuple[Evaluation, Run] | None = None
        self._drawn: tuple[Evaluation, Run] | None = None
        self._newest = Newest(self._draw)
        self.chart = plots.Chart(_blocks, plots.TALL, tapped=self._tapped, margin=(0, 10))
        self.said, self.told = alert(), words()
        self.panel = pmui.Accordion(
            (
                "Where the map is right",
                pmui.Column(
                    about("Agreement by block of ground", "where"),
                    self.said, self.chart.pane, self.told,
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
            self.chart.pane.visible = False
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
        self.told.object = told(found, *wanted)

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
            ground = Geometry(found.outlines[block], run.grid.crs).to_crs("EPSG:4326")
            self.state.param.update(
                extent=tuple(round(side, 6) for side in ground.boundingbox),
                overlay="Disagreement", place="Explore",
            )  # fmt: skip


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
        f"{len(found.scored):,} blocks of {found.side:,.0f} m with scored pixels"
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
    source = Path(str((evaluation.reference or {}).get("path", "?"))).name
    lines = [
        f"{what}. Map and reference agree on {mean} of all scored pixels{part}; on {least} to "
        f"{most} of a block's. Click a block to see on Explore where they differ.",
        f"Source: {source} ({evaluation.codes}) and the map of {run.id}, in the scene's CRS "
        f"({str(run.grid.crs)[:40]})." + (f" {SIMULATED}." if run.simulated else ""),
    ]
    return f"<small>{'<br>'.join(map(escape, lines))}</small>"


def _unseen(evaluation: Evaluation) -> bool:
    return evaluation.leakage is not None and evaluation.leakage.only_unseen
