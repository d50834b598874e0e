"""When a session connects, gives up waiting, and tries again."""

from __future__ import annotations

import pytest

from clients.backoff import Backoff
from clients.schedule import BRIEF_CONNECTIONS, CONNECT_TIMEOUT_S, SLEEP_S, STABLE_S, Schedule


class Clocks:
    now = 100.0
    asleep_s = 7.0


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def schedule(clocks):
    return Schedule(
        clock=lambda: clocks.now,
        asleep=lambda: clocks.asleep_s,
        backoff=Backoff(jitter=lambda: 0.0, first_s=2.0),  # half of it, without jitter
    )


def connect(schedule):
    schedule.dialled()
    schedule.answered(accepted=True)


def test_it_connects_at_once_and_gives_up_when_no_answer_comes(schedule, clocks):
    assert schedule.may_connect
    schedule.dialled()
    assert schedule.wait_s(60.0, dialled=True) == CONNECT_TIMEOUT_S
    assert schedule.wait_s(1.0, dialled=True) == 1.0
    clocks.now += CONNECT_TIMEOUT_S
    assert schedule.unanswered
    assert schedule.wait_s(60.0, dialled=True) == 0.0
    assert schedule.retry_s() == 1.0
    assert not schedule.unanswered


def test_a_refusal_is_an_answer_and_no_connection(schedule, clocks):
    schedule.dialled()
    schedule.answered(accepted=False)
    clocks.now += CONNECT_TIMEOUT_S
    assert not schedule.unanswered
    assert not schedule.connected


def test_waits_double_until_a_connection_lasts_or_carries_mail(schedule, clocks):
    assert [schedule.retry_s() for _ in range(3)] == [1.0, 2.0, 4.0]
    assert not schedule.may_connect
    assert schedule.wait_s(60.0, dialled=False) == 4.0
    clocks.now += 4.0
    assert schedule.may_connect
    connect(schedule)
    assert schedule.connected
    assert schedule.wait_s(60.0, dialled=True) == 60.0
    assert schedule.retry_s() == 8.0, "it did not last"
    connect(schedule)
    clocks.now += STABLE_S
    assert schedule.retry_s() == 1.0
    connect(schedule)
    schedule.heard()
    assert schedule.retry_s() == 1.0


def test_connections_that_keep_ending_are_told(schedule, clocks):
    for _ in range(BRIEF_CONNECTIONS):
        connect(schedule)
        assert not schedule.keeps_ending
        schedule.retry_s()
    assert not schedule.keeps_ending
    connect(schedule)
    assert schedule.keeps_ending
    clocks.now += STABLE_S
    assert not schedule.keeps_ending


def test_after_a_sleep_the_next_try_is_due(schedule, clocks):
    schedule.retry_s()
    clocks.asleep_s += SLEEP_S
    assert not schedule.woke()
    clocks.asleep_s += SLEEP_S + 1
    assert schedule.woke()
    assert schedule.may_connect
    assert not schedule.woke()
