"""PUBACK and its kin, DISCONNECT and PINGREQ of a client, and AUTH, which has no place."""

from __future__ import annotations

import pytest

from broker.wire.codec3 import CODEC_31, CODEC_311
from broker.wire.packets import Answer, Disconnect
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import AUTH, answer5, disconnect5, frame, of_five, read, refused

ANSWERS = [mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBREL, mqtt.PUBCOMP]
DISCONNECTS = """\
00 normal
04 with will
80 unspecified
81 malformed
82 protocol error
83 implementation specific
87 not authorized
89 busy
8B shutting down
8D keep alive timeout
8E taken over
8F filter invalid
90 topic invalid
93 receive maximum exceeded
94 alias invalid
95 too large
96 rate too high
97 quota exceeded
98 administrative
99 payload format invalid
9A retain not supported
9B QoS not supported
9C use another server
9D server moved
9E shared not supported
9F connection rate exceeded
A0 maximum connect time
A1 identifiers not supported
A2 wildcards not supported"""
SAID = {  # table 2-6: which reason codes stand in which packet of a client
    mqtt.PUBACK: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    mqtt.PUBREC: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    mqtt.PUBREL: {0x00, 0x92},
    mqtt.PUBCOMP: {0x00, 0x92},
    mqtt.DISCONNECT: {int(each[:2], 16) for each in DISCONNECTS.splitlines()},
}
REASON, USER = b"\x1f\0\1r", b"\x26\0\1a\0\1b"


def answer3(kind, body=b"\0\7"):
    return mqtt.packet(kind, body, 2 if kind == mqtt.PUBREL else 0)


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer(kind):
    for speaks in (CODEC_31, CODEC_311):
        assert read(answer3(kind), speaks) == Answer(7)
    for data in (answer5(kind), answer5(kind, 0), answer5(kind, 0, b""), answer5(kind, 0, REASON + USER)):
        assert read(data, of_five()) == Answer(7)


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_has_a_code_that_clients_have(kind):
    """[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]"""
    for code in range(256):
        for data in (answer5(kind, code), answer5(kind, code, USER)):
            if code in SAID[kind]:
                assert read(data, of_five()) == Answer(7, code)
            else:
                assert refused(data, of_five()) == ("MQTT-2.4", 0x82)


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_wrong_answer_is_named(kind):
    for body in (b"", b"\0", b"\0\1\0"):
        assert refused(answer3(kind, body), CODEC_311) == ("MQTT-4.8.0-1", 0x81)
    assert refused(answer3(kind, b"\0\0"), CODEC_311) == ("MQTT-2.3.1-1", 0x82)
    for body in (b"", b"\0", b"\0\1\0\1", b"\0\1\0\5\x1f\0\1r"):
        assert refused(answer3(kind, body), of_five()) == ("MQTT-4.13.1-1", 0x81)
    assert refused(answer3(kind, b"\0\1\0\0x"), of_five()) == ("MQTT-4.13.1-1", 0x81)
    assert refused(answer5(kind, packet_id=0), of_five()) == ("MQTT-2.2.1-3", 0x81)


def test_a_pubrel_of_3_1_1_is_no_second_one():
    assert refused(mqtt.packet(mqtt.PUBREL, b"\0\1", 10), CODEC_311) == ("MQTT-2.2.2-2", 0x81)
    assert refused(mqtt.packet(mqtt.PUBREL, b"\0\1", 10), of_five()) == ("MQTT-2.1.3-1", 0x81)


def test_a_goodbye():
    assert read(mqtt.packet(mqtt.DISCONNECT), CODEC_31) == Disconnect()
    assert read(mqtt.packet(mqtt.DISCONNECT), CODEC_311) == Disconnect()
    for data in (disconnect5(), disconnect5(0), disconnect5(0, b""), disconnect5(0, REASON + USER)):
        assert read(data, of_five()) == Disconnect()
    assert read(disconnect5(4), of_five()) == Disconnect(4)
    assert read(disconnect5(0, b"\x11\0\0\0\5"), of_five(session_s=60)) == Disconnect(0, 5)
    assert read(disconnect5(0, b"\x11\0\0\0\0"), of_five(session_s=60)) == Disconnect(0, 0)


def test_a_goodbye_has_a_code_that_there_is():
    """[MQTT-3.14.2-1]: also one of a server's."""
    for code in range(256):
        if code in SAID[mqtt.DISCONNECT]:
            assert read(disconnect5(code), of_five()) == Disconnect(code)
        else:
            assert refused(disconnect5(code), of_five()) == ("MQTT-3.14.2-1", 0x82)


def test_a_session_that_was_to_end_does_not_last():
    """§3.14.2.2.2"""
    assert refused(disconnect5(0, b"\x11\0\0\0\1"), of_five()) == ("MQTT-3.14.2.2.2", 0x82)
    assert read(disconnect5(0, b"\x11\0\0\0\0"), of_five()) == Disconnect(0, 0)


def test_a_wrong_goodbye_is_named():
    assert refused(mqtt.packet(mqtt.DISCONNECT, b"\0"), CODEC_311) == ("MQTT-4.8.0-1", 0x81)
    assert refused(mqtt.packet(mqtt.DISCONNECT, b"\0\5\x11\0"), of_five()) == ("MQTT-4.13.1-1", 0x81)
    assert refused(mqtt.packet(mqtt.DISCONNECT, b"\0\0x"), of_five()) == ("MQTT-4.13.1-1", 0x81)


@pytest.mark.parametrize(
    ("speaks", "clause"),
    [(CODEC_31, "MQTT-4.8.0-1"), (CODEC_311, "MQTT-4.8.0-1"), (of_five(), "MQTT-4.13.1-1")],
)
def test_a_ping_has_no_body(speaks, clause):
    read(mqtt.packet(mqtt.PINGREQ), speaks)
    assert refused(mqtt.packet(mqtt.PINGREQ, b"x"), speaks) == (clause, 0x81)


def test_auth_is_cut_so_that_its_client_can_be_told():
    assert frame(mqtt.packet(AUTH, b"\x18\0")).kind == AUTH
