"""One-to-one QoS 1 throughput: ours with logins and rules, beside mosquitto and stock amqtt without.

    python -m tests.bench.broker_throughput [--messages N] [--window W] [--durable] [--retain]
                                            [--brokers postbell,mosquitto,amqtt]

With --durable the subscriber has a persistent session, as a device does: ours then acknowledges to the
publisher only what is on disk or already with the subscriber. With --retain the messages are retained, as headers
are. Publisher and subscriber run in this process; a run counts only if every message arrived once and in order.
Exit code 1 when ours is slower than stock amqtt.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING

import uvloop

from tests.bench.broker_load import BROKERS, clear, client, cpu_seconds, publish_all, say, username

if TYPE_CHECKING:
    from tests.bench.broker_load import Running


async def once(running: Running, messages: int, window: int, *, durable: bool, retain: bool) -> tuple[float, float]:
    """One run: messages a second until the last was delivered and acknowledged, broker CPU µs a message."""
    subscriber = await client(running, username(0), "mail/u0/#", clean=not durable)
    publisher = await client(running, "bridge")
    topics = [f"mail/u0/msg/{number % 100}" for number in range(messages)]
    busy, begun = cpu_seconds(running.pid), time.perf_counter()
    await publish_all(publisher, topics, window=window, octets=120, retain=retain)
    await subscriber.received(messages)
    busy, elapsed = cpu_seconds(running.pid) - busy, time.perf_counter() - begun
    numbers = [int(payload[:10]) for payload in subscriber.payloads]
    if numbers != list(range(messages)):
        raise SystemExit(f"{running.name}: {len(numbers)} arrived, {len(set(numbers))} different, of {messages}")
    if retain:  # or the next subscriber would get them first
        used = sorted(set(topics))
        await clear(publisher, used)
        await subscriber.received(messages + len(used))
    for one in (subscriber, publisher):
        one.transport.close()
    await asyncio.sleep(0.2)
    return messages / elapsed, busy / messages * 1e6


async def compare(options: argparse.Namespace) -> dict[str, float]:
    """Run and print, three times each, the middle one. Returns the messages a second of each."""
    rates: dict[str, float] = {}
    kind = ("retained, " if options.retain else "") + ("persistent" if options.durable else "clean")
    say(f"{options.messages} messages of 120 bytes, window {options.window}, {kind} session, median of 3")
    for name in options.brokers.split(","):
        with BROKERS[name](1) as running:
            how = {"durable": options.durable, "retain": options.retain}
            runs = [await once(running, options.messages, options.window, **how) for _ in range(3)]
        rate = rates[name] = statistics.median(run[0] for run in runs)
        cost = statistics.median(run[1] for run in runs)
        say(f"{running.name:12} {rate:9.0f} messages/s   broker CPU {cost:6.1f} µs a message")
    return rates


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--retain", action="store_true")
    parser.add_argument("--brokers", default="postbell,mosquitto,amqtt")
    rates = uvloop.run(compare(parser.parse_args()))
    return int(rates.get("postbell", 0) < rates.get("amqtt", 0))


if __name__ == "__main__":
    sys.exit(main())
