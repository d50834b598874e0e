"""How much of a mail devices are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Flag, Header
from bridge.rules.alert import Alert
from bridge.rules.hide import Hide
from bridge.rules.rules import Rules
from bridge.rules.telling import HIDDEN, told
from tests.unit.bridge.rules.strategies import headers, rule_sets

BOB = Header(Flag.ATTACHMENT, "Bob", "bob@news.example", "Code 4711", "Your code is 4711", 9, "shop", 5)


@pytest.mark.parametrize(
    ("hide", "subject", "snippet"),
    [("nothing", "Code 4711", "Your code is 4711"), ("snippet", "Code 4711", ""), ("subject", "…", "")],
)
def test_what_is_hidden_is_not_told_and_the_sender_stays(hide, subject, snippet):
    assert told(Rules(hide=Hide(hide)), BOB, Alert.RING) == replace(BOB, subject=subject, snippet=snippet)


@pytest.mark.parametrize("alert", Alert)
def test_what_does_not_ring_is_flagged_silent(alert):
    flags = BOB.flags | Flag.SILENT if alert.silent else BOB.flags
    assert told(Rules(), BOB, alert) == replace(BOB, flags=flags)


@given(headers)
def test_without_rules_all_is_told(header):
    assert told(Rules(), header, Alert.RING) == header


@given(rule_sets, headers, st.sampled_from(Alert))
def test_whoever_it_is_from_stays_and_what_is_hidden_stays_hidden(given_rules, header, alert):
    shown = told(given_rules, header, alert)
    assert (shown.from_name, shown.from_address, shown.size) == (header.from_name, header.from_address, header.size)
    assert shown.flags == (header.flags | Flag.SILENT if alert.silent else header.flags)
    assert told(given_rules, shown, alert) == shown
    assert given_rules.hide is Hide.NOTHING or not shown.snippet
    assert given_rules.hide is not Hide.SUBJECT or shown.subject == HIDDEN
