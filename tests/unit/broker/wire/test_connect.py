"""CONNECT of all versions: what is right is read, what is wrong is named."""

from __future__ import annotations

import pytest

from broker.errors import ProtocolError
from broker.wire import codec, codec3, codec5
from broker.wire.message import Message
from broker.wire.packets import AS_PUBLISHED, NEVER, NO_LOCAL, Connect, Terms, Will
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import connect5, frame, refused, will5


def connect(data):
    return codec.connect(frame(data))


@pytest.mark.parametrize(("level", "name"), [(3, "MQIsdp"), (4, "MQTT")])
def test_older_versions_with_everything(level, name):
    data = mqtt.connect(
        "id", username="u", password=b"\xff\0", clean=False, keepalive=7, will=("w/t", b"\xff\x00", 1, True),
        level=level, name=name,
    )  # fmt: skip
    assert connect(data) == Connect(
        level, "id", clean_start=False, keep_alive=7, username="u", password=b"\xff\0",
        will=Will(Message("w/t", b"\xff\x00", 1), True), session_s=NEVER,
    )  # fmt: skip


def test_older_versions_with_nothing():
    assert connect(mqtt.connect("")) == Connect(4, "", clean_start=True, keep_alive=0)


def test_mqtt_5_with_everything():
    about = (
        b"\x11\0\0\0\x05\x21\0\x0a\x27\0\0\x10\0\x22\0\x08\x19\1\x17\0"
        b"\x26\0\1a\0\1b\x26\0\1a\0\1b\x15\0\1m\x16\0\2\xff\0"
    )  # fmt: skip
    told = (
        b"\x18\0\0\0\x1e\x01\1\x02\0\0\0\x3c\x03\0\1t\x08\0\3r/e\x09\0\2\xff\0"
        b"\x26\0\1k\0\1v\x26\0\1j\0\1w"
    )  # fmt: skip
    rest = mqtt.text("u") + mqtt.text(b"\xff\0")
    will = bytes([len(told)]) + told + mqtt.text("w/t") + mqtt.text(b"gone")
    kept = told[5:7] + told[12:]
    assert connect(connect5(about, client_id="id", flags=0b1110_1100, rest=will + rest, keepalive=7)) == Connect(
        5, "id", clean_start=False, keep_alive=7, username="u", password=b"\xff\0",
        will=Will(Message("w/t", b"gone", 1, kept), True, delay_s=30, expiry_s=60),
        session_s=5, receive_maximum=10, packet_maximum=4096, alias_maximum=8, wants_problems=False, authentication="m",
    )  # fmt: skip


def test_mqtt_5_with_nothing():
    assert connect(connect5(client_id="")) == Connect(5, "", clean_start=True, keep_alive=0)


def test_mqtt_5_has_a_password_without_a_username():
    assert connect(connect5(flags=0x40, rest=mqtt.text("p"))).password == b"p"


@pytest.mark.parametrize(
    ("level", "name", "read"),
    [
        (3, "MQIsdp", (3, False)),
        (0x83, "MQIsdp", (3, True)),
        (4, "MQTT", (4, False)),
        (0x84, "MQTT", (4, True)),
        (4, "MQIsdp", (0, False)),
        (5, "MQIsdp", (0, False)),
        (3, "MQTT", (0, False)),
        (0x83, "MQTT", (0x83, False)),
        (0x85, "MQTT", (0x85, False)),
        (2, "MQTT", (2, False)),
        (6, "MQTT", (6, False)),
        (255, "MQTT", (255, False)),
    ],
)
def test_the_level_says_the_version_and_whether_it_is_a_bridge(level, name, read):
    found = connect(mqtt.connect(level=level, name=name))
    assert (found.level, found.bridge) == read


@pytest.mark.parametrize(
    ("level", "connack"),
    [(0, b"\x20\2\0\1"), (2, b"\x20\2\0\1"), (0x85, b"\x20\2\0\1"), (6, b"\x20\3\0\x84\0"), (99, b"\x20\3\0\x84\0")],
)
def test_a_version_that_is_not_spoken_is_refused_in_words_that_its_client_may_know(level, connack):
    speaks = codec.speaking(connect(mqtt.connect(level=level)), alias_maximum=8)
    assert speaks.encode_connack(0x84, present=False, terms=Terms()) == connack


def test_each_version_has_its_codec():
    spoken = {
        ("MQIsdp", 3): codec3.CODEC_31,
        ("MQIsdp", 0x83): codec3.BRIDGE_31,
        ("MQTT", 4): codec3.CODEC_311,
        ("MQTT", 0x84): codec3.BRIDGE_311,
    }
    for (name, level), speaks in spoken.items():
        assert codec.speaking(connect(mqtt.connect(level=level, name=name)), alias_maximum=8) is speaks
        assert speaks.level == level & 0x7F
    assert isinstance(codec.speaking(connect(connect5()), alias_maximum=8), codec5.Codec5)


def test_a_bridge_has_its_filters_as_published_and_without_its_own():
    (wanted,) = codec3.BRIDGE_311.subscribe(frame(mqtt.subscribe(("a/#", 1))), most=9).wanted
    assert wanted.options == 1 | NO_LOCAL | AS_PUBLISHED


@pytest.mark.parametrize(
    ("data", "clause", "code"),
    [
        (mqtt.packet(mqtt.PINGREQ), "MQTT-3.1.0-1", 0x82),
        (mqtt.connect(name="HTTP"), "MQTT-3.1.2-1", 0x84),
        (mqtt.connect(name=""), "MQTT-3.1.2-1", 0x84),
        (mqtt.packet(mqtt.CONNECT), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.CONNECT, b"\0\4MQTT"), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.CONNECT, mqtt.connect()[2:], 1), "MQTT-2.2.2-2", 0x81),
        (mqtt.packet(mqtt.CONNECT, connect5()[2:], 8), "MQTT-2.1.3-1", 0x81),
        (mqtt.connect(extra_flags=1), "MQTT-3.1.2-3", 0x81),
        (mqtt.connect(password="p"), "MQTT-3.1.2-22", 0x81),
        (mqtt.connect(extra_flags=8), "MQTT-3.1.2-13", 0x81),
        (mqtt.connect(extra_flags=32), "MQTT-3.1.2-13", 0x81),
        (mqtt.connect(will=("t", b"", 3, False)), "MQTT-3.1.2-14", 0x81),
        (mqtt.connect(will=("t/#", b"", 0, False)), "MQTT-3.3.2-2", 0x81),
        (mqtt.connect(will=("", b"", 0, False)), "MQTT-3.3.2-2", 0x81),
        (mqtt.connect("a\0b"), "MQTT-1.5.3-2", 0x81),
        (mqtt.connect("a\x1fb"), "MQTT-1.5.3", 0x81),
        (mqtt.connect(username="a\x9fb"), "MQTT-1.5.3", 0x81),
        (mqtt.connect(b"\xff\xfe"), "MQTT-1.5.3-1", 0x81),
        (mqtt.connect(b"\xed\xa0\x80"), "MQTT-1.5.3-1", 0x81),
        (mqtt.connect(extra_flags=128), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.CONNECT, mqtt.connect()[2:] + b"more"), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.CONNECT, mqtt.connect()[2:8]), "MQTT-4.8.0-1", 0x81),
        (connect5(flags=3), "MQTT-3.1.2-3", 0x81),
        (connect5(flags=2 | 8), "MQTT-3.1.2-11", 0x81),
        (connect5(flags=2 | 32), "MQTT-3.1.2-13", 0x81),
        (will5(qos=3), "MQTT-3.1.2-12", 0x81),
        (will5(topic="a/+"), "MQTT-3.3.2-2", 0x81),
        (will5(topic=""), "MQTT-3.3.2-2", 0x81),
        (connect5(client_id="a\0b"), "MQTT-1.5.4-2", 0x81),
        (connect5(client_id="a\x01b"), "MQTT-1.5.4", 0x81),
        (connect5(client_id=b"\xff"), "MQTT-1.5.4-1", 0x81),
        (connect5(client_id=b"\xed\xbf\xbf"), "MQTT-1.5.4-1", 0x81),
        (connect5(flags=0x80), "MQTT-4.13.1-1", 0x81),
        (connect5(rest=b"more"), "MQTT-4.13.1-1", 0x81),
        (connect5(b"\x16\0\1x"), "MQTT-3.1.2.11.10", 0x82),
        (mqtt.packet(mqtt.CONNECT, b"\0\4MQTT\5\2\0\0"), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.CONNECT, b"\0\4MQTT\5\2\0\0\x09"), "MQTT-4.13.1-1", 0x81),
    ],
)  # fmt: skip
def test_a_wrong_connect_is_named(data, clause, code):
    with pytest.raises(ProtocolError) as error:
        connect(data)
    assert (error.value.clause, error.value.code) == (clause, code)


def test_3_1_has_its_liberties():
    old = {"level": 3, "name": "MQIsdp"}
    assert connect(mqtt.connect(extra_flags=1, **old)).level == 3
    assert connect(mqtt.packet(mqtt.CONNECT, mqtt.connect(**old)[2:], 4)).level == 3
    said = connect(mqtt.connect(extra_flags=0xC0, **old))  # the flags are there, the login is not
    assert (said.username, said.password) == (None, None)
    said = connect(mqtt.connect(username="u", extra_flags=0x40, **old))
    assert (said.username, said.password) == ("u", None)
    assert connect(mqtt.connect("c" * 24, **old)).client_id == "c" * 24


@pytest.mark.parametrize(
    ("data", "connack"),
    [
        (connect5(flags=3), b"\x20\3\0\x81\0"),
        (connect5(b"\x21\0\0"), b"\x20\3\0\x82\0"),
        (connect5(flags=0x80), b"\x20\3\0\x81\0"),
        (mqtt.connect(extra_flags=1), b""),
        (mqtt.connect(name="HTTP"), b""),
        (mqtt.connect(name="HTTP", level=5), b""),
        (mqtt.packet(mqtt.CONNECT, b"\0\4MQTT"), b""),
        (mqtt.publish("t"), b""),
    ],
)
def test_who_sends_a_wrong_connect_is_told_if_his_version_has_words(data, connack):
    with pytest.raises(ProtocolError) as error:
        connect(data)
    assert codec.refusal(frame(data), error.value) == connack


def test_a_client_id_that_is_refused_has_a_word_in_all_versions():
    error = ProtocolError("MQTT-3.1.3-8", "no client id", 0x85)
    assert codec.refusal(frame(mqtt.connect()), error) == b"\x20\2\0\2"
    assert codec.refusal(frame(connect5()), error) == b"\x20\3\0\x85\0"


def test_a_connect_ends_anywhere():
    whole = connect5(b"\x11\0\0\0\5", flags=0xC2, rest=mqtt.text("u") + mqtt.text("p"))[2:]
    for end in range(len(whole)):
        _, code = refused(mqtt.packet(mqtt.CONNECT, whole[:end]), codec3.CODEC_311)
        assert code == 0x81, end
