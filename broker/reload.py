"""SIGHUP: the configuration is read again, and what can be changed while clients are connected is changed.

What came of it is logged and told in the run file, for whoever sent the signal.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import structlog

from broker.errors import ConfigurationError
from broker.keys import declared
from broker.settings import BrokerLimits, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from broker.settings import Settings

LIVE: Final = frozenset(
    {
        *(f"limits.{key}" for key in declared(BrokerLimits)),
        *("broker.session_days", "broker.keep_alive", "broker.tls_cert", "broker.tls_key"),
        *("broker.proxies", "broker.origins", "log.level"),
    }
)
"""Dotted keys. What is not among them holds from the next start on."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of the reload of this number: keys that hold from now on, and those that wait for a restart."""

    number: int
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Reload:
    """Reloads whenever it is asked to.

    `load` reads the configuration anew; `use` has its live keys hold, or raises ConfigurationError and leaves all as
    it is; `tell` puts what came of it where others look.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: Callable[[], Settings],
        use: Callable[[Settings], None],
        tell: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._first = self._settings = settings
        self._load = load
        self._use = use
        self._tell = tell
        self._number = 0
        self._asked = asyncio.Event()
        self._log = structlog.get_logger()

    def ask(self) -> None:
        """Reload soon: for the handler of a signal."""
        self._asked.set()

    async def run(self) -> None:
        """Reload as often as it is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self.once()

    def once(self) -> None:
        """Reload now."""
        self._number += 1
        try:
            wanted = self._load()
            self._use(wanted)
        except ConfigurationError as error:
            reloaded = Reloaded(self._number, problems=tuple(str(error).splitlines()))
            self._log.error("reload_failed", problems=list(reloaded.problems))
        else:
            changed = tuple(key for key in _differing(self._settings, wanted) if key in LIVE)
            staying = tuple(key for key in _differing(self._first, wanted) if key not in LIVE)
            reloaded = Reloaded(self._number, changed, staying)
            self._settings = wanted
            self._log.info("reloaded", changed=list(changed))
            if staying:
                self._log.warning("reload_needs_restart", keys=list(staying))
        self._tell(asdict(reloaded))


def _differing(before: Settings, after: Settings) -> list[str]:
    """The dotted keys that have another value."""
    keys = []
    for name in (each.name for each in fields(after)):
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(new, Section):
            keys += [f"{name}.{key}" for key in declared(type(new)) if getattr(old, key) != getattr(new, key)]
        elif old != new:
            keys.append(name)
    return keys
