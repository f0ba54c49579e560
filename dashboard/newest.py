"""Work that is wanted anew before it is done: the newest wish is met, those between are not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Newest:
    """Does one thing at a time, and again as long as it was wanted meanwhile.

    The work reads for itself what is wanted, when it begins.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._busy = False
        self.outdated = False
        """Whether something newer is wanted than what is being worked on."""

    async def want(self) -> None:
        """Work until nothing newer is wanted; while that goes on, others only leave word."""
        self.outdated = True
        if self._busy:
            return
        self._busy = True
        try:
            while self.outdated:
                self.outdated = False
                await self._work()
        finally:
            self._busy = False
