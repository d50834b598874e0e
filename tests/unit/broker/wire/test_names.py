"""Characters, topic names and filters."""

from __future__ import annotations

import pytest

from broker.wire.names import MAX_LEVELS, plain, valid_name, well_formed

ODD = ["\0", "\1", "\x1f", "\x7f", "\x9f", "\ufdd0", "\ufdef", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"]
EVEN = [" ", "~", "\xa0", "ü", "\u200b", "\ud7ff", "\ue000", "\ufdcf", "\ufdf0", "\ufeff", "\ufffd", "𪛔", "\U0010fffd"]


@pytest.mark.parametrize("mark", ODD)
def test_a_character_that_is_none_is_refused(mark):
    assert not plain(f"a{mark}b")
    assert not valid_name(f"a{mark}b")


@pytest.mark.parametrize("mark", EVEN)
def test_any_other_is_taken(mark):
    assert plain(f"a{mark}b")
    assert valid_name(f"a{mark}b")


@pytest.mark.parametrize("topic", ["a", "/", "//", "a/b", "$SYS/x", " ", "/".join("a" * MAX_LEVELS)])
def test_a_topic_name(topic):
    assert valid_name(topic)


@pytest.mark.parametrize("topic", ["", "+", "#", "a/+", "a#", "/".join("a" * (MAX_LEVELS + 1))])
def test_no_topic_name(topic):
    assert not valid_name(topic)


@pytest.mark.parametrize("wanted", ["a", "#", "+", "/", "+/+", "a/#", "/#", "a/+/b", "/+", "+/#", "$share/g/+/#"])
def test_a_filter(wanted):
    assert well_formed(wanted)


@pytest.mark.parametrize("wanted", ["", "a#", "#/a", "a/#/b", "##", "#/#", "a/##", "a+", "+a", "a/+b/c", "++", "a/b#"])
def test_no_filter(wanted):
    assert not well_formed(wanted)


def test_a_filter_may_be_of_any_depth_here():
    assert well_formed("/".join("+" * 30_000))
