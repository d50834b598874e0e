"""What clients say, in words of no version: 3.1, 3.1.1 and 5 are read into the same. Pure.

`codec.py` reads them from bytes and writes the answers; sessions, delivery and rules know no version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from broker.wire.message import Message

V31, V311, V5 = 3, 4, 5
"""Protocol levels."""

QOS: Final = 0x03
NO_LOCAL: Final = 0x04
AS_PUBLISHED: Final = 0x08
RETAIN_HANDLING: Final = 0x30
"""The options of a subscription as MQTT 5 has them in one byte (§3.8.3.1); in older versions only the QoS is set.

A bridge (level 0x83, 0x84) has NO_LOCAL and AS_PUBLISHED on all its filters.
"""

NEVER: Final = 0xFFFF_FFFF
"""A session expiry that is none (§3.1.2.11.2)."""


@dataclass(frozen=True, slots=True)
class Will:
    """What to publish when the connection ends without DISCONNECT (§3.1.2.5), so many seconds later."""

    message: Message
    retain: bool
    delay_s: int = 0
    expiry_s: int | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """A CONNECT that is well-formed; whether its level and what it asks for are acceptable is not said.

    `session_s` is how long the session is to outlive the connection: 0 ends with it, NEVER is as long as the broker
    keeps any. In 3.1 and 3.1.1 it follows from the clean session flag. `password` may be any bytes.
    """

    level: int
    client_id: str
    clean_start: bool
    keep_alive: int
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    bridge: bool = False
    session_s: int = 0
    receive_maximum: int = 65_535
    packet_maximum: int = 0
    """Bytes of a packet that the client takes; 0: any."""
    alias_maximum: int = 0
    wants_problems: bool = True
    """Whether reason strings may be sent where they are not a refusal (Request Problem Information)."""
    authentication: str | None = None
    """The method of an enhanced authentication that is asked for."""


class Publish(NamedTuple):
    """A PUBLISH; `packet_id` is 0 for QoS 0. `expiry_s` is the message's lifetime from now on, None without one.

    A tuple, as an `Answer`: of each message there is one, made in a third of a frozen dataclass's time.
    """

    message: Message
    retain: bool
    packet_id: int
    expiry_s: int | None = None
    dup: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """One filter of a SUBSCRIBE with its options; `identifier` 0 is none."""

    topic_filter: str
    options: int
    identifier: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A SUBSCRIBE."""

    packet_id: int
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """An UNSUBSCRIBE."""

    packet_id: int
    filters: tuple[str, ...]


class Answer(NamedTuple):
    """A PUBACK, PUBREC, PUBREL or PUBCOMP."""

    packet_id: int
    code: int = 0


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A DISCONNECT; `session_s` changes how long the session outlives the connection, None leaves it."""

    code: int = 0
    session_s: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a CONNACK of version 5 tells of the broker and of the session (§3.2.2.3).

    None is left out: the client then has what it asked for.
    """

    session_s: int | None = None
    receive_maximum: int | None = None
    packet_maximum: int | None = None
    alias_maximum: int | None = None
    client_id: str | None = None
    keep_alive: int | None = None


class Outbound(Protocol):
    """A message for one client as it is to be sent: `sent` before means DUP, `retain` is the flag as it goes out.

    `ids` are the identifiers of the subscriptions that it comes by.
    """

    @property
    def message(self) -> Message:
        """What is sent."""

    @property
    def qos(self) -> int:
        """0 or 1."""

    @property
    def packet_id(self) -> int:
        """0 for QoS 0."""

    @property
    def retain(self) -> bool:
        """The flag [MQTT-3.3.1-8] [MQTT-3.3.1-12]."""

    @property
    def sent(self) -> bool:
        """Whether it was sent before."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Subscription identifiers [MQTT-3.3.4-3]."""
