"""No figure without a count that agrees, and what the figures mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.bench.figures import Counted, Latency, MiscountError, Spread, percentile

ALL = Counted(offered=7, accepted=7, kept=7, acknowledged=7, received=7, twice=0, waiting=0)


def test_what_is_everywhere_once_agrees():
    ALL.agree()


@pytest.mark.parametrize(
    "wrong",
    [
        *({place: 6} for place in ("accepted", "kept", "acknowledged", "received")),
        *({place: 8} for place in ("kept", "acknowledged", "received")),
        {"twice": 1},
        {"waiting": 1},
    ],
    ids=str,
)
def test_whatever_is_missing_or_too_much_there_is_no_figure(wrong):
    ((name, number),) = wrong.items()
    with pytest.raises(MiscountError, match=f"{number} {name}"):
        replace(ALL, **wrong).agree()


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (51, 51), (99, 99), (100, 100)])
def test_a_percentile_is_one_of_the_values(percent, value):
    assert percentile(range(1, 101), percent) == value
    assert percentile(range(1, 3), percent) == (1 if percent <= 50 else 2)


def test_of_one_time_every_percentile_is_that_time():
    assert Spread.of([0.002]) == Spread(2.0, 2.0, 2.0)


def test_a_device_that_was_faster_than_the_reply_did_not_wait():
    latency = Latency.of([(1.0, 1.5, 1.25), (2.0, 2.5, 3.0)], mails_a_second=2)
    assert latency.to_250 == Spread(500.0, 500.0, 500.0)
    assert latency.to_device == Spread(0.0, 500.0, 500.0)
    assert latency.whole == Spread(250.0, 1000.0, 1000.0)
