"""A checker that finds nothing proves nothing: each of seven broken programs is found within one run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.crash.mutations import MUTATIONS
from tests.crash.run import run
from tests.crash.scenarios import DYING, FORGETTING, HUNTS, LANDING, RINGING, STUCK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.crash.run import Outcome
    from tests.crash.scenarios import Hunt

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]
AT_ONCE = 2


PLANS = {"dying": DYING, "landing": LANDING, "stuck": STUCK, "ringing": RINGING, "forgetting": FORGETTING}
CASES = [(plan, "") for plan in PLANS.values()] + [(plan, mutation) for mutation, plan in HUNTS.items()]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> list[tuple[Hunt, str, Outcome]]:
    """What each run ends with: each plan with nothing broken, and with each mutation that it hunts."""
    need("mosquitto")
    slots = asyncio.Semaphore(AT_ONCE)
    base = tmp_path_factory.mktemp("hunts")

    async def one(plan: Hunt, mutation: str, directory: Path) -> tuple[Hunt, str, Outcome]:
        async with slots:
            return plan, mutation, await run(plan.schedule, plan.options(mutation), directory)

    async def every() -> list[tuple[Hunt, str, Outcome]]:
        return await asyncio.gather(*(one(*case, base / str(number)) for number, case in enumerate(CASES)))

    return asyncio.run(every())


@pytest.fixture
def broken(outcomes):
    """The outcome of the run with a mutation."""
    return lambda mutation: next(outcome for _, name, outcome in outcomes if name == mutation)


def test_there_is_a_hunt_for_each_mutation():
    assert HUNTS.keys() == MUTATIONS.keys()


@pytest.mark.parametrize("plan", PLANS)
def test_nothing_is_found_where_nothing_is_broken(outcomes, plan):
    [whole] = [outcome for hunt, mutation, outcome in outcomes if hunt is PLANS[plan] and not mutation]
    assert whole.findings == []


def test_a_reply_before_the_commit_loses_mail(broken):
    assert broken("reply_before_commit").verdict.lost


def test_what_is_published_before_its_commit_rings_twice(broken):
    verdict = broken("hand_over_before_commit").verdict
    assert any(" as " in finding for finding in verdict.twice), "one mail under two ids"
    assert not verdict.lost


def test_a_bridge_that_does_not_know_a_retry_rings_twice(broken):
    verdict = broken("no_recognition").verdict
    assert any(" as " in finding for finding in verdict.twice), "one mail under two ids"
    assert not verdict.lost


def test_a_row_that_goes_before_its_puback_loses_mail(broken):
    assert broken("settle_before_acknowledgement").verdict.lost


def test_a_ring_that_is_settled_before_its_post_is_lost(broken):
    verdict = broken("ring_settled_before_post").verdict
    assert verdict.unrung
    assert not verdict.lost


def test_a_client_without_deduplication_shows_mail_twice(broken):
    verdict = broken("no_deduplication").verdict
    assert any("terminal showed" in finding for finding in verdict.twice), "one id more than once"
    assert not verdict.lost


def test_without_reconciliation_the_retained_set_is_not_the_live_set(broken):
    assert any(finding.startswith("retained mail/") for finding in broken("no_reconciliation").verdict.disagree)
