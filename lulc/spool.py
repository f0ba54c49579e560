"""A run while it goes on: whose its folder is, which run it holds, and where its blocks are."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lulc import files
from lulc.errors import RunError
from lulc.runs import CANCELLED, LOCK, REQUEST, SPOOL

#: What of a request may differ when a run goes on: its result does not depend on it.
_FREE = ("device", "model")


@dataclass(frozen=True)
class Spool:
    """Where the blocks of a run are: a folder, or a folder of an object store.

    A block is there whole or not at all: a file is renamed into place, and an object store
    shows an object only when all of it has arrived.
    """

    place: str
    """A local folder, or a URL that fsspec understands, such as s3://bucket/folder."""

    @property
    def is_remote(self) -> bool:
        """Whether it is a URL."""
        return "://" in self.place

    def write(self, name: str, block: bytes) -> None:
        """Put a block there, whole or not at all. Raises OSError or RunError."""
        if self.is_remote:
            store, root = self._store()
            with self._explained():
                store.pipe_file(f"{root}/{name}.tif", block)
        else:
            with files.replacing(Path(self.place) / f"{name}.tif") as temporary:
                temporary.write_bytes(block)

    def names(self) -> set[str]:
        """The blocks that are there."""
        if not self.is_remote:
            return {path.stem for path in Path(self.place).glob("[0-9]*-[0-9]*.tif")}
        store, root = self._store()
        store.invalidate_cache()
        with self._explained():
            try:
                return {Path(path).stem for path in store.ls(root, detail=False)}
            except FileNotFoundError:
                return set()

    def fetch(self, names: Iterable[str], folder: Path) -> None:
        """Bring blocks into a local folder, where they are not there yet. Raises RunError."""
        if not self.is_remote:
            return
        store, root = self._store()

        def bring(name: str) -> None:
            path = folder / f"{name}.tif"
            if not path.is_file():
                with files.replacing(path) as temporary:
                    store.get_file(f"{root}/{name}.tif", str(temporary))

        with self._explained(), ThreadPoolExecutor(8) as pool:
            list(pool.map(bring, names))

    def clear(self) -> None:
        """Remove every block of an object store."""
        if self.is_remote and self.names():
            store, root = self._store()
            with self._explained():
                store.rm(root, recursive=True)

    def _store(self) -> tuple[Any, str]:
        """The file system of the URL, and the folder in it."""
        try:
            return import_module("fsspec.core").url_to_fs(self.place)
        except ImportError as error:
            raise RunError(f"{self.place} needs a package: pip install 'lulc[cluster]'") from error
        except ValueError as error:
            raise RunError(f"{self.place} is no URL that fsspec understands: {error}") from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in one line what a store complains of. Stores raise errors of any kind."""
        try:
            yield
        except Exception as error:
            if isinstance(error, FileNotFoundError) or (
                isinstance(error, OSError) and is_disk_full(error)
            ):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise RunError(
                f"the blocks in {self.place} cannot be reached ({reason}); finished blocks are "
                "kept: see that the store answers and give the command again"
            ) from error


@contextmanager
def claimed(out: Path, request: Mapping[str, Any]) -> Iterator[Path]:
    """Hold a run's folder for this process; gives its spool's local folder.

    A new folder is made; one that holds the same run unfinished is continued. Raises
    RunError for a folder that is another process's, another run's, or of another use, and
    when the disk is full. A folder in which nothing was finished is taken away again.
    """
    spool = out / SPOOL
    known = spool / REQUEST
    if (out / "run.json").exists() and not known.exists():
        raise RunError(f"the folder {out} already holds a finished run; choose another --out")
    if out.exists() and not known.exists() and any(p.name != SPOOL for p in out.iterdir()):
        raise RunError(f"the output folder {out} exists and is not an unfinished run")
    made = not out.exists()
    try:
        spool.mkdir(parents=True, exist_ok=True)
        with FileLock(spool / LOCK, timeout=0):
            stored = stored_request(out)
            if stored is None:
                files.write_text(known, json.dumps(request, indent=1))
            elif _compared(stored) != _compared(request):
                raise RunError(
                    f"the folder {out} holds another unfinished run (another scene, region, "
                    "model or setting, or files that changed since); choose another --out"
                )
            (spool / CANCELLED).unlink(missing_ok=True)
            files.sweep(out)
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
        nothing = not any(spool.glob("*.tif")) and not (spool / CANCELLED).exists()
        if made and nothing and not (out / "run.json").exists():
            shutil.rmtree(out, ignore_errors=True)


def stored_request(out: Path) -> dict[str, Any] | None:
    """The request of the unfinished run in a folder, or None. Raises RunError if it is broken."""
    path = out / SPOOL / REQUEST
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise RunError(f"{path} is not a request of lulc ({error}): delete {out}") from error


def _compared(request: Mapping[str, Any]) -> str:
    """A request as text to compare, in which a NaN is equal to a NaN."""
    return json.dumps({k: v for k, v in request.items() if k not in _FREE}, sort_keys=True)


def is_disk_full(error: OSError) -> bool:
    """Whether the disk is full, as the system says it or as GDAL does."""
    said = f"{error} {error.__cause__}"
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in said
