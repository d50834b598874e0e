"""The search for the longest interval: rule by rule, and against a silent NAT under both interpreters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clients.micropython.build import SOURCE
from clients.micropython.postbell import Keepalive
from tests.conftest import need

PROGRAM = Path(__file__).with_name("nat_on_board.py")
WEEK_S = 7 * 86_400
INTERPRETERS = pytest.mark.parametrize("interpreter", ["micropython", "python"])


def searched(*steps):
    """A keepalive after intervals that were survived (positive) or not (negative)."""
    keepalive = Keepalive()
    for step in steps:
        if step > 0:
            keepalive.survived(step)
        else:
            keepalive.died(-step, 0)
    return keepalive


@pytest.mark.parametrize(
    ("steps", "interval_s"),
    [
        ([], 240),
        ([240], 360),
        ([240, 360], 540),
        ([1300], 1740),
        ([1740], 1740),
        ([-240], 120),
        ([-240, -120], 60),
        ([-240, -120, -60], 30),
        ([-240, -120, -60, -30], 30),
        ([240, -360], 300),
        ([240, -360, 300], 330),
        ([240, -360, 300, 330], 330),
        ([240, -360, -300], 270),
        ([240, -360, -300, 270], 270),
        ([1200, -1300], 1200),
    ],
    ids=str,
)
def test_half_as_much_again_then_the_middle_until_it_is_near(steps, interval_s):
    assert searched(*steps).interval_s(0) == interval_s


def test_a_death_at_what_was_survived_halves_it_and_that_is_tried_next():
    keepalive = searched(1740, -1740)
    assert keepalive.interval_s(0) == 870
    keepalive.died(870, 0)
    assert keepalive.interval_s(0) == 435
    keepalive.survived(435)
    assert keepalive.interval_s(0) == (435 + 870) // 2


def test_mail_counts():
    keepalive = Keepalive()
    keepalive.connected(0)
    keepalive.heard(700_000, pong=False)
    assert keepalive.low_s == 700
    keepalive.heard(1_000_000, pong=False)
    assert keepalive.low_s == 700, "300 seconds say less"
    assert keepalive.interval_s(0) == 1050


def test_after_a_week_what_was_too_long_is_tried_once():
    keepalive = searched(240, -360, 300, 330)
    assert keepalive.interval_s(WEEK_S - 1) == 330
    assert keepalive.interval_s(WEEK_S) == 360
    keepalive.died(360, WEEK_S)
    assert keepalive.interval_s(WEEK_S + 1) == 330
    keepalive.survived(360)
    assert keepalive.interval_s(2 * WEEK_S) == 540


def test_a_clock_that_was_set_back_does_not_put_the_look_off_for_years():
    keepalive = Keepalive(330, 360, 800_000_000)
    assert keepalive.interval_s(100) == 330
    assert keepalive.interval_s(100 + WEEK_S) == 360


def test_a_ping_never_moves_the_deadline_of_the_one_before():
    keepalive = Keepalive()
    keepalive.connected(0)
    assert keepalive.due_ms(0, 0) == 240_000
    keepalive.sent(240_000, ping=True)
    assert keepalive.due_ms(240_000, 0) == 20_000
    keepalive.sent(255_000, ping=True)
    keepalive.sent(258_000)
    assert keepalive.due_ms(258_000, 0) == 2_000
    assert keepalive.suspect_s == 240, "what the ping before it was to find out"
    keepalive.heard(259_000, pong=True)
    assert keepalive.low_s == 240
    assert keepalive.due_ms(259_000, 0) == 360_000


def test_what_the_broker_sends_while_a_ping_waits_is_a_sign_of_life():
    keepalive = Keepalive()
    keepalive.connected(0)
    keepalive.sent(240_000, ping=True)
    keepalive.heard(259_000, pong=False)
    assert keepalive.due_ms(259_000, 0) == 20_000
    assert keepalive.low_s == 0, "only the answer says how long was survived"


def played(interpreter, *arguments):
    command = [need(interpreter), str(PROGRAM), str(SOURCE.parent), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    names = ("dead", "late", "until_found", "unreachable_ms", "wakeups", "ideal", "low_s", "high_s")
    return dict(zip(names, map(int, done.stdout.split()), strict=True))


@INTERPRETERS
@pytest.mark.parametrize("forgets_s", [90, 120, 180, 270, 300, 600, 900, 1200, 1800, 4000])
def test_the_interval_of_a_new_network_is_found(interpreter, forgets_s):
    found = played(interpreter, 3, 0, forgets_s, forgets_s)
    assert found["until_found"] <= 20
    assert found["dead"] <= 3
    assert found["late"] == 0
    assert found["unreachable_ms"] <= 9 * 60_000
    assert found["wakeups"] <= 1.15 * found["ideal"]


@INTERPRETERS
def test_a_known_network_costs_no_connection(interpreter):
    found = played(interpreter, 3, 0, 600, 600, 573, 607, 0)
    assert (found["dead"], found["unreachable_ms"]) == (0, 0)
    assert found["wakeups"] <= 1.15 * found["ideal"]


@INTERPRETERS
def test_a_nat_that_forgets_sooner_is_found_out(interpreter):
    found = played(interpreter, 3, 0, 4000, 270)
    assert found["dead"] <= 5
    assert 240 <= found["low_s"] <= 270
    assert found["wakeups"] <= 1.15 * found["ideal"]


@INTERPRETERS
def test_a_nat_that_forgets_later_is_found_out_within_a_week_or_two(interpreter):
    found = played(interpreter, 30, 0, 270, 4000)
    assert found["low_s"] == 1740
    assert found["late"] <= 3


@INTERPRETERS
def test_with_mail_coming_in_it_is_found_as_well(interpreter):
    found = played(interpreter, 3, 1000, 600, 600)
    assert found["dead"] <= 4
    assert found["low_s"] <= 600
