"""The search for the longest silence that a network survives: rule by rule, and against a NAT in scaled time."""

from __future__ import annotations

import pytest

from clients.keepalive import CEILING_S, LOOK_AGAIN_MS, UNKNOWN, Endured, Keepalive, Network, Search
from clients.micropython.postbell import Keepalive as OnBoard
from tests.support.silent_nat import DAY_S, play


def searched(*steps):
    """A search after intervals that were survived (positive) or not (negative)."""
    search = Search()
    for step in steps:
        if step > 0:
            search.survived(step)
        else:
            search.died(-step, 0)
    return search


STEPS = [
    [],
    [240],
    [240, 360],
    [1300],
    [1740],
    [-240],
    [-240, -120, -60, -30],
    [240, -360],
    [240, -360, 300],
    [240, -360, 300, 330],
    [240, -360, -300, 270],
    [1200, -1300],
    [1740, -1740],
    [1740, -1740, -870],
    [1740, -1740, -870, 435],
    [700, 300],
    [4000],
]


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_a_board_searches_the_same_way(steps):
    board = OnBoard()
    for step in steps:
        if step > 0:
            board.survived(step)
        else:
            board.died(-step, 0)
    search = searched(*steps)
    assert (search.found.low_s, search.found.high_s) == (board.low_s, board.high_s)
    for days in (0, 6, 7, 8):
        assert search.interval_s(days * DAY_S * 1000) == board.interval_s(days * DAY_S)


@pytest.mark.parametrize(
    ("steps", "interval_s"),
    [([], 240), ([240], 360), ([1300], 1740), ([240, -360], 300), ([240, -360, 300, 330], 330), ([1740, -1740], 870)],
    ids=str,
)
def test_half_as_much_again_then_the_middle_and_after_a_death_half(steps, interval_s):
    assert searched(*steps).interval_s(0) == interval_s


def test_a_clock_that_was_set_back_does_not_put_off_the_second_look_for_ever():
    search = Search(Endured(330, 360, 10**15))
    assert search.interval_s(0) == 330
    assert search.interval_s(LOOK_AGAIN_MS) == 360


# --- the times of a connection --------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 1000.0

    def keepalive(self, found=UNKNOWN, **options):
        keepalive = Keepalive(clock=lambda: self.now, wall_ms=lambda: int(self.now * 1000), **options)
        keepalive.connected(Network("home", found))
        return keepalive


def test_a_ping_never_moves_the_deadline_of_the_one_before():
    clock = Clock()
    keepalive = clock.keepalive()
    assert keepalive.due_s == 240
    clock.now += 240
    keepalive.sent(ping=True)
    assert keepalive.waits
    assert keepalive.due_s == 20
    clock.now += 15
    keepalive.sent(ping=True)
    clock.now += 3
    keepalive.sent()
    assert keepalive.due_s == 2
    clock.now += 1
    keepalive.heard(pong=True)
    assert keepalive.found.low_s == 240, "what the first of them found out"
    assert keepalive.due_s == 360


def test_mail_counts_as_survived_and_is_a_sign_of_life_while_a_ping_waits():
    clock = Clock()
    keepalive = clock.keepalive()
    clock.now += 700
    keepalive.heard()
    assert keepalive.found.low_s == 700
    clock.now += 300
    keepalive.heard()
    assert keepalive.found.low_s == 700, "300 seconds say less"
    clock.now += 1050
    keepalive.sent(ping=True)
    clock.now += 19
    keepalive.heard()
    assert keepalive.due_s == 20
    assert keepalive.found.low_s == 700, "only the answer says how long was survived"


def test_an_unanswered_ping_counts_only_if_the_network_is_there_at_once():
    clock = Clock()
    keepalive = clock.keepalive(Endured(600))
    for there, low_s in ((False, 600), (True, 300)):
        clock.now += 500
        keepalive.sent(ping=True)
        keepalive.lost()
        if not there:
            keepalive.forgive()
        keepalive.connected(Network("home", Endured(9)))
        assert keepalive.found.low_s == (600 if not there else 250), low_s


def test_another_network_has_its_own_memory_and_is_not_to_blame():
    clock = Clock()
    keepalive = clock.keepalive(Endured(600))
    clock.now += 900
    keepalive.sent(ping=True)
    keepalive.lost()
    keepalive.connected(Network("train", Endured(90, 120, 0)))
    assert keepalive.found == Endured(90, 120, 0)


def test_what_the_broker_grants_is_the_bound():
    clock = Clock()
    keepalive = clock.keepalive(Endured(1000))
    keepalive.connected(Network("home"), bound_s=120)
    assert keepalive.due_s == 120
    keepalive.connected(Network("home"))
    assert keepalive.due_s == 1500
    assert clock.keepalive(Endured(CEILING_S)).due_s < CEILING_S, "pings come before what CONNECT declares"


def test_a_fixed_interval_is_kept_to():
    clock = Clock()
    keepalive = clock.keepalive(Endured(1000), fixed_s=10)
    assert keepalive.due_s == 10
    clock.now += 10
    assert keepalive.stale
    keepalive.sent(ping=True)
    assert keepalive.due_s == 10, "the answer has as long"


def test_what_is_sent_after_a_long_silence_has_a_ping_before_it():
    clock = Clock()
    keepalive = clock.keepalive()
    clock.now += 29
    assert not keepalive.stale
    clock.now += 1
    assert keepalive.stale
    keepalive.sent(ping=True)
    assert not keepalive.stale


# --- a NAT that forgets, in scaled time -----------------------------------------------------------


@pytest.mark.parametrize("forgets_s", [60, 90, 120, 180, *range(240, 2000, 37), 4000])
def test_the_interval_of_a_new_network_is_found(forgets_s):
    played = play(lambda _: forgets_s)
    assert 0 < played.until_found <= 20
    assert played.late == 0
    assert played.dead <= 4
    assert played.unreachable_s <= 17 * 60, "in three days"
    assert played.wakeups <= 1.15 * played.ideal


@pytest.mark.parametrize("forgets_s", [270, 600, 1200])
def test_a_known_network_costs_nothing(forgets_s):
    found = play(lambda _: forgets_s).found
    played = play(lambda _: forgets_s, known=found)
    assert (played.dead, played.unreachable_s) == (0, 0.0)
    assert played.wakeups <= 1.15 * played.ideal


@pytest.mark.parametrize(("before_s", "after_s"), [(1800, 300), (900, 240), (600, 100), (1200, 1000)])
def test_a_network_that_forgets_sooner_is_found_again(before_s, after_s):
    played = play(lambda now: before_s if now < DAY_S else after_s, days=4)
    again = play(lambda _: before_s, days=1)
    assert played.dead - again.dead <= 6
    assert played.found.low_s <= after_s
    assert after_s - played.found.low_s <= max(30, after_s / 8)
    fresh = played.intervals[again.pings :]
    assert len(set(fresh[20:])) == 1, "within 20 pings"


def test_a_network_that_forgets_later_is_found_after_a_week_at_two_connections_more():
    played = play(lambda now: 300 if now < DAY_S else 1800, days=16)
    assert played.found.low_s >= 1500
    assert played.dead <= 5


@pytest.mark.parametrize("mail_s", [50, 400, 3600])
def test_mail_disturbs_nothing(mail_s):
    played = play(lambda _: 600, mail_s=mail_s)
    assert played.dead <= 4
    assert played.found.low_s <= 600
