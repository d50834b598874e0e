"""What the service manager is told of this process: ready, how it does, that its event loop turns, that it ends.

The protocol is systemd's (sd_notify(3)): datagrams of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names.
Where there is no such socket, nothing is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

SEND_WITHIN_S = 1.0
"""How long a telling may take: a manager that does not read its socket must not hold up mail."""
BROKER_WITHIN_S = 10.0
"""How long a start waits for the broker, which takes a second or two: who comes after it is to find everything up."""
PINGS = 3
"""So many pings fall into the time after which the manager takes the loop for hung: it may stall for most of that."""


class Supervisor:
    """The service manager, as far as this process tells it something.

    `address` is None where nobody asked to be told; `watchdog_s` is None where nobody minds a loop that hangs.
    `monotonic` is CLOCK_MONOTONIC in seconds, by which a reload is told from an older one.
    """

    def __init__(
        self, address: str | None = None, *, watchdog_s: float | None = None, monotonic: Callable[[], float]
    ) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._monotonic = monotonic
        self._status = ""
        self._log = structlog.get_logger()

    @classmethod
    def of(cls, environment: MutableMapping[str, str], *, pid: int, monotonic: Callable[[], float]) -> Self:
        """Whoever started this process. What is said of it is taken out of the environment, so that no child speaks."""
        address = environment.pop("NOTIFY_SOCKET", "")
        watchdog_us, watched = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        if not address.startswith(("/", "@")):
            return cls(monotonic=monotonic)
        ours = watchdog_us.isdecimal() and int(watchdog_us) > 0 and watched in {"", str(pid)}
        return cls(address, watchdog_s=int(watchdog_us) / 1e6 if ours else None, monotonic=monotonic)

    def ready(self) -> None:
        """Mail can come in."""
        self._tell("READY=1")

    async def announce(self, broker_met: asyncio.Event, *, within_s: float = BROKER_WITHIN_S) -> None:
        """Ready once the broker was met, and without it after a while: mail can come in all the same."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):  # wait_for of Python 3.11 can swallow a cancellation
                await broker_met.wait()
        self.ready()

    def stopping(self) -> None:
        """Nothing new is begun from here on."""
        self._tell("STOPPING=1", "STATUS=finishing what is under way")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """The configuration is read again; ready once that is done, whether it could be used or not."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._monotonic() * 1e6)}")
        try:
            yield
        finally:
            self.ready()

    def status(self, text: str) -> None:
        """How it does, in one line for `systemctl status`."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text}")

    async def watch(self) -> None:
        """Ping from the event loop until cancelled; returns at once where nobody waits for pings."""
        if self._watchdog_s is None:
            return
        while True:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / PINGS)

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
                sender.settimeout(SEND_WITHIN_S)
                sender.connect(address)
                sender.send("\n".join(lines).encode())
        except OSError as error:
            self._log.warning("supervisor_not_told", told=lines[0], reason=error.strerror or str(error))
