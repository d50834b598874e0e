"""Where visitors come in: listening sockets, and each connection counted before anything is done for it.

The loop's own server would first agree on encryption with everybody, and only then tell us of anybody.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from bridge.http.door import Door
    from bridge.http.visitor import Visitor

BACKLOG = 128
PAUSE_S = 1.0
"""How long nobody is accepted when the system will not: it has no descriptors left, and others need them as well."""


async def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets at the addresses of a host, all at one port; raises OSError.

    A name may stand for an address that is not there, as `localhost` for one of IPv6, beside one that is.
    """
    loop = asyncio.get_running_loop()
    places = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, place in places:
        try:
            listener = socket.create_server(
                (place[0], bound[0].getsockname()[1] if bound else port), family=family, backlog=BACKLOG
            )
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                close(bound)
                raise
            absent = error
        else:
            listener.setblocking(False)
            bound.append(listener)
    if absent is not None and not bound:
        raise absent
    return bound


def close(listeners: list[socket.socket]) -> None:
    """Accept nobody any more."""
    for listener in listeners:
        listener.close()


class Entrance:
    """Lets visitors in. `invite` makes one, and is given what to call when it is over.

    `tls` is what they have to agree on first, within `handshake_s` seconds; None where nothing is. It may be replaced
    at any time, for those who come from then on.
    """

    def __init__(
        self,
        *,
        door: Door,
        invite: Callable[[Callable[[Visitor], None]], Visitor],
        tls: ssl.SSLContext | None,
        handshake_s: float,
    ) -> None:
        self._door = door
        self._invite = invite
        self.tls = tls
        self._handshake_s = None if tls is None else handshake_s
        self._welcoming: set[asyncio.Task[None]] = set()
        self.visitors: set[Visitor] = set()
        """Those that are here, or about to be."""
        self.visited = asyncio.Event()
        """Set as long as there may be some."""
        self._log = structlog.get_logger()

    async def accept(self, listener: socket.socket) -> None:
        """Let them in that come to this socket, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:
                self._log.warning("http_accepts_nobody", reason=error.strerror)
                await asyncio.sleep(PAUSE_S)
                continue
            peer = str(address[0])
            if self._door.enter(peer):
                task = loop.create_task(self._welcome(connection, peer), name="http-welcome")
                self._welcoming.add(task)
                task.add_done_callback(self._welcoming.discard)
            else:
                connection.close()

    def cut_off(self) -> None:
        """End all connections at once."""
        for task in self._welcoming:
            task.cancel()
        for visitor in list(self.visitors):
            visitor.cut_off()

    async def _welcome(self, connection: socket.socket, peer: str) -> None:
        def gone(visitor: Visitor) -> None:
            self.visitors.discard(visitor)
            self._door.leave(peer)

        visitor = self._invite(gone)
        self.visitors.add(visitor)
        self.visited.set()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: visitor, connection, ssl=self.tls, ssl_handshake_timeout=self._handshake_s
            )
        except OSError as error:
            self._log.debug("http_handshake_failed", peer=peer, problem=str(error))
            visitor.leave()
        except BaseException:
            visitor.leave()
            raise
