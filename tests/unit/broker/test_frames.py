"""Cutting packets out of a stream: what is right is read, what is wrong is named."""

from __future__ import annotations

import pytest

from broker.errors import ProtocolError
from broker.wire.codec3 import CODEC_311
from broker.wire.frames import Packets
from tests.support import mqtt_client as mqtt


def cut(limit, *chunks):
    """The packets in chunks that come one after the other."""
    packets, found = Packets(limit), []
    for chunk in chunks:
        packets.feed(chunk)
        while (one := packets.next()) is not None:
            found.append(one)
    return found


def frame(data, limit=1000):
    return cut(limit, data)[0]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 100_000])
def test_a_packet_survives_any_cut(size):
    data = mqtt.publish("t", b"x" * size) + mqtt.packet(mqtt.PINGREQ)
    for place in {1, 2, 3, 4, 5, len(data) // 2, len(data) - 1}:
        first, second = cut(200_000, data[:place], data[place:])
        assert CODEC_311.publish(first).message.payload == b"x" * size
        assert second.kind == mqtt.PINGREQ


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (b"\x00\x00", "MQTT-2.2.2-2"),
        (b"\xf1\x00", "MQTT-2.2.2-2"),
        (b"\x80\x00", "MQTT-2.2.2-2"),
        (b"\xc1\x00", "MQTT-2.2.2-2"),
        (b"\x30\xff\xff\xff\xff", "MQTT-2.2.3"),
        (b"\x30\xff\xff\xff\x7f", "limits.packet"),
    ],
)
def test_a_header_that_is_wrong_is_refused_before_the_body_comes(data, clause):
    with pytest.raises(ProtocolError) as error:
        frame(data)
    assert error.value.clause == clause
