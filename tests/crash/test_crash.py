"""A bounded minute of the suite: seeds on two brokers, mail from smtp-source, a slow link that keeps dropping."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.crash.installation import Options
from tests.crash.privilege import may_mount_and_unplug
from tests.crash.run import run, send_drawn
from tests.crash.scenarios import burst, slow_link
from tests.crash.schedule import Scope, draw
from tests.crash.smtp_source import feed as send_with_smtp_source
from tests.crash.workers import NAME

if TYPE_CHECKING:
    from tests.crash.run import Outcome

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]
AT_ONCE = 2
SCOPE = Scope(kills=8, seconds=5.0, messages=80, root=may_mount_and_unplug())
SEEDS = {  # 1 fills the disk, 3 takes a network link down, 4 has a small live set, 2 marks mail as seen
    ("embedded", 1),
    ("embedded", 4),
    ("mosquitto", 3),
    ("mosquitto", 2),
}
RUNS = {  # the longest first
    "smtp-source": (burst(messages=2000, seconds=10.0, kills=20), "embedded", send_with_smtp_source),
    "slow-link": (slow_link(seconds=10, messages=60), "embedded", send_drawn),
} | {f"{broker}-{seed}": (draw(seed, SCOPE), broker, send_drawn) for broker, seed in sorted(SEEDS)}
WITH_WORKERS = "workers-5"
RUNS[WITH_WORKERS] = (draw(5, replace(SCOPE, targets=("bridge", NAME, NAME))), "embedded", send_drawn)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, Outcome]:
    """What each run ends with, a few side by side."""
    need("mosquitto")
    need("smtp-source")
    slots = asyncio.Semaphore(AT_ONCE)
    base = tmp_path_factory.mktemp("runs")

    async def one(name: str) -> Outcome:
        schedule, broker, feed = RUNS[name]
        async with slots:
            options = Options(broker=broker, workers=2 if name == WITH_WORKERS else 0)
            return await run(schedule, options, base / name, feed=feed)

    async def every() -> list[Outcome]:
        return await asyncio.gather(*map(one, RUNS))

    return dict(zip(RUNS, asyncio.run(every()), strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_lost_or_shown_twice(outcomes, name):
    assert outcomes[name].findings == []


@pytest.mark.parametrize("name", [name for name in RUNS if name[-1].isdigit()])
def test_processes_were_killed_and_mail_was_taken(outcomes, name):
    assert outcomes[name].kills >= 4
    assert outcomes[name].verdict.accepted >= 70


def test_most_of_two_thousand_from_smtp_source_were_taken(outcomes):
    """Bridge, broker and watcher are killed meanwhile; what was not answered 250 is not sent again."""
    assert outcomes["smtp-source"].kills >= 10
    assert outcomes["smtp-source"].verdict.accepted >= 1500


def test_the_slow_link_dropped_every_second(outcomes):
    """300 ms there and back; `make test-crash` does it for two minutes with 600 messages."""
    assert outcomes["slow-link"].cuts >= 10
    assert outcomes["slow-link"].verdict.accepted >= 55
