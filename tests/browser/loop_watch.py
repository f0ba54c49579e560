"""`panel` with a watch on its event loop: `python loop_watch.py NOTES serve dashboard ...`.

Every callback of the loop that took the processor for longer than a tenth of a second is
noted as a line of JSON, with how long and what it was. What counts is the processor time of
the loop's own thread: on a busy machine a callback waits for its turn, and that is no fault.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

#: Seconds below which a callback is not noted.
WORTH_NOTING = 0.1


def watch(notes: Path) -> None:
    """Note the long callbacks of every asyncio loop of this process in a file."""
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.events.Handle) -> None:
        begin = time.thread_time()
        try:
            run(handle)
        finally:
            seconds = time.thread_time() - begin
            if seconds >= WORTH_NOTING:
                line = {"at": time.time(), "seconds": round(seconds, 3), "what": _name(handle)}
                with notes.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")

    asyncio.events.Handle._run = timed  # type: ignore[method-assign]


def _name(handle: asyncio.events.Handle) -> str:
    """The coroutine of a task's step, or the function that is called."""
    task = getattr(handle._callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return str(task.get_coro())
    return repr(handle)


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    from panel.command import main

    main()
