"""Readiness: each part is asked, in time, and what was found is told again for a moment."""

from __future__ import annotations

import asyncio

from bridge.http import health
from bridge.http.health import Readiness


class Part:
    """A part that is asked, with the reason that it gives."""

    def __init__(self, reason=""):
        self.reason = reason
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        await asyncio.sleep(0)
        return self.reason


async def _never():
    await asyncio.Event().wait()
    return ""


def test_what_is_not_ready_is_named_with_its_reason_in_one_line():
    async def story():
        checks = {"mail": Part(), "store": Part("the disk\n is full"), "broker": Part("not connected")}
        return await Readiness(checks, monotonic=lambda: 0.0).problems()

    assert asyncio.run(story()) == {"store": "the disk is full", "broker": "not connected"}


def test_a_part_that_does_not_answer_is_not_ready(monkeypatch):
    monkeypatch.setattr(health, "DEADLINE_S", 0.01)
    assert asyncio.run(Readiness({"store": _never}, monotonic=lambda: 0.0).problems()) == {
        "store": "no answer within 0.01 seconds"
    }


def test_many_who_ask_at_once_cost_one_look():
    async def story():
        part, clock = Part("gone"), [10.0]
        readiness = Readiness({"store": part}, monotonic=lambda: clock[0])
        answers = await asyncio.gather(*(readiness.problems() for _ in range(20)))
        assert answers == [{"store": "gone"}] * 20
        assert part.asked == 1
        part.reason = ""
        assert await readiness.problems() == {"store": "gone"}
        clock[0] += health.GOOD_FOR_S
        assert await readiness.problems() == {}
        assert part.asked == 2

    asyncio.run(story())
