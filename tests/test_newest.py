"""Work that is wanted anew before it is done."""

from __future__ import annotations

import asyncio

import pytest
from loops import finish

from dashboard.newest import Newest


class Work:
    """Writes down what is wanted when it begins, and waits until it is let on."""

    def __init__(self) -> None:
        self.wanted, self.seen, self.outdated = 0, [], []
        self.gate = asyncio.Event()
        self.newest = Newest(self.do)

    async def do(self) -> None:
        self.seen.append(self.wanted)
        await self.gate.wait()
        self.outdated.append(self.newest.outdated)
        if self.wanted < 0:
            raise ValueError(self.wanted)

    async def want(self, *wishes: int) -> list[asyncio.Task]:
        tasks = []
        for wish in wishes:
            self.wanted = wish
            tasks.append(asyncio.create_task(self.newest.want()))
            await asyncio.sleep(0)
        return tasks


def test_the_newest_wish_is_met_and_those_between_are_not():
    async def go() -> Work:
        work = Work()
        tasks = await work.want(1, 2, 3, 4)
        assert all(task.done() for task in tasks[1:])  # they only left word
        work.gate.set()
        await tasks[0]
        return work

    work = finish(go())
    assert work.seen == [1, 4]
    assert work.outdated == [True, False]


def test_each_wish_is_met_where_none_comes_between():
    async def go() -> Work:
        work = Work()
        work.gate.set()
        for wish in (1, 1, 2):
            await asyncio.gather(*await work.want(wish))
        return work

    assert finish(go()).seen == [1, 1, 2]


def test_work_that_fails_does_not_stand_in_the_way_of_the_next():
    async def go() -> Work:
        work = Work()
        work.gate.set()
        [failed] = await work.want(-1)
        with pytest.raises(ValueError, match="-1"):
            await failed
        await asyncio.gather(*await work.want(5))
        return work

    assert finish(go()).seen == [-1, 5]
