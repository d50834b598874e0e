"""Packets in and out: amqtt's packet classes for what is rare, plain bytes for what is frequent.

A packet is read whole, bounded, before anything in it is believed. amqtt's decoder is lenient (bad
UTF-8 becomes the text of a bytes literal, strings may end early or late), so what it decoded must
encode to the very bytes that came; anything else is a ProtocolError, and the connection is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amqtt.adapters import BufferReader
from amqtt.errors import MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import CONNECT, PUBLISH, MQTTFixedHeader, MQTTPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket

from broker.errors import ProtocolError
from broker.retained import Message
from broker.topics import valid_name

if TYPE_CHECKING:
    from broker.delivery import Entry
    from broker.transport import ChunkReader

PINGRESP = b"\xd0\x00"

_FLAGS_OF_TWO = (6, 8, 10)  # PUBREL, SUBSCRIBE, UNSUBSCRIBE [MQTT-2.2.2-2]


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet as it came: its type, the four flag bits, and all that follows the length."""

    kind: int
    flags: int
    body: bytes


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


class Packets:
    """Cuts a stream of bytes into packets. At most `limit` bytes and one chunk are ever held."""

    __slots__ = ("_buffer", "limit", "reader")

    def __init__(self, reader: ChunkReader, limit: int) -> None:
        self.reader = reader
        self.limit = limit
        self._buffer = bytearray()

    async def read(self) -> Frame | None:
        """The next packet, or None when the stream ends. Raises ProtocolError as `next` does."""
        while (frame := self.next()) is None:
            chunk = await self.reader.chunk()
            if not chunk:
                return None
            self.feed(chunk)
        return frame

    def feed(self, chunk: bytes) -> None:
        """Take in what the reader gave."""
        self._buffer += chunk

    def next(self) -> Frame | None:
        """The next packet if all of it is here.

        Raises ProtocolError on a length that is malformed or over the limit, and on reserved flag bits.
        """
        buffer = self._buffer
        length = shift = 0
        for start in range(1, min(len(buffer), 5)):
            octet = buffer[start]
            length |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
        else:
            if len(buffer) >= 5:
                raise ProtocolError("MQTT-2.2.3", "the remaining length has more than four bytes")
            return None
        kind, flags = buffer[0] >> 4, buffer[0] & 0x0F
        if kind in (0, 15) or (kind != PUBLISH and flags != (2 if kind in _FLAGS_OF_TWO else 0)):
            raise ProtocolError("MQTT-2.2.2-2", f"packet type {kind} with flags {flags}")
        if length > self.limit:
            raise ProtocolError("limits.packet", f"a packet of {length} bytes, allowed are {self.limit}")
        end = start + 1 + length
        if len(buffer) < end:
            return None
        frame = Frame(kind, flags, bytes(buffer[start + 1 : end]))
        if len(buffer) == end:
            self._buffer = bytearray()  # an idle connection holds no memory for what was
        else:
            del buffer[:end]
        return frame


def connect(frame: Frame) -> Connect:
    """Decode a CONNECT. Raises ProtocolError."""
    if frame.kind != CONNECT:
        raise ProtocolError("MQTT-3.1.0-1", "the first packet is not CONNECT")
    packet = _decode(ConnectPacket, frame)
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


def subscribe(frame: Frame) -> tuple[int, list[tuple[str, int]]]:
    """Decode a SUBSCRIBE: packet id, filters with the QoS they ask for. Raises ProtocolError."""
    packet = _decode(SubscribePacket, frame)
    _same(frame, packet)
    topics: list[tuple[str, int]] = packet.payload.topics
    if not topics:
        raise ProtocolError("MQTT-3.8.3-3", "SUBSCRIBE without a filter")
    if any(qos > 2 for _, qos in topics):
        raise ProtocolError("MQTT-3-8.3-4", "a QoS above 2")
    _plain(*(topic for topic, _ in topics))
    return packet_id(frame), topics


def unsubscribe(frame: Frame) -> tuple[int, list[str]]:
    """Decode an UNSUBSCRIBE: packet id and filters. Raises ProtocolError."""
    packet = _decode(UnsubscribePacket, frame)
    _same(frame, packet)
    topics: list[str] = packet.payload.topics
    if not topics:
        raise ProtocolError("MQTT-3.10.3-2", "UNSUBSCRIBE without a filter")
    _plain(*topics)
    return packet_id(frame), topics


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
    flags = dup | entry.qos << 1 | entry.retain
    return MQTTFixedHeader(PUBLISH, flags, len(body)).to_bytes() + body


def encode_puback(packet_id: int) -> bytes:
    """A PUBACK to a client."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def _decode(cls: type[MQTTPacket[Any, Any, Any]], frame: Frame) -> Any:
    """Let amqtt decode a body that is already here, so that its coroutine never waits."""
    header = MQTTFixedHeader(frame.kind, frame.flags, len(frame.body))
    try:
        cls.from_stream(BufferReader(frame.body), fixed_header=header).send(None)
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
