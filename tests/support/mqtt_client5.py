"""A raw MQTT 5 client for tests: packets to the byte, right or wrong, and what is in those that come back."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_client import CONNACK, DISCONNECT, PUBLISH, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE, text

AUTH = 15

PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA = 1, 2, 3, 8, 9
SUBSCRIPTION_ID, SESSION_EXPIRY, ASSIGNED_CLIENT_ID, SERVER_KEEP_ALIVE = 11, 17, 18, 19
AUTHENTICATION_METHOD, AUTHENTICATION_DATA, REQUEST_PROBLEMS, WILL_DELAY, REQUEST_RESPONSE = 21, 22, 23, 24, 25
RESPONSE_INFORMATION, SERVER_REFERENCE, REASON, RECEIVE_MAXIMUM, ALIAS_MAXIMUM, ALIAS = 26, 28, 31, 33, 34, 35
MAXIMUM_QOS, RETAIN_AVAILABLE, USER, PACKET_MAXIMUM, WILDCARDS, IDENTIFIERS, SHARED = 36, 37, 38, 39, 40, 41, 42

NO_LOCAL, AS_PUBLISHED, IF_NEW, NEVER = 4, 8, 16, 32
"""Options of a subscription, added to its QoS: the last two say when retained messages are sent."""

_NUMBERS = {
    **dict.fromkeys((1, 23, 25, 36, 37, 40, 41, 42), 1),
    **dict.fromkeys((19, 33, 34, 35), 2),
    **dict.fromkeys((2, 17, 24, 39), 4),
}
_TEXTS = (3, 8, 18, 21, 26, 28, 31)
_BINARY = (9, 22)


def number(value: int) -> bytes:
    """A variable byte integer, in as few bytes as it needs."""
    encoded = bytearray()
    while True:
        value, octet = divmod(value, 128)
        encoded.append(octet | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def _property(kind: int, value: object) -> bytes:
    if isinstance(value, tuple):
        name, content = value
        return bytes([kind]) + text(name) + text(content)
    if kind == SUBSCRIPTION_ID:
        assert isinstance(value, int)
        return bytes([kind]) + number(value)
    if isinstance(value, int):
        return bytes([kind]) + value.to_bytes(_NUMBERS[kind], "big")
    assert isinstance(value, str | bytes)
    return bytes([kind]) + text(value)


def properties(*listed: tuple[int, object]) -> bytes:
    """Properties with their length before them, in this order."""
    body = b"".join(_property(kind, value) for kind, value in listed)
    return number(len(body)) + body


def connect(
    client_id="c",
    *,
    username=None,
    password=None,
    clean=True,
    keepalive=0,
    will=None,
    extra_flags=0,
    having=(),
    will_having=(),
) -> bytes:
    """`will` is (topic, payload, qos, retain); `having` are the properties."""
    flags = extra_flags | (2 if clean else 0)
    payload = text(client_id)
    if will is not None:
        flags |= 4 | will[2] << 3 | (32 if will[3] else 0)
        payload += properties(*will_having) + text(will[0]) + text(will[1])
    if username is not None:
        flags |= 128
        payload += text(username)
    if password is not None:
        flags |= 64
        payload += text(password)
    head = text("MQTT") + bytes([5, flags]) + keepalive.to_bytes(2, "big")
    return mqtt.packet(mqtt.CONNECT, head + properties(*having) + payload)


def publish(topic, payload=b"", *, qos=0, packet_id=1, retain=False, dup=False, having=()) -> bytes:
    body = text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + properties(*having) + payload
    return mqtt.packet(PUBLISH, body, qos << 1 | retain | (8 if dup else 0))


def subscribe(*filters, packet_id=1, having=()) -> bytes:
    body = b"".join(text(topic_filter) + bytes([options]) for topic_filter, options in filters)
    return mqtt.packet(SUBSCRIBE, packet_id.to_bytes(2, "big") + properties(*having) + body, 2)


def unsubscribe(*filters, packet_id=1, having=()) -> bytes:
    body = b"".join(map(text, filters))
    return mqtt.packet(UNSUBSCRIBE, packet_id.to_bytes(2, "big") + properties(*having) + body, 2)


def answer(kind: int, packet_id: int, code: int = 0, *, having=()) -> bytes:
    """PUBACK, PUBREC, PUBREL or PUBCOMP; as short as its code and properties allow."""
    body = packet_id.to_bytes(2, "big")
    if code or having:
        body += bytes([code]) + (properties(*having) if having else b"")
    return mqtt.packet(kind, body, 2 if kind == mqtt.PUBREL else 0)


def disconnect(code: int = 0, *, having=()) -> bytes:
    body = bytes([code]) + (properties(*having) if having else b"") if code or having else b""
    return mqtt.packet(DISCONNECT, body)


@dataclass(frozen=True)
class Packet(mqtt.Packet):
    """A packet of version 5. Raises ValueError where its properties are not well-formed."""

    @property
    def code(self) -> int:
        """The reason code of a CONNACK, DISCONNECT, AUTH or an acknowledgement of a PUBLISH."""
        if self.kind in (CONNACK, DISCONNECT, AUTH):
            at = 1 if self.kind == CONNACK else 0
            return self.body[at] if len(self.body) > at else 0
        return self.body[2] if len(self.body) > 2 else 0

    @property
    def codes(self) -> list[int]:
        """One for each filter of a SUBSCRIBE or UNSUBSCRIBE."""
        assert self.kind in (SUBACK, UNSUBACK)
        return list(self._split()[1])

    @property
    def properties(self) -> list[tuple[int, object]]:
        """In their order."""
        return self._split()[0]

    @property
    def payload(self) -> bytes:
        return self._split()[1]

    def having(self, kind: int) -> list:
        """The values of one property."""
        return [value for each, value in self.properties if each == kind]

    def the(self, kind: int):
        """The value of a property, None without it."""
        values = self.having(kind)
        assert len(values) < 2, f"property {kind} comes {len(values)} times"
        return values[0] if values else None

    def _split(self) -> tuple[list[tuple[int, object]], bytes]:
        start = {CONNACK: 2, DISCONNECT: 1, AUTH: 1, SUBACK: 2, UNSUBACK: 2}.get(self.kind, 3)
        if self.kind == PUBLISH:
            start = 2 + int.from_bytes(self.body[:2], "big") + (2 if self.qos else 0)
        if start >= len(self.body) and self.kind not in (PUBLISH, SUBACK, UNSUBACK, CONNACK):
            return [], b""
        reader = _Reader(self.body, start)
        length = reader.variable()
        end = reader.at + length
        if end > len(self.body):
            raise ValueError(f"properties longer than their packet: {self}")
        found = []
        while reader.at < end:
            kind = reader.variable()
            found.append((kind, reader.value(kind)))
        if reader.at != end:
            raise ValueError(f"a property longer than all of them: {self}")
        return found, self.body[end:]


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def variable(self) -> int:
        value = shift = 0
        while True:
            octet = self.take(1)[0]
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
            shift += 7

    def value(self, kind: int) -> object:
        if kind == SUBSCRIPTION_ID:
            return self.variable()
        if kind in _NUMBERS:
            return int.from_bytes(self.take(_NUMBERS[kind]), "big")
        if kind == USER:
            return self._text(), self._text()
        if kind in _TEXTS:
            return self._text()
        if kind in _BINARY:
            return self.take(int.from_bytes(self.take(2), "big"))
        raise ValueError(f"no property has the identifier {kind}")

    def _text(self) -> str:
        return self.take(int.from_bytes(self.take(2), "big")).decode()

    def take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise ValueError(f"cut short: {self._data!r}")
        self.at += count
        return taken


class Raw(mqtt.Raw):
    """One connection of version 5; `connack` is what it was let in with."""

    packet_type = Packet
    connack: Packet

    def subscribe(self, *filters, qos: int = 1, having=()) -> list[int]:
        """Subscribe to topics, or to pairs of topic and options, and acknowledge what comes before the SUBACK."""
        pairs = [each if isinstance(each, tuple) else (each, qos) for each in filters]
        self.send(subscribe(*pairs, having=having))
        suback = self._until(SUBACK, acknowledge=True)[-1]
        assert isinstance(suback, Packet)
        return suback.codes

    def published(self, *, acknowledge: bool = True) -> list:
        """The messages that come before the answer to a PINGREQ."""
        return [got for got in self.flush(acknowledge=acknowledge) if got.kind == PUBLISH]

    def tell(self, topic, payload=b"", *, qos: int = 1, **options):
        """Publish, and wait for the acknowledgement."""
        self.send(publish(topic, payload, qos=qos, **options))
        return self.expect(mqtt.PUBACK)

    def ending(self) -> int | None:
        """The reason of the DISCONNECT after which the broker closes; None when it closed without."""
        last = self.until_closed()[-1:]
        if not last or last[0].kind != DISCONNECT:
            return None
        return last[0].body[0] if last[0].body else 0
