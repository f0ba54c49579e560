"""The garbage collector's work, done while nobody waits for the server.

To look through everything takes it about 40 ms for a session with all pages open, and in that
time nobody is answered. Python would have it look whenever much has been made, so in the middle
of a gesture, and Panel some seconds after a page was left, whoever else is working.
"""

from __future__ import annotations

import gc
import time

import panel.io.document
from tornado.ioloop import PeriodicCallback

#: Seconds from one look at what the server does to the next.
_STEP = 1.0

#: Share of a processor that a server uses at most while it rests.
_REST = 0.1

#: Seconds after which garbage is collected whatever the server does.
_LATEST = 60.0

#: Collections of what is younger after which it is worth it: as Python's own threshold.
_WORTH = 10


class Tidying:
    """Collects garbage of all ages once the server rests; what is young, Python collects itself."""

    def __init__(self) -> None:
        self._worked, self._last = time.process_time(), time.monotonic()

    def begin(self) -> None:
        """Take the work over from Python and Panel; what is there by now is never looked at."""
        gc.collect()
        gc.freeze()
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, 2**31 - 1)
        panel.io.document.GC_DEBOUNCE = 24 * 3600
        PeriodicCallback(self.look, _STEP * 1000).start()

    def look(self) -> None:
        """Collect garbage if there is enough of it and the server rests."""
        worked, now = time.process_time(), time.monotonic()
        rests = worked - self._worked < _REST * _STEP
        if gc.get_count()[2] >= _WORTH and (rests or now - self._last > _LATEST):
            gc.collect()
            self._last = now
        self._worked = time.process_time()
