"""Packets in and out, as bytes: amqtt's decoder for CONNECT, plain code for what clients repeat. Pure.

A packet is read whole, bounded, before anything in it is believed. amqtt's decoder is lenient (bad
UTF-8 becomes the text of a bytes literal, strings may end early or late), so what it decoded must
encode to the very bytes that came; anything else is a ProtocolError, and the connection is closed.
All the rest takes time in proportion to its bytes, and looks at no more than it may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amqtt.adapters import BufferReader
from amqtt.errors import MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import CONNECT, PUBLISH, MQTTFixedHeader

from broker.errors import ProtocolError
from broker.retained import Message
from broker.topics import valid_name

if TYPE_CHECKING:
    from broker.delivery import Entry
    from broker.wire.frames import Frame

PINGRESP = b"\xd0\x00"
MOST_FILTERS = 1024
"""Filters of one packet that are read, of whomever they are: more are no honest client's, and end the connection."""


@dataclass(frozen=True, slots=True)
class Will:
    """What to publish when the connection ends without DISCONNECT (§3.1.2.5)."""

    message: Message
    retain: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """A CONNECT that is well-formed; whether its level and client id are acceptable is not said."""

    level: int
    client_id: str
    clean_session: bool
    keep_alive: int
    username: str | None
    password: str | None
    will: Will | None


@dataclass(frozen=True, slots=True)
class Publish:
    """A PUBLISH; `packet_id` is 0 for QoS 0."""

    message: Message
    retain: bool
    packet_id: int


def connect(frame: Frame) -> Connect:
    """Decode a CONNECT. Raises ProtocolError."""
    if frame.kind != CONNECT:
        raise ProtocolError("MQTT-3.1.0-1", "the first packet is not CONNECT")
    packet = _decode_connect(frame)
    header, payload = packet.variable_header, packet.payload
    client_id = "" if payload.client_id_is_random else payload.client_id
    if payload.client_id_is_random:
        payload.client_id = ""
    if header.proto_name != "MQTT" and (header.proto_name, header.proto_level) != ("MQIsdp", 3):
        raise ProtocolError("MQTT-3.1.2-1", "unknown protocol name")
    level = header.proto_level
    if level != 4:  # what follows may be of another version, so it is not looked at
        return Connect(level, client_id, True, 0, None, None, None)
    if header.reserved_flag:
        raise ProtocolError("MQTT-3.1.2-3", "the reserved flag is set")
    if header.password_flag and not header.username_flag:
        raise ProtocolError("MQTT-3.1.2-22", "a password without a username")
    _same(frame, packet)
    for flag, value in ((header.username_flag, payload.username), (header.password_flag, payload.password)):
        if flag and value is None:
            raise ProtocolError("MQTT-4.8.0-1", "malformed packet: ends before username or password")
    _plain(client_id, payload.username, payload.password, payload.will_topic)
    will = _will(header, payload)
    clean = header.clean_session_flag
    return Connect(level, client_id, clean, header.keep_alive, payload.username, payload.password, will)


def publish(frame: Frame) -> Publish:
    """Decode a PUBLISH, by hand because it is the frequent one. Raises ProtocolError."""
    qos = (frame.flags >> 1) & 3
    size = int.from_bytes(frame.body[:2], "big")
    start = 2 + size + (2 if qos else 0)
    if qos == 3:
        raise ProtocolError("MQTT-3.3.1-4", "QoS 3")
    if frame.flags & 8 and not qos:
        raise ProtocolError("MQTT-3.3.1-2", "DUP with QoS 0")
    if len(frame.body) < start:
        raise ProtocolError("MQTT-3.3", "the packet ends inside its header")
    try:
        topic = frame.body[2 : 2 + size].decode()
    except UnicodeDecodeError:
        raise ProtocolError("MQTT-1.5.3-1", "the topic is not UTF-8") from None
    if not valid_name(topic):
        raise ProtocolError("MQTT-3.3.2-2", "not a topic name")
    packet_id = int.from_bytes(frame.body[2 + size : start], "big") if qos else 0
    if qos and not packet_id:
        raise ProtocolError("MQTT-2.3.1-1", "packet id 0")
    return Publish(Message(topic, frame.body[start:], qos), bool(frame.flags & 1), packet_id)


def subscribe(frame: Frame, *, most: int = MOST_FILTERS) -> tuple[int, list[tuple[str, int]]]:
    """Decode a SUBSCRIBE: packet id, filters with the QoS they ask for. Raises ProtocolError."""
    number, body, at = packet_id(frame), frame.body, 2
    wanted: list[tuple[str, int]] = []
    while at < len(body):
        topic_filter, at = _filter(body, at, room=len(wanted) < most)
        if at >= len(body):
            raise ProtocolError("MQTT-4.8.0-1", "malformed packet: a filter without its QoS")
        if body[at] > 2:
            raise ProtocolError("MQTT-3-8.3-4", "a QoS above 2")
        wanted.append((topic_filter, body[at]))
        at += 1
    if not wanted:
        raise ProtocolError("MQTT-3.8.3-3", "SUBSCRIBE without a filter")
    return number, wanted


def unsubscribe(frame: Frame, *, most: int = MOST_FILTERS) -> tuple[int, list[str]]:
    """Decode an UNSUBSCRIBE: packet id and filters. Raises ProtocolError."""
    number, body, at = packet_id(frame), frame.body, 2
    filters: list[str] = []
    while at < len(body):
        topic_filter, at = _filter(body, at, room=len(filters) < most)
        filters.append(topic_filter)
    if not filters:
        raise ProtocolError("MQTT-3.10.3-2", "UNSUBSCRIBE without a filter")
    return number, filters


def packet_id(frame: Frame) -> int:
    """The packet id that a body begins with. Raises ProtocolError [MQTT-2.3.1-1]."""
    value = int.from_bytes(frame.body[:2], "big")
    if not value or len(frame.body) < 2:
        raise ProtocolError("MQTT-2.3.1-1", "packet id 0 or none")
    return value


def encode_publish(entry: Entry) -> bytes:
    """A PUBLISH to a client; with DUP when the entry was sent before [MQTT-3.3.1-1]."""
    topic = entry.message.topic.encode()
    parts = [len(topic).to_bytes(2, "big"), topic]
    if entry.qos:
        parts.append(entry.packet_id.to_bytes(2, "big"))
    parts.append(entry.message.payload)
    body = b"".join(parts)
    dup = 8 if entry.qos and entry.sent else 0
    first = PUBLISH << 4 | dup | entry.qos << 1 | entry.retain
    return bytes((first,)) + _length(len(body)) + body


def encode_puback(packet_id: int) -> bytes:
    """A PUBACK to a client."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def encode_suback(packet_id: int, codes: list[int]) -> bytes:
    """A SUBACK: one code for each filter, in order [MQTT-3.9.3-1]."""
    return b"\x90" + _length(2 + len(codes)) + packet_id.to_bytes(2, "big") + bytes(codes)


def encode_unsuback(packet_id: int) -> bytes:
    """An UNSUBACK."""
    return b"\xb0\x02" + packet_id.to_bytes(2, "big")


def _length(value: int) -> bytes:
    """The remaining length (§2.2.3)."""
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _filter(body: bytes, at: int, *, room: bool) -> tuple[str, int]:
    """The text at a place, and the place behind it."""
    if not room:
        raise ProtocolError("limits.subscriptions", "more filters than a packet may have")
    start = at + 2
    end = start + int.from_bytes(body[at:start], "big")
    if end > len(body) or start > len(body):
        raise ProtocolError("MQTT-4.8.0-1", "malformed packet: ends inside a filter")
    try:
        text = body[start:end].decode()
    except UnicodeDecodeError:
        raise ProtocolError("MQTT-1.5.3-1", "a filter is not UTF-8") from None
    _plain(text)
    return text, end


def _decode_connect(frame: Frame) -> Any:
    """Let amqtt decode a body that is already here, so that its coroutine never waits."""
    header = MQTTFixedHeader(frame.kind, frame.flags, len(frame.body))
    try:
        ConnectPacket.from_stream(BufferReader(frame.body), fixed_header=header).send(None)
    except StopIteration as finished:
        return finished.value
    except (MQTTError, NoDataError, ValueError, IndexError) as error:
        raise ProtocolError("MQTT-4.8.0-1", f"malformed packet: {error}") from error
    raise AssertionError("a buffer never makes its reader wait")


def _same(frame: Frame, packet: Any) -> None:
    header = packet.variable_header
    if header.to_bytes() + packet.payload.to_bytes(packet.fixed_header, header) != frame.body:
        raise ProtocolError("MQTT-4.8.0-1", "malformed packet: lengths or text do not add up")


def _plain(*texts: str | None) -> None:
    if any(text and "\0" in text for text in texts):
        raise ProtocolError("MQTT-1.5.3-2", "a text contains U+0000")


def _will(header: Any, payload: Any) -> Will | None:
    if not header.will_flag:
        if header.will_qos or header.will_retain_flag:
            raise ProtocolError("MQTT-3.1.2-13", "will QoS or will retain without a will")
        return None
    if header.will_qos == 3:
        raise ProtocolError("MQTT-3.1.2-14", "will QoS 3")
    if not valid_name(payload.will_topic or ""):
        raise ProtocolError("MQTT-3.3.2-2", "the will's topic is not a topic name")
    message = Message(payload.will_topic, bytes(payload.will_message or b""), header.will_qos)
    return Will(message, header.will_retain_flag)
