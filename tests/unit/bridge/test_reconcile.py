"""The difference between what a broker should hold and what it holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.reconcile import Difference, Repair, difference, fingerprint

paths = st.sampled_from([f"{user}/{what}" for user in ("a", "b", "c") for what in ("box", "last", "msg/1", "msg/2")])
states = st.dictionaries(paths, st.integers(0, 3))


@given(states, states)
def test_every_path_is_in_exactly_one_place(desired, observed):
    found = difference(desired, observed)
    equal = {path for path in desired if observed.get(path) == desired[path]}
    parts = [found.missing, found.different, found.stale, equal]
    assert set().union(*parts) == desired.keys() | observed.keys()
    assert sum(map(len, parts)) == len(desired.keys() | observed.keys())


@given(states, states)
def test_doing_what_it_says_makes_both_equal(desired, observed):
    found = difference(desired, observed)
    repaired = {path: state for path, state in observed.items() if path not in found.stale}
    repaired |= {path: desired[path] for path in found.missing | found.different}
    assert repaired == desired
    assert difference(desired, repaired) == Difference(frozenset(), frozenset(), frozenset())


@given(states)
def test_nothing_differs_from_itself(state):
    assert difference(state, state) == Difference(frozenset(), frozenset(), frozenset())


@given(st.binary(), st.binary())
def test_payloads_that_differ_have_other_fingerprints(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)
    assert 0 <= fingerprint(one) < 2**64


counts = st.builds(Repair, *[st.integers(0, 1000)] * 4)


@given(counts, counts)
def test_two_looks_together_found_what_both_found(one, other):
    both = one + other
    assert both.marked == one.marked + other.marked
    assert both.held == one.held + other.held
    assert both == other + one
