"""How much of Postbell one client, and all of them together, may take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.ingress import replies

if TYPE_CHECKING:
    from bridge.reply import Reply


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds on all sessions together, and on each.

    `commands` and `errors` count since the session's last accepted message, so that a server which
    keeps its connection for a day is never cut off and one that only talks is.
    """

    connections: int = 500
    connections_per_address: int = 100
    recipients: int = 1000
    commands: int = 10_000
    errors: int = 20
    command_timeout_s: float = 300
    session_timeout_s: float = 3600


class Gate:
    """Counts the open connections, together and by address, and says who may come in.

    Peers without an address (UNIX sockets) count only in the total. `limits` may be replaced at any time; who is in
    stays in.
    """

    def __init__(self, limits: SessionLimits) -> None:
        self.limits = limits
        self._total = 0
        self._by_address: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many connections are counted now."""
        return self._total

    def enter(self, address: str) -> Reply | None:
        """Count a connection in, or return the reply that refuses it (then nothing is counted)."""
        if self._total >= self.limits.connections:
            return replies.TOO_MANY_CONNECTIONS
        if address and self._by_address[address] >= self.limits.connections_per_address:
            return replies.TOO_MANY_FROM_ADDRESS
        self._total += 1
        if address:
            self._by_address[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection out that `enter` had counted in."""
        self._total -= 1
        if not address:
            return
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
