"""What CONNACK grants, and a PUBLISH against what paho really sends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.publish import packets
from bridge.publish.granted import PACKET_IDS, Granted
from bridge.publish.properties import named, of_publish


def connack(**values):
    return named(PacketTypes.CONNACK, **values)


def test_what_is_not_said_has_its_default():
    for properties in (connack(), None):
        granted = Granted.of(properties, mqtt5=properties is not None, session_present=True)
        assert (granted.receive_maximum, granted.packet_bytes, granted.session_present) == (PACKET_IDS, None, True)
    assert (Granted(mqtt5=True).version, Granted().version) == ("5", "3.1.1")


def test_what_is_said_holds():
    granted = Granted.of(connack(ReceiveMaximum=20, MaximumPacketSize=100), mqtt5=True, session_present=False)
    assert (granted.receive_maximum, granted.packet_bytes) == (20, 100)
    assert granted.excess(100) == ""
    assert granted.excess(101) == "a packet of 101 bytes, and the broker takes 100"
    assert Granted().excess(10**9) == ""


@pytest.mark.parametrize("expires", [True, False])
@pytest.mark.parametrize("correlation", [None, b"", b"x" * 200])
@pytest.mark.parametrize("octets", [0, 1, 90, 127, 16_300, 16_384, 70_000])
def test_a_publish_is_written_as_paho_does(expires, correlation, octets):
    client: Any = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    theirs: list[bytes] = []
    client._sock = client  # there is something to send over
    client._packet_queue = lambda _command, packet, *_: theirs.append(bytes(packet))
    topic, payload, packed = "mail/alicé/box", b"x" * octets, of_publish(7 if expires else None, correlation)
    client._send_publish(777, topic.encode(), payload, 1, True, False, None, SimpleNamespace(pack=lambda: packed))
    client._sock = None
    ours = packets.publish(topic, payload, packet_id=777, retain=True, properties=packed)
    assert [ours] == theirs


@pytest.mark.parametrize("expiry_s", [None, 1, 604_800, 2**32 - 1])
@pytest.mark.parametrize("correlation", [None, b"", b"\x00mine", b"x" * 125, b"x" * 65_535])
def test_properties_are_packed_as_paho_does(expiry_s, correlation):
    theirs = Properties(PacketTypes.PUBLISH)
    if expiry_s is not None:
        theirs.MessageExpiryInterval = expiry_s
    if correlation is not None:
        theirs.CorrelationData = correlation
    assert of_publish(expiry_s, correlation) == theirs.pack()
