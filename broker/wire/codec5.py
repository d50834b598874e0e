"""MQTT 5: packets in and out, as bytes. Pure; a codec keeps what both sides of one connection have agreed on."""

from __future__ import annotations

from math import ceil
from struct import pack
from typing import TYPE_CHECKING

from broker.errors import ProtocolError
from broker.wire import properties as props
from broker.wire.aliases import BrokerAliases, ClientAliases
from broker.wire.fields import BodyReader5, begin_publish, packet, varint
from broker.wire.message import Message
from broker.wire.names import valid_name, well_formed
from broker.wire.packets import (
    NO_LOCAL,
    QOS,
    RETAIN_HANDLING,
    V5,
    Answer,
    Connect,
    Disconnect,
    Publish,
    Subscribe,
    Unsubscribe,
    Wanted,
)
from broker.wire.properties import Bearer
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.wire.frames import Frame
    from broker.wire.packets import Outbound, Terms

_RESERVED = 0xC0  # bits of a subscription's options
_FOR_ANSWERS = {
    4: frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}),  # PUBACK §3.4.2.1
    5: frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}),  # PUBREC §3.5.2.1
    6: frozenset({0x00, 0x92}),  # PUBREL §3.6.2.1
    7: frozenset({0x00, 0x92}),  # PUBCOMP §3.7.2.1
}
_FOR_GOODBYES = frozenset(
    {0, 4, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0x91), *range(0x93, 0xA3)}
)  # §3.14.2.1
_OF_PROGRAMS = frozenset({Reason.MALFORMED, Reason.PROTOCOL_ERROR, Reason.TOPIC_ALIAS_INVALID})


class Codec5:
    """What a connection of MQTT 5 needs of its version. See `broker.wire.codec.Codec`.

    `alias_maximum` is what the CONNACK promises the client: numbers that it may give to topics.
    """

    __slots__ = ("_fleeting", "_given", "_gives", "_packet_maximum", "_taken", "_takes", "level")

    def __init__(self, connect: Connect, *, alias_maximum: int) -> None:
        self.level = V5
        self._packet_maximum = connect.packet_maximum
        self._fleeting = not connect.session_s
        self._takes = alias_maximum
        self._taken: ClientAliases | None = None  # made when needed, as the other: an idle connection is small
        self._gives = connect.alias_maximum
        self._given: BrokerAliases | None = None

    def publish(self, frame: Frame) -> Publish:
        """A PUBLISH."""
        flags, body = frame.flags, frame.body
        qos = flags >> 1 & 3
        if qos == 3:
            raise ProtocolError("MQTT-3.3.1-4", "QoS 3", Reason.MALFORMED)
        size = len(body)
        end = 2 + (body[0] << 8 | body[1]) if size > 2 else size
        at = end + 2 if qos else end
        if at >= size:
            raise ProtocolError("MQTT-4.13.1-1", "malformed packet: it ends inside its header", Reason.MALFORMED)
        try:
            topic = body[2:end].decode()
        except UnicodeDecodeError:
            raise ProtocolError("MQTT-1.5.4-1", "the topic is not UTF-8", Reason.MALFORMED) from None
        packet_id = 0
        if qos:
            packet_id = body[end] << 8 | body[end + 1]
            if not packet_id:
                raise ProtocolError("MQTT-2.2.1-3", "packet id 0")
        elif flags & 8:
            raise ProtocolError("MQTT-3.3.1-2", "DUP with QoS 0", Reason.MALFORMED)
        seen = _at_a_glance(body, at) if topic else None
        if seen is None:
            return self._described(frame, topic, packet_id, at)
        if not valid_name(topic):
            raise ProtocolError("MQTT-3.3.2-2", "not a topic name", Reason.MALFORMED)
        start, expiry_s = seen
        return Publish(Message(topic, body[start:], qos), bool(flags & 1), packet_id, expiry_s, bool(flags & 8))

    def _described(self, frame: Frame, topic: str, packet_id: int, at: int) -> Publish:
        """A PUBLISH whose properties have to be read."""
        flags, body = frame.flags, frame.body
        reader = BodyReader5(body, at)
        about = props.read(reader, Bearer.PUBLISH)
        if self._taken is None:
            self._taken = ClientAliases(self._takes)
        topic = self._taken.topic(topic, about.values.get(props.TOPIC_ALIAS))
        message = Message(topic, body[reader.at :], flags >> 1 & 3, about.forwarded)
        expiry_s = about.values.get(props.MESSAGE_EXPIRY)
        return Publish(message, bool(flags & 1), packet_id, expiry_s, bool(flags & 8))

    def subscribe(self, frame: Frame, *, most: int) -> Subscribe:
        """A SUBSCRIBE of at most so many filters."""
        reader, packet_id = _begin(frame)
        identifier = props.read(reader, Bearer.SUBSCRIBE).values.get(props.SUBSCRIPTION_ID, 0)
        wanted: list[Wanted] = []
        while reader.at < reader.end:
            topic_filter = _filter(reader, room=len(wanted) < most)
            wanted.append(Wanted(topic_filter, _options(reader, topic_filter), identifier))
        if not wanted:
            raise ProtocolError("MQTT-3.8.3-2", "SUBSCRIBE without a filter")
        return Subscribe(packet_id, tuple(wanted))

    def unsubscribe(self, frame: Frame, *, most: int) -> Unsubscribe:
        """An UNSUBSCRIBE of at most so many filters."""
        reader, packet_id = _begin(frame)
        props.read(reader, Bearer.UNSUBSCRIBE)
        filters: list[str] = []
        while reader.at < reader.end:
            filters.append(_filter(reader, room=len(filters) < most))
        if not filters:
            raise ProtocolError("MQTT-3.10.3-2", "UNSUBSCRIBE without a filter")
        return Unsubscribe(packet_id, tuple(filters))

    def answer(self, frame: Frame) -> Answer:
        """A PUBACK, PUBREC, PUBREL or PUBCOMP."""
        body = frame.body
        if len(body) == 2 and not frame.flags and (packet_id := body[0] << 8 | body[1]):  # what most say: no more
            return Answer(packet_id)
        reader, packet_id = _begin(frame)
        if reader.at == reader.end:
            return Answer(packet_id)
        code = reader.octet()
        if code not in _FOR_ANSWERS[frame.kind]:
            raise ProtocolError("MQTT-2.4", f"reason code {code:#04x} in an acknowledgement")
        if reader.at < reader.end:
            props.read(reader, Bearer.ANSWER)
            reader.finish()
        return Answer(packet_id, code)

    def disconnect(self, frame: Frame) -> Disconnect:
        """A DISCONNECT; its code may be one of a server's, since who leaves is not held up over words.

        A session that was to end with the connection cannot be made to last (§3.14.2.2.2).
        """
        if not frame.body:
            return Disconnect()
        reader = BodyReader5(frame.body)
        code, session_s = reader.octet(), None
        if code not in _FOR_GOODBYES:
            raise ProtocolError("MQTT-3.14.2-1", f"reason code {code:#04x} in a DISCONNECT")
        if reader.at < reader.end:
            session_s = props.read(reader, Bearer.DISCONNECT).values.get(props.SESSION_EXPIRY)
            reader.finish()
        if session_s and self._fleeting:
            raise ProtocolError("MQTT-3.14.2.2.2", "a session expiry, where CONNECT had none")
        return Disconnect(code, session_s)

    def ping(self, frame: Frame) -> None:
        """A PINGREQ."""
        if frame.body:
            raise ProtocolError("MQTT-4.13.1-1", "malformed packet: PINGREQ with a body", Reason.MALFORMED)

    def encode_publish(self, entry: Outbound, *, now: float) -> bytes:
        """A PUBLISH to the client; nothing if it is larger than the client takes [MQTT-3.1.2-24]."""
        message = entry.message
        about, name = message.properties, message.topic
        if message.expires_at:
            left_s = min(max(ceil(message.expires_at - now), 1), 0xFFFF_FFFF)
            about += b"\x02" + left_s.to_bytes(4, "big")
        for identifier in entry.ids:
            about += b"\x0b" + varint(identifier)
        if self._gives:
            given = self._given
            if given is None:
                given = self._given = BrokerAliases(self._gives)
            if (alias := given.known.get(name)) is not None:
                return self._fitting(_publish(entry, "", about + alias))
            if (alias := given.next(name)) is not None and (
                data := self._fitting(_publish(entry, name, about + alias))
            ):
                given.known[name] = alias
                return data
        data = _publish(entry, name, about)
        return self._fitting(data) if self._packet_maximum else data

    def encode_puback(self, packet_id: int, code: int = 0) -> bytes:
        """A PUBACK."""
        if self._packet_maximum:
            return self._answer(0x40, packet_id, code)
        return pack("!BBHB", 0x40, 3, packet_id, code) if code else pack("!BBH", 0x40, 2, packet_id)

    def encode_pubrec(self, packet_id: int, code: int = 0) -> bytes:
        """A PUBREC."""
        return self._answer(0x50, packet_id, code)

    def encode_pubcomp(self, packet_id: int, code: int = 0) -> bytes:
        """A PUBCOMP."""
        return self._answer(0x70, packet_id, code)

    def encode_suback(self, packet_id: int, codes: Sequence[int]) -> bytes:
        """A SUBACK: one code for each filter, in order [MQTT-3.8.4-6]."""
        return self._fitting(packet(0x90, packet_id.to_bytes(2, "big") + b"\0" + bytes(codes)))

    def encode_unsuback(self, packet_id: int, codes: Sequence[int]) -> bytes:
        """An UNSUBACK: one code for each filter, in order [MQTT-3.11.3-1]."""
        return self._fitting(packet(0xB0, packet_id.to_bytes(2, "big") + b"\0" + bytes(codes)))

    def encode_disconnect(self, code: int, text: str = "") -> bytes:
        """A DISCONNECT, with a text for people if there is room for it [MQTT-3.14.2-3].

        Errors of a program have none: who mends it finds the clause in the broker's log.
        """
        if text and code not in _OF_PROGRAMS:
            said = props.encode(props.REASON_STRING, text)
            if data := self._fitting(packet(0xE0, bytes((code,)) + varint(len(said)) + said)):
                return data
        return self._fitting(bytes((0xE0, 1, code)))

    def encode_connack(self, code: int, *, present: bool, terms: Terms, text: str = "") -> bytes:
        """A CONNACK, with a text for people if there is room for it [MQTT-3.2.2-19]."""
        about = b""
        if code == Reason.SUCCESS:
            about = _told(terms)
        head = bytes((int(present and code == Reason.SUCCESS), code))
        if text:
            said = about + props.encode(props.REASON_STRING, text)
            if data := self._fitting(packet(0x20, head + varint(len(said)) + said)):
                return data
        return self._fitting(packet(0x20, head + varint(len(about)) + about))

    def _answer(self, first: int, packet_id: int, code: int) -> bytes:
        if code:
            return self._fitting(pack("!BBHB", first, 3, packet_id, code))
        return self._fitting(pack("!BBH", first, 2, packet_id))

    def _fitting(self, data: bytes) -> bytes:
        return b"" if 0 < self._packet_maximum < len(data) else data


def _at_a_glance(body: bytes, at: int) -> tuple[int, int | None] | None:
    """Where a payload begins, and its lifetime; None where properties say more than of most mail."""
    if not body[at]:
        return at + 1, None
    if body[at] == 5 and len(body) >= at + 6 and body[at + 1] == props.MESSAGE_EXPIRY:  # which takes all five
        return at + 6, int.from_bytes(body[at + 2 : at + 6], "big")
    return None


def _publish(entry: Outbound, name: str, about: bytes) -> bytes:
    """A PUBLISH of an entry, by this name of its topic and with these properties."""
    topic, payload, qos = name.encode(), entry.message.payload, entry.qos
    size = len(topic)
    first = 0x31 if entry.retain else 0x30
    about = varint(len(about)) + about if about else b"\0"
    if not qos:
        return b"".join((begin_publish(first, 2 + size + len(about) + len(payload), size), topic, about, payload))
    first |= qos << 1 | (8 if entry.sent else 0)  # DUP [MQTT-3.3.1-1]
    head = begin_publish(first, 4 + size + len(about) + len(payload), size)
    return b"".join((head, topic, entry.packet_id.to_bytes(2, "big"), about, payload))


def _told(terms: Terms) -> bytes:
    """The properties of a CONNACK that lets a client in. Shared subscriptions are not served."""
    values: tuple[tuple[int, int | str | None], ...] = (
        (props.SESSION_EXPIRY, terms.session_s),
        (props.RECEIVE_MAXIMUM, terms.receive_maximum),
        (props.PACKET_MAXIMUM, terms.packet_maximum),
        (props.ALIAS_MAXIMUM, terms.alias_maximum),
        (props.ASSIGNED_CLIENT_ID, terms.client_id),
        (props.SERVER_KEEP_ALIVE, terms.keep_alive),
        (props.SHARED_AVAILABLE, 0),
    )
    return b"".join(props.encode(number, value) for number, value in values if value is not None)


def _begin(frame: Frame) -> tuple[BodyReader5, int]:
    if frame.flags & 8:
        raise ProtocolError("MQTT-2.1.3-1", f"packet type {frame.kind} with flags {frame.flags}", Reason.MALFORMED)
    reader = BodyReader5(frame.body)
    packet_id = reader.word()
    if not packet_id:
        raise ProtocolError("MQTT-2.2.1-3", "packet id 0", Reason.MALFORMED)
    return reader, packet_id


def _filter(reader: BodyReader5, *, room: bool) -> str:
    if not room:
        raise ProtocolError("limits.subscriptions", "more filters than a packet may have", Reason.QUOTA_EXCEEDED)
    topic_filter = reader.text()
    if not well_formed(topic_filter):
        raise ProtocolError("MQTT-4.7.1-2", "no topic filter: empty, or a wildcard in a wrong place", Reason.MALFORMED)
    return topic_filter


def _options(reader: BodyReader5, topic_filter: str) -> int:
    """The options of a filter (§3.8.3.1)."""
    options = reader.octet()
    if options & _RESERVED:
        raise ProtocolError("MQTT-3.8.3-5", "reserved bits of a subscription's options are set", Reason.MALFORMED)
    if options & QOS == QOS:
        raise ProtocolError("MQTT-3.8.3.1", "a QoS of 3")
    if options & RETAIN_HANDLING == RETAIN_HANDLING:
        raise ProtocolError("MQTT-3.8.3.1", "a retain handling of 3")
    if options & NO_LOCAL and topic_filter.startswith("$share/"):
        raise ProtocolError("MQTT-3.8.3-4", "no local on a shared subscription")
    return options
