"""How much memory this process may still take: the machine's, a container's, its own limit."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

#: Limit and usage of the process's control group, in version 2 and version 1 of Linux's
#: interface (https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/memory.html).
_GROUPS = (
    ("", "memory.max", "memory.current"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def available(root: Path = Path("/")) -> int:
    """Bytes that can be taken without pushing anything out; `root` holds `proc` and `sys`.

    SLURM, Kubernetes and Docker bound a job by a control group, which the machine's own
    figures do not show.
    """
    return min([_machine(root), *_group(root), *_own_limit(root)])


def _machine(root: Path) -> int:
    """The kernel's estimate, which counts its caches as free; else all of the memory."""
    said = re.search(r"MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"))
    if said:
        return int(said[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return sys.maxsize


def _group(root: Path) -> Iterator[int]:
    """What is left in the process's control group and in those around it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller, limit, usage in _GROUPS:
            if controller not in controllers.split(","):
                continue
            top = root / "sys/fs/cgroup" / controller
            inner = top / path.lstrip("/")
            # Inside a container the path may be the host's: its own group is then the top.
            for group in (inner, *inner.parents):
                most, used = _text(group / limit).strip(), _text(group / usage).strip()
                if most.isdigit() and used.isdigit():
                    yield max(0, int(most) - int(used))
                if group == top:
                    break


def _own_limit(root: Path) -> Iterator[int]:
    """What is left of the process's limit on its addresses (ulimit -v)."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    taken = re.search(r"VmSize:\s+(\d+) kB", _text(root / "proc/self/status"))
    if most != resource.RLIM_INFINITY and taken:
        yield max(0, most - int(taken[1]) * 1024)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
