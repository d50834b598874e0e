"""Reconciling with a broker that holds very many topics: how long, how much memory, and what live mail feels of it.

Each user's ring is full. Mail goes to one more user, from SMTP to a subscriber, while the bridge is
left alone, while it only looks (`--dry-run`), and while it fills a mosquitto that came back empty.
The work is checked: nothing differs before, and afterwards mosquitto holds every live message.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from tests.integration.test_reconcile import Onlooker, external, fill, live_of, mail_of, reconcile
from tests.support.mosquitto import mosquitto
from tests.support.system import System
from tests.support.waiting import until

RING = 100
NUMBERS = itertools.count()
"""Of the live mails: the same one twice would be taken for a copy."""


def memory(pid: int, name: str) -> float:
    """A figure of /proc/<pid>/status in MB."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def delays(system: System, seen: Onlooker, ended) -> list[float]:
    """Milliseconds from the 250 to the subscriber, mail after mail."""
    taken = []
    while not ended() or len(taken) < 20:
        topic = f"mail/alice/msg/{system.send(mail_of(next(NUMBERS)), 'alice@example.org')}"
        began = time.monotonic()
        until(partial(seen.heard.__contains__, topic), what="the header")
        taken.append(1000 * max(seen.heard[topic] - began, 0))
    return taken


def tell(name: str, taken: list[float], seconds: float, peak: float) -> None:
    """One line of the table."""
    worst = sorted(taken)[int(0.99 * (len(taken) - 1))]
    figures = f"{seconds:9.1f} {len(taken):6} {median(taken):10.1f} {worst:8.1f} {max(taken):8.1f} {peak:8.0f}"
    sys.stdout.write(f"{name:34}{figures}\n")


def measured(name: str, system: System, seen: Onlooker, pid: int, work) -> None:
    """Do some work in a thread, with live mail beside it."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is counted from here
    thread = threading.Thread(target=work)
    began = time.monotonic()
    thread.start()
    taken = delays(system, seen, lambda: not thread.is_alive())
    thread.join()
    tell(name, taken, time.monotonic() - began, memory(pid, "VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as first, ExitStack() as rest:
        directory = Path(name)
        limits = "max_queued_messages 0"
        port = first.enter_context(mosquitto(directory, settings=limits))
        system = rest.enter_context(System(directory, **external(port), POSTBELL_RETAIN__COUNT=str(RING)))
        fill(system, users=given.topics // RING, mails=RING)
        system.run("user", "add", "alice", "--address", "alice@example.org")
        bridge = system.serve()
        until(lambda: system.waiting() == 0, what="all to be published", patience_s=600)
        assert len(live_of(system)) == given.topics
        sys.stdout.write(f"{'':34}  seconds  mails  median ms      p99      max  peak MB\n")
        seen = rest.enter_context(Onlooker(port, "mail/alice/#"))
        measured("left alone", system, seen, bridge.pid, lambda: None)
        found = []
        measured("looking", system, seen, bridge.pid, lambda: found.append(reconcile(system, "--dry-run")))
        assert found[0]["missing"] <= 20, "nothing but live mail may differ"
        assert found[0]["stale"] <= 20

        first.close()
        until(lambda: not system.facts("bridge").get("connected"), what="the bridge to notice")
        port = rest.enter_context(mosquitto(directory, port=port, settings=limits))
        again = rest.enter_context(Onlooker(port, "mail/alice/#"))
        system.wait_connected()

        def filled() -> None:
            until(lambda: refilled(directory) and system.waiting() < 50, what="all of it", patience_s=600)

        measured("filling an empty broker", system, again, bridge.pid, filled)
        system.wait_drained()
        with Onlooker(port) as all_of_it:
            until(lambda: all_of_it.retained.keys() >= live_of(system), what="all live messages", patience_s=120)


def refilled(directory: Path) -> bool:
    """Whether the bridge has reconciled for the second time by itself."""
    lines = [json.loads(line) for line in (directory / "serve.log").read_text().splitlines()]
    return sum(line["event"] == "reconciled" and not line["dry_run"] for line in lines) >= 2


if __name__ == "__main__":
    main()
