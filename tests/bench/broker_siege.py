"""Delivery to a good client while others misbehave: is the embedded broker's p99 at most three times the quiet one?

    python -m tests.bench.broker_siege [--seconds S] [--brokers postbell]

The siege comes from a process of its own: 1,000 connections in a burst, 200 that never send CONNECT, 50 that
never read what is sent to them, 100 wrong passwords a second. A message that does not arrive fails the run, and so
does, with exit code 1, a 99th percentile of more than three times the quiet one of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import sys
import time

import uvloop

from tests.bench.broker_load import BROKERS, Client, Running, allow_files, client, crowd, open_files, say, username
from tests.support import mqtt_client as mqtt

_BURST, _SILENT, _DEAF, _WRONG = 1000, 200, 50, 100
_MOST = 3.0  # times the quiet 99th percentile
_PACE = 0.005  # seconds between two messages to the good client


async def measure(running: Running, good: Client, publisher: Client, seconds: float) -> list[float]:
    """The delays, sorted, of messages sent at a steady pace; each time one of the deaf gets a larger one."""
    good.payloads.clear()
    good.arrivals.clear()
    sent: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        number = len(sent)
        deaf = username(1 + number % _DEAF).partition(".")[0]
        publisher.transport.write(mqtt.publish(f"mail/{deaf}/event", b"x" * 2000))
        sent.append(time.perf_counter())
        publisher.transport.write(mqtt.publish("mail/u0/msg/x", b"%010d" % number, qos=1, packet_id=number % 65535 + 1))
        await asyncio.sleep(_PACE)
    await good.received(len(sent))
    if [int(payload) for payload in good.payloads] != list(range(len(sent))):
        raise SystemExit(f"{running.name}: {len(good.payloads)} of {len(sent)} messages arrived")
    return sorted(arrived - left for arrived, left in zip(good.arrivals, sent, strict=True))


async def besiege(running: Running) -> None:
    """All that goes wrong, until the process is ended."""
    loop = asyncio.get_running_loop()
    deaf = [await client(running, username(n), f"mail/u{n}/#") for n in range(1, 1 + _DEAF)]
    for one in deaf:
        one.transport.pause_reading()
    silent = [loop.create_task(never_connect(running)) for _ in range(_SILENT)]
    burst = crowd(running, 1 + _DEAF + _BURST, first=1 + _DEAF)
    guesses = loop.create_task(guess(running))
    await burst
    await asyncio.gather(*silent, guesses)


async def never_connect(running: Running) -> None:
    """A connection on which nothing is said, again and again."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*running.address)
            await reader.read(1)
            writer.close()
        await asyncio.sleep(0.1)


async def guess(running: Running) -> None:
    """Wrong passwords at a steady rate, none waiting for the one before."""

    async def once(number: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(*running.address)
            writer.write(mqtt.connect("g", username=username(number % 50), password="wrong"))
            await reader.readexactly(4)
            writer.close()

    number, tasks = 0, set()
    while True:
        tasks = {task for task in tasks if not task.done()} | {asyncio.create_task(once(number))}
        number += 1
        await asyncio.sleep(1 / _WRONG)


def siege_process(running: Running) -> None:
    """What the second process runs."""
    allow_files(4000)
    uvloop.run(besiege(running))


async def compare(name: str, seconds: float) -> float:
    """One broker: quiet, then besieged. Returns the ratio of the 99th percentiles."""
    with BROKERS[name](1 + _DEAF + _BURST) as running:
        good, publisher = await client(running, username(0), "mail/u0/#"), await client(running, "bridge")
        await measure(running, good, publisher, 1)
        quiet = await measure(running, good, publisher, seconds)
        attackers = multiprocessing.get_context("spawn").Process(target=siege_process, args=(running,), daemon=True)
        attackers.start()
        try:
            await asyncio.sleep(1)  # it needs about that long to start
            besieged = await measure(running, good, publisher, seconds)
            standing = open_files(running.pid)
            if standing < _BURST + _SILENT + _DEAF:
                raise SystemExit(f"{running.name}: only {standing} connections at the end, so this was no siege")
        finally:
            attackers.kill()
        if not attackers.exitcode:
            attackers.join()
        for label, delays in (("quiet", quiet), ("besieged", besieged)):
            middle, high = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
            say(f"{running.name:12} {label:9} p50 {middle * 1e3:6.2f} ms   p99 {high * 1e3:6.2f} ms   n {len(delays)}")
        ratio = besieged[int(len(besieged) * 0.99)] / quiet[int(len(quiet) * 0.99)]
        say(f"{running.name:12} p99 ratio {ratio:.2f}, at most {_MOST:.0f} is promised")
        return ratio


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--brokers", default="postbell")
    options = parser.parse_args()
    ratios = [uvloop.run(compare(name, options.seconds)) for name in options.brokers.split(",")]
    return int(max(ratios) > _MOST)


if __name__ == "__main__":
    sys.exit(main())
