"""Connections as they are accepted: the socket and its peer, of which no transport is made yet."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Met = Callable[[socket.socket, str], None]
    """Takes an accepted connection, and the address of its peer: "" on a UNIX socket."""

AT_ONCE = 64
"""Connections accepted in one turn of the loop."""
REST_S = 1.0
"""How long nobody is accepted when the system has no descriptor or memory left."""

log = structlog.get_logger()


class Accepting:
    """Accepts on sockets that are bound, until it is closed."""

    def __init__(self, bound: Iterable[Any], met: Met, *, backlog: int) -> None:
        """Listen on duplicates of these; raises OSError when that cannot be."""
        self._met = met
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        try:
            for each in bound:
                ours = socket.socket(fileno=os.dup(each.fileno()))
                self._sockets.append(ours)
                ours.setblocking(False)
                ours.listen(backlog)
        except BaseException:
            self.close()
            raise
        for each in self._sockets:
            self._go_on(each)

    def close(self) -> None:
        """Accept nobody any more."""
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            self._loop.remove_reader(each.fileno())
            each.close()

    def _go_on(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("accepting_rests", reason=error.strerror, again_s=REST_S)
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(REST_S, self._go_on, listening)
                return
            accepted.setblocking(False)
            self._met(accepted, peer[0] if isinstance(peer, tuple) else "")
