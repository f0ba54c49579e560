"""Garbage of all ages is collected while the server rests, and not in the middle of a gesture."""

from __future__ import annotations

import gc
import time

import pytest

pytest.importorskip("panel")

from dashboard.tidying import Tidying


@pytest.fixture
def server(monkeypatch):
    """A made-up clock, processor time and counter of the collector: change them, then `look`."""

    class Server:
        now, worked, younger, collected = 0.0, 0.0, 0, 0

        def passes(self, seconds: float, working: float) -> None:
            self.now, self.worked = self.now + seconds, self.worked + working

        def collect(self) -> None:
            self.collected, self.younger = self.collected + 1, 0

    made = Server()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "process_time", lambda: made.worked)
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, made.younger))
    monkeypatch.setattr(gc, "collect", made.collect)
    return made


def test_garbage_waits_until_the_server_rests(server):
    tidying = Tidying()
    server.younger = 50
    server.passes(1, working=0.8)
    tidying.look()
    assert server.collected == 0
    server.passes(1, working=0.01)
    tidying.look()
    assert server.collected == 1


def test_little_garbage_is_left_alone(server):
    tidying = Tidying()
    server.younger = 3
    server.passes(1, working=0)
    tidying.look()
    assert server.collected == 0


def test_a_server_that_never_rests_does_not_grow_for_ever(server):
    tidying = Tidying()
    for _ in range(130):
        server.younger += 20
        server.passes(1, working=0.9)
        tidying.look()
    assert server.collected == 2
