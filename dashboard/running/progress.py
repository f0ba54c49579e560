"""Jobs under way, as every session sees them: a bar, the time left, Cancel, the log."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.io.state import set_curdoc

from dashboard.choosing.plan import duration
from dashboard.running.job import Job
from dashboard.running.job_list import JobList
from dashboard.running.jobs import JOBS
from dashboard.shelf import Shelf
from dashboard.state import State
from lulc.errors import LulcError


class Progress:
    """The list of jobs. A job that was started on this page opens its run when it is done."""

    def __init__(self, state: State, shelf: Shelf) -> None:
        self.state, self.shelf = state, shelf
        JOBS.restore()
        self.mine: set[str] = set()
        self._ended = ended()
        self._due = threading.Event()
        self.list = JobList(self.press, sizing_mode="stretch_width")
        self.panel = pmui.Column(
            self.list, sizing_mode="stretch_width", scroll="y",
            styles={"flex": "0 0 auto", "max-height": "45%", "height": "auto"},
        )  # fmt: skip
        self.log = pn.pane.HTML("", sizing_mode="stretch_width")
        self.dialog = pmui.Dialog(self.log, title="Log", open=False, width_option="md")
        self.arrange()

    def watch(self) -> None:
        """Show every change of the queue from now on; for a page that is served."""
        document = pn.state.curdoc

        def heard() -> None:
            if not self._due.is_set():  # one look shows all that has changed before it
                self._due.set()
                with set_curdoc(document):
                    pn.state.execute(self.update, schedule=True)

        end = JOBS.listen(heard)
        pn.state.on_session_destroyed(lambda _: end())
        heard()

    async def update(self) -> None:
        """Show the jobs as they are; when one ends, look at the workspace again."""
        self._due.clear()
        self.arrange()
        before, self._ended = self._ended, ended()
        if self._ended <= before:
            return
        await self.shelf.refresh()
        for identifier in (self._ended - before) & self.mine:
            if self.shelf.run(identifier) is not None:
                self.state.run = identifier

    def arrange(self) -> None:
        """Show the jobs as they are, the newest first."""
        self.list.jobs = [line(job) for job in reversed(JOBS.list())]

    def press(self, identifier: str, action: str) -> None:
        """Do with a job what its button says."""
        job = next((job for job in JOBS.list() if job.id == identifier), None)
        if job is None or action not in actions(job):
            return  # it has changed since the page showed it
        if action == "Cancel":
            JOBS.cancel(job)
        elif action == "Dismiss":
            JOBS.dismiss(job)
        elif action == "Resume":
            self.mine.add(job.id)
            JOBS.submit(job.again())
        elif action == "Open":
            self.state.run = job.id
        else:
            later = self.show_log if action == "Log" else self.delete
            pn.state.execute(partial(later, job))
        self.arrange()

    async def delete(self, job: Job) -> None:
        """Remove what an unfinished job left."""
        JOBS.dismiss(job)
        try:
            await asyncio.to_thread(job.delete)
        except (OSError, LulcError) as error:
            self.show(f"{job.out} cannot be removed: {error}", str(job.out))
        self.state.changed()

    async def show_log(self, job: Job) -> None:
        """Open the log of a job."""
        try:
            text = await asyncio.to_thread(job.log.read_text, "utf-8", "replace")
        except OSError:
            text = "There is no log."
        self.show(text or "The log is empty.", str(job.log))

    def show(self, text: str, where: str) -> None:
        """Open the dialog with a text, and where it is from."""
        self.log.object = (
            f"<small>{escape(where)}</small><pre style='white-space:pre-wrap'>{escape(text)}</pre>"
        )
        self.dialog.open = True


def ended() -> set[str]:
    """Ids of the jobs that have ended."""
    return {job.id for job in JOBS.list() if job.ended}


def actions(job: Job) -> list[str]:
    """What can be done with a job as it is."""
    if not job.ended:
        return ["Log"] if job.stop.is_set() else ["Cancel", "Log"]
    if job.resumable:
        return ["Resume", "Log", "Delete", "Dismiss"]
    return [*(["Open"] if (job.out / "run.json").exists() else []), "Log", "Dismiss"]


def line(job: Job) -> dict[str, Any]:
    """What the list says of a job."""
    known = job.state not in ("running", "scoring") or bool(job.blocks)
    return {
        "id": job.id,
        "title": f"{job.title}, for {job.user}" if job.user else job.title,
        "said": said(job),
        "failed": job.state == "failed",
        "ended": job.ended,
        "share": job.share if known and job.state != "scoring" else None,
        "actions": actions(job),
    }


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
