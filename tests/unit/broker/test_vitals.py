"""How the broker's process does."""

from __future__ import annotations

import asyncio
import os
import time

from broker import vitals
from broker.vitals import Vitals


def test_memory_descriptors_and_processor_time_are_those_of_this_process():
    before = Vitals().figures()
    assert before["process/memory"] > 1_000_000
    held = [os.open("/", os.O_RDONLY) for _ in range(5)]
    assert Vitals().figures()["process/descriptors"] >= before["process/descriptors"] + 5
    for descriptor in held:
        os.close(descriptor)
    begun_s = time.process_time()
    while time.process_time() < begun_s + 0.02:
        pass
    assert Vitals().figures()["process/cpu"] > before["process/cpu"]


def test_what_the_system_does_not_tell_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(vitals, "_PROC", tmp_path / "nothing")
    assert Vitals().figures().keys() == {"loop/lag", "process/cpu"}


def test_a_loop_that_comes_late_shows_for_a_while(monkeypatch):
    monkeypatch.setattr(vitals, "LOOK_S", 0.01)

    async def story():
        watched = Vitals()
        assert watched.figures()["loop/lag"] == 0
        watching = asyncio.create_task(watched.watch())
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - that is what is to be seen
        await asyncio.sleep(0.05)
        assert watched.figures()["loop/lag"] >= 0.08
        watching.cancel()

    asyncio.run(story())
