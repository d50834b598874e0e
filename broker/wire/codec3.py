"""MQTT 3.1 and 3.1.1: packets in and out, as bytes. Pure.

In 3.1 a SUBSCRIBE, an UNSUBSCRIBE and a PUBREL may come again with DUP; else they are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from broker.errors import ProtocolError
from broker.wire.fields import BodyReader, begin_publish, packet
from broker.wire.message import Message
from broker.wire.names import valid_name, well_formed
from broker.wire.packets import (
    AS_PUBLISHED,
    NO_LOCAL,
    V31,
    V311,
    Answer,
    Disconnect,
    Publish,
    Subscribe,
    Unsubscribe,
    Wanted,
)
from broker.wire.reasons import CONNACK_3, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.wire.frames import Frame
    from broker.wire.packets import Outbound, Terms

_TOLD: Final = bytes(min(code, 0x80) for code in range(256))  # there is one code for all refusals


class Codec3:
    """What a connection of 3.1 or 3.1.1 needs of its version; it has no state. See `broker.wire.codec.Codec`.

    A `bridge` has its filters with the options that MQTT 5 has words for: RETAIN as published, nothing of its own.
    """

    __slots__ = ("_options", "level")

    def __init__(self, level: int, *, bridge: bool = False) -> None:
        self.level = level
        self._options = NO_LOCAL | AS_PUBLISHED if bridge else 0

    def publish(self, frame: Frame) -> Publish:
        """A PUBLISH."""
        flags, body = frame.flags, frame.body
        qos = flags >> 1 & 3
        if len(body) < 2:
            raise ProtocolError("MQTT-3.3", "the packet ends inside its header", Reason.MALFORMED)
        end = 2 + (body[0] << 8 | body[1])
        start = end + 2 if qos else end
        if len(body) < start:
            raise ProtocolError("MQTT-3.3", "the packet ends inside its header", Reason.MALFORMED)
        try:
            topic = body[2:end].decode()
        except UnicodeDecodeError:
            raise ProtocolError("MQTT-1.5.3-1", "the topic is not UTF-8", Reason.MALFORMED) from None
        if not valid_name(topic):
            raise ProtocolError("MQTT-3.3.2-2", "not a topic name", Reason.MALFORMED)
        if not qos:
            if flags & 8:
                raise ProtocolError("MQTT-3.3.1-2", "DUP with QoS 0", Reason.MALFORMED)
            return Publish(Message(topic, body[start:], 0), bool(flags), 0)
        if qos == 3:
            raise ProtocolError("MQTT-3.3.1-4", "QoS 3", Reason.MALFORMED)
        packet_id = body[end] << 8 | body[end + 1]
        if not packet_id:
            raise ProtocolError("MQTT-2.3.1-1", "packet id 0")
        return Publish(Message(topic, body[start:], qos), bool(flags & 1), packet_id, None, bool(flags & 8))

    def subscribe(self, frame: Frame, *, most: int) -> Subscribe:
        """A SUBSCRIBE of at most so many filters."""
        reader, packet_id = self._begin(frame)
        wanted: list[Wanted] = []
        while reader.at < reader.end:
            topic_filter = _filter(reader, room=len(wanted) < most)
            if reader.at == reader.end:
                raise reader.malformed("a filter without its QoS")
            qos = reader.octet()
            if qos > 2:
                raise ProtocolError("MQTT-3-8.3-4", "a QoS above 2", Reason.MALFORMED)
            wanted.append(Wanted(topic_filter, qos | self._options))
        if not wanted:
            raise ProtocolError("MQTT-3.8.3-3", "SUBSCRIBE without a filter")
        return Subscribe(packet_id, tuple(wanted))

    def unsubscribe(self, frame: Frame, *, most: int) -> Unsubscribe:
        """An UNSUBSCRIBE of at most so many filters."""
        reader, packet_id = self._begin(frame)
        filters: list[str] = []
        while reader.at < reader.end:
            filters.append(_filter(reader, room=len(filters) < most))
        if not filters:
            raise ProtocolError("MQTT-3.10.3-2", "UNSUBSCRIBE without a filter")
        return Unsubscribe(packet_id, tuple(filters))

    def answer(self, frame: Frame) -> Answer:
        """A PUBACK, PUBREC, PUBREL or PUBCOMP."""
        body = frame.body
        if len(body) != 2:
            raise ProtocolError("MQTT-4.8.0-1", "an acknowledgement of other than two bytes", Reason.MALFORMED)
        packet_id = body[0] << 8 | body[1]
        if not packet_id:
            raise ProtocolError("MQTT-2.3.1-1", "packet id 0")
        self._not_again(frame)
        return Answer(packet_id)

    def disconnect(self, frame: Frame) -> Disconnect:
        """A DISCONNECT."""
        if frame.body:
            raise ProtocolError("MQTT-4.8.0-1", "DISCONNECT with a body", Reason.MALFORMED)
        return Disconnect()

    def ping(self, frame: Frame) -> None:
        """A PINGREQ."""
        if frame.body:
            raise ProtocolError("MQTT-4.8.0-1", "PINGREQ with a body", Reason.MALFORMED)

    def encode_publish(self, entry: Outbound, *, now: float) -> bytes:  # noqa: ARG002 - what expires is told in 5
        """A PUBLISH to the client."""
        message, qos = entry.message, entry.qos
        topic, payload = message.topic.encode(), message.payload
        size = len(topic)
        first = 0x31 if entry.retain else 0x30
        if not qos:
            return b"".join((begin_publish(first, 2 + size + len(payload), size), topic, payload))
        first |= qos << 1 | (8 if entry.sent else 0)  # DUP [MQTT-3.3.1-1]
        head = begin_publish(first, 4 + size + len(payload), size)
        return b"".join((head, topic, entry.packet_id.to_bytes(2, "big"), payload))

    def encode_puback(self, packet_id: int, code: int = 0) -> bytes:  # noqa: ARG002 - there are no codes
        """A PUBACK."""
        return b"\x40\x02" + packet_id.to_bytes(2, "big")

    def encode_pubrec(self, packet_id: int, code: int = 0) -> bytes:  # noqa: ARG002 - there are no codes
        """A PUBREC."""
        return b"\x50\x02" + packet_id.to_bytes(2, "big")

    def encode_pubcomp(self, packet_id: int, code: int = 0) -> bytes:  # noqa: ARG002 - there are no codes
        """A PUBCOMP."""
        return b"\x70\x02" + packet_id.to_bytes(2, "big")

    def encode_suback(self, packet_id: int, codes: Sequence[int]) -> bytes:
        """A SUBACK: one code for each filter, in order [MQTT-3.9.3-1]."""
        return packet(0x90, packet_id.to_bytes(2, "big") + bytes(codes).translate(_TOLD))

    def encode_unsuback(self, packet_id: int, codes: Sequence[int]) -> bytes:  # noqa: ARG002 - there are no codes
        """An UNSUBACK."""
        return b"\xb0\x02" + packet_id.to_bytes(2, "big")

    def encode_disconnect(self, code: int, text: str = "") -> bytes:  # noqa: ARG002 - the server says nothing
        """Nothing: a server of these versions just closes."""
        return b""

    def encode_connack(self, code: int, *, present: bool, terms: Terms, text: str = "") -> bytes:  # noqa: ARG002
        """A CONNACK; nothing where the version has no word for the code [MQTT-3.2.2-6].

        3.1 has no flag for a session that is present.
        """
        told = CONNACK_3.get(code)
        if told is None:
            return b""
        return bytes((0x20, 2, int(present and not told and self.level != V31), told))  # [MQTT-3.2.2-4]

    def _begin(self, frame: Frame) -> tuple[BodyReader, int]:
        reader = BodyReader(frame.body)
        packet_id = reader.word() if reader.end >= 2 else 0
        if not packet_id:
            raise ProtocolError("MQTT-2.3.1-1", "packet id 0 or none", Reason.MALFORMED)
        self._not_again(frame)
        return reader, packet_id

    def _not_again(self, frame: Frame) -> None:
        if frame.flags & 8 and self.level != V31:
            raise ProtocolError("MQTT-2.2.2-2", f"packet type {frame.kind} with flags {frame.flags}", Reason.MALFORMED)


def _filter(reader: BodyReader, *, room: bool) -> str:
    if not room:
        raise ProtocolError("limits.subscriptions", "more filters than a packet may have", Reason.QUOTA_EXCEEDED)
    topic_filter = reader.text()
    if not well_formed(topic_filter):
        raise ProtocolError("MQTT-4.7.1-3", "no topic filter: empty, or a wildcard in a wrong place", Reason.MALFORMED)
    return topic_filter


CODEC_31: Final = Codec3(V31)
CODEC_311: Final = Codec3(V311)
BRIDGE_31: Final = Codec3(V31, bridge=True)
BRIDGE_311: Final = Codec3(V311, bridge=True)
