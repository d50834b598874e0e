"""How long a mail takes, from the end of its data to 250, and from there to a device: idle, and at half load.

    make bench ARGS="latency [--small] [--rounds N] [--json FILE]"

Postbell beside the simplest bridge that there can be: aiosmtpd and paho, no store, 250 before anybody has the mail,
at a mosquitto. Sender and device are one process with one clock, the same for both. Each mail came once.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bridge.bench.figures import Latency
from bridge.bench.measuring import times
from bridge.bench.receiving import receiver
from bridge.bench.sending import flood, letters, pace, senders
from tests.bench import suite
from tests.bench.result import Chart, Result, Table, agree
from tests.bench.sinks import simple_bridge
from tests.bench.whole import ADDRESS, postbell
from tests.support.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.bench.figures import Spread
    from tests.bench.result import Cell
    from tests.bench.suite import Options

CONNECTIONS = 10
SIMPLE, POSTBELL = "simplest bridge, no store", "Postbell"


@dataclass(frozen=True)
class Place:
    """Where mail is handed in and where it comes out."""

    smtp: tuple[str, int]
    mqtt: tuple[str, int]
    login: tuple[str, str]
    topic: str


@contextmanager
def at_simple(mails: int) -> Iterator[Place]:
    """The one without a store."""
    del mails
    with (
        tempfile.TemporaryDirectory() as directory,
        Mosquitto(Path(directory), "max_queued_messages 0", verbose=False) as broker,
        simple_bridge(mosquitto=broker.port) as smtp,
    ):
        yield Place(smtp, broker.address(), ("", ""), "mail/u/msg/+")


@contextmanager
def at_postbell(mails: int) -> Iterator[Place]:
    """Ours, whose own count is compared as well."""
    with postbell({"POSTBELL_RETAIN__COUNT": str(mails + 1)}) as whole:
        yield Place(whole.smtp, whole.mqtt, whole.logins["u0"], "mail/u0/msg/+")
        whole.check("latency of Postbell", mails)


PLACES = {SIMPLE: at_simple, POSTBELL: at_postbell}


@dataclass(frozen=True)
class Amount:
    """How many mails: to find out what is possible, one after another, and at half of that."""

    most: int
    single: int
    paced: int

    @property
    def all(self) -> int:
        return self.most + self.single + self.paced


async def once(name: str, place: Place, amount: Amount) -> tuple[Latency, Latency]:
    """Idle, and at half load."""
    written = letters(amount.all, 4096, to=ADDRESS, run=secrets.token_hex(6))
    loop = asyncio.get_running_loop()
    async with receiver(place.mqtt, place.topic, place.login) as device:
        async with senders(place.smtp, CONNECTIONS) as lines:
            begun = loop.time()
            sent = await flood(lines, islice(written, amount.most), ADDRESS, lambda: None)
            await device.wait_for([each.mail_id for each in sent])
            possible = amount.most / (loop.time() - begun)
        async with senders(place.smtp, 1) as lines:
            lonely = []
            for letter in islice(written, amount.single):
                lonely += await flood(lines, [letter], ADDRESS, lambda: None)
                await device.wait_for([lonely[-1].mail_id])
        async with senders(place.smtp, CONNECTIONS) as lines:
            half = possible / 2
            paced = await pace(lines, islice(written, amount.paced), ADDRESS, lambda: None, mails_a_second=half)
        sent += lonely + paced
        await device.wait_for([each.mail_id for each in sent])
        once_each = len(device.first_at) if not device.twice else -device.twice
        agree(f"latency of {name}", amount.all, answered=len({each.mail_id for each in sent}), received_once=once_each)
        took_s = paced[-1].answered_at - paced[0].answered_at
        return (
            Latency.of(times(lonely, device), mails_a_second=0),
            Latency.of(times(paced, device), mails_a_second=(amount.paced - 1) / took_s),
        )


def measure(options: Options) -> Result:
    """Medians of the rounds."""
    amount = Amount(30, 10, 30) if options.small else Amount(2000, 300, 3000)
    found: dict[tuple[str, str], list[Latency]] = {}
    for number, name in options.steps("latency", [(n, name) for n in range(options.rounds) for name in PLACES]):
        del number
        with PLACES[name](amount.all) as place:
            idle, half = asyncio.run(once(name, place, amount))
        found.setdefault((name, "idle"), []).append(idle)
        found.setdefault((name, "half load"), []).append(half)
    return told(amount, found, options.rounds)


def told(amount: Amount, found: dict[tuple[str, str], list[Latency]], rounds: int) -> Result:
    """A row for each, the ratios that count, and a chart."""

    def middle(name: str, when: str, part: str) -> tuple[float, float]:
        spreads: list[Spread] = [getattr(latency, part) for latency in found[name, when]]
        return median(each.p50_ms for each in spreads), median(each.p99_ms for each in spreads)

    parts = {"end of DATA → 250": "to_250", "250 → device": "to_device", "end of DATA → device": "whole"}
    rows: list[list[Cell]] = []
    for (name, when), latencies in found.items():
        rate = median(latency.mails_a_second for latency in latencies)
        figures = [round(figure, 2) for part in parts.values() for figure in middle(name, when, part)]
        rows.append([name, when if not rate else f"{when}, {rate:,.0f}/s", *figures])
    ratios: list[list[Cell]] = []
    for what, part in parts.items():
        for when in ("idle", "half load"):
            ours, theirs = middle(POSTBELL, when, part), middle(SIMPLE, when, part)
            both = ours[0] / theirs[0] if theirs[0] else None, ours[1] / theirs[1] if theirs[1] else None
            ratios.append([f"{what}, {when}", *both, ours[1] / ours[0] if ours[0] else None])
    series: dict[str, list[float | None]] = {
        f"{name}, {when}, {which}": [middle(name, when, part)[place] for part in parts.values()]
        for name, when in found
        for place, which in enumerate(("p50", "p99"))
    }
    return Result(
        suite="latency",
        title="Latency",
        about="The simplest bridge publishes before it answers, and keeps nothing, so it shows what SMTP, MQTT and "
        "this machine take by themselves. Its device may be faster than its 250, which counts as 0.",
        conditions=f"4 KB a mail; {amount.single} one after another, then {amount.paced:,} at half of the rate that "
        f"{amount.most:,} over {CONNECTIONS} connections reached. Medians of {rounds}.",
        tables=[
            Table(
                "Milliseconds",
                ["", "load", *(f"{what}: {which}" for what in parts for which in ("p50", "p99"))],
                rows,
            ),
            Table("Postbell ÷ the simplest bridge", ["", "p50", "p99", "Postbell: p99 ÷ p50"], ratios),
        ],
        charts=[Chart("latency", "Milliseconds, end of DATA → …", list(parts), series, logarithmic=True)],
    )


if __name__ == "__main__":
    sys.exit(suite.main(measure))
