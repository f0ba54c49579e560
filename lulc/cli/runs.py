"""Commands on runs."""

from __future__ import annotations

from pathlib import Path

import click

from lulc import config
from lulc.cli.options import json_option, print_json
from lulc.errors import RunError


@click.group()
def runs() -> None:
    """List, show, export and delete runs."""


@runs.command("list")
@json_option
def runs_list(as_json: bool) -> None:
    """The finished runs of the workspace, the newest first; then those that were stopped."""
    from lulc.runs import runs as find
    from lulc.unfinished import unfinished

    found = [run.summary() for run in find()]
    stopped = [run.summary() for run in unfinished()]
    if as_json:
        print_json({"runs": found, "unfinished": stopped})
        return
    for run in found:
        macro = "   -  " if run["macro_f1"] is None else f"{run['macro_f1']:6.3f}"
        size = f"{run['width']} x {run['height']}"
        click.echo(f"{run['id']:40} {size:>15}  macro F1 {macro}  {run['created'][:16]}")
    for run in stopped:
        done = "some" if run["blocks_done"] is None else run["blocks_done"]
        click.echo(f"{run['id']:40} {run['state']}, {done} of {run['blocks']} blocks")
        if run["state"] != "running":
            click.echo(f"  {run['resume']}  or  lulc runs delete {run['id']}")
    if not found and not stopped:
        click.echo(f"no runs in {config.workspace() / 'runs'} yet", err=True)


@runs.command("show")
@click.argument("run")
@json_option
def runs_show(run: str, as_json: bool) -> None:
    """One run: what was classified, with what, and its scores."""
    from lulc.runs import Run

    opened = Run.open(run)
    if as_json:
        print_json({**opened.summary(), "item": opened.item, "evaluations": opened.evaluations()})
        return
    for key, value in opened.summary().items():
        click.echo(f"{key:10} {value}")
    for warning in opened.warnings:
        click.echo(f"warning    {warning}")


@runs.command("export")
@click.argument("run")
@click.argument("target", type=click.Path(path_type=Path))
def runs_export(run: str, target: Path) -> None:
    """Copy a run to the folder TARGET."""
    from lulc.runs import Run, export

    click.echo(export(Run.open(run), target))


@runs.command("delete")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask.")
def runs_delete(run: str, yes: bool) -> None:
    """Delete a run, finished or not."""
    from lulc.runs import Run, delete
    from lulc.unfinished import Unfinished

    opened = Unfinished.open(run) or Run.open(run)
    if not yes and not click.confirm(f"Delete {opened.path}?", err=True):
        raise RunError(f"{opened.id} was not deleted: expected yes")
    if isinstance(opened, Unfinished):
        opened.delete()
    else:
        delete(opened)
