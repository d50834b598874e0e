"""Reasons in words."""

from __future__ import annotations

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from clients.reasons import WORDS_AT_MOST, in_words

ANSWERS = (PacketTypes.CONNACK, PacketTypes.SUBACK, PacketTypes.PUBACK, PacketTypes.DISCONNECT)


def refusals(packet_type):
    for number in range(0x80, 0x100):
        try:
            ReasonCode(packet_type, identifier=number).getName()
        except (KeyError, ValueError):
            continue
        yield number


def test_every_reason_that_a_broker_may_give_has_words():
    numbers = {number for packet_type in ANSWERS for number in refusals(packet_type)}
    assert len(numbers) > 25
    not_sent_to_us = {0x8C, 0x99, 0x9B, 0x9E}  # our CONNECT has no authentication and no will, our payload no format
    told = {number: in_words(number) for number in numbers - not_sent_to_us}
    assert [number for number, words in told.items() if "number" in words] == []
    assert len(set(told.values())) == len(told)
    assert in_words(0x8E).startswith("another app uses this login")


def test_a_reason_of_a_time_to_come_is_told_by_its_number():
    assert in_words(0xEE) == "the broker's reason is number 238"


def test_what_the_broker_says_is_told_harmless_and_not_for_ever():
    said = "back at\x1b[31m noon \u202e\u2028 \x9b2J" + "x" * 500
    words = in_words(0x8B, said)
    assert words.startswith("the broker is shutting down (it says: back at [31m noon 2Jx")
    assert not {"\x1b", "\x9b", "\u202e", "\u2028"} & set(words)
    assert len(words) < WORDS_AT_MOST + 60
    assert in_words(0x8B, " \x00\n ") == "the broker is shutting down"
