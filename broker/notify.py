"""What the service manager is told of a broker that runs by itself (sd_notify(3)): ready, still turning, ending.

Nothing is told where nobody asks, as beside a bridge, which watches over its broker itself.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SEND_WITHIN_S = 1.0
"""How long a telling may take: a supervisor that does not read must not hold up devices."""
PINGS = 3
"""So many pings fall into the time after which the supervisor takes the loop for hung."""


class Supervisor:
    """Whoever started this process, as its environment says, out of which it is taken: no child is to speak."""

    def __init__(self, environment: MutableMapping[str, str], *, pid: int) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        limit, watched = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        self._watchdog_s = int(limit) / 1e6 if limit.isdecimal() and watched in {"", str(pid)} else 0.0

    def tell(self, text: str) -> None:
        """Say one thing, like `READY=1`."""
        if not self._address.startswith(("/", "@")):
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_WITHIN_S)
                sender.connect(self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address)
                sender.send(text.encode())
        except OSError as error:
            structlog.get_logger().warning("supervisor_not_told", told=text, reason=error.strerror or str(error))

    async def watch(self) -> None:
        """Ping from the event loop until cancelled; returns at once where nobody waits for pings."""
        while self._watchdog_s:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / PINGS)
