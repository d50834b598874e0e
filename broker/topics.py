"""Topic names and filters: which are valid, and what Postbell's own topics are. Pure."""

from __future__ import annotations

from broker.wire.names import MAX_LEVELS, plain, well_formed

STATE_VIEWS = frozenset({"box", "last", "text", "unread"})
"""Topics of a user of which only the newest value matters (docs/protocol.md, "Topics")."""


def valid_filter(topic_filter: str) -> bool:
    """Whether a topic filter is well-formed, and not too deep [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1]."""
    return well_formed(topic_filter) and plain(topic_filter) and topic_filter.count("/") < MAX_LEVELS


def is_state(root: str, topic: str) -> bool:
    """Whether only the newest value on this topic matters: `<root>/<user>/box` and its like."""
    if topic[topic.rfind("/") + 1 :] not in STATE_VIEWS or not topic.startswith(root + "/"):
        return False
    user, _, view = topic[len(root) + 1 :].partition("/")
    return bool(user) and view in STATE_VIEWS
