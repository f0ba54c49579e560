"""The command line. Results go to standard output; progress and warnings to standard error."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lulc import __version__
from lulc.cli.classification import classify
from lulc.cli.data import fetch, sample
from lulc.cli.models import models
from lulc.cli.runs import runs
from lulc.cli.sampling import areas, points
from lulc.cli.scoring import compare, evaluate, suspects
from lulc.cli.serving import demo, serve
from lulc.cli.training import train
from lulc.errors import LulcError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Exits with 0 when done, 2 on the user's error, 1 on ours."""
    try:
        code = cli.main(args=arguments, prog_name="lulc", standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message())
    except click.exceptions.Abort:
        _fail("stopped", 130)
    except LulcError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        _fail(f"{error.filename or 'a file'} cannot be written: {error.strerror}")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int = 2) -> None:
    click.echo(f"lulc: {' '.join(message.split())}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lulc")
@click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of scenes, references, regions, models and runs (LULC_WORKSPACE, ./workspace).",
)
def cli(workspace: Path | None) -> None:
    """Explore land cover: classify a region, look inside the map, score it, compare runs."""
    if workspace is not None:
        os.environ["LULC_WORKSPACE"] = str(workspace)


for _command in (
    demo, sample, fetch, train, classify, evaluate, compare, suspects, points, areas, runs, models,
    serve,
):  # fmt: skip
    cli.add_command(_command)
