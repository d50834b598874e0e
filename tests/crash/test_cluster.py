"""A bounded part of what several bridges on one PostgreSQL are put through, with cells, too, and one that is broken."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.crash.installation import Options
from tests.crash.run import run
from tests.crash.schedule import Action, Schedule, Scope
from tests.crash.suite import clustered
from tests.support.postgres import program

if TYPE_CHECKING:
    from tests.crash.run import Outcome

pytestmark = [pytest.mark.crash, pytest.mark.timeout(400)]
AT_ONCE = 2
SCOPE = Scope(kills=8, seconds=6.0, messages=80)
RUNS = {
    "cells": clustered("mosquitto", 2, SCOPE, store="postgresql", bridges=2, cells=2),
    "pair": clustered("mosquitto", 3, replace(SCOPE, kills=10), store="pair", bridges=3),
    "postgresql": clustered("mosquitto", 2, SCOPE, store="postgresql", bridges=2),  # 2 marks mail as seen
}
HUNT = Schedule(
    seed=7,
    messages=60,
    live_count=400,
    seconds=8.0,
    seen_share=0.0,
    actions=tuple(Action(at, "kill", "postgres") for at in (2.0, 5.0)),
    points={},
)
"""PostgreSQL dies under mail."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, Outcome]:
    """What each run ends with."""
    need("mosquitto")
    need("haproxy")
    program("postgres")
    slots = asyncio.Semaphore(AT_ONCE)
    base = tmp_path_factory.mktemp("clusters")

    async def one(name: str) -> Outcome:
        async with slots:
            if name in RUNS:
                return await run(RUNS[name].schedule, RUNS[name].options, base / name)
            options = Options(
                broker="mosquitto", store="postgresql", bridges=2, mutation="asynchronous_commit", patience=10.0
            )
            return await run(HUNT, options, base / name)

    async def every() -> list[Outcome]:
        return await asyncio.gather(*map(one, (*RUNS, "hunt")))

    return dict(zip((*RUNS, "hunt"), asyncio.run(every()), strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_lost_or_shown_twice(outcomes, name):
    assert outcomes[name].findings == []
    assert outcomes[name].kills >= 5
    assert outcomes[name].verdict.accepted >= 70


def test_a_commit_that_waits_for_no_disk_is_found(outcomes):
    assert outcomes["hunt"].findings
