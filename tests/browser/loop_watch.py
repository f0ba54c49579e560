"""Run in a server by `panel serve --setup`: writes down what holds its event loop up.

A line of JSON for every callback of the event loop that took over LIMIT_S seconds of this
thread's processor time. Beside other work, or on another machine, a processor computes more
slowly, which is not the dashboard's doing: a work of the same kind, timed right after such a
callback, tells by how much, and so does a queue of more than twice as many threads as there are
processors. A second thread looks now and then where the event loop is, so that the line can say
so; and it says how much of the time the garbage collector took, which nobody's code is to be
seen in.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bokeh.plotting import figure

#: Where the lines go, and from how many seconds on.
PATH, LIMIT_S = os.environ["LULC_TEST_SLOW_CALLBACKS"], 0.2

_run = asyncio.Handle._run
_loop_thread = threading.get_ident()
_places: Counter[str] = Counter()
_collected: list[float] = []

#: Seconds that `_work` takes on the machine of docs/benchmarks.md with nothing else running.
QUIET_S = 0.007


def _work() -> float:
    """Seconds of this thread that it takes to make a figure."""
    begin = time.thread_time()
    figure(tools="pan,wheel_zoom,save").references()
    return time.thread_time() - begin


def _watch_collector(phase: str, _info: dict[str, int]) -> None:
    """Note the collector's seconds of this thread: the sum of minus its starts and its ends."""
    if threading.get_ident() == _loop_thread:
        now = time.thread_time()
        _collected.append(-now if phase == "start" else now)


def _timed(handle: asyncio.Handle) -> None:
    _places.clear()
    _collected.clear()
    begin = time.thread_time()
    try:
        _run(handle)
    finally:
        spent, collected = time.thread_time() - begin, sum(_collected)
        if spent > LIMIT_S:
            slower = max(
                1.0,
                min(_work() for _ in range(3)) / QUIET_S,
                os.getloadavg()[0] / os.cpu_count() / 2,
            )
            if spent / slower > LIMIT_S:
                said = {"seconds": round(spent / slower, 3), "spent": round(spent, 3),
                        "garbage collector": round(collected, 3), "callback": str(handle)[:200],
                        "places": _places.most_common(3)}  # fmt: skip
                with Path(PATH).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(said) + "\n")


def _look() -> None:
    while True:
        time.sleep(0.05)
        frame = sys._current_frames().get(_loop_thread)
        while frame is not None and "/dashboard/" not in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None:
            # Not the line: asking a frame that is running for it has crashed Python 3.11.
            code = frame.f_code
            _places[f"{code.co_filename.split('/dashboard/')[-1]}:{code.co_qualname}"] += 1
        del frame


gc.callbacks.append(_watch_collector)
asyncio.Handle._run = _timed  # type: ignore[method-assign]
threading.Thread(target=_look, daemon=True).start()
