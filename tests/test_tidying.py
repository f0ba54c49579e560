"""Garbage of all ages is collected while the server rests, and not in the middle of a gesture."""

from __future__ import annotations

import gc
import time

import pytest

pytest.importorskip("panel")

from dashboard.tidying import Tidying


@pytest.fixture
def server(monkeypatch):
    """A made-up clock, processor time and counter of the collector, at which `Tidying` looks."""

    class Server:
        now, worked, younger, collected = 0.0, 0.0, 0, 0

        def second(self, working: float) -> None:
            """Let one pass, of which the server worked so much."""
            self.now, self.worked = self.now + 1, self.worked + working
            self.tidying.look()

        def collect(self) -> None:
            self.collected, self.younger = self.collected + 1, 0

    made = Server()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "process_time", lambda: made.worked)
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, made.younger))
    monkeypatch.setattr(gc, "collect", made.collect)
    made.tidying = Tidying()
    return made


def test_garbage_waits_until_the_server_rests(server):
    server.younger = 50
    server.second(working=0.8)
    assert server.collected == 0
    server.second(working=0.01)
    assert server.collected == 1


def test_little_garbage_is_left_alone(server):
    server.younger = 3
    server.second(working=0)
    assert server.collected == 0


def test_a_server_that_never_rests_does_not_grow_for_ever(server):
    for _ in range(130):
        server.younger += 20
        server.second(working=0.9)
    assert server.collected == 2
