"""The document that the store keeps of a user's rules."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.rate import Rate
from bridge.rules.rules import RulesError, document, parse
from bridge.rules.span import Span
from tests.unit.bridge.rules.strategies import rule_sets, spans


@given(rule_sets)
def test_a_document_says_all_of_the_rules(given_rules):
    assert parse(document(given_rules)) == given_rules


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{", "[" * 100_000, '{"mute": "x@y"}', '{"mute": [5]}', '{"hide": 3}', '{"hide": "all"}'),
        *('{"quiet": ["22:00-07:00"]}', '{"loud": true}', '{"zone": "Nowhere/At_All"}', '{"rate": 5}'),
    ],
)
def test_a_document_that_cannot_be_read_is_refused(text):
    with pytest.raises(RulesError, match="cannot be read"):
        parse(text)


def test_a_document_of_text_is_read_into_values_and_written_as_it_was():
    text = (
        '{"mute":["@x.example"],"vip":[],"quiet":["22:00-07:00"],"zone":"Europe/Berlin","hide":"nothing",'
        '"rate":"20/10m"}'
    )
    read = parse(text)
    assert (read.quiet, read.rate) == ((Span(22 * 60, 7 * 60),), Rate(20, 600_000))
    assert document(read) == text


@given(st.text(max_size=60))
def test_any_text_is_rules_or_refused(text):
    with suppress(RulesError):
        parse(text)


# --- what they are made of ------------------------------------------------------------------------


@given(spans)
def test_a_span_is_written_as_it_is_read(text):
    assert str(Span.parse(text)) == text


@given(st.integers(0, 1439), st.integers(0, 1440))
def test_a_span_and_the_rest_of_the_day_are_the_day(start, end):
    if start == end:
        return
    span = Span(start, end)
    length = (end - start) % 1440 or 1440
    assert sum(minute in span for minute in range(1440)) == length
    assert start in span
    assert end % 1440 not in span or length == 1440


@given(st.integers(1, 1000), st.integers(1, 86_400))
def test_a_rate_is_read_as_it_is_written(rings, seconds):
    rate = Rate(rings, seconds * 1000)
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize(
    ("text", "canonical"), [("20 / 10m", "20/10m"), ("20/600s", "20/10m"), ("5/90m", "5/90m"), ("1/1440m", "1/24h")]
)
def test_a_rate_has_one_spelling(text, canonical):
    assert str(Rate.parse(text)) == canonical
