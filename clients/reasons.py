"""What a broker says when it says no, as people say it: the reason codes of MQTT 5 (§2.4), and 3.1.1's few. Pure."""

from __future__ import annotations

import unicodedata

_WORDS = {
    0x80: "the broker gives no reason",
    0x81: "the broker could not read what this program sent",
    0x82: "the broker could not make sense of what this program sent",
    0x83: "the broker has a reason of its own",
    0x84: "the broker does not speak this version of MQTT",
    0x85: "the broker does not like this client id",
    0x86: "wrong password, or the device was revoked",
    0x87: "this login may not do that",
    0x88: "the broker is not available",
    0x89: "the broker is busy",
    0x8A: "this device is banned",
    0x8B: "the broker is shutting down",
    0x8D: "the broker heard nothing from here for too long",
    0x8E: "another app uses this login, and the broker takes one at a time: give each a device of its own",
    0x8F: "the broker does not allow this subscription",
    0x90: "the broker does not allow this topic",
    0x91: "the broker has not done with an earlier packet yet",
    0x93: "the broker was sent more at once than it takes",
    0x94: "the broker could not make sense of a topic alias",
    0x95: "the packet is larger than the broker takes",
    0x96: "the broker was sent too much in too short a time",
    0x97: "a quota of the broker is used up",
    0x98: "the broker's operator has ended the connection: was this device revoked?",
    0x99: "the broker does not like the payload",
    0x9A: "the broker retains nothing",
    0x9B: "the broker does not take this quality of service",
    0x9C: "the broker sends this device elsewhere for now",
    0x9D: "the broker has moved",
    0x9F: "too many connections in too short a time",
    0xA0: "the broker lets a connection last no longer",
    0xA1: "the broker has no subscription identifiers",
    0xA2: "the broker does not allow filters with wildcards",
}
TAKEN_OVER = 0x8E
WORDS_AT_MOST = 120
"""So much is told of what the broker says in its own words."""


def in_words(code: int, said: str = "") -> str:
    """The reason; `said` is the broker's reason string, told where it says more, and harmless on a screen."""
    own = " ".join("".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in said).split())
    words = _WORDS.get(code, f"the broker's reason is number {code}")
    return f"{words} (it says: {own[:WORDS_AT_MOST]})" if own else words
