"""How long to wait before the next try."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.publish.backoff import Backoff

JITTER = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10**6), JITTER)
def test_a_wait_is_never_longer_than_the_longest_nor_shorter_than_half_the_first(attempt, jitter):
    assert 0.05 <= Backoff(first_s=0.1, longest_s=15).delay_s(attempt, jitter=jitter) <= 15


@given(st.integers(0, 60))
def test_waits_double_until_they_are_longest(attempt):
    backoff = Backoff(first_s=0.1, longest_s=15)
    this, following = (backoff.delay_s(number, jitter=0.5) for number in (attempt, attempt + 1))
    assert following == pytest.approx(min(2 * this, 15 * 0.75))


@given(st.integers(0, 60), JITTER, JITTER)
def test_jitter_spreads_over_the_upper_half(attempt, one, other):
    backoff = Backoff()
    longer, shorter = backoff.delay_s(attempt, jitter=max(one, other)), backoff.delay_s(attempt, jitter=min(one, other))
    assert shorter <= longer <= 2 * shorter  # as near to 1 as a float comes, it is rounded to that
