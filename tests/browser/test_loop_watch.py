"""The watch on the server's event loop: what it notes, and what it does not."""

from __future__ import annotations

import asyncio
import json
import time

import loop_watch


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_only_what_takes_the_processor_is_noted_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(asyncio.events.Handle, "_run", asyncio.events.Handle._run)
    notes = tmp_path / "notes.jsonl"
    loop_watch.watch(notes)

    async def heavy() -> None:
        busy(1.5 * loop_watch.WORTH_NOTING)

    async def idle() -> None:
        time.sleep(1.5 * loop_watch.WORTH_NOTING)  # as if another process had the processor

    async def both() -> None:
        await asyncio.create_task(idle())
        await asyncio.create_task(heavy())

    asyncio.run(both())
    (noted,) = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    assert "heavy" in noted["what"]
    assert noted["seconds"] >= loop_watch.WORTH_NOTING
