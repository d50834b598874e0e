"""How many mails a second go the whole way, beside the sinks that do less, in one run.

For each figure the work is counted first: every 250 is in the store, published, acknowledged,
received once by an independent subscriber, and nothing is left in the outbox.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.store import live, offline
from tests.conftest import need
from tests.support.system import System
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BARE = """
import asyncio, sys
from aiosmtpd.smtp import SMTP
class Null:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Null(), hostname="bare", loop=loop), "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def offer(address: str, *, mails: int, sessions: int, keep: bool) -> float:
    """Seconds that smtp-source takes to hand in so many mails of 4 KiB."""
    command = [need("smtp-source"), "-s", str(sessions), "-m", str(mails), "-l", "4096", "-t", "alice@example.org"]
    began = time.perf_counter()
    subprocess.run([*command, *(["-d"] if keep else []), address], check=True)
    return time.perf_counter() - began


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A sink in a process of its own."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)


def smtp_sink(offered: Callable[[str], float]) -> float:
    """Postfix's sink, in C, which keeps nothing."""
    port = free_port()
    with process(need("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "1000"):
        time.sleep(0.3)  # it says nothing when it listens
        return offered(f"127.0.0.1:{port}")


def bare_aiosmtpd(offered: Callable[[str], float]) -> float:
    """aiosmtpd as it comes, with a handler that keeps nothing."""
    port = free_port()
    with process(sys.executable, "-c", BARE, str(port)) as sink:
        assert sink.stdout is not None
        sink.stdout.readline()
        return offered(f"127.0.0.1:{port}")


def postbell(offered: Callable[[str], float], *, mails: int) -> tuple[float, float]:
    """Postbell: seconds until the last 250, and until the last mail is on a device."""
    with tempfile.TemporaryDirectory() as directory:
        overrides = {"POSTBELL_RETAIN__COUNT": str(mails + 1), "POSTBELL_LOG__LEVEL": "warning"}
        with System(Path(directory), **overrides) as system:
            login = system.add("alice")
            system.serve()
            system.run("reconcile")  # else what comes in while the first comparison runs is published twice
            system.wait_drained()
            received: dict[str, int] = {}
            client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench", clean_session=False)
            client.username_pw_set(login["username"], login["password"])
            client.on_message = lambda _c, _u, m: received.update({m.topic: received.get(m.topic, 0) + 1})
            subscribed = threading.Event()
            client.on_connect = lambda c, *_: c.subscribe("mail/alice/msg/+", qos=1)
            client.on_subscribe = lambda *_: subscribed.set()
            client.connect("127.0.0.1", system.mqtt_port())
            client.loop_start()
            assert subscribed.wait(30)
            began = time.perf_counter()
            accepted_s = offered(system.facts("bridge")["smtp"])
            until(lambda: len(received) >= mails, what=f"{mails} mails on the device", patience_s=600)
            whole_s = time.perf_counter() - began
            system.wait_drained()
            client.disconnect()
            client.loop_stop()
            with offline.reading(system.state_dir / "postbell.db") as connection:
                kept = live.count_all(connection)
        assert kept == mails == len(received), (kept, mails, len(received))
        assert set(received.values()) == {1}, "every mail arrived once"
    return accepted_s, whole_s


def say(line: str) -> None:
    """A line of the table, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Print a table of medians in mails per second, and ratios to bare aiosmtpd."""
    parser = argparse.ArgumentParser(prog="make bench ARGS='pipeline …'", description=__doc__)
    parser.add_argument("--mails", type=int, default=3000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    for keep, title in ((False, "one mail a connection"), (True, "many mails a connection")):
        rates: dict[str, list[float]] = {}
        for _ in range(chosen.rounds):

            def offered(address: str, *, keep: bool = keep) -> float:
                return offer(address, mails=chosen.mails, sessions=chosen.sessions, keep=keep)

            accepted_s, whole_s = postbell(offered, mails=chosen.mails)
            seconds = {
                "smtp-sink, keeps nothing": smtp_sink(offered),
                "bare aiosmtpd, keeps nothing": bare_aiosmtpd(offered),
                "Postbell, 250 after commit": accepted_s,
                "Postbell, on the device": whole_s,
            }
            for name, taken in seconds.items():
                rates.setdefault(name, []).append(chosen.mails / taken)
        base = median(rates["bare aiosmtpd, keeps nothing"])
        say(f"\n{title}: {chosen.mails} mails of 4 KiB, {chosen.sessions} sessions, median of {chosen.rounds}")
        for name, values in rates.items():
            say(f"  {name:30} {median(values):8.0f} mails/s   {median(values) / base:5.2f} of bare aiosmtpd")


if __name__ == "__main__":
    main(sys.argv[1:])
