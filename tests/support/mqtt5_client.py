"""A raw MQTT 5 client for tests: says exactly what it is told, and shows what comes back with its properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker, MosquittoWithOurRules, password_of

if TYPE_CHECKING:
    from tests.support.mqtt_client import Packet

_OCTET, _WORD, _LONG, _VARINT, _BINARY, _PAIR = range(6)
PROPERTIES = {
    "payload_format": (1, _OCTET), "message_expiry": (2, _LONG), "content_type": (3, _BINARY),
    "response_topic": (8, _BINARY), "correlation_data": (9, _BINARY), "subscription_id": (11, _VARINT),
    "session_expiry": (17, _LONG), "assigned_client_id": (18, _BINARY), "server_keep_alive": (19, _WORD),
    "authentication_method": (21, _BINARY), "request_problem": (23, _OCTET), "will_delay": (24, _LONG),
    "reason": (31, _BINARY), "receive_maximum": (33, _WORD), "alias_maximum": (34, _WORD), "alias": (35, _WORD),
    "maximum_qos": (36, _OCTET), "retain_available": (37, _OCTET), "user": (38, _PAIR), "packet_maximum": (39, _LONG),
    "wildcard_available": (40, _OCTET), "ids_available": (41, _OCTET), "shared_available": (42, _OCTET),
}  # fmt: skip
_NAMES = {number: (name, kind) for name, (number, kind) in PROPERTIES.items()}


def properties(**told: Any) -> bytes:
    """As they stand in a packet, with their length; a list is one that comes several times."""
    body = b""
    for name, value in told.items():
        number, kind = PROPERTIES[name]
        for each in value if isinstance(value, list) else [value]:
            body += bytes([number]) + _encode(kind, each)
    return _varint(len(body)) + body


def _encode(kind: int, value: Any) -> bytes:
    if kind == _VARINT:
        return _varint(value)
    if kind == _PAIR:
        return mqtt.text(value[0]) + mqtt.text(value[1])
    if kind == _BINARY:
        return mqtt.text(value)
    return value.to_bytes({_OCTET: 1, _WORD: 2, _LONG: 4}[kind], "big")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while not encoded or value:
        value, octet = divmod(value, 128)
        encoded.append(octet | (0x80 if value else 0))
    return bytes(encoded)


def connect(
    client_id="c",
    *,
    username=None,
    password=None,
    clean=True,
    keepalive=0,
    will=None,
    will_properties=None,
    **told: Any,
) -> bytes:
    """`will` is (topic, payload, qos, retain); the rest are properties."""
    flags = 2 if clean else 0
    payload = mqtt.text(client_id)
    if will is not None:
        flags |= 4 | will[2] << 3 | (32 if will[3] else 0)
        payload += properties(**(will_properties or {})) + mqtt.text(will[0]) + mqtt.text(will[1])
    if username is not None:
        flags |= 128
        payload += mqtt.text(username)
    if password is not None:
        flags |= 64
        payload += mqtt.text(password)
    head = mqtt.text("MQTT") + bytes([5, flags]) + keepalive.to_bytes(2, "big")
    return mqtt.packet(mqtt.CONNECT, head + properties(**told) + payload)


def publish(topic, payload=b"", *, qos=0, packet_id=1, retain=False, dup=False, **told: Any) -> bytes:
    body = mqtt.text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + properties(**told) + payload
    return mqtt.packet(mqtt.PUBLISH, body, qos << 1 | retain | (8 if dup else 0))


def subscribe(*filters, packet_id=1, **told: Any) -> bytes:
    """Filters with their options."""
    body = b"".join(mqtt.text(topic_filter) + bytes([options]) for topic_filter, options in filters)
    return mqtt.packet(mqtt.SUBSCRIBE, packet_id.to_bytes(2, "big") + properties(**told) + body, 2)


def unsubscribe(*filters, packet_id=1) -> bytes:
    body = packet_id.to_bytes(2, "big") + b"\0" + b"".join(map(mqtt.text, filters))
    return mqtt.packet(mqtt.UNSUBSCRIBE, body, 2)


def disconnect(code=0, **told: Any) -> bytes:
    return mqtt.packet(mqtt.DISCONNECT, bytes([code]) + properties(**told))


def answer(kind: int, packet_id: int) -> bytes:
    """A PUBACK, PUBREC, PUBREL or PUBCOMP."""
    return mqtt.packet(kind, packet_id.to_bytes(2, "big"), 2 if kind == mqtt.PUBREL else 0)


def read(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The properties at the head of some bytes, and what follows; those that may come several times as lists."""
    length, at = _read_varint(data, 0)
    end, told = at + length, {}
    while at < end:
        name, kind = _NAMES[data[at]]
        value, at = _decode(kind, data, at + 1)
        if name in ("user", "subscription_id"):
            told.setdefault(name, []).append(value)
        else:
            told[name] = value
    return told, data[end:]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def _decode(kind: int, data: bytes, at: int) -> tuple[Any, int]:
    if kind == _VARINT:
        return _read_varint(data, at)
    if kind in (_BINARY, _PAIR):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        value = data[at + 2 : end]
        if kind == _BINARY:
            return value, end
        other, end = _decode(_BINARY, data, end)
        return (value, other), end
    size = {_OCTET: 1, _WORD: 2, _LONG: 4}[kind]
    return int.from_bytes(data[at : at + size], "big"), at + size


def code(packet: Packet) -> int:
    """The reason code of a CONNACK, PUBACK, PUBREC, PUBCOMP or DISCONNECT."""
    at = {mqtt.CONNACK: 1, mqtt.DISCONNECT: 0}.get(packet.kind, 2)
    return packet.body[at] if len(packet.body) > at else 0


def about(packet: Packet) -> dict[str, Any]:
    """The properties of a CONNACK or PUBLISH."""
    if packet.kind == mqtt.CONNACK:
        return read(packet.body[2:])[0]
    return read(packet.body[2 + len(packet.topic.encode()) + (2 if packet.qos else 0) :])[0]


def payload(packet: Packet) -> bytes:
    """The payload of a PUBLISH."""
    return read(packet.body[2 + len(packet.topic.encode()) + (2 if packet.qos else 0) :])[1]


def codes(packet: Packet) -> list[int]:
    """The codes of a SUBACK or UNSUBACK."""
    return list(read(packet.body[2:])[1])


class Client5(mqtt.Raw):
    """A client of this username at a broker, connected; `terms` is what CONNACK said.

    `names` is for what topics have come as numbers.
    """

    terms: dict[str, Any]

    def __init__(self, broker: EmbeddedBroker | MosquittoWithOurRules, username: str, **options: Any) -> None:
        super().__init__(broker.address(), receive_buffer=options.pop("receive_buffer", 0))
        self.names: dict[int, str] = {}
        options.setdefault("password", password_of(username))
        self.send(connect(options.pop("client_id", username), username=username, **options))
        connack = self.expect(mqtt.CONNACK)
        assert connack.body[1] == 0, f"CONNACK code {connack.body[1]:#x}"
        self.present = bool(connack.body[0])
        self.terms = about(connack)

    def subscribed(self, *filters: tuple[str, int], **told: Any) -> list[int]:
        """Subscribe; the codes of SUBACK. What comes before it is acknowledged and gone."""
        self.send(subscribe(*filters, **told))
        return codes(self._until(mqtt.SUBACK, acknowledge=True)[-1])
