"""The properties of MQTT 5 (§2.2.2): which there are, where each may stand, how often, with which values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Any, Final

from broker.errors import ProtocolError
from broker.wire.fields import text, varint
from broker.wire.names import valid_name
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from broker.wire.fields import BodyReader5

PAYLOAD_FORMAT: Final = 0x01
MESSAGE_EXPIRY: Final = 0x02
CONTENT_TYPE: Final = 0x03
RESPONSE_TOPIC: Final = 0x08
CORRELATION_DATA: Final = 0x09
SUBSCRIPTION_ID: Final = 0x0B
SESSION_EXPIRY: Final = 0x11
ASSIGNED_CLIENT_ID: Final = 0x12
SERVER_KEEP_ALIVE: Final = 0x13
AUTHENTICATION_METHOD: Final = 0x15
AUTHENTICATION_DATA: Final = 0x16
REQUEST_PROBLEMS: Final = 0x17
WILL_DELAY: Final = 0x18
REQUEST_RESPONSE: Final = 0x19
RESPONSE_INFORMATION: Final = 0x1A
SERVER_REFERENCE: Final = 0x1C
REASON_STRING: Final = 0x1F
RECEIVE_MAXIMUM: Final = 0x21
ALIAS_MAXIMUM: Final = 0x22
TOPIC_ALIAS: Final = 0x23
MAXIMUM_QOS: Final = 0x24
RETAIN_AVAILABLE: Final = 0x25
USER_PROPERTY: Final = 0x26
PACKET_MAXIMUM: Final = 0x27
WILDCARDS_AVAILABLE: Final = 0x28
SUBSCRIPTION_IDS_AVAILABLE: Final = 0x29
SHARED_AVAILABLE: Final = 0x2A

MOST_USER_PROPERTIES: Final = 128
"""User properties of one packet that are read: each costs time beyond its bytes, and more are no honest client's."""


class Bearer(Flag):
    """The packets that a client sends with properties; a will's stand in the CONNECT."""

    CONNECT = auto()
    WILL = auto()
    PUBLISH = auto()
    ANSWER = auto()
    SUBSCRIBE = auto()
    UNSUBSCRIBE = auto()
    DISCONNECT = auto()
    NONE = 0


class Coding(Enum):
    """How a value is written (§1.5)."""

    OCTET = auto()
    WORD = auto()
    LONG = auto()
    VARINT = auto()
    BINARY = auto()
    TEXT = auto()
    PAIR = auto()


@dataclass(frozen=True, slots=True)
class PropertyKind:
    """One row of the table: a name for people, how the value is written, where a client may send it, its bounds.

    What is `forwarded` goes to every receiver of the message unchanged.
    """

    name: str
    coding: Coding
    bearers: Bearer = Bearer.NONE
    least: int = 0
    most: int = 0xFFFF_FFFF
    forwarded: bool = False


_MESSAGE = Bearer.WILL | Bearer.PUBLISH

KINDS: Final = {
    PAYLOAD_FORMAT: PropertyKind("payload format indicator", Coding.OCTET, _MESSAGE, most=1, forwarded=True),
    MESSAGE_EXPIRY: PropertyKind("message expiry interval", Coding.LONG, _MESSAGE),
    CONTENT_TYPE: PropertyKind("content type", Coding.TEXT, _MESSAGE, forwarded=True),
    RESPONSE_TOPIC: PropertyKind("response topic", Coding.TEXT, _MESSAGE, forwarded=True),
    CORRELATION_DATA: PropertyKind("correlation data", Coding.BINARY, _MESSAGE, forwarded=True),
    SUBSCRIPTION_ID: PropertyKind("subscription identifier", Coding.VARINT, Bearer.SUBSCRIBE, least=1),
    SESSION_EXPIRY: PropertyKind("session expiry interval", Coding.LONG, Bearer.CONNECT | Bearer.DISCONNECT),
    ASSIGNED_CLIENT_ID: PropertyKind("assigned client identifier", Coding.TEXT),
    SERVER_KEEP_ALIVE: PropertyKind("server keep alive", Coding.WORD),
    AUTHENTICATION_METHOD: PropertyKind("authentication method", Coding.TEXT, Bearer.CONNECT),
    AUTHENTICATION_DATA: PropertyKind("authentication data", Coding.BINARY, Bearer.CONNECT),
    REQUEST_PROBLEMS: PropertyKind("request problem information", Coding.OCTET, Bearer.CONNECT, most=1),
    WILL_DELAY: PropertyKind("will delay interval", Coding.LONG, Bearer.WILL),
    REQUEST_RESPONSE: PropertyKind("request response information", Coding.OCTET, Bearer.CONNECT, most=1),
    RESPONSE_INFORMATION: PropertyKind("response information", Coding.TEXT),
    SERVER_REFERENCE: PropertyKind("server reference", Coding.TEXT, Bearer.DISCONNECT),
    REASON_STRING: PropertyKind("reason string", Coding.TEXT, Bearer.ANSWER | Bearer.DISCONNECT),
    RECEIVE_MAXIMUM: PropertyKind("receive maximum", Coding.WORD, Bearer.CONNECT, least=1),
    ALIAS_MAXIMUM: PropertyKind("topic alias maximum", Coding.WORD, Bearer.CONNECT),
    TOPIC_ALIAS: PropertyKind("topic alias", Coding.WORD, Bearer.PUBLISH),
    MAXIMUM_QOS: PropertyKind("maximum QoS", Coding.OCTET),
    RETAIN_AVAILABLE: PropertyKind("retain available", Coding.OCTET),
    USER_PROPERTY: PropertyKind(
        "user property",
        Coding.PAIR,
        _MESSAGE | Bearer.CONNECT | Bearer.ANSWER | Bearer.SUBSCRIBE | Bearer.UNSUBSCRIBE | Bearer.DISCONNECT,
        forwarded=True,
    ),
    PACKET_MAXIMUM: PropertyKind("maximum packet size", Coding.LONG, Bearer.CONNECT, least=1),
    WILDCARDS_AVAILABLE: PropertyKind("wildcard subscription available", Coding.OCTET),
    SUBSCRIPTION_IDS_AVAILABLE: PropertyKind("subscription identifiers available", Coding.OCTET),
    SHARED_AVAILABLE: PropertyKind("shared subscription available", Coding.OCTET),
}
"""All that MQTT 5 knows (table 2-4). Of each but the user property a packet has at most one."""


@dataclass(slots=True)
class Properties:
    """The properties of one packet: `values` by number, but not user properties.

    `forwarded` are those that go on with the message, as they came.
    """

    values: dict[int, Any] = field(default_factory=dict)
    forwarded: bytes = b""


NOTHING: Final = Properties()


def read(reader: BodyReader5, bearer: Bearer) -> Properties:
    """The properties at a reader's place. Raises ProtocolError.

    A value that ends too early and an unknown identifier are malformed; a property that may not stand here, twice the
    same, and a value out of its bounds are protocol errors.
    """
    length = reader.varint()
    if not length:
        return NOTHING
    start, behind = reader.at, reader.end
    reader.end = start + length
    if reader.end > behind:
        raise reader.malformed("its properties end behind it")
    values: dict[int, Any] = {}
    forwarded, pairs = [], 0
    while (begin := reader.at) < reader.end:
        number = reader.varint()
        kind = KINDS.get(number)
        if kind is None:
            raise ProtocolError("MQTT-2.2.2.2", f"there is no property {number}", Reason.MALFORMED)
        value = _value(reader, kind.coding)
        if bearer not in kind.bearers:
            raise ProtocolError("MQTT-2.2.2.2", f"a {kind.name} has no place here", _misplaced(bearer))
        if number == USER_PROPERTY:
            pairs += 1
            if pairs > MOST_USER_PROPERTIES:
                raise ProtocolError("limits.packet", "more user properties than are read", Reason.QUOTA_EXCEEDED)
        elif number in values:
            raise ProtocolError("MQTT-2.2.2.2", f"a {kind.name} twice")
        else:
            _judge(number, kind, value)
            values[number] = value
        if kind.forwarded:
            forwarded.append(reader.body[begin : reader.at])
    reader.end = behind
    return Properties(values, b"".join(forwarded))


def _value(reader: BodyReader5, coding: Coding) -> Any:
    if coding is Coding.PAIR:
        return reader.text(), reader.text()
    if coding is Coding.TEXT:
        return reader.text()
    if coding is Coding.LONG:
        return reader.long()
    if coding is Coding.WORD:
        return reader.word()
    if coding is Coding.OCTET:
        return reader.octet()
    return reader.varint() if coding is Coding.VARINT else reader.binary()


def _misplaced(bearer: Bearer) -> Reason:
    """What a property in a wrong packet is called.

    The standard says malformed; the suite that brokers are measured by wants that for filters alone (decision 0031).
    """
    return Reason.MALFORMED if bearer in Bearer.SUBSCRIBE | Bearer.UNSUBSCRIBE else Reason.PROTOCOL_ERROR


def _judge(number: int, kind: PropertyKind, value: Any) -> None:
    if isinstance(value, int) and not kind.least <= value <= kind.most:
        raise ProtocolError("MQTT-2.2.2.2", f"a {kind.name} of {value}")
    if number == RESPONSE_TOPIC and not valid_name(value):
        raise ProtocolError("MQTT-3.3.2-14", "the response topic is not a topic name")


_SIZES: Final = {Coding.OCTET: 1, Coding.WORD: 2, Coding.LONG: 4}


def encode(number: int, value: int | str) -> bytes:
    """One property, as it stands in a packet."""
    coding = KINDS[number].coding
    if isinstance(value, str):
        return bytes((number,)) + text(value)
    return bytes((number,)) + (varint(value) if coding is Coding.VARINT else value.to_bytes(_SIZES[coding], "big"))
