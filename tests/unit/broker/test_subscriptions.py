"""The index of filters and the tree of retained messages, against the definition of matching."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.retained import Retained
from broker.subscriptions import Subscriptions
from broker.topics import is_state, valid_filter
from broker.wire.message import Message

LEVELS = st.sampled_from(["a", "b", "", "$SYS", "mail"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(LEVELS | st.just("+"), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool) | st.just("#")


def matches(topic_filter, topic):
    """§4.7, word by word, slowly."""
    pattern, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and pattern[0] in ("+", "#"):
        return False
    if pattern[-1] == "#":
        if len(levels) < len(pattern) - 1:
            return False
        pattern, levels = pattern[:-1], levels[: len(pattern) - 1]
    return len(pattern) == len(levels) and all(p in ("+", level) for p, level in zip(pattern, levels, strict=True))


@given(st.lists(st.tuples(FILTERS, st.sampled_from("xyz"), st.integers(0, 1)), max_size=12), TOPICS)
def test_match_is_what_the_standard_says(held, topic):
    index, expected = Subscriptions(), {}
    newest = {(topic_filter, holder): qos for topic_filter, holder, qos in held}
    for topic_filter, holder, qos in held:
        index.add(topic_filter, holder, qos)
    for (topic_filter, holder), qos in newest.items():
        if matches(topic_filter, topic):
            expected[holder] = max(qos, expected.get(holder, 0))
    assert index.match(topic) == expected
    assert len(index) == len(newest)


@given(st.lists(st.tuples(FILTERS, st.sampled_from("xyz")), max_size=12))
def test_removing_all_leaves_nothing(held):
    index = Subscriptions()
    for topic_filter, holder in held:
        index.add(topic_filter, holder, 1)
    for topic_filter, holder in held:
        index.remove(topic_filter, holder)
    assert len(index) == 0
    assert index._root.children is None


@given(st.lists(st.tuples(TOPICS, st.binary(max_size=1)), max_size=12), FILTERS)
def test_retained_is_the_newest_of_each_matching_topic(kept, topic_filter):
    retained = Retained()
    newest = {}
    for topic, payload in kept:
        retained.keep(Message(topic, payload, 1))
        newest[topic] = payload
    alive = {topic: payload for topic, payload in newest.items() if payload}
    found = {message.topic: message.payload for message in retained.walk(topic_filter) if message}
    assert found == {topic: payload for topic, payload in alive.items() if matches(topic_filter, topic)}
    assert len(retained) == len(alive)
    for topic, payload in newest.items():
        message = retained.get(topic)
        assert (message.payload if message else b"") == payload


def test_an_emptied_tree_holds_no_branches():
    retained = Retained()
    retained.keep(Message("mail/alice/msg/1", b"x", 1))
    retained.keep(Message("mail/alice/msg/1", b"", 1))
    retained.keep(Message("mail/bob/msg/1", b"", 1))
    assert retained._root.children == {}


def test_what_is_a_filter():
    assert all(map(valid_filter, ["#", "+", "a/#", "+/+/#", "/", "a//b", " "]))
    assert not any(map(valid_filter, ["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a\0", "/".join("a" * 17)]))


def test_state_topics():
    assert is_state("mail", "mail/alice/box")
    assert not is_state("mail", "mail/alice/msg/box")
    assert not is_state("mail", "mail/alice/event")
    assert not is_state("mail", "other/alice/box")
    assert is_state("home/mail", "home/mail/alice/unread")
