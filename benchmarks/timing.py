"""Interleaved timing: what is compared is run in turn, so that a noisy machine hits all."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter


def interleaved(ways: Mapping[str, Callable[[], object]], runs: int = 5) -> dict[str, list[float]]:
    """Seconds of each way in each of `runs` rounds, after one round that does not count."""
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            begin = perf_counter()
            way()
            seconds[name].append(perf_counter() - begin)
    return seconds


def ratios(seconds: Mapping[str, list[float]], base: str) -> dict[str, float]:
    """How many times as fast as `base` each way is: the median of the rounds' ratios."""
    return {
        name: median(b / s for b, s in zip(seconds[base], values, strict=True))
        for name, values in seconds.items()
    }


def machine() -> str:
    """The machine in one line: what the figures hold for."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, " + (
        f"Python {platform.python_version()}"
    )
