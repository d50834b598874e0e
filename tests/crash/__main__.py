"""`python -m tests.crash`: runs against brokers, a table, a summary; the exit code says whether all was kept."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.cluster.installation import STORES
from tests.crash.cluster.mutations import CLUSTER_MUTATIONS
from tests.crash.mutations import MUTATIONS
from tests.crash.privilege import may_mount_and_unplug
from tests.crash.registry import BROKERS
from tests.crash.report import Table
from tests.crash.run import Outcome, run
from tests.crash.schedule import Scope
from tests.crash.suite import SCENARIOS, THOROUGH, Job, clustered, everything, scenario, seeded

SEEDS = 10


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="run this seed; repeatable")
    parser.add_argument("--seeds", type=int, help="run so many seeds, from --first on")
    parser.add_argument("--first", type=int, default=1, help="the first of --seeds")
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS), help="run this; repeatable")
    parser.add_argument("--broker", action="append", choices=sorted(BROKERS), help="on these brokers; repeatable")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long the faults of a seed last")
    parser.add_argument("--kills", type=int, default=24, help="how many kills a seed has in its schedule")
    parser.add_argument("--messages", type=int, default=240, help="how many messages a seed sends")
    parser.add_argument("--workers", type=int, default=0, help="how many workers a bridge has; they are killed as well")
    parser.add_argument("--store", default="sqlite", choices=["sqlite", *STORES], help="what the bridges share")
    parser.add_argument("--bridges", type=int, default=2, help="how many share a store that can be shared")
    parser.add_argument("--cells", type=int, default=1, choices=[1, 2], help="between how many brokers users move")
    parser.add_argument(
        "--mutation", default="", choices=sorted(MUTATIONS | CLUSTER_MUTATIONS), help="break the programs on purpose"
    )
    parser.add_argument("--keep", type=Path, help="keep histories and logs of all runs here, not only of failed ones")
    return parser.parse_args(arguments)


def jobs_of(given: argparse.Namespace) -> list[Job]:
    """The runs that were asked for; without a choice, the whole suite."""
    scope = Scope(kills=given.kills, seconds=given.seconds, messages=given.messages, root=may_mount_and_unplug())
    seeds = given.seed or list(range(given.first, given.first + (given.seeds or SEEDS)))
    if given.store != "sqlite":
        broken = {"store": given.store, "bridges": given.bridges, "cells": given.cells, "mutation": given.mutation}
        return [clustered(broker, s, scope, **broken) for broker in given.broker or ("mosquitto",) for s in seeds]
    brokers = given.broker or list(THOROUGH)
    if not (given.seed or given.seeds or given.scenario or given.broker or given.mutation):
        return everything(seeds, scope)
    chosen = [(given.seconds, 12.0, "seconds"), (given.kills, 24, "kills"), (given.messages, 240, "messages")]
    extra = "".join(f" --{name} {value:g}" for value, usual, name in chosen if value != usual)
    jobs = [scenario(name, broker) for name in given.scenario or () for broker in brokers]
    if given.scenario and not (given.seed or given.seeds):
        return jobs
    broken = {"mutation": given.mutation, "workers": given.workers}
    return jobs + [seeded(broker, s, scope, extra=extra, **broken) for broker in brokers for s in seeds]


async def main(arguments: list[str]) -> int:
    given = parse(arguments)
    if not may_mount_and_unplug():
        sys.stdout.write("not root: no disk that fills up, no network namespace whose link goes down\n")
    me = asyncio.current_task()
    assert me is not None
    for number in (signal.SIGINT, signal.SIGTERM):  # ends the processes, the mounts and the namespaces, too
        asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    table, slots = Table(), asyncio.Semaphore(given.jobs)
    base = given.keep or Path(tempfile.mkdtemp(prefix="postbell-crash-"))

    async def one(job: Job) -> Outcome:
        async with slots:
            directory = base / f"{job.broker}-{job.name}-{time.time_ns()}"
            outcome = await run(job.schedule, job.options, directory, feed=job.feed)
            table.add(job, outcome, directory, keep=given.keep is not None)
            return outcome

    outcomes = await asyncio.gather(*(one(job) for job in jobs_of(given)))
    table.summary(outcomes)
    return int(any(outcome.findings for outcome in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(sys.argv[1:])))
    except asyncio.CancelledError:
        sys.exit(130)
