"""Topic names and filters: which are valid, and what Postbell's own topics are. Pure."""

from __future__ import annotations

MAX_LEVELS = 16
"""Deeper topics and filters than Postbell or its neighbours ever use are refused: each level costs memory."""

STATE_VIEWS = frozenset({"box", "last", "text", "unread"})
"""Topics of a user of which only the newest value matters (docs/protocol.md, "Topics")."""


def valid_name(topic: str) -> bool:
    """Whether a PUBLISH or a will may name this topic [MQTT-3.3.2-2] [MQTT-4.7.3-1]."""
    return bool(topic) and not any(mark in topic for mark in "+#\0") and topic.count("/") < MAX_LEVELS


def valid_filter(topic_filter: str) -> bool:
    """Whether a topic filter is well-formed [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1]."""
    if not topic_filter or "\0" in topic_filter or topic_filter.count("/") >= MAX_LEVELS:
        return False
    levels = topic_filter.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        return False
    return "#" not in levels[:-1]


def is_state(root: str, topic: str) -> bool:
    """Whether only the newest value on this topic matters: `<root>/<user>/box` and its like."""
    if not topic.startswith(root + "/"):
        return False
    user, _, view = topic[len(root) + 1 :].partition("/")
    return bool(user) and view in STATE_VIEWS
