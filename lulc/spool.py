"""A run's folder while the run goes on: whose it is, and which run it holds."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lulc import files
from lulc.errors import RunError
from lulc.runs import SPOOL


@contextmanager
def claimed(out: Path, request: Mapping[str, Any]) -> Iterator[Path]:
    """Hold a run's folder for this process; gives its spool.

    A new folder is made; one that holds the same run unfinished is continued. Raises
    RunError for a folder that is another process's, another run's, or of another use, and
    when the disk is full. A folder in which nothing was finished is taken away again.
    """
    spool = out / SPOOL
    known = spool / "request.json"
    if (out / "run.json").exists():
        raise RunError(f"the folder {out} already holds a finished run; choose another --out")
    if out.exists() and not known.exists() and any(p.name != SPOOL for p in out.iterdir()):
        raise RunError(f"the output folder {out} exists and is not an unfinished run")
    made = not out.exists()
    try:
        spool.mkdir(parents=True, exist_ok=True)
        with FileLock(spool / "lock", timeout=0):
            if not known.exists():
                files.write_text(known, json.dumps(request, indent=1))
            elif json.loads(known.read_text(encoding="utf-8")) != request:
                raise RunError(
                    f"the folder {out} holds another unfinished run (another scene, region, "
                    "model or setting, or files that changed since); choose another --out"
                )
            yield spool
    except Timeout as error:
        raise RunError(f"another process is at work on the run in {out}") from error
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise RunError(
            f"the disk of {out} is full: free some space and give the command again; "
            "finished blocks are kept"
        ) from error
    finally:
        if made and not any(spool.glob("*.tif")) and not (out / "run.json").exists():
            shutil.rmtree(out, ignore_errors=True)


def is_disk_full(error: OSError) -> bool:
    """Whether the disk is full, as the system says it or as GDAL does."""
    said = f"{error} {error.__cause__}"
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in said
