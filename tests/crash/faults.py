"""Faults as they happen: the actions of a schedule, done to an installation, and their end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.crash.history import Fault

if TYPE_CHECKING:
    from tests.crash.installation import Installation
    from tests.crash.proxy import Proxy
    from tests.crash.schedule import Action

DELAY_S = 0.15


async def hurt(installation: Installation) -> None:
    """Do what the schedule says, when it says so; return when its time is over."""
    schedule, clock = installation.schedule, asyncio.get_running_loop().time
    begun = clock()
    async with asyncio.TaskGroup() as acting:
        for action in schedule.actions:
            await asyncio.sleep(max(0.0, begun + action.at - clock()))
            acting.create_task(_act(installation, action), name=action.kind)
            for terminal in installation.terminals:
                terminal.look()
        await asyncio.sleep(max(0.0, begun + schedule.seconds - clock()))


def heal(installation: Installation) -> None:
    """Nothing goes wrong any more."""
    for link in installation.links.values():
        link.heal()
    if installation.sleepers is not None:
        installation.sleepers.heal()
    for service in installation.services.values():
        service.disarm()
        service.resume()
    installation.history.add(Fault("healed", "all"))


async def _act(installation: Installation, action: Action) -> None:
    if action.kind == "kill":
        installation.services[action.target].kill()
    elif action.kind == "stop":
        service = installation.services[action.target]
        service.stop()
        await asyncio.sleep(action.seconds)
        service.resume()
    elif action.kind == "move":
        await installation.move(action.target)
    else:
        installation.history.add(Fault(action.kind, action.target))
        if action.kind == "disk":
            assert installation.disk is not None
            await installation.disk.full(action.seconds)
        elif action.kind == "netns":
            assert installation.namespace is not None
            await installation.namespace.down(action.seconds)
        else:
            await _disturb(installation.links[action.target], action)


async def _disturb(link: Proxy, action: Action) -> None:
    if action.kind == "cut":
        link.cut()
        return
    if action.kind == "half_close":
        link.half_close()
    elif action.kind == "delay":
        link.delay = DELAY_S
    elif action.kind == "stall":
        link.stall()
    else:
        link.refusing = True
        link.cut()
    await asyncio.sleep(action.seconds)
    link.heal()
