"""Topic aliases: numbers that stand for topics on one connection of MQTT 5, in each direction (§3.3.2.3.4). Pure."""

from __future__ import annotations

from typing import Final

from broker.errors import ProtocolError
from broker.wire.names import valid_name
from broker.wire.reasons import Reason

MOST_ALIASES: Final = 32
"""Topics of one connection that are sent by a number: a device has five views, `event`, and its replies."""

ALIAS_CHARACTERS: Final = 65_536
"""Of all topics that a client may give numbers to: each of its numbers holds memory until it goes."""

_COMES_AGAIN = ("/box", "/last", "/text", "/unread", "/event")  # and replies, on re/<device>


class ClientAliases:
    """What the client gave numbers to, of which it has so many."""

    __slots__ = ("_characters", "_most", "_topics")

    def __init__(self, most: int) -> None:
        self._most = most
        self._topics: dict[int, str] = {}
        self._characters = 0

    def topic(self, topic: str, alias: int | None) -> str:
        """The topic of a PUBLISH that has this topic, which may be empty, and this alias. Raises ProtocolError."""
        if alias is None:
            if not topic:
                raise ProtocolError("MQTT-3.3.2.1", "neither a topic nor a topic alias")
        elif not 0 < alias <= self._most:
            clause = "MQTT-3.3.2-9" if alias else "MQTT-3.3.2-8"
            raise ProtocolError(clause, f"topic alias {alias}", Reason.TOPIC_ALIAS_INVALID)
        elif not topic:
            known = self._topics.get(alias)
            if known is None:
                raise ProtocolError("MQTT-3.3.2.3.4", f"topic alias {alias} stands for nothing")
            return known
        if not valid_name(topic):
            raise ProtocolError("MQTT-3.3.2-2", "not a topic name", Reason.MALFORMED)
        if alias is not None:
            self._keep(topic, alias)
        return topic

    def _keep(self, topic: str, alias: int) -> None:
        self._characters += len(topic) - len(self._topics.get(alias, ""))
        if self._characters > ALIAS_CHARACTERS:
            raise ProtocolError("limits.packet", "topics too long to be kept for aliases", Reason.QUOTA_EXCEEDED)
        self._topics[alias] = topic


class BrokerAliases:
    """What the client was given numbers for, of which it takes so many: `known` has each as its property is written."""

    __slots__ = ("_most", "known")

    def __init__(self, most: int) -> None:
        self._most = min(most, MOST_ALIASES)
        self.known: dict[str, bytes] = {}

    def next(self, topic: str) -> bytes | None:
        """A number for a topic that comes again and again, while there are any; `known` has it once it was sent.

        First come, first served. A mail's own topic comes once or twice, and has none.
        """
        if len(self.known) < self._most and (topic.endswith(_COMES_AGAIN) or "/re/" in topic):
            return b"\x23" + (len(self.known) + 1).to_bytes(2, "big")
        return None
