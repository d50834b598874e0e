"""Rules changed by a command: additions, removals, spellings, and what is refused, with what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.change import Change, changed
from bridge.rules.rate import Rate
from bridge.rules.rules import Rules, RulesError
from tests.unit.bridge.rules.strategies import patterns, rule_sets, rules, spans


@given(rule_sets, st.lists(patterns).map(tuple), st.lists(spans).map(tuple))
def test_what_is_added_twice_is_there_once_and_what_is_removed_is_gone(given_rules, added, quiet):
    adding = Change(mute=added, vip=added, quiet=quiet)
    once = changed(given_rules, adding)
    assert changed(once, adding) == once
    removing = Change(remove_mute=added, remove_vip=added, remove_quiet=quiet)
    left = changed(once, removing)
    assert not set(left.mute) & set(added)
    assert not set(map(str, left.quiet)) & set(quiet)
    assert set(left.mute) | set(added) == set(given_rules.mute) | set(added)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(mute=("bob",)), "mute = 'bob': write an address"),
        (Change(vip=("",)), "vip = '': write an address"),
        (Change(vip=("a@b@",)), "vip = 'a@b@': write an address"),
        (Change(vip=("Boss <boss@x.example>",)), "write an address"),
        (Change(mute=("*@x.example",)), "write an address"),
        (Change(mute=("@",)), "mute = '@': write an address"),
        (Change(mute=("two words.example",)), "write an address"),
        (Change(quiet=("22-7",), zone="UTC"), "quiet = '22-7': write it as 22:00-07:00"),
        (Change(quiet=("24:00-07:00",), zone="UTC"), "hours are"),
        (Change(quiet=("22:60-07:00",), zone="UTC"), "hours are"),
        (Change(quiet=("22:00-24:01",), zone="UTC"), "hours are"),
        (Change(quiet=("07:00-07:00",), zone="UTC"), "00:00-24:00"),
        (Change(quiet=("22:00-07:00",)), "--zone Europe/Berlin"),
        (Change(zone="Europe/Atlantis"), "zone = 'Europe/Atlantis': this system knows no such"),
        (Change(zone="Europe"), "zone = 'Europe': this system knows no such"),
        (Change(zone="../../etc/passwd"), "this system knows no such"),
        (Change(zone="\0"), "this system knows no such"),
        (Change(hide="all"), "hide = 'all'"),
        (Change(rate="20"), "rate = '20': write it as 20/10m"),
        (Change(rate="0/10m"), "1 to 1000 rings"),
        (Change(rate="1001/10m"), "1 to 1000 rings"),
        (Change(rate="20/25h"), "at most a day"),
        (Change(remove_mute=("bob@x.example",)), "there is no 'bob@x.example' to remove"),
        (Change(remove_quiet=("nonsense",)), "remove_quiet|quiet = 'nonsense'"),
        (Change(mute=tuple(f"a{number}@x.example" for number in range(1001))), "mute"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_with_its_cure(change, told):
    with pytest.raises(RulesError, match=told):
        changed(Rules(), change)


def test_spellings_become_one():
    change = Change(
        mute=("B@X.example", " b@x.EXAMPLE", "@X.example."), quiet=("7:00 - 8:00", "07:00-08:00"), zone="UTC"
    )
    assert changed(Rules(), change) == rules(mute=("@x.example", "b@x.example"), quiet=("07:00-08:00",), zone="UTC")
    assert changed(Rules(), Change(rate="20 / 10m")).rate == Rate(20, 600_000)


@given(rule_sets)
def test_no_change_changes_nothing(given_rules):
    assert changed(given_rules, Change()) == given_rules


@given(rule_sets)
def test_what_is_set_to_an_empty_text_is_gone(given_rules):
    assert changed(given_rules, Change(rate="")).rate is None
