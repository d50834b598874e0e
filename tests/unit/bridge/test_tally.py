"""Counting: what is counted once, and how long a mail took."""

from __future__ import annotations

import pytest

from bridge import tally
from bridge.tally import Histogram, Tally


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def counted(clock):
    return Tally(monotonic=lambda: clock[0])


def timed(counted):
    return sum(counted.latency.counts)


@pytest.mark.parametrize(("time_s", "place"), [(0.0, 0), (1.0, 0), (1.5, 1), (2.0, 1), (9.0, 2)])
def test_a_time_is_counted_under_the_smallest_bound_that_it_does_not_exceed(time_s, place):
    histogram = Histogram((1.0, 2.0))
    histogram.observe(time_s)
    assert histogram.counts == [int(place == each) for each in range(3)]
    assert histogram.sum_s == time_s


def test_a_message_is_timed_from_its_commit_to_the_first_acknowledgement(counted, clock):
    counted.keep(7, 1000, "ring", told=True)
    clock[0] += 0.25
    counted.arrive(7, 1000)
    counted.arrive(7, 1000)
    assert (timed(counted), counted.latency.sum_s) == (1, 0.25)
    assert counted.kept == {"ring": 1}


def test_what_nobody_is_told_or_another_process_took_is_not_timed(counted):
    counted.keep(7, 1, "suppressed", told=False)
    counted.keep(7, 2, "ring", told=True)
    counted.forget(7, 2)
    for number in (1, 2, 3):
        counted.arrive(7, number)
    assert timed(counted) == 0


def test_a_broker_that_is_away_fills_no_memory(counted, monkeypatch):
    monkeypatch.setattr(tally, "AWAITED_AT_MOST", 3)
    for number in range(10):
        counted.keep(7, number, "ring", told=True)
    for number in range(10):
        counted.arrive(7, number)
    assert timed(counted) == 3
    assert counted.kept["ring"] == 10


def test_sessions_come_and_go(counted):
    counted.begin("smtp")
    counted.begin("smtp")
    counted.end("smtp")
    assert (counted.sessions["smtp"], counted.sessions_open["smtp"]) == (2, 1)


def test_repairs_add_up_and_the_last_comparison_has_its_moment(counted, clock):
    counted.look(missing=1, different=0, stale=2, topics=40)
    clock[0] += 60
    counted.look(missing=1, different=3, stale=0, topics=41)
    assert counted.looks == {"done": 2}
    assert counted.repairs == {"missing": 2, "different": 3, "stale": 2}
    assert (counted.topics_there, counted.looked_at_s) == (41, 160.0)
