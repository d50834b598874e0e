"""Connections that are passed on: accepted and counted here, conversed somewhere else.

The gate stays one for all: who may come in is decided before a connection is passed on, and whoever converses says when
it has gone. What cannot be passed on is conversed here, so nobody is turned away for want of another process. So is
whoever comes through a load balancer: who that is stands in the PROXY header, and is counted when it has been read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from bridge.ingress.limits import Gate

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from bridge.ingress.context import IngressContext
    from bridge.ingress.conversation import Conversation
    from bridge.ingress.limits import SessionLimits
    from bridge.reply import Reply


class Elsewhere(Protocol):
    """Those who converse in processes of their own. They tell `Ingress.gone` whoever has gone."""

    def take(self, descriptor: int, listener: str, address: str) -> bool:
        """Converse with the peer of this socket; false when nobody can now. The descriptor stays the caller's."""

    async def end(self, *, grace_s: float) -> None:
        """End as `Sessions.end` does, and let go of the processes."""


class Usher:
    """Who has been accepted is passed on or let in here, one listener's."""

    def __init__(
        self,
        listener: str,
        elsewhere: Elsewhere,
        *,
        context: Callable[[], IngressContext],
        here: Callable[[], Conversation],
    ) -> None:
        self._listener = listener
        self._elsewhere = elsewhere
        self._context = context
        self._here = here
        self._tasks: set[asyncio.Task[None]] = set()

    def met(self, accepted: socket.socket, address: str) -> None:
        """Have somebody converse over a connection; nothing was read from it yet."""
        context = self._context()
        if not context.trust.is_proxy(address) and context.gate.enter(address) is None:
            if self._elsewhere.take(accepted.fileno(), self._listener, address):
                accepted.close()  # ours; the connection lives on
                return
            context.gate.leave(address)
        task = asyncio.get_running_loop().create_task(self._converse(accepted), name=f"accepted-{self._listener}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._here, accepted)
        except OSError:  # it is gone
            accepted.close()


class PassedGate(Gate):
    """The gate for a connection that somebody else has counted in: it says when that is over."""

    def __init__(self, limits: SessionLimits, *, left: Callable[[], None]) -> None:
        super().__init__(limits)
        self._left = left

    def enter(self, address: str) -> Reply | None:
        """It may."""
        del address
        return None

    def leave(self, address: str) -> None:
        """Say so."""
        del address
        self._left()
