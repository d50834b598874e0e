"""Ids: nine characters that sort by time, and never repeat whatever the clock does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import ids

NUMBERS = st.integers(0, 2**45 - 1)
MOMENTS = st.integers(-(2**45), 2**46)


@given(NUMBERS)
def test_a_number_comes_back_from_its_id(number):
    text = ids.encode(number)
    assert len(text) == ids.LENGTH
    assert ids.decode(text) == number


@given(NUMBERS, NUMBERS)
def test_ids_sort_as_their_numbers_do(one, other):
    assert (ids.encode(one) < ids.encode(other)) == (one < other)


@given(st.text(max_size=12))
def test_any_text_is_an_id_or_a_value_error(text):
    try:
        number = ids.decode(text)
    except ValueError:
        return
    assert ids.encode(number) == text


@pytest.mark.parametrize("number", [-1, 2**45])
def test_a_number_that_does_not_fit_is_refused(number):
    with pytest.raises(ValueError, match="does not fit"):
        ids.encode(number)


@given(MOMENTS)
def test_every_moment_has_a_number(unix_ms):
    number = ids.at(unix_ms)
    assert ids.decode(ids.encode(number)) == number
    if ids.EPOCH_MS <= unix_ms < ids.EPOCH_MS + 2**45:
        assert ids.received_ms(number) == unix_ms


@given(st.lists(MOMENTS, min_size=1, max_size=30))
def test_ids_only_grow_however_the_clock_steps(clock):
    last, given_out = 0, []
    for unix_ms in clock:
        last = ids.following(last, unix_ms=unix_ms)
        given_out.append(last)
    assert given_out == sorted(set(given_out))


@given(st.integers(1, 2**40), st.integers(1, 10_000))
def test_an_id_carries_its_moment_unless_the_last_one_is_ahead(last, later):
    now = ids.EPOCH_MS + last + later
    assert ids.received_ms(ids.following(last, unix_ms=now)) == now
