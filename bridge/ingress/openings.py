"""The listeners that are wanted: each is open, or tried again until it is, while the others work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from bridge.config import ports
from bridge.config.ports import Trouble
from bridge.errors import ConfigurationError
from bridge.ingress.listeners import Listener, SocketFile, open_listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from bridge.config.endpoints import Endpoint
    from bridge.config.system import Fault
    from bridge.ingress.accepting import Met

KEYS: Final = {"smtp": ("smtp", "listen"), "smtps": ("smtp", "tls_listen"), "lmtp": ("lmtp", "listen")}
"""The key that each listener is configured by."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A listener as it is to be; `take` gives the socket that somebody else opened for it, if there is one.

    With `met` connections are not made into protocols by `factory`, but given to it.
    """

    name: str
    address: Endpoint
    factory: Callable[[], asyncio.BaseProtocol]
    met: Met | None = None
    preferred_port: int = 0
    take: Callable[[Endpoint], socket.socket | None] = lambda _: None


class Openings:
    """`delay_s` says how long to wait before which try, counted from 0; `changed` is called when one opens late."""

    def __init__(
        self, *, socket_file: SocketFile, delay_s: Callable[[int], float], changed: Callable[[], None]
    ) -> None:
        self._socket_file = socket_file
        self._delay_s = delay_s
        self._changed = changed
        self._missing: list[Wanted] = []
        self._open: dict[str, Listener] = {}
        self.awaited: dict[str, str] = {}
        """Why each that is not open is not, by its name."""

    @property
    def addresses(self) -> dict[str, str]:
        """Where each open listener is reached, by its name."""
        return {name: str(listener.address) for name, listener in self._open.items()}

    async def start(self, wanted: Iterable[Wanted]) -> None:
        """Open what can be opened now. Raises ConfigurationError, with nothing open, for what never can."""
        try:
            for each in wanted:
                try:
                    await self._try(each)
                except OSError as error:
                    await self._await(each, error)
        except BaseException:
            self.close()
            raise

    async def run(self) -> None:
        """Open the others as soon as they can be; returns then. Raises ConfigurationError as `start`."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._missing:
                tasks.create_task(self._try_on(each), name=f"open-{each.name}")
        self._missing.clear()

    def close(self) -> None:
        """Accept nobody any more."""
        for listener in self._open.values():
            listener.close()
        self._open.clear()

    async def _try(self, wanted: Wanted) -> None:
        self._open[wanted.name] = await open_listener(
            wanted.factory,
            wanted.address,
            preferred_port=wanted.preferred_port,
            socket_file=self._socket_file,
            met=wanted.met,
            handed=wanted.take(wanted.address),
        )

    async def _await(self, wanted: Wanted, error: OSError) -> None:
        """Note why it is not open, and tell it with its cure."""
        fault = await _judged(wanted, error)
        self._missing.append(wanted)
        self.awaited[wanted.name] = fault.problem
        log.warning(
            "listener_awaited",
            listener=wanted.name,
            address=str(wanted.address),
            reason=fault.problem,
            cure=f"{fault.name}: {fault.cure}",
        )

    async def _try_on(self, wanted: Wanted) -> None:
        attempt = 0
        while wanted.name in self.awaited:
            await asyncio.sleep(self._delay_s(attempt))
            attempt += 1
            try:
                await self._try(wanted)
            except OSError as error:
                self.awaited[wanted.name] = (await _judged(wanted, error)).problem
            else:
                del self.awaited[wanted.name]
        log.info("ingress_listening", **self.addresses)
        self._changed()


async def _judged(wanted: Wanted, error: OSError) -> Fault:
    """What is wrong in words, if it may pass; raises ConfigurationError if not."""
    key = KEYS[wanted.name]
    fault = await asyncio.to_thread(ports.fault, Trouble(key, wanted.address, error))
    if fault.may_pass:
        return fault
    raise ConfigurationError(f"{fault.name} = {str(wanted.address)!r}: {fault.problem}; {fault.cure}") from error
