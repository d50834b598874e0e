"""What connected devices cost, and what a publish costs among them: the embedded broker beside mosquitto.

    python -m tests.bench.broker_idle [--sizes 100,1000,5000,10000] [--durable] [--brokers postbell,mosquitto]
                                      [--rounds N]

At each size: memory for each connection, processor time of an idle broker (devices ping each 30 s), and the rate
of QoS 1 publishes to one of N users in turn, with the processor time that each took in the broker. There is one
broker process for each size; all run at once, their devices all in this process, and the rounds go from size to
size in turn, so that a machine whose speed changes does not look like a broker that scales badly. A round counts
only if each device got its mail. Exit code 1 when the embedded broker's rate at the largest size is below half of
that at the smallest (median of the rounds' ratios).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

import uvloop

from tests.bench.broker_load import (
    BROKERS,
    Client,
    Running,
    allow_files,
    client,
    cpu_seconds,
    crowd,
    publish_all,
    resident,
    say,
)
from tests.support import mqtt_client as mqtt

_MESSAGES = 4000
_LEAST = 0.5  # of the rate at the smallest size, at the largest


async def idle_cost(running: Running, devices: list[Client], seconds: float) -> float:
    """Percent of one processor that the broker takes while each device pings once in 30 s."""
    before = cpu_seconds(running.pid)
    for step in range(10):
        for device in devices[step :: int(300 / seconds)]:
            device.transport.write(mqtt.packet(mqtt.PINGREQ))
        await asyncio.sleep(seconds / 10)
    return (cpu_seconds(running.pid) - before) / seconds * 100


async def publish_rate(running: Running, publisher: Client, devices: list[Client]) -> tuple[float, float]:
    """Publishes a second, each to the one device of another user; broker CPU µs for each."""
    for device in devices:
        device.payloads.clear()
    topics = [f"mail/u{number * 7919 % len(devices)}/msg/x" for number in range(_MESSAGES)]
    busy = cpu_seconds(running.pid)
    seconds = await publish_all(publisher, topics, window=64, octets=120)
    busy = cpu_seconds(running.pid) - busy
    for topic, number in Counter(topics).items():
        await devices[_owner(topic)].received(number)
    for number, topic in enumerate(topics):
        if not any(int(payload[:10]) == number for payload in devices[_owner(topic)].payloads):
            raise SystemExit(f"message {number} did not reach {topic}")
    return _MESSAGES / seconds, busy / _MESSAGES * 1e6


def _owner(topic: str) -> int:
    return int(topic.split("/")[1][1:])


@dataclass
class Size:
    """One broker with its devices, and what was measured of it."""

    running: Running
    publisher: Client
    devices: list[Client]
    kilobytes: float
    idle: float = 0.0
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


async def populate(running: Running, number: int, *, durable: bool) -> Size:
    """Connect the devices; what they cost in memory."""
    publisher = await client(running, "bridge")
    empty = resident(running.pid)
    devices = await crowd(running, number, clean=not durable)
    await asyncio.sleep(1)
    return Size(running, publisher, devices, (resident(running.pid) - empty) / number / 1024)


async def measure(name: str, numbers: list[int], *, durable: bool, rounds: int) -> float:
    """One kind of broker at all sizes. Returns the rate at the largest over that at the smallest."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(BROKERS[name](number)) for number in numbers]
        sizes = [await populate(one, number, durable=durable) for one, number in zip(running, numbers, strict=True)]
        for size in sizes:
            size.idle = await idle_cost(size.running, size.devices, 5)
        for _ in range(rounds):
            for size in sizes:
                rate, cost = await publish_rate(size.running, size.publisher, size.devices)
                size.rates.append(rate)
                size.costs.append(cost)
    for size in sizes:
        say(
            f"{size.running.name:12} {len(size.devices):6} devices   {size.kilobytes:6.1f} kB each   "
            f"idle CPU {size.idle:5.1f} %   {median(size.rates):8.0f} publishes/s   "
            f"{median(size.costs):6.1f} µs broker CPU each"
        )
    rate = _ratio(sizes[-1].rates, sizes[0].rates)
    cost = _ratio(sizes[-1].costs, sizes[0].costs)
    say(f"{name:12} {numbers[-1]} against {numbers[0]} devices: rate {rate:.2f}, broker CPU each {cost:.2f}")
    return rate


def _ratio(largest: list[float], smallest: list[float]) -> float:
    return median(large / small for large, small in zip(largest, smallest, strict=True))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000,5000,10000")
    parser.add_argument("--durable", action="store_true", help="persistent sessions")
    parser.add_argument("--brokers", default="postbell,mosquitto")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    allow_files(sum(sizes) + 500)
    code = 0
    for name in options.brokers.split(","):
        ratio = uvloop.run(measure(name, sizes, durable=options.durable, rounds=options.rounds))
        code |= name == "postbell" and ratio < _LEAST
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
