"""A checker that finds nothing proves nothing: each of four broken programs is found within one run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.crash.mutations import MUTATIONS
from tests.crash.run import run
from tests.crash.scenarios import HUNTS

if TYPE_CHECKING:
    from tests.crash.run import Outcome

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]
AT_ONCE = 3


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[tuple[str, str], Outcome]:
    """What each hunt ends with, by hunt and mutation; the mutation is empty where nothing is broken."""
    need("mosquitto")
    slots = asyncio.Semaphore(AT_ONCE)
    base = tmp_path_factory.mktemp("hunts")

    async def one(hunt: str, mutation: str) -> Outcome:
        async with slots:
            plan = HUNTS[hunt]
            return await run(plan.schedule, plan.options(mutation), base / f"{hunt}-{bool(mutation)}")

    async def every() -> list[Outcome]:
        return await asyncio.gather(*(one(*case) for case in cases))

    cases = [(hunt, mutation) for hunt in HUNTS for mutation in ("", hunt)]
    return dict(zip(cases, asyncio.run(every()), strict=True))


def test_there_is_a_hunt_for_each_mutation():
    assert HUNTS.keys() == MUTATIONS.keys()


@pytest.mark.parametrize("hunt", HUNTS)
def test_nothing_is_found_where_nothing_is_broken(outcomes, hunt):
    assert outcomes[hunt, ""].findings == []


def test_a_reply_before_the_commit_loses_mail(outcomes):
    assert outcomes["reply_before_commit", "reply_before_commit"].verdict.lost


def test_a_row_that_goes_before_its_puback_loses_mail(outcomes):
    assert outcomes["settle_before_acknowledgement", "settle_before_acknowledgement"].verdict.lost


def test_a_client_without_deduplication_shows_mail_twice(outcomes):
    assert outcomes["no_deduplication", "no_deduplication"].verdict.twice


def test_without_reconciliation_the_retained_set_is_not_the_live_set(outcomes):
    verdict = outcomes["no_reconciliation", "no_reconciliation"].verdict
    assert any(finding.startswith("retained mail/") for finding in verdict.disagree)
