"""What an answer means, and when to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.push import judging
from bridge.push.judging import LONGEST_WAIT_S, Meaning, ServiceAnswer

NOW_S = 1_780_000_000.0
DATE = "Thu, 28 May 2026 20:27:40 GMT"
"""A minute later."""


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((status, Meaning.DONE) for status in (200, 201, 202, 204)),
        *((status, Meaning.GONE) for status in (404, 410)),
        (413, Meaning.SHORTER),
        *((status, Meaning.AGAIN) for status in (100, 301, 307, 400, 401, 403, 429, 500, 503, 507, 999)),
    ],
)
def test_a_status_has_a_meaning(status, meaning):
    assert judging.meaning(ServiceAnswer(status)) is meaning


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("30", 30), ("0", 0), (DATE, 60), ("Wed, 27 May 2026 20:27:40 GMT", 0), ("soon", None), ("", None), ("-5", None)],
)
def test_retry_after_is_seconds_or_a_date(after, seconds):
    assert judging.after_s(after, now_s=NOW_S) == seconds


@pytest.mark.parametrize("status", [429, 503, 507])
def test_who_asks_for_time_gets_it_within_an_hour(status):
    def wait(after):
        return judging.wait_s(ServiceAnswer(status, after=after), failures=0, jitter=0.0, now_s=NOW_S)

    assert wait("30") == 30
    assert wait(DATE) == 60
    assert wait("0") == 1
    assert wait("9" * 30) == LONGEST_WAIT_S
    assert wait("") == 0.5


def test_who_fails_otherwise_does_not_choose_the_wait():
    assert judging.wait_s(ServiceAnswer(500, after="30"), failures=0, jitter=0.0, now_s=NOW_S) == 0.5
    assert judging.wait_s(None, failures=3, jitter=0.0, now_s=NOW_S) == 4


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.text(max_size=40))
def test_no_wait_is_longer_than_an_hour_or_shorter_than_half_a_second(failures, jitter, after):
    for answer in (None, ServiceAnswer(503, after=after), ServiceAnswer(500)):
        waited = judging.wait_s(answer, failures=failures, jitter=jitter, now_s=NOW_S)
        assert 0.5 <= waited <= LONGEST_WAIT_S + 1


def test_waits_double():
    waits = [judging.wait_s(None, failures=failures, jitter=0.5, now_s=NOW_S) for failures in range(14)]
    assert waits[:4] == [0.75, 1.5, 3.0, 6.0]
    assert waits[-1] == LONGEST_WAIT_S * 0.75


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (ServiceAnswer(500, said="<html>whatever"), "500"),
        (
            ServiceAnswer(403, said='{"reason":"BadJwtToken"}'),
            "403: it does not take the signature (VAPID), BadJwtToken",
        ),
        (ServiceAnswer(302), "302: it points elsewhere, and that is not followed"),
        (ServiceAnswer(400, said="\x1b[2J"), "400"),
        (ServiceAnswer(507), "507: nobody is there to take it yet"),
    ],
)
def test_a_trouble_is_told_in_few_words(answer, told):
    assert judging.trouble(answer) == told


@given(st.text(max_size=600))
def test_a_trouble_is_short_and_plain_whatever_was_said(said):
    told = judging.trouble(ServiceAnswer(403, said=said))
    assert len(told) < 100
    assert told.isascii()
    assert told.isprintable()


def test_a_clock_that_differs_is_seen():
    assert judging.skew_s(ServiceAnswer(201, date=DATE), now_s=NOW_S) == 60
    assert judging.skew_s(ServiceAnswer(201, date="today"), now_s=NOW_S) is None
