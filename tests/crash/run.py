"""One run: mail goes in while faults happen, all comes to rest, and the history goes to the judge."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.errors import StoreUnavailableError
from tests.crash import messages
from tests.crash.cluster.cells import CellsInstallation
from tests.crash.cluster.installation import ClusterInstallation
from tests.crash.faults import heal, hurt
from tests.crash.installation import Installation, Options
from tests.crash.judge import Verdict, judge
from tests.crash.site import SLEEPER
from tests.crash.truth import Observer, differences, read_rings, read_store
from tests.support.waiting import until_on_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.crash.devices import Phone, Terminal
    from tests.crash.history import Wrong
    from tests.crash.schedule import Schedule

    Feed = Callable[[Installation], Awaitable[None]]

__all__ = ["Options", "Outcome", "run"]

TAKEN_S = 120.0
"""How long the last mail may take to be accepted once nothing goes wrong any more."""
QUIET_S = 1.0
"""What nothing changed for so long is taken for the end."""
TEND_S = 4.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run ended with. `stuck` says what never came to rest, empty when all did."""

    verdict: Verdict
    kills: int
    cuts: int
    faults: int
    seconds: float
    promotions: int = 0
    """How often a standby took the place of its primary."""
    stuck: str = ""
    complaints: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        return self.verdict.findings + ([f"stuck: {self.stuck}"] if self.stuck else [])


async def send_drawn(installation: Installation) -> None:
    """The mail of a seed, over a few sessions side by side."""
    schedule, users = installation.schedule, installation.site.users
    mails = [messages.draw(number, seed=schedule.seed, users=users) for number in range(schedule.messages)]
    await installation.sender.send(mails)


async def run(schedule: Schedule, options: Options, directory: Path, *, feed: Feed = send_drawn) -> Outcome:
    """One run in a directory of its own, which afterwards holds the history, logs and journals.

    `feed` hands the mail over while the faults happen.
    """
    await asyncio.to_thread(directory.mkdir, parents=True)
    with contextlib.ExitStack() as stack:
        several = CellsInstallation if options.cells > 1 else ClusterInstallation
        kind = Installation if options.store == "sqlite" else several
        return await _run(kind(schedule, options, directory, stack), feed, patience=options.patience)


async def _run(installation: Installation, feed: Feed, *, patience: float) -> Outcome:
    begun, stuck = time.monotonic(), ""
    try:
        await installation.start()
        try:
            await _work(installation, feed)
            await _rest(installation, patience=patience)
        except AssertionError as error:
            stuck = str(error)
        await _report(installation)
    finally:
        await installation.close()
    services, schedule = installation.services.values(), installation.schedule
    return Outcome(
        verdict=judge(
            installation.history.events,
            devices=installation.site.devices,
            live_count=schedule.live_count,
            sleepers=[f"{user}/{SLEEPER}" for user in installation.site.users] if installation.sleepers else [],
        ),
        kills=sum(service.killed for service in services),
        cuts=sum(link.cuts for link in installation.links.values()),
        faults=len(schedule.actions),
        seconds=time.monotonic() - begun,
        promotions=installation.promotions,
        stuck=stuck,
        complaints=[f"{service.name} {each}" for service in services for each in service.complaints],
    )


async def _work(installation: Installation, feed: Feed) -> None:
    """Send while the schedule's faults happen; then heal everything and see the sender to its end."""
    sending = asyncio.ensure_future(feed(installation))
    try:
        await hurt(installation)
        heal(installation)
        await until_on_loop(sending.done, patience_s=TAKEN_S, what="all mail to be taken")
        await sending
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


async def _rest(installation: Installation, *, patience: float) -> None:
    """Wait until outbox, screens and boxes stand still and agree; AssertionError if they never do."""
    clock = asyncio.get_running_loop().time
    deadline, quiet_since, tended, before = clock() + patience, clock(), clock(), ""
    while clock() - quiet_since < QUIET_S:
        if clock() > deadline:
            raise AssertionError(before)
        await asyncio.sleep(0.1)
        now = await asyncio.to_thread(unrest, installation)
        if now or now != before:
            quiet_since = clock()
        before = now
        if clock() - tended > TEND_S:
            tended = clock()
            for phone in installation.phones:
                phone.tend()


def unrest(installation: Installation) -> str:
    """What is not as it should be at the end, or an empty text."""
    try:
        stored, waiting = read_store(installation.site.database)
        rings = read_rings(installation.site.database)
        found = installation.unrest()
    except StoreUnavailableError as error:
        return f"no store: {error}"
    for terminal in installation.terminals:
        terminal.look()
    found += [f"{waiting} rows in the outbox"] if waiting else []
    found += [f"{rings} rings that wait"] if rings else []
    found += [f"{phone.asking} requests of {phone.name}" for phone in installation.phones if phone.asking]
    devices: list[Terminal | Phone] = [*installation.terminals, *installation.phones]
    boxes = {device.name: device.box() for device in devices}
    for name, box in boxes.items():
        live = stored[name.partition("/")[0]].live
        if box != live:
            found.append(f"{name} has {len(box)} messages in its box, the store {len(live)}")
    return ", ".join(found)


async def _report(installation: Installation) -> None:
    """Write down how it all ended: boxes, store, and what is wrong in the broker's retained set."""
    devices: list[Terminal | Phone] = [*installation.phones, *installation.terminals]
    for device in devices:
        device.report()
    if installation.sleepers is not None:
        installation.sleepers.report()
    site, history = installation.site, installation.history
    observers = [(Observer(site, address=address), users) for address, users in installation.brokers()]

    def wrong() -> list[Wrong]:
        stored, _ = read_store(site.database)
        return [
            each
            for observer, users in observers
            for each in differences({user: stored[user] for user in sorted(users)}, observer.retained())
        ]

    try:
        with contextlib.suppress(AssertionError):
            for observer, _ in observers:
                await until_on_loop(observer.complete.is_set, patience_s=10, what="the retained set")
            await until_on_loop(lambda: not wrong(), patience_s=5, what="the right retained set")
        stored, _ = read_store(site.database)
        for user, mine in stored.items():
            history.add(mine.of(user))
        for each in wrong():
            history.add(each)
    finally:
        for observer, _ in observers:
            observer.close()
