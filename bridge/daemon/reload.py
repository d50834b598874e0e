"""SIGHUP: the configuration is read again, and what can be changed in a running process is changed.

All or nothing: the whole configuration is judged first, with what belongs to the broker and to the system, and
whatever can fail is made ready before the first part is given anything. Then the broker reads it, too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from bridge.config import changes
from bridge.daemon import live
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.config.judging import Judgement
    from bridge.config.settings import Settings
    from bridge.daemon.notify import Supervisor


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of it: dotted keys that hold from now on, and those that wait for a restart. With problems, neither.

    `broker` is the same of the broker that runs on this state directory, as it says it; None when none does.
    """

    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    broker: dict[str, Any] | None = None


class Reload:
    """Reloads whenever it is asked to, one after the other.

    `judge` reads the configuration anew, and may take its time. `current` gives the settings that hold; `use` has
    others hold, or raises ConfigurationError and leaves all as it is. `tell_broker` has the broker do the same.
    """

    def __init__(
        self,
        *,
        judge: Callable[[], Judgement],
        current: Callable[[], Settings],
        use: Callable[[Settings], None],
        tell_broker: Callable[[], Awaitable[dict[str, Any] | None]],
        supervisor: Supervisor,
    ) -> None:
        self._judge = judge
        self._current = current
        self._use = use
        self._tell_broker = tell_broker
        self._supervisor = supervisor
        self._asked = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._log = structlog.get_logger()

    def ask(self) -> None:
        """Reload soon: for the handler of a signal."""
        self._asked.set()

    async def run(self) -> None:
        """Reload as often as it is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.once()

    async def once(self) -> Reloaded:
        """Reload now; never raises for what is wrong with the configuration."""
        async with self._one_at_a_time:
            with self._supervisor.reloading():
                reloaded = await self._reload()
        if reloaded.problems:
            self._log.error("reload_failed", problems=list(reloaded.problems))
            return reloaded
        self._log.info("reloaded", changed=list(reloaded.changed))
        if reloaded.needs_restart:
            self._log.warning("reload_needs_restart", keys=list(reloaded.needs_restart))
        return reloaded

    async def _reload(self) -> Reloaded:
        try:
            judged = await asyncio.to_thread(self._judge)
            problems = [str(problem) for problem in judged.problems if not problem.may_pass]
            if problems:
                return Reloaded(problems=tuple(problems))
            found = changes.between(self._current(), judged.settings, live=live.KEYS)
            self._use(found.settings)
        except PostbellError as error:
            return Reloaded(problems=tuple(str(error).splitlines()))
        return Reloaded(found.changed, found.needs_restart, broker=await self._tell_broker())
