"""What open pages and a download cost those who hand in mail, and how soon a page rings meanwhile.

    python -m tests.bench.pages [--pages 1000] [--mails 1500] [--rounds 5]

One `postbell serve` with its web server. In turn, round after round: no page; so many pages that wait; and besides one
that reads a mail of 31 MB over and over. Each time mails of 4 KiB are handed in by ten senders; every one has its 250,
and the store has it. Meanwhile, and after it, a mail at a time to a page: from DATA to its header there.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Self

from bridge.bench import processor
from bridge.store import offline
from tests.bench.broker_load import say
from tests.bench.page_visitors import Page
from tests.bench.result import agree
from tests.bench.sizing import letter, logins_of
from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.system import ROOT, System

if TYPE_CHECKING:
    import smtplib
    from collections.abc import Iterator

NONE, WAITING, READING = "no page", "pages", "pages, one reads 31 MB over and over"
LARGE_BYTES = 31_000_000


class Visitors:
    """Pages in a process of their own. `words` are those that it is called with."""

    def __init__(self, address: tuple[str, int], logins: list[tuple[str, str]], what: str, *words: str) -> None:
        self._logins = logins
        where = f"{address[0]}:{address[1]}"
        self._command = [sys.executable, "-m", "tests.bench.page_visitors", what, where, str(len(logins)), *words]
        self.read_bytes = 0

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{name} {password}\n" for name, password in self._logins))
        self._process.stdin.flush()
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        told = self._process.communicate(timeout=120)[0]
        self.read_bytes = int(told or 0)


class Bell:
    """A page whose bell is timed."""

    def __init__(self, system: System, address: tuple[str, int]) -> None:
        login = system.add("bell")
        self._page = Page(address, (login["username"], login["password"]))
        self._page.subscribe("msg/+", 1)
        self._system = system
        self._packets = self._page.packets()
        self._sent = 0

    def rings_s(self, mails: int) -> list[float]:
        """Seconds from DATA of a mail to its header on the page, for one mail after another."""
        return [self._rings_s(smtp) for smtp in [self._system.smtp()] for _ in range(mails)]

    def _rings_s(self, smtp: smtplib.SMTP) -> float:
        self._sent += 1
        smtp.ehlo_or_helo_if_needed()
        smtp.mail("a@example.net")
        smtp.rcpt("bell@example.org")
        begun = time.perf_counter()
        code, answer = smtp.data(letter(10_000_000 + self._sent, 600))
        agree("a mail that rings", 250, code=code)
        mail = answer.split()[1].decode()
        for kind, body in self._packets:
            arrived = time.perf_counter()
            self._page.acknowledge(kind, body)
            if kind >> 4 == mqtt.PUBLISH and mqtt.Packet(mqtt.PUBLISH, kind & 15, body).topic.endswith(mail):
                return arrived - begun
        raise AssertionError


@dataclass
class Found:
    """What was measured of one state, round after round."""

    rates: list[float] = field(default_factory=list)
    costs_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    alone_s: list[float] = field(default_factory=list)
    busy_s: list[float] = field(default_factory=list)
    megabytes_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def all_ms(self) -> list[float]:
        """Processor time a mail of all processes together, of each round."""
        return [sum(each) for each in zip(*self.costs_ms.values(), strict=True)]


@dataclass
class Bench:
    """A Postbell that is measured, and what was found."""

    system: System
    mails: int
    bell: Bell

    def _processes(self) -> dict[str, int]:
        bridge = self.system.facts("bridge")["pid"]
        broker = self.system.facts("broker")["pid"]
        served = processor.family(bridge) - {bridge, broker}
        web = next(pid for pid in served if b"bridge.web" in Path(f"/proc/{pid}/cmdline").read_bytes())
        return {"bridge": bridge, "broker": broker, "web": web}

    def used_s(self) -> dict[str, float]:
        """Processor time of each process so far."""
        return {name: processor.used_s({pid}) or 0.0 for name, pid in self._processes().items()}

    def kept(self) -> int:
        """How many mails the store has."""
        with offline.reading(self.system.state_dir / "postbell.db") as connection:
            return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])

    def offer(self, found: Found) -> None:
        """Hand in as many as are asked for, and have a page rung meanwhile."""
        host, _, port = self.system.facts("bridge")["smtp"].rpartition(":")
        flags = ("-s", "10", "-m", str(self.mails), "-l", "4096", "-f", "a@example.net", "-t", "u0@example.org")
        kept, used, begun = self.kept(), self.used_s(), time.perf_counter()
        rung: list[float] = []
        beside = threading.Thread(target=lambda: rung.extend(self.bell.rings_s(20)))
        beside.start()
        subprocess.run([need("smtp-source"), *flags, f"{host}:{port}"], check=True)
        found.rates.append(self.mails / (time.perf_counter() - begun))
        for name, seconds in self.used_s().items():
            found.costs_ms[name].append(1000 * (seconds - used[name]) / self.mails)
        beside.join()
        agree("pages", self.mails, kept=self.kept() - kept - len(rung))
        found.busy_s += rung
        self.system.wait_drained()

    def ring(self, found: Found) -> None:
        """The same without other mail."""
        found.alone_s += self.bell.rings_s(20)


@contextmanager
def serving(directory: Path) -> Iterator[System]:
    """A Postbell with its web server, for so many pages of one address."""
    room = {
        "POSTBELL_HTTP__LISTEN": "127.0.0.1:0",
        "POSTBELL_HTTP__CONNECTIONS": "5000",
        "POSTBELL_HTTP__CONNECTIONS_PER_ADDRESS": "5000",
        "POSTBELL_LIMITS__CLIENTS_PER_ADDRESS": "5000",
        "POSTBELL_RETAIN__COUNT": "100",
    }
    with System(directory, **room) as system:
        system.serve()
        yield system


def large(system: System) -> str:
    """A mail that takes long to read; its id."""
    chance = random.Random(1)
    line = b"".join(bytes([65 + chance.randrange(26)]) for _ in range(70)) + b"\r\n"
    return system.send(
        b"From: a@example.net\r\nSubject: large\r\n\r\n" + line * (LARGE_BYTES // len(line)), "reader@example.org"
    )


def rounds(system: System, *, pages: int, mails: int, count: int) -> dict[str, Found]:
    """Each state in turn, so often."""
    host, _, port = system.facts("bridge")["http"].rpartition(":")
    address = (host, int(port))
    logins = logins_of(system, pages)
    reader = system.add("reader")
    bench, mail = Bench(system, mails, Bell(system, address)), large(system)
    bench.offer(Found())  # caches are warm now
    found = {state: Found() for state in (NONE, WAITING, READING)}
    for number in range(count):
        bench.offer(found[NONE])
        bench.ring(found[NONE])
        with Visitors(address, logins, "waiting"):
            bench.offer(found[WAITING])
            bench.ring(found[WAITING])
            for measured in (bench.offer, bench.ring):
                with Visitors(address, [(reader["username"], reader["password"])], "reading", mail) as reading:
                    begun = time.perf_counter()
                    measured(found[READING])
                    took_s = time.perf_counter() - begun
                found[READING].megabytes_s[measured.__name__].append(reading.read_bytes / 1e6 / took_s)
        say(f"round {number + 1}: " + ", ".join(f"{each.rates[-1]:.0f}/s {state}" for state, each in found.items()))
    return found


def tell(found: dict[str, Found]) -> None:
    """Medians, and each state beside that without pages in the same round."""
    for state, each in found.items():
        beside = median(mine / none for mine, none in zip(each.rates, found[NONE].rates, strict=True))
        dearer = median(mine / none for mine, none in zip(each.all_ms, found[NONE].all_ms, strict=True))
        costs = ", ".join(f"{name} {median(costs):.2f}" for name, costs in each.costs_ms.items())
        rings = " and ".join(
            f"{1000 * median(times):.1f} ms (95 %: {1000 * sorted(times)[int(len(times) * 0.95)]:.1f})"
            for times in (each.alone_s, each.busy_s)
        )
        speeds = " and ".join(f"{median(each.megabytes_s[name]):.1f}" for name in ("ring", "offer") if each.megabytes_s)
        read = f", {speeds} MB/s read without and with mail coming in" if speeds else ""
        say(f"{state:40} {median(each.rates):6.0f} mails/s ({beside:.3f}), ms a mail ({dearer:.3f}): {costs}{read}")
        say(f"{'':40} a page rings after {rings} without and with mail coming in")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--mails", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="so little that it only shows that it works")
    options = parser.parse_args()
    if options.small:
        options.pages, options.mails, options.rounds = 10, 100, 1
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as system:
        tell(rounds(system, pages=options.pages, mails=options.mails, count=options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
