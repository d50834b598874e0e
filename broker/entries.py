"""What the queue of a session consists of: messages, and what is retained still to be looked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.quota import EACH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.wire.message import Message


@dataclass(slots=True)
class Entry:
    """One message for one session. `seq` orders them; `packet_id` is 0 for QoS 0.

    `retain` is the flag as it goes out, `ids` are the identifiers of the subscriptions by which it comes; `replayed`
    says that it comes from what is retained, and is not on disk.
    """

    seq: int
    message: Message
    qos: int
    retain: bool = False
    state: bool = False
    ids: tuple[int, ...] = ()
    packet_id: int = 0
    sent: bool = False
    replayed: bool = False

    @property
    def weight(self) -> int:
        """The bytes of memory that it takes, about."""
        return size(self.message) + EACH


@dataclass(slots=True)
class Replay:
    """The retained messages that a SUBSCRIBE asked for, not yet sent; `found` has None where none matched."""

    topic_filter: str
    qos: int
    found: Iterator[Message | None]
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one session may hold: messages in flight, messages and bytes waiting."""

    window: int
    messages: int
    octets: int


def size(message: Message) -> int:
    """How much of a message counts where bytes are bounded: what its publisher made long or short."""
    return len(message.payload) + len(message.properties)
