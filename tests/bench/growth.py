"""How what a mail costs grows with what is stored, and with the devices that are connected.

    make bench ARGS="growth [--small] [--long] [--rounds N] [--json FILE]"

To 100,000 stored mails of users whose rings are full, a million with --long; to 10,000 devices. The exponent is the
slope of the straight line through the logarithms: 0 is no growth, 1 is in proportion.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import uvloop

from tests.bench import broker_idle, suite
from tests.bench.broker_load import BROKERS, allow_files
from tests.bench.result import Chart, Result, Table, exponent
from tests.bench.sizing import shared_once
from tests.bench.throughput import USUAL
from tests.bench.whole import postbell

if TYPE_CHECKING:
    from tests.bench.result import Cell
    from tests.bench.suite import Options


def stored(size: int, mails: int) -> dict[str, float]:
    """Intake with so many mails in the store."""
    case = replace(USUAL, name=f"intake with {size:,} stored", mails=mails)
    # As many as the users' rings hold, or they would have to give way.
    with postbell({"POSTBELL_RETAIN__COUNT": str(max(100, mails + 1))}, before=size) as whole:
        before = whole.used_s()
        took_s = case.offer(whole.smtp)
        whole.check(case.name, mails)
        bridge, broker = (new - old for old, new in zip(before, whole.used_s(), strict=True))
        facts = whole.system.facts
        return {
            "accepted a second": mails / took_s,
            "bridge, ms a mail": 1000 * bridge / mails,
            "broker, ms a mail": 1000 * broker / mails,
            "bridge, MB": shared_once(facts("bridge")["pid"]) / 1e6,
            "broker, MB": shared_once(facts("broker")["pid"]) / 1e6,
        }


async def devices(sizes: list[int], rounds: int) -> list[dict[str, float]]:
    """Publishing to one of so many devices, in rounds from size to size; each message reached its device."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(BROKERS["postbell"](size)) for size in sizes]
        there = [await broker_idle.populate(one, size, durable=True) for one, size in zip(running, sizes, strict=True)]
        for _ in range(rounds):
            for each in there:
                rate, cost = await broker_idle.publish_rate(each.running, each.publisher, each.devices)
                each.rates.append(rate)
                each.costs.append(cost)
    return [
        {"publishes a second": median(each.rates), "µs a publish": median(each.costs), "kB a device": each.kilobytes}
        for each in there
    ]


def table(title: str, what: str, sizes: list[int], found: list[dict[str, float]]) -> Table:
    """A row for each size, and the exponents below."""
    names = list(found[0])
    powers = {name: exponent(sizes, [each[name] for each in found]) for name in names}
    rows: list[list[Cell]] = [[f"{size:,}", *each.values()] for size, each in zip(sizes, found, strict=True)]
    return Table(title, [what, *names], [*rows, ["exponent", *(f"{power:.2f}" for power in powers.values())]])


def measure(options: Options) -> Result:
    """Both."""
    sizes, mails = ([100, 300], 30) if options.small else ([1000, 10_000, 100_000], 3000)
    if options.long:
        sizes.append(1_000_000)
    kept: list[list[dict[str, float]]] = [[] for _ in sizes]
    steps = [(place, size) for _ in range(options.rounds) for place, size in enumerate(sizes)]
    for place, size in options.steps("growth, stored mails", steps):
        kept[place].append(stored(size, mails))
    of_stored = [{name: median(one[name] for one in rounds) for name in rounds[0]} for rounds in kept]
    crowds = [10, 30] if options.small else [100, 1000, 10_000]
    allow_files(sum(crowds) + 500)
    of_devices = uvloop.run(devices(crowds, options.rounds))
    ratio = of_stored[-1]["accepted a second"] / of_stored[0]["accepted a second"]
    return Result(
        suite="growth",
        title="Growth",
        about="The store has rings of 100 live mails of very many users; mail comes for one more user. The broker has "
        "devices with sessions that stay, each subscribed to its user's tree; publishes go to one device each.",
        conditions=f"{mails:,} mails of 4 KB, many a connection, 10 connections; medians of {options.rounds}.",
        tables=[
            table("Mails in the store", "stored", sizes, of_stored),
            Table("Intake", ["", "÷"], [[f"with {sizes[-1]:,} stored ÷ with {sizes[0]:,}", ratio]]),
            table("Devices at the broker", "devices", crowds, of_devices),
        ],
        charts=[
            Chart(
                "growth-stored",
                "Milliseconds of processor a mail",
                sizes,
                {name: [each[name] for each in of_stored] for name in ("bridge, ms a mail", "broker, ms a mail")},
                "mails in the store",
                "ms",
                logarithmic=True,
            ),
            Chart(
                "growth-devices",
                "Microseconds of the broker's processor a publish",
                crowds,
                {"µs a publish": [each["µs a publish"] for each in of_devices]},
                "devices",
                "µs",
                logarithmic=True,
            ),
        ],
    )


if __name__ == "__main__":
    sys.exit(suite.main(measure))
