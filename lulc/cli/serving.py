"""Commands that serve the dashboard: `serve`, `demo`."""

from __future__ import annotations

from pathlib import Path

import click

from lulc.cli.options import progress_option, warn


@click.command()
@click.option("--serve/--no-serve", default=True, help="Whether to serve the dashboard after.")
@click.option("--size", default=1024, show_default=True, help="Side of the sample in pixels.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", default=5006, show_default=True, help="Port to serve at.")
@progress_option
def demo(serve: bool, size: int, address: str, port: int, style: str) -> None:
    """Make a sample workspace, classify and score it with two models, and serve it."""
    from lulc.demo import demo as make
    from lulc.serve import check_port
    from lulc.serve import serve as run_server

    if serve:
        check_port(address, port)
    runs = make(size=size, style=style, say=lambda line: click.echo(line, err=True))
    click.echo("Scores of the simulated sample against its CORINE-like reference")
    click.echo(f"{'run':32} {'macro F1':>9} {'micro F1':>9} {'weighted F1':>12}")
    for run in runs:
        scores = run.evaluations()["class"]
        figures = [scores[key] for key in ("macro_f1", "micro_f1", "weighted_f1")]
        click.echo(f"{run.id:32} {figures[0]:9.3f} {figures[1]:9.3f} {figures[2]:12.3f}")
    if serve:
        run_server(address, port)


@click.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", default=5006, show_default=True, help="Port to serve at.")
@click.option("--public", is_flag=True, help="Listen on all interfaces.")
@click.option("--users", type=click.Path(dir_okay=False, path_type=Path),
              help="JSON file of names and passwords: ask for one.")  # fmt: skip
def serve(address: str, port: int, public: bool, users: Path | None) -> None:
    """Serve the dashboard."""
    from lulc.serve import serve as run_server

    if public and users is None:
        warn(
            "there is no login: whoever reaches this port can start jobs and delete runs; "
            "give --users"
        )
    run_server(address, port, public=public, users=users)
