"""Jobs under way, as every session sees them: a bar, the time left, Cancel, the log."""

from __future__ import annotations

import asyncio
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.choosing.plan import duration
from dashboard.running.job import Job
from dashboard.running.jobs import JOBS
from dashboard.shelf import Shelf
from dashboard.state import State
from dashboard.ties import button, words

#: Milliseconds between two looks at the queue.
_PERIOD = 400


class Progress:
    """The list of jobs. A job that was started on this page opens its run when it is done."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        JOBS.restore()
        self.mine: set[str] = set()
        self.lines: dict[str, Line] = {}
        self._open = {job.id for job in JOBS.list() if not job.ended}
        self.panel = pmui.Column(sizing_mode="stretch_width")
        self.log = pn.pane.HTML("", sizing_mode="stretch_width")
        self.dialog = pmui.Dialog(self.log, title="Log", open=False, width_option="md")
        self.arrange()

    def watch(self) -> None:
        """Look at the queue from now on; for a page that is served."""
        pn.state.add_periodic_callback(self.update, period=_PERIOD)  # type: ignore[arg-type]

    async def update(self) -> None:
        """Show the jobs as they are; when one ends, look at the workspace again."""
        self.arrange()
        running = {i for i, line in self.lines.items() if not line.job.ended}
        ended, self._open = self._open - running, running
        if not ended:
            return
        await self.shelf.refresh()
        for identifier in ended & self.mine:
            if self.shelf.run(identifier) is not None:
                self.state.run = identifier

    def arrange(self) -> None:
        """Show the jobs as they are."""
        jobs = {job.id: job for job in JOBS.list()}
        if [*jobs.values()] != [line.job for line in self.lines.values()]:
            kept = {i: line for i, line in self.lines.items() if jobs.get(i) is line.job}
            self.lines = {i: kept.get(i) or Line(job, self) for i, job in jobs.items()}
            self.panel.objects = [line.panel for line in reversed(self.lines.values())]
        for line in self.lines.values():
            line.update()

    async def show_log(self, job: Job) -> None:
        """Open the log of a job."""
        try:
            text = await asyncio.to_thread(job.log.read_text, "utf-8", "replace")
        except OSError:
            text = "There is no log."
        self.log.object = (
            f"<small>{job.log}</small><pre style='white-space:pre-wrap'>"
            f"{text.replace('&', '&amp;').replace('<', '&lt;') or 'The log is empty.'}</pre>"
        )
        self.dialog.open = True


class Line:
    """One job."""

    def __init__(self, job: Job, parent: Progress) -> None:
        self.job, self.parent = job, parent
        self.title = words()
        self.bar = pmui.LinearProgress(value=0, sizing_mode="stretch_width", margin=(2, 10))
        self.cancel = button("Cancel", color="error", on_click=self._cancel)
        self.show = button("Log", variant="text", on_click=self._log)
        self.open = button("Open", variant="text", on_click=self._open)
        self.dismiss = button("Dismiss", variant="text", on_click=self._dismiss)
        self.resume = button("Resume", on_click=self._resume)
        self.delete = button("Delete", color="error", variant="text", on_click=self._delete)
        self.panel = pmui.Column(
            self.title,
            self.bar,
            pmui.FlexBox(self.cancel, self.resume, self.open, self.show, self.delete, self.dismiss),
            sizing_mode="stretch_width",
            sx={"borderTop": "1px solid rgba(128,128,128,0.4)", "paddingTop": "4px"},
        )
        self.update()

    def update(self) -> None:
        """Show the job as it is."""
        job = self.job
        self.title.object = f"<small><b>{job.title}</b><br>{said(job)}</small>"
        unknown = job.state in ("running", "scoring") and not job.blocks
        self.bar.param.update(
            value=round(100 * job.share),
            variant="indeterminate" if unknown or job.state == "scoring" else "determinate",
            visible=not job.ended,
        )
        self.cancel.param.update(visible=not job.ended, disabled=job.stop.is_set())
        self.resume.visible = self.delete.visible = job.resumable
        self.dismiss.visible = job.ended
        self.open.visible = job.state == "done"

    def _cancel(self, _event: Any) -> None:
        JOBS.cancel(self.job)
        self.update()

    def _resume(self, _event: Any) -> None:
        self.parent.mine.add(self.job.id)
        JOBS.submit(self.job.again())
        self.parent.arrange()

    async def _delete(self, _event: Any) -> None:
        JOBS.dismiss(self.job)
        await asyncio.to_thread(self.job.delete)
        self.parent.arrange()
        self.parent.state.changed()

    def _dismiss(self, _event: Any) -> None:
        JOBS.dismiss(self.job)
        self.parent.arrange()

    def _open(self, _event: Any) -> None:
        self.parent.state.run = self.job.id

    async def _log(self, _event: Any) -> None:
        await self.parent.show_log(self.job)


def said(job: Job) -> str:
    """The state of a job, in a few words."""
    if job.stop.is_set() and not job.ended:
        return "Stopping …"
    if job.state == "queued":
        ahead = JOBS.position(job)
        return f"Waiting, {ahead} before it" if ahead else "Waiting for its turn"
    if job.state == "running":
        if not job.blocks:
            return "Starting …"
        left = f", about {duration(job.left_s)} left" if job.left_s is not None else ""
        return f"{job.share:.0%}: {job.blocks_done:g} of {job.blocks:g} blocks{left}"
    if job.state == "scoring":
        return "Scoring …"
    if job.state == "cancelled":
        return "Cancelled; what was computed is kept."
    if job.state == "stopped":
        return f"Stopped: {job.message}. What was computed is kept."
    if job.state == "failed":
        return f"Failed: {job.message}"
    return f"Done. {job.message}".strip()
