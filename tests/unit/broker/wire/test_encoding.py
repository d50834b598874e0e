"""What the broker writes, in each version, and that it never is larger than the client takes."""

from __future__ import annotations

import pytest

from broker.wire import codec
from broker.wire.aliases import MOST_ALIASES
from broker.wire.codec3 import CODEC_31, CODEC_311
from broker.wire.message import Message
from broker.wire.packets import V5, V31, Connect, Terms
from broker.wire.reasons import CONNACK_3, Reason
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import Entry, frame, of_five, publish5, read

SIZES = [0, 1, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16_370, 16_384, 2_097_140, 2_097_152]


def sent(speaks, message, *, now=0.0, **entry):
    return speaks.encode_publish(Entry(message, **entry), now=now)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("speaks", [CODEC_31, CODEC_311, of_five()])
def test_what_is_sent_is_read_back(speaks, qos, size):
    message = Message("mail/ü", b"p" * size, qos)
    for flags in ({}, {"retain": True}, {"sent": True}):
        data = sent(speaks, message, qos=qos, packet_id=77 if qos else 0, **flags)
        found = read(data, speaks)
        assert (found.message, found.packet_id) == (message, 77 if qos else 0)
        assert found.retain == flags.get("retain", False)
        assert found.dup == bool(qos and flags.get("sent", False))  # [MQTT-3.3.1-2]


def test_an_entry_is_sent_with_its_own_qos():
    data = sent(CODEC_311, Message("t", b"x", 1), qos=0)
    assert data == mqtt.publish("t", b"x")
    assert sent(of_five(), Message("t", b"x", 1), qos=0) == publish5()


def test_older_versions_hear_nothing_of_properties():
    message = Message("t", b"x", 0, b"\x01\1", 5.0)
    assert sent(CODEC_311, message, ids=(1,)) == mqtt.publish("t", b"x")


def test_mqtt_5_hears_all_of_them():
    """[MQTT-3.3.2-6] [MQTT-3.3.2-17] [MQTT-3.3.4-3] [MQTT-3.3.4-4]"""
    message = Message("t", b"x", 1, b"\x01\1\x26\0\1a\0\1b", 100.5)
    told = message.properties + b"\x02\0\0\0\x06" + b"\x0b\x01" + b"\x0b\x80\x01"
    assert sent(of_five(), message, now=95.0, qos=1, packet_id=7, ids=(1, 128)) == publish5(told, qos=1)


@pytest.mark.parametrize(("at", "told"), [(100.0, 1), (99.999, 1), (99.0, 1), (98.9, 2), (0.0, 100), (200.0, 1)])
def test_what_is_left_of_a_lifetime_is_told(at, told):
    data = sent(of_five(), Message("t", b"x", 0, b"", 100.0), now=at)
    assert read(data, of_five()).expiry_s == told


def test_a_lifetime_has_four_bytes():
    assert read(sent(of_five(), Message("t", b"x", 0, b"", 1e12)), of_five()).expiry_s == 0xFFFF_FFFF


def test_a_message_that_is_too_large_is_not_sent():
    """[MQTT-3.1.2-24]"""
    message = Message("t", b"x" * 100, 0, b"\x01\1")
    data = sent(of_five(), message)
    assert sent(of_five(packet_maximum=len(data)), message) == data
    assert sent(of_five(packet_maximum=len(data) - 1), message) == b""


VIEWS = ("mail/a/box", "mail/a/last", "mail/a/text", "mail/a/unread", "mail/a/event", "mail/a/re/phone")


def test_views_are_sent_by_their_numbers_from_the_second_time_on():
    """[MQTT-3.3.2-7] [MQTT-3.1.2-26]"""
    speaks = codec.speaking(_accepting(10), alias_maximum=0)
    for number, topic in enumerate(VIEWS, 1):
        about = b"\x23" + number.to_bytes(2, "big")
        assert sent(speaks, Message(topic, b"1", 0)) == publish5(about, topic=topic, payload=b"1")
        assert sent(speaks, Message(topic, b"2", 0)) == publish5(about, topic="", payload=b"2")
        again = sent(speaks, Message(topic, b"2", 1, b"\x01\1"), qos=1, packet_id=7)
        assert again == publish5(b"\x01\1" + about, topic="", payload=b"2", qos=1)


def test_a_mail_is_sent_by_its_name():
    speaks = codec.speaking(_accepting(10), alias_maximum=0)
    for _ in range(2):
        assert sent(speaks, Message("mail/a/msg/1", b"1", 0)) == publish5(topic="mail/a/msg/1", payload=b"1")


@pytest.mark.parametrize(("takes", "given"), [(0, 0), (1, 1), (3, 3), (65_535, MOST_ALIASES)])
def test_no_more_numbers_than_the_client_takes(takes, given):
    """[MQTT-3.1.2-26] [MQTT-3.1.2-27]"""
    speaks = codec.speaking(_accepting(takes), alias_maximum=0)
    topics = [f"mail/user{number}/box" for number in range(50)]
    for _ in range(2):
        packets = [sent(speaks, Message(topic, b"1", 0)) for topic in topics]
    assert packets[:given] == [
        publish5(b"\x23" + number.to_bytes(2, "big"), topic="", payload=b"1") for number in range(1, given + 1)
    ]
    assert packets[given:] == [publish5(topic=topic, payload=b"1") for topic in topics[given:]]


def test_a_number_that_was_not_sent_is_not_used():
    """[MQTT-3.1.2-24]"""
    speaks = codec.speaking(_accepting(10, packet_maximum=60), alias_maximum=0)
    assert sent(speaks, Message("mail/a/box", b"x" * 100, 0)) == b""
    assert sent(speaks, Message("mail/a/box", b"1", 0)) == publish5(b"\x23\0\1", topic="mail/a/box", payload=b"1")


def test_a_topic_has_no_number_where_that_makes_its_message_too_large():
    plain = publish5(topic="mail/a/box", payload=b"1")
    speaks = codec.speaking(_accepting(10, packet_maximum=len(plain) + 2), alias_maximum=0)
    for _ in range(2):
        assert sent(speaks, Message("mail/a/box", b"1", 0)) == plain
    numbered = publish5(b"\x23\0\1", topic="mail/a/box", payload=b"")
    assert sent(speaks, Message("mail/a/box", b"", 0)) == numbered


def _accepting(aliases, **more):
    return Connect(V5, "c", clean_start=True, keep_alive=0, alias_maximum=aliases, **more)


def test_answers_to_publishes():
    for speaks in (CODEC_31, CODEC_311):
        assert speaks.encode_puback(0x102, 0x87) == b"\x40\2\1\2"
        assert speaks.encode_pubrec(0x102, 0x97) == b"\x50\2\1\2"
        assert speaks.encode_pubcomp(0x102, 0x92) == b"\x70\2\1\2"
    five = of_five()
    assert (five.encode_puback(0x102), five.encode_puback(0x102, 0x87)) == (b"\x40\2\1\2", b"\x40\3\1\2\x87")
    assert (five.encode_pubrec(0x102), five.encode_pubrec(0x102, 0x97)) == (b"\x50\2\1\2", b"\x50\3\1\2\x97")
    assert (five.encode_pubcomp(0x102), five.encode_pubcomp(0x102, 0x92)) == (b"\x70\2\1\2", b"\x70\3\1\2\x92")


@pytest.mark.parametrize("count", [1, 125, 126, 20_000])
def test_answers_have_one_code_for_each_filter(count):
    """[MQTT-3.8.4-5] [MQTT-3.9.3-1]; in MQTT 5 [MQTT-3.8.4-6] [MQTT-3.11.3-1]."""
    suback = frame(CODEC_311.encode_suback(9, [1, 0x87, 0x97] * count))
    assert (suback.kind, suback.body) == (mqtt.SUBACK, b"\0\x09" + b"\1\x80\x80" * count)
    assert CODEC_311.encode_unsuback(9, [0, 0x11] * count) == b"\xb0\2\0\x09"
    suback = frame(of_five().encode_suback(9, [1, 0x87, 0x97] * count))
    assert (suback.kind, suback.body) == (mqtt.SUBACK, b"\0\x09\0" + b"\1\x87\x97" * count)
    unsuback = frame(of_five().encode_unsuback(9, [0, 0x11] * count))
    assert (unsuback.kind, unsuback.body) == (mqtt.UNSUBACK, b"\0\x09\0" + b"\0\x11" * count)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refusal_in_words_of_older_versions(reason):
    """[MQTT-3.2.2-4] [MQTT-3.2.2-6]"""
    data = CODEC_311.encode_connack(reason, present=True, terms=Terms(60, 5, 5, 5, "c", 5), text="why")
    if reason == Reason.SUCCESS:
        assert data == b"\x20\2\1\0"
    elif reason in CONNACK_3:
        assert data == bytes((0x20, 2, 0, CONNACK_3[reason]))
    else:
        assert data == b""


def test_3_1_has_no_word_for_a_session_that_is_present():
    assert CODEC_31.level == V31
    assert CODEC_31.encode_connack(0, present=True, terms=Terms()) == b"\x20\2\0\0"


def test_what_a_welcome_tells_in_mqtt_5():
    """§3.2.2.3"""
    terms = Terms(60, 10, 1000, 4, "cid", 900)
    told = (
        b"\x11\0\0\0\x3c\x21\0\x0a\x27\0\0\3\xe8\x22\0\4\x12\0\3cid\x13\3\x84\x2a\0"
    )  # fmt: skip
    five = of_five()
    assert five.encode_connack(0, present=True, terms=terms) == mqtt.packet(2, b"\1\0" + bytes([len(told)]) + told)
    assert five.encode_connack(0, present=False, terms=Terms()) == b"\x20\5\0\0\2\x2a\0"
    assert five.encode_connack(0x87, present=True, terms=terms) == b"\x20\3\0\x87\0"  # [MQTT-3.2.2-6]
    assert five.encode_connack(0x87, present=False, terms=terms, text="no") == b"\x20\x08\0\x87\5\x1f\0\2no"


def test_a_goodbye_of_the_broker():
    assert CODEC_31.encode_disconnect(0x8E, "why") == b""
    assert CODEC_311.encode_disconnect(0x8E, "why") == b""
    assert of_five().encode_disconnect(0x8E) == b"\xe0\1\x8e"
    assert of_five().encode_disconnect(0x8E, "why") == b"\xe0\x08\x8e\6\x1f\0\3why"


@pytest.mark.parametrize("code", [0x81, 0x82, 0x94])
def test_an_error_of_a_program_has_no_text(code):
    assert of_five().encode_disconnect(code, "why") == bytes((0xE0, 1, code))


@pytest.mark.parametrize("text", ["", "w" * 10, "w" * 100])
def test_a_text_is_left_out_where_there_is_no_room(text):
    """[MQTT-3.2.2-19] [MQTT-3.14.2-3]"""
    narrow = of_five(packet_maximum=20)
    room = len(text) <= 10
    assert narrow.encode_disconnect(0x8E, text) == of_five().encode_disconnect(0x8E, text if room else "")
    refusal = of_five().encode_connack(0x87, present=False, terms=Terms(), text=text if room else "")
    assert narrow.encode_connack(0x87, present=False, terms=Terms(), text=text) == refusal


def test_nothing_is_larger_than_the_client_takes():
    """[MQTT-3.1.2-24]"""
    narrow = of_five(packet_maximum=2)
    assert narrow.encode_connack(0, present=False, terms=Terms()) == b""
    assert narrow.encode_disconnect(0x8E, "why") == b""
    assert narrow.encode_puback(1) == narrow.encode_pubrec(1) == narrow.encode_pubcomp(1, 0x92) == b""
    assert narrow.encode_suback(1, [0]) == narrow.encode_unsuback(1, [0]) == b""


def test_a_text_that_is_too_long_ends_with_a_character():
    said = frame(of_five().encode_disconnect(0x8E, "ü" * 40_000)).body
    assert said[-65_534:].decode() == "ü" * 32_767
