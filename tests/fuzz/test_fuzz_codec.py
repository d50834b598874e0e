"""Legal packets of each version of MQTT, spoilt: each is still a packet, or a ProtocolError, and what is read is sound.

Seeded by --fuzz-seed, bounded by --fuzz-seconds; what goes wrong names the seed of its round.
"""

from __future__ import annotations

import functools
import random
import time
from typing import TYPE_CHECKING

import pytest

from broker.errors import ProtocolError
from broker.wire import codec
from broker.wire.frames import Packets
from broker.wire.names import plain, valid_name, well_formed
from broker.wire.packets import Connect, Publish, Subscribe, Unsubscribe, Will
from broker.wire.reasons import Reason
from tests.support import mqtt_client as mqtt

if TYPE_CHECKING:
    from broker.wire.message import Message

pytestmark = pytest.mark.fuzz

LIMIT = 10_000
NAMES = {3: "MQIsdp", 4: "MQTT", 5: "MQTT"}
TEXTS = [
    "mail/alice/do/phone",
    "mail/x",
    "a/+",
    "mail/#",
    "$share/g/a",
    "$SYS/x",
    "ü",
    "",
    "\u200b",
    "/".join("a" * 20),
]
CONNECTS, MESSAGES = [17, 33, 39, 34, 25, 23, 38, 21], [1, 2, 3, 8, 9, 38]
SIZES = {1: 1, 2: 4, 11: 1, 17: 4, 23: 1, 24: 4, 25: 1, 33: 2, 34: 2, 35: 2, 39: 4}  # of the others the value is a text

READ, TOLD = {Publish, Subscribe, Unsubscribe}, {Reason.MALFORMED, Reason.PROTOCOL_ERROR}


def properties(dice, numbers):
    """Some of these properties, mostly with values that they may have."""
    about = b""
    for number in dice.sample(numbers, dice.randrange(len(numbers) + 1)):
        about += bytes([number])
        if number in SIZES:
            about += dice.choice([0, 1, 1, 1, 5]).to_bytes(SIZES[number], "big")
        else:
            about += mqtt.text(dice.choice(TEXTS)) + (mqtt.text("v") if number == 38 else b"")
    return mqtt.packet(0, about)[1:]


def connect(dice, level):
    will = dice.choice([None, (dice.choice(TEXTS), b"gone", dice.randrange(3), True)])
    login = dice.choice([{}, {"username": "alice.phone"}, {"username": "alice.phone", "password": "secret"}])
    if level < 5:
        bridge = dice.choice([0, 0, 0x80])
        return mqtt.connect(dice.choice(TEXTS), level=level | bridge, name=NAMES[level], will=will, **login)
    flags = dice.choice([0, 2]) | (0 if will is None else 0x24 | will[2] << 3)
    rest = b"" if will is None else properties(dice, [24, *MESSAGES]) + mqtt.text(will[0]) + mqtt.text(will[1])
    for flag, value in zip((0x80, 0x40), login.values(), strict=False):
        flags |= flag
        rest += mqtt.text(value)
    head = b"\0\4MQTT\5" + bytes([flags]) + b"\0\x3c" + properties(dice, CONNECTS)
    return mqtt.packet(mqtt.CONNECT, head + mqtt.text(dice.choice(TEXTS)) + rest)


def other(dice, level):
    """A packet of a client that is in."""
    five, number = level == 5, dice.randbytes(2)
    text, qos = mqtt.text(dice.choice(TEXTS)), dice.randrange(3)

    def about(numbers):
        return properties(dice, numbers) if five else b""

    kind = dice.choice([3, 3, 3, 4, 5, 6, 7, 8, 8, 10, 12, 14, 15])
    if kind == mqtt.PUBLISH:
        body = text + (number if qos else b"") + about([35, *MESSAGES]) + dice.randbytes(dice.choice([0, 1, 300]))
        return mqtt.packet(kind, body, qos << 1 | dice.choice([0, 1]) | (dice.choice([0, 8]) if qos else 0))
    if kind == mqtt.SUBSCRIBE:
        wanted = b"".join(mqtt.text(each) + bytes([dice.choice([0, 1, 2, 5, 0x1D])]) for each in dice.sample(TEXTS, 3))
        return mqtt.packet(kind, number + about([11, 38]) + wanted, 2)
    if kind == mqtt.UNSUBSCRIBE:
        return mqtt.packet(kind, number + about([38]) + b"".join(map(mqtt.text, dice.sample(TEXTS, 3))), 2)
    if kind == mqtt.DISCONNECT:
        return mqtt.packet(kind, dice.choice([b"\0", b"\4"]) + properties(dice, [17, 31, 38]) if five else b"")
    if kind == mqtt.PINGREQ:
        return mqtt.packet(kind)
    code = dice.choice([b"", b"\0", b"\x92", b"\x80" + properties(dice, [31, 38])]) if five else b""
    return mqtt.packet(kind, number + code, 2 if kind == mqtt.PUBREL else 0)


def spoil(dice, data):
    """Some bytes changed, removed, doubled; or none."""
    damaged = bytearray(data)
    for _ in range(dice.choice([0, 0, 1, 1, 3])):
        at = dice.randrange(len(damaged) + 1)
        damaged[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
    return bytes(damaged)


def check(found):
    """That what was read keeps what the rest of the broker relies on."""
    if isinstance(found, Connect) and found.level in NAMES:
        assert plain(found.client_id)
        assert found.username is None or plain(found.username)
        assert 1 <= found.receive_maximum <= 65_535
        if isinstance(found.will, Will):
            assert valid_name(found.will.message.topic)
    elif isinstance(found, Publish):
        assert valid_name(found.message.topic)
        assert bool(found.packet_id) == bool(found.message.qos)
    elif isinstance(found, Subscribe):
        assert all(well_formed(each.topic_filter) and each.options & 3 < 3 for each in found.wanted)
    elif isinstance(found, Unsubscribe):
        assert all(map(well_formed, found.filters))


def again(found, level):
    """A PUBLISH that was read can be sent on, and is read as the same by those who speak its version."""
    if isinstance(found, Publish):
        speaks = codec.speaking(Connect(level, "", clean_start=True, keep_alive=0), alias_maximum=0)
        packets = Packets(2 * LIMIT)
        packets.feed(speaks.encode_publish(Sent(found.message, found.packet_id), now=0.0))
        one = packets.next()
        assert one is not None
        assert speaks.publish(one).message == found.message


class Sent:
    """What is to be sent; see broker.wire.packets.Outbound."""

    retain = sent = False
    ids = ()

    def __init__(self, message: Message, packet_id: int) -> None:
        self.message, self.packet_id, self.qos = message, packet_id, message.qos


def readers(speaks):
    """The decoder of each type of packet of a client that is in."""
    answers = dict.fromkeys((mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBREL, mqtt.PUBCOMP), speaks.answer)
    return answers | {
        mqtt.PUBLISH: speaks.publish,
        mqtt.SUBSCRIBE: functools.partial(speaks.subscribe, most=5),
        mqtt.UNSUBSCRIBE: functools.partial(speaks.unsubscribe, most=5),
        mqtt.PINGREQ: speaks.ping,
        mqtt.DISCONNECT: speaks.disconnect,
    }


def converse(dice, level):
    """One connection: a CONNECT, and what comes behind it, cut anywhere, until something is wrong."""
    packets, stream = Packets(LIMIT), spoil(dice, connect(dice, level))
    stream += b"".join(spoil(dice, other(dice, level)) for _ in range(dice.randrange(6)))
    speaks = None
    while stream:
        cut = dice.randrange(1, 400)
        packets.feed(stream[:cut])
        stream = stream[cut:]
        while (frame := packets.next()) is not None:
            assert len(frame.body) <= LIMIT
            if speaks is None:
                said = codec.connect(frame)
                speaks = codec.speaking(said, alias_maximum=5)
                check(said)
            elif frame.kind in readers(speaks):
                found = readers(speaks)[frame.kind](frame)
                check(found)
                again(found, speaks.level)
                yield type(found)


@pytest.mark.parametrize("level", NAMES)
def test_any_conversation_is_read_or_refused(request, level):
    seed = request.config.getoption("--fuzz-seed")
    end = time.monotonic() + 0.1 * request.config.getoption("--fuzz-seconds")
    understood, refused = set(), set()
    while time.monotonic() < end or not (understood >= READ and refused >= TOLD):
        try:
            understood.update(converse(random.Random(seed), level))
        except ProtocolError as error:
            refused.add(Reason(error.code))
        except Exception as error:
            raise AssertionError(f"--fuzz-seed {seed}") from error
        seed += 1
    assert min(refused) >= Reason.UNSPECIFIED
