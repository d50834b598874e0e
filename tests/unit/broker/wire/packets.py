"""Packets for these tests, put together without a word of the codec's: by hand, and cut as the broker cuts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from broker.errors import ProtocolError
from broker.wire import codec
from broker.wire.frames import Packets
from broker.wire.packets import V5, Connect
from tests.support import mqtt_client as mqtt

if TYPE_CHECKING:
    from broker.wire.message import Message

AUTH = 15


@dataclass
class Entry:
    """What is to be sent; see broker.wire.packets.Outbound."""

    message: Message
    qos: int = 0
    packet_id: int = 0
    retain: bool = False
    sent: bool = False
    ids: tuple[int, ...] = ()


def frame(data, limit=2**28):
    """The one packet in some bytes."""
    packets = Packets(limit)
    packets.feed(data)
    found = packets.next()
    assert packets.next() is None
    return found


def counted(data):
    """Bytes behind their length."""
    return mqtt.packet(0, data)[1:]


def connect5(properties=b"", *, client_id="c", flags=2, rest=b"", keepalive=0):
    """A CONNECT of MQTT 5; `rest` follows the client id."""
    head = b"\0\4MQTT\5" + bytes([flags]) + keepalive.to_bytes(2, "big") + counted(properties)
    return mqtt.packet(mqtt.CONNECT, head + mqtt.text(client_id) + rest)


def will5(properties=b"", *, topic="w", payload=b"gone", qos=0, retain=False, **more):
    """A CONNECT of MQTT 5 with a will."""
    rest = counted(properties) + mqtt.text(topic) + mqtt.text(payload)
    return connect5(flags=2 | 4 | qos << 3 | retain << 5, rest=rest, **more)


def publish5(properties=b"", *, topic="t", payload=b"x", qos=0, packet_id=7, flags=0):
    number = packet_id.to_bytes(2, "big") if qos else b""
    return mqtt.packet(mqtt.PUBLISH, mqtt.text(topic) + number + counted(properties) + payload, qos << 1 | flags)


def subscribe5(*filters, properties=b"", packet_id=7):
    """Filters are pairs of a text and options."""
    body = b"".join(mqtt.text(text) + bytes([options]) for text, options in filters)
    return mqtt.packet(mqtt.SUBSCRIBE, packet_id.to_bytes(2, "big") + counted(properties) + body, 2)


def unsubscribe5(*filters, properties=b"", packet_id=7):
    body = packet_id.to_bytes(2, "big") + counted(properties) + b"".join(map(mqtt.text, filters))
    return mqtt.packet(mqtt.UNSUBSCRIBE, body, 2)


def answer5(kind, code=None, properties=None, *, packet_id=7):
    body = packet_id.to_bytes(2, "big")
    body += b"" if code is None else bytes([code])
    body += b"" if properties is None else counted(properties)
    return mqtt.packet(kind, body, 2 if kind == mqtt.PUBREL else 0)


def disconnect5(code=None, properties=None):
    body = b"" if code is None else bytes([code])
    return mqtt.packet(mqtt.DISCONNECT, body + (b"" if properties is None else counted(properties)))


def of_five(*, alias_maximum=0, **connect):
    """A codec of MQTT 5."""
    return codec.speaking(Connect(V5, "c", clean_start=True, keep_alive=0, **connect), alias_maximum=alias_maximum)


def read(data, speaks):
    """A packet, by the decoder of its type."""
    one = frame(data)
    most = codec.MOST_FILTERS
    return {
        mqtt.CONNECT: codec.connect,
        mqtt.PUBLISH: speaks.publish,
        mqtt.PUBACK: speaks.answer,
        mqtt.PUBREC: speaks.answer,
        mqtt.PUBREL: speaks.answer,
        mqtt.PUBCOMP: speaks.answer,
        mqtt.SUBSCRIBE: lambda it: speaks.subscribe(it, most=most),
        mqtt.UNSUBSCRIBE: lambda it: speaks.unsubscribe(it, most=most),
        mqtt.PINGREQ: speaks.ping,
        mqtt.DISCONNECT: speaks.disconnect,
    }[one.kind](one)


def refused(data, speaks):
    """Clause and reason code with which a packet is refused."""
    with pytest.raises(ProtocolError) as error:
        read(data, speaks)
    return error.value.clause, error.value.code
