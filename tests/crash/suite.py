"""What is to be run: seeds on brokers and scenarios, as jobs that know how they are run again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.crash.cluster.site import node_names
from tests.crash.installation import Options
from tests.crash.run import send_drawn
from tests.crash.scenarios import burst, slow_link
from tests.crash.schedule import Action, draw
from tests.crash.smtp_source import feed as send_with_smtp_source
from tests.crash.workers import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.crash.run import Feed
    from tests.crash.schedule import Schedule, Scope

THOROUGH = ("embedded", "mosquitto")
"""Brokers that get every seed of the default suite; the others get a few."""
MOVES = ((0.2, "bob"), (0.5, "alice"), (0.75, "bob"))
"""Who goes to the other cell, and when, as a share of the time that faults happen."""
OTHERS = ("mosquitto-forgetful", "nats", "nats-cluster")
SCENARIOS = {
    "slow-link": (slow_link(seconds=120, messages=600), send_drawn),
    "burst": (burst(messages=2000, seconds=12, kills=24), send_with_smtp_source),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One run. `name` is its seed or scenario; `again` are the arguments that run it again."""

    broker: str
    name: str
    schedule: Schedule
    feed: Feed
    options: Options
    again: str


def clustered(
    broker: str, seed: int, scope: Scope, *, store: str, bridges: int, cells: int = 1, mutation: str = ""
) -> Job:
    """A seed for so many bridges at a database, which is hit as well; with two cells users move between them."""
    names = node_names(bridges)
    scope = replace(
        scope,
        targets=(*names, "postgres", "broker", "alice/terminal", "bob/terminal"),
        links=("devices", *(f"{name}{kind}" for name in names for kind in ("", "-smtp", "-sql"))),
        root=False,
        broker_points=False,
    )
    if cells > 1:
        scope = replace(scope, targets=(*scope.targets, "cell"), links=(*scope.links, "cell"))
    schedule = draw(seed, scope)
    if cells > 1:
        moves = (Action(scope.seconds * when, "move", user) for when, user in MOVES)
        schedule = replace(schedule, actions=tuple(sorted((*schedule.actions, *moves), key=lambda each: each.at)))
    options = Options(broker=broker, mutation=mutation, store=store, bridges=bridges, cells=cells)
    more = f" --cells {cells}" if cells > 1 else ""
    more += f" --mutation {mutation}" if mutation else ""
    again = f"--seed {seed} --broker {broker} --store {store} --bridges {bridges}{more}"
    kind = f"{store[:4]} x{bridges}{f' @{cells}' if cells > 1 else ''}"
    return Job(f"{broker} {kind}", str(seed), schedule, send_drawn, options, again)


def seeded(broker: str, seed: int, scope: Scope, *, mutation: str = "", extra: str = "", workers: int = 0) -> Job:
    """A seed on a broker; with workers these are killed as well."""
    options = Options(broker=broker, mutation=mutation, workers=workers)
    if workers:
        scope = replace(scope, targets=(*scope.targets, NAME))
        extra += f" --workers {workers}"
    again = f"--seed {seed} --broker {broker}{f' --mutation {mutation}' if mutation else ''}{extra}"
    return Job(broker, str(seed), draw(seed, scope), send_drawn, options, again)


def scenario(name: str, broker: str) -> Job:
    """A scenario on a broker."""
    schedule, feed = SCENARIOS[name]
    return Job(broker, name, schedule, feed, Options(broker=broker), f"--scenario {name} --broker {broker}")


def everything(seeds: Iterable[int], scope: Scope) -> list[Job]:
    """About ten minutes: the scenarios, all seeds on two brokers, three on each of the others and with workers."""
    seeds = list(seeds)
    jobs = [scenario(name, "embedded") for name in SCENARIOS]
    jobs += [seeded(broker, seed, scope) for broker in THOROUGH for seed in seeds]
    jobs += [seeded("embedded", seed, scope, workers=2) for seed in seeds[:3]]
    return jobs + [seeded(broker, seed, scope) for broker in OTHERS for seed in seeds[:3]]
