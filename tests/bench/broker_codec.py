"""What one packet costs to read and to write, in each version, beside amqtt's codec for 3.1.1.

    python -m tests.bench.broker_codec [--rounds N]

A packet with the topic of a mail (or of a view, which has an alias) and 94 bytes of payload, QoS 1. What is timed takes
turns, a hundred packets at a time, and the least of all rounds counts: what others do on the machine only adds. Each is
read back before it is timed. Exit code 1 when 3.1.1 or 5 is slower than amqtt.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amqtt.adapters import BufferReader
from amqtt.mqtt.publish import PublishPacket

from broker.wire.codec3 import CODEC_311
from broker.wire.codec5 import Codec5
from broker.wire.frames import Frame, Packets
from broker.wire.message import Message
from broker.wire.packets import V5, Connect
from tests.bench.broker_load import say

if TYPE_CHECKING:
    from collections.abc import Callable

MAIL, VIEW = "mail/alice/msg/0123456789abcdef", "mail/alice/box"
PAYLOAD = b"x" * 94
TIMES = 100
STREAM = Packets(1000)


@dataclass(slots=True)
class Sent:
    """A message for a client; see broker.wire.packets.Outbound."""

    message: Message
    qos: int = 1
    packet_id: int = 7
    retain: bool = False
    sent: bool = False
    ids: tuple[int, ...] = ()


def cut(data: bytes) -> Frame:
    """The packet in some bytes."""
    STREAM.feed(data)
    frame = STREAM.next()
    assert frame is not None
    return frame


def by_amqtt(data: bytes) -> PublishPacket:
    """What amqtt reads."""
    try:
        PublishPacket.from_stream(BufferReader(data)).send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("a buffer never makes its reader wait")


def columns() -> dict[str, Callable[[], object]]:
    """What is timed, by its name; each has been seen to be right."""
    mail, view = Sent(Message(MAIL, PAYLOAD, 1)), Sent(Message(VIEW, PAYLOAD, 1))
    five = Codec5(Connect(V5, "", clean_start=True, keep_alive=0), alias_maximum=0)
    aliased = Codec5(Connect(V5, "", clean_start=True, keep_alive=0, alias_maximum=10), alias_maximum=0)
    of_amqtt = PublishPacket.build(MAIL, PAYLOAD, 7, dup_flag=False, qos=1, retain=False)
    three, data = CODEC_311.encode_publish(mail, now=0.0), five.encode_publish(mail, now=0.0)
    assert three == of_amqtt.to_bytes()
    assert by_amqtt(three).topic_name == MAIL
    assert CODEC_311.publish(cut(three)).message == five.publish(cut(data)).message == mail.message
    named = aliased.encode_publish(view, now=0.0)
    assert len(aliased.encode_publish(view, now=0.0)) == len(named) - len(VIEW)
    return {
        "read, amqtt": lambda: by_amqtt(three),
        "read, 3.1.1": lambda: CODEC_311.publish(cut(three)),
        "read, 5": lambda: five.publish(cut(data)),
        "written, amqtt": of_amqtt.to_bytes,
        "written, 3.1.1": lambda: CODEC_311.encode_publish(mail, now=0.0),
        "written, 5": lambda: five.encode_publish(mail, now=0.0),
        "written, 5 with aliases, a mail": lambda: aliased.encode_publish(mail, now=0.0),
        "written, 5 with aliases, a view": lambda: aliased.encode_publish(view, now=0.0),
    }


def measure(rounds: int) -> dict[str, float]:
    """Microseconds of each."""
    timed = columns()
    least = dict.fromkeys(timed, float("inf"))
    for _ in range(rounds):
        for name, work in timed.items():
            begun = time.perf_counter()
            for _ in range(TIMES):
                work()
            least[name] = min(least[name], (time.perf_counter() - begun) / TIMES * 1e6)
    return least


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    least = measure(parser.parse_args().rounds)
    for name, value in least.items():
        say(f"PUBLISH {name:32} {value:6.2f} µs")
    pairs = [(f"{way}, {version}", f"{way}, amqtt") for way in ("read", "written") for version in ("3.1.1", "5")]
    return int(any(least[ours] > least[theirs] for ours, theirs in pairs))


if __name__ == "__main__":
    sys.exit(main())
