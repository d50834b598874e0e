"""What connected devices cost, and what a publish costs among them: the embedded broker beside mosquitto.

    python -m tests.bench.broker_idle [--sizes 100,1000,5000,10000] [--durable] [--brokers postbell,mosquitto]

At each size: memory for each connection, processor time of an idle broker (devices ping each 30 s),
and the rate of QoS 1 publishes to one of N users in turn. A size counts only if each device got its mail.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter

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
from tests.conformance import mqtt_client as mqtt

_MESSAGES = 4000


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


async def measure(name: str, sizes: list[int], *, durable: bool) -> None:
    """One broker at growing sizes."""
    with BROKERS[name](max(sizes)) as running:
        publisher = await client(running, "bridge")
        devices: list[Client] = []
        empty = resident(running.pid)
        for size in sizes:
            devices += await crowd(running, size, first=len(devices), clean=not durable)
            await asyncio.sleep(1)
            each = (resident(running.pid) - empty) / size / 1024
            idle = await idle_cost(running, devices, 5)
            rates = [await publish_rate(running, publisher, devices) for _ in range(3)]
            rate, cost = sorted(rates)[1]
            say(
                f"{running.name:12} {size:6} devices   {each:6.1f} kB each   idle CPU {idle:5.1f} %   "
                f"{rate:8.0f} publishes/s   {cost:6.1f} µs broker CPU each"
            )


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000,5000,10000")
    parser.add_argument("--durable", action="store_true", help="persistent sessions")
    parser.add_argument("--brokers", default="postbell,mosquitto")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    allow_files(sizes[-1] + 500)
    for name in options.brokers.split(","):
        uvloop.run(measure(name, sizes, durable=options.durable))
    return 0


if __name__ == "__main__":
    sys.exit(main())
