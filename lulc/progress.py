"""Progress on standard error: a bar with the time left, lines of JSON, or nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

import click

STYLES = ("auto", "bar", "json", "none")


class Report(Protocol):
    """Called with what is done and the total, in any unit."""

    def __call__(self, done: float, total: float) -> None: ...


@contextmanager
def report(label: str, style: str = "auto") -> Iterator[Report]:
    """A function to call with (done, total); what is done at the first call took no time."""
    if style == "auto":
        style = "bar" if sys.stderr.isatty() else "none"
    if style == "none":
        yield lambda done, total: None  # noqa: ARG005
        return
    begin = monotonic()
    first: float | None = None

    def left(done: float, total: float) -> float | None:
        nonlocal first
        first = done if first is None else first
        if done <= first:
            return None
        return (monotonic() - begin) * (total - done) / (done - first)

    if style == "json":

        def as_json(done: float, total: float) -> None:
            line = {"label": label, "done": done, "total": total, "left_s": left(done, total)}
            print(json.dumps(line), file=sys.stderr, flush=True)

        yield as_json
        return

    def as_bar(done: float, total: float) -> None:
        seconds = left(done, total)
        share = done / total if total else 1.0
        filled = round(30 * share)
        rest = "" if seconds is None or done >= total else f"  {_clock(seconds)} left"
        line = f"{label} [{'#' * filled}{'-' * (30 - filled)}] {share:4.0%}{rest}"
        click.echo(f"\r{line:<78}", nl=False, err=True)

    try:
        yield as_bar
    finally:
        click.echo(err=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
