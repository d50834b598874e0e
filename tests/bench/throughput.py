"""How many mails a second go the whole way, beside those who do less, in one run, and what each costs.

    make bench ARGS="throughput [--small] [--rounds N] [--workers N] [--json FILE]"

From a usual load on one thing is changed at a time: connections, mails a connection, users, size, recipients. Each
figure comes after its work was counted: taken or published as often as offered; for Postbell kept in the store,
acknowledged by the broker, received once by an independent subscriber, and nothing left to be published.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from tests.bench import suite
from tests.bench.result import Chart, MiscountError, Result, Table, agree
from tests.bench.sinks import SINKS
from tests.bench.whole import ADDRESS, postbell
from tests.conftest import need

if TYPE_CHECKING:
    from tests.bench.result import Cell
    from tests.bench.suite import Options

BARE, SLOW, ACCEPTED, DEVICE = "bare aiosmtpd", "Mailrise", "Postbell, 250", "Postbell, on the device"


class RefusedError(MiscountError):
    """A mail was not answered 250."""


@dataclass(frozen=True)
class Case:
    """What is offered."""

    name: str
    mails: int = 2000
    connections: int = 10
    many: bool = True
    """Whether a connection brings many mails."""
    octets: int = 4096
    users: int = 1
    recipients: int = 1

    @property
    def deliveries(self) -> int:
        """How many headers that makes."""
        return self.mails * self.recipients

    def offer(self, address: tuple[str, int]) -> float:
        """Seconds that smtp-source takes to hand it in; it fails unless each was answered 250."""
        load = ("-s", self.connections, "-m", self.mails, "-l", self.octets, "-r", self.recipients, "-t", ADDRESS)
        flags = [*(["-d"] if self.many else []), *(["-N"] if self.users > self.recipients else [])]
        begun = time.perf_counter()
        where = f"{address[0]}:{address[1]}"
        command = [need("smtp-source"), *flags, *map(str, load), where]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RefusedError(f"no figure for {self.name}: {done.stderr.strip()}")
        return time.perf_counter() - begun


USUAL = Case("many mails a connection, 10 connections")
CASES: tuple[Case, ...] = (
    replace(USUAL, name="one mail a connection, 10 connections", many=False),
    USUAL,
    replace(USUAL, name="one mail a connection, 100 connections", many=False, connections=100),
    replace(USUAL, name="many mails a connection, 100 connections", connections=100),
    replace(USUAL, name="10 users", users=10),
    replace(USUAL, name="1,000 users", users=1000),
    replace(USUAL, name="100 KB a mail", octets=100 * 1024, mails=1000),
    replace(USUAL, name="10 MB a mail", octets=10 * 2**20, mails=30),
    replace(USUAL, name="10 recipients a mail", recipients=10, users=10, mails=300),
    replace(USUAL, name="100 recipients a mail", recipients=100, users=100, mails=60),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one case at one of them."""

    mails: int
    took_s: float
    used_s: float
    """Of the processor."""


def at_sink(name: str, case: Case) -> Outcome:
    """Somebody else; each mail was taken, or published for each recipient."""
    if name == SLOW:
        case = replace(case, mails=max(3, case.mails // 10))
    with SINKS[name]() as sink:
        used_s = sink.used_s()
        took_s = case.offer(sink.address)
        expected = case.deliveries if name == SLOW else case.mails
        used = sink.used_s() - used_s
        counted = sink.count(expected)
        agree(f"{case.name}, {name}", expected, counted=counted)
        return Outcome(case.mails, took_s, used)


def at_postbell(case: Case, *, workers: int = 0) -> dict[str, Outcome]:
    """Until the last 250, and until the last mail is on the device."""
    addresses = case.mails if case.users > case.recipients else case.recipients
    room = {"POSTBELL_RETAIN__COUNT": str(case.deliveries + 1), "POSTBELL_LIMITS__CONNECTIONS_PER_ADDRESS": "200"}
    room["POSTBELL_BRIDGE__WORKERS"] = str(workers)
    with postbell(room, users=case.users, addresses=addresses) as whole:
        before, begun = whole.used_s(), time.perf_counter()
        accepted_s = case.offer(whole.smtp)
        whole.onlooker.settled(case.deliveries)
        took_s = time.perf_counter() - begun
        whole.check(f"{case.name}, Postbell", case.deliveries)
        bridge, broker = (new - old for old, new in zip(before, whole.used_s(), strict=True))
        return {
            ACCEPTED: Outcome(case.mails, accepted_s, bridge),
            DEVICE: Outcome(case.mails, took_s, bridge + broker),
        }


def once(case: Case, *, workers: int = 0) -> dict[str, Outcome]:
    """All of them, one after another. Mailrise refuses mail now and then, and then has no figure."""
    found = {}
    for name in SINKS:
        with suppress(*([RefusedError] if name == SLOW else [])):
            found[name] = at_sink(name, case)
    return found | at_postbell(case, workers=workers)


def measure(options: Options) -> Result:
    """Medians of the rounds; a round is all cases at all of them."""
    cases = CASES
    if options.small:
        cases = tuple(
            replace(c, mails=max(3, c.mails // 100), users=max(min(c.users, 20), c.recipients)) for c in CASES
        )
        cases = tuple(replace(c, octets=min(c.octets, 2**20), connections=min(c.connections, 10)) for c in cases)
    rounds = [(case, number) for number in range(options.rounds) for case in cases]
    found: dict[str, dict[str, list[Outcome]]] = {case.name: {} for case in cases}
    for case, _ in options.steps("throughput", rounds):
        for name, outcome in once(case, workers=options.workers).items():
            found[case.name].setdefault(name, []).append(outcome)
    return told(cases, found, options.rounds, workers=options.workers)


def told(
    cases: tuple[Case, ...], found: dict[str, dict[str, list[Outcome]]], rounds: int, *, workers: int = 0
) -> Result:
    """Rates with the processor time of a mail beside them, ratios, and a chart of the ratios."""
    names = [*SINKS, ACCEPTED, DEVICE]
    rows: list[list[Cell]] = []
    ratios: dict[str, list[float | None]] = {name: [] for name in names if name != BARE}
    ratio_rows: list[list[Cell]] = []
    for case in cases:
        outcomes = {name: found[case.name].get(name, []) for name in names}
        rates = {name: median(o.mails / o.took_s for o in each) for name, each in outcomes.items() if each}
        costs = {name: 1000 * median(o.used_s / o.mails for o in each) for name, each in outcomes.items() if each}
        told = [f"{rates[name]:,.0f} · {costs[name]:.2f}" if name in rates else "refused" for name in names]
        rows.append([case.name, case.mails, *told])
        for name, values in ratios.items():
            values.append(round(rates[name] / rates[BARE], 3) if name in rates else None)
        slow = rates[DEVICE] / rates[SLOW] if SLOW in rates else None
        ratio_rows.append([case.name, *(values[-1] for values in ratios.values()), slow])
    shown = {name: ratios[name] for name in (SLOW, ACCEPTED, DEVICE)}
    return Result(
        suite="throughput",
        title="Throughput",
        about="smtp-sink and bare aiosmtpd keep nothing; Mailrise publishes over MQTT (at a mosquitto, once for each "
        "recipient) and keeps nothing; Postbell commits to disk before its 250, publishes retained at QoS 1, and has "
        "each acknowledged.",
        conditions="smtp-source; 4 KB a mail, many a connection, 10 connections, 1 user, 1 recipient but for what a "
        f"row says; Mailrise is offered a tenth of the mails. Medians of {rounds}."
        + (f" Postbell with {workers} workers." if workers else ""),
        tables=[
            Table(
                "Mails a second · milliseconds of processor time a mail",
                ["", "mails", *names],
                rows,
                "The processor time is that of the program that takes the mail, at Postbell's device with its broker; "
                "it is the figure that holds on a busy machine. Where Mailrise refused a mail (450) it has no figure.",
            ),
            Table(f"Rate ÷ {BARE}; last: Postbell's on the device ÷ Mailrise", ["", *ratios, "÷ Mailrise"], ratio_rows),
        ],
        charts=[Chart("throughput", f"Rate ÷ {BARE}", [case.name for case in cases], shown)],
    )


if __name__ == "__main__":
    sys.exit(suite.main(measure))
