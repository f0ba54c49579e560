"""Runs: the list of what was classified; open, delete, go on with what was stopped."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any
from urllib.parse import quote

import panel as pn
import panel_material_ui as pmui

from dashboard import catalog
from dashboard.choosing.plan import megabytes
from dashboard.help import about
from dashboard.mapping import warp
from dashboard.running.job import Job
from dashboard.running.jobs import JOBS
from dashboard.shelf import Shelf, labelled
from dashboard.state import State
from dashboard.ties import alert, button, choose, heading, say, select, table, tie, words
from lulc import config
from lulc import runs as core
from lulc.errors import LulcError
from lulc.runs import Run
from lulc.unfinished import Unfinished

_COLUMNS = ["Run", "Scene", "Model", "Finished", "Size (px)", "Macro F1"]


class Runs:
    """The page with the runs."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        # Not Tabulator: hidden in a place that is not open, it keeps the browser busy for ever.
        self.table = pn.pane.HTML("", margin=(4, 10))
        self.choice = tie(select("Run", width=420), state, "run")
        self.said = alert()
        self.path, self.files = words(), words()
        self.open = button("Open in Explore", variant="contained", on_click=self._open)
        self.delete = button("Delete …", color="error", on_click=self._ask)
        self.question = words()
        self.sure = button("Delete", color="error", variant="contained", on_click=self._delete)
        self.keep = button("Keep", on_click=self._keep)
        self.dialog = pmui.Dialog(
            self.question, pmui.Row(self.sure, self.keep), title="Delete this run?", open=False,
            close_on_click=True,
        )  # fmt: skip
        self.stopped = pmui.Column(sizing_mode="stretch_width")
        self._doomed: Run | Unfinished | None = None
        self.panel = pmui.Column(
            about("Runs", "runs"), self.said, self.table, self.choice, self.path, self.files,
            pmui.Row(self.open, self.delete),
            self.stopped, self.dialog,
            sizing_mode="stretch_both", scroll="y",
        )  # fmt: skip
        shelf.param.watch(self._list, ["runs", "unfinished", "broken"])
        state.param.watch(self._chosen, "run")
        self._list()

    async def start(self) -> None:
        """Nothing is to be waited for: the list was made with the page."""

    def _list(self, *_: Any) -> None:
        runs = self.shelf.runs
        choose(self.choice, {"none": "", **labelled(runs)}, self.state.run)
        self.table.object = table(_COLUMNS, [row(run) for run in runs], left=4) if runs else ""
        broken = [f"{name}: {why}" for name, why in self.shelf.broken.items()]
        hint = "" if runs else "There is no run yet: classify a region in Explore."
        say(self.said, " ".join([hint, *broken]).strip(), "warning" if broken else "info")
        self.stopped.objects = self._unfinished()
        self._chosen()

    def _unfinished(self) -> list[Any]:
        active = {job.id for job in JOBS.list() if not job.ended}
        found = [u for u in self.shelf.unfinished if u.id not in active]
        if not found:
            return []
        return [heading("Stopped runs"), *(self._line(one) for one in found)]

    def _line(self, one: Unfinished) -> pmui.Row:
        text = words()
        text.object = f"{escape(one.id)}<br><small>{escape(str(one.path))}</small>"
        resume = button("Go on", on_click=lambda _: self._resume(one))
        remove = button("Delete …", color="error", on_click=lambda _: self._ask_about(one))
        return pmui.Row(text, resume, remove, sizing_mode="stretch_width")

    @property
    def run(self) -> Run | None:
        """The selected run."""
        return self.shelf.run(self.state.run)

    def _chosen(self, *_: Any) -> None:
        run = self.run
        self.open.disabled = self.delete.disabled = run is None
        where = (
            f"On disk: <code>{escape(str(run.path.resolve()))}</code>" if run else "Select a run."
        )
        self.path.object = f"<small>{where}</small>"
        self.files.object = links(run, config.served()) if run else ""

    def _open(self, _event: Any) -> None:
        if self.run is not None:
            self.state.place = "Explore"

    def _resume(self, one: Unfinished) -> None:
        try:
            job = Job.called(one.id) or Job(one.path, (), f"Going on with {one.id}")
            JOBS.submit(job.again())
            self.state.place = "Explore"
        except LulcError as error:
            say(self.said, str(error), "warning")

    def _ask(self, _event: Any) -> None:
        if self.run is not None:
            self._ask_about(self.run)

    def _ask_about(self, what: Run | Unfinished) -> None:
        self._doomed = what
        self.question.object = (
            f"<p><b>{escape(what.id)}</b></p><p>The folder <code>{escape(str(what.path))}</code> "
            "is removed from the disk: map, activations and scores. This cannot be undone.</p>"
        )
        self.dialog.open = True

    def _keep(self, _event: Any) -> None:
        self.dialog.open = False

    async def _delete(self, _event: Any) -> None:
        self.dialog.open = False
        doomed, self._doomed = self._doomed, None
        if doomed is None:
            return
        try:
            await asyncio.to_thread(remove, doomed)
        except (OSError, LulcError) as error:
            say(self.said, f"{doomed.path} cannot be removed: {error}", "warning")
        if self.state.run == doomed.id:
            self.state.run = ""
        self.state.changed()


def remove(what: Run | Unfinished) -> None:
    """Remove a run's folder, with what the dashboard keeps beside it."""
    warp.close(what.path / "map.tif")
    if isinstance(what, Run):
        core.delete(what)
    else:
        what.delete()
    for path in (catalog.call_path(what.path.name), catalog.log_path(what.path.name)):
        path.unlink(missing_ok=True)


def links(run: Run, at: str) -> str:
    """The files of a run to be downloaded, if the server has them at an address below its own."""
    try:
        found = sorted(path for path in run.path.iterdir() if path.is_file()) if at else []
        sizes = [path.stat().st_size for path in found]
    except OSError:  # another process has just removed it
        return ""
    # Not its id: a folder that was copied or renamed has that of the run it was.
    folder = f"{at}/{quote(run.path.name)}"
    items = [
        f"<a href='{folder}/{quote(path.name)}' style='color:inherit' download>"
        f"{escape(path.name)}</a> ({megabytes(size)})"
        for path, size in zip(found, sizes, strict=True)
        if not path.name.startswith(".")
    ]
    return f"<small>Download: {', '.join(items)}</small>" if items else ""


def row(run: Run) -> list[str]:
    """A run in the table."""
    s = run.summary()
    simulated = " (simulated)" if s["simulated"] else ""
    score = s["macro_f1"]
    return [
        s["id"], s["scene"] + simulated, s["model"], f"{run.created.astimezone():%Y-%m-%d %H:%M}",
        f"{s['width']} × {s['height']}", "–" if score is None else f"{score:.3f}",
    ]  # fmt: skip
