"""Small things about files: writing them whole or not at all, and their checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Held while rasterio makes a raster, in a file or in memory: it silences a warning meanwhile
#: by means that are the whole process's, and two threads undo each other's.
MAKING_RASTER = threading.Lock()

#: The names of `replacing`'s temporary files, and of what GDAL puts beside them.
_TEMPORARY = re.compile(r"\..+-\d+-[0-9a-f]{6}(\..+)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends without error.

    Keeps the suffix, which GDAL and Keras read the format from. The folder must be there: a
    worker that is late must not bring a deleted run's folder back.
    """
    # `sweep` knows these names.
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{os.urandom(3).hex()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder while they were `replacing` its files."""
    for path in folder.glob(".*-*-*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_room(folder: Path, needed: float) -> None:
    """Raise OSError (disk full) where a folder's disk has no room for so many bytes.

    GDAL closes a file that did not fit without a word, so room is seen to before.
    """
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def stamp(path: str | Path) -> list[int]:
    """Size in bytes and time of change in nanoseconds of a file; empty where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
