"""Texts on the wire: which characters they may have, which of them name a topic, which are filters. Pure.

Refused are, beside U+0000, what the standard advises against (§1.5.3, in MQTT 5 §1.5.4): control characters and the
code points that are no characters. They look like nothing in a log or a list, and no client of good faith sends them.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LEVELS: Final = 16
"""Deeper topics and filters than Postbell or its neighbours ever use are refused: each level costs memory."""

_LAST_OF_PLANES = "".join(chr(plane | 0xFFFE) + chr(plane | 0xFFFF) for plane in range(0, 0x110000, 0x10000))
_ODD = re.compile(f"[\0-\x1f\x7f-\x9f\ufdd0-\ufdef{_LAST_OF_PLANES}]")

_MISPLACED = re.compile(
    r"[^/]\+|\+[^/]|#.|[^/]#"
)  # a wildcard that is not all of its level, or a # that is not the last


def plain(text: str) -> bool:
    """Whether a text has only characters that are taken."""
    return text.isprintable() or _ODD.search(text) is None  # the first is fast, and right for nearly all


def valid_name(topic: str) -> bool:
    """Whether a PUBLISH or a will may name this topic [MQTT-3.3.2-2] [MQTT-4.7.3-1]."""
    return (
        (topic.isprintable() or plain(topic))
        and "+" not in topic
        and "#" not in topic
        and topic != ""
        and topic.count("/") < MAX_LEVELS
    )


def well_formed(topic_filter: str) -> bool:
    """Whether a plain text is a topic filter, however deep [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1].

    In MQTT 5 these are [MQTT-4.7.1-1], [MQTT-4.7.1-2] and [MQTT-4.7.3-1].
    """
    return topic_filter != "" and _MISPLACED.search(topic_filter) is None
