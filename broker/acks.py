"""Acknowledgements that one client is owed: sent in the order in which it earned them, each once it is safe."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.sessions import SessionStore

_TOGETHER = 16  # in one write; more would make the publisher idle until they come
_MOST = 4096  # acknowledgements of one client that may wait for the disk


class Acks:
    """What is owed, until `end`. It is safe when the store has committed its ticket [MQTT-4.6.0-2].

    `open` counts the messages with a QoS of 1 or 2 whose last acknowledgement was not sent (§4.9).
    """

    __slots__ = ("_ended", "_owed", "_room", "_send", "_store", "open")

    def __init__(self, *, store: SessionStore, send: Callable[[bytes], None]) -> None:
        self.open = 0
        self._store = store
        self._send = send
        self._owed: deque[tuple[int, bytes, bool]] = deque()
        self._room: asyncio.Future[None] | None = None
        self._ended = False

    def owe(self, ticket: int, data: bytes, *, last: bool) -> None:
        """Note an acknowledgement, and whether it is the last of its message. Nothing may come before there is room."""
        owed = self._owed
        owed.append((ticket, data, last))
        if len(owed) % _TOGETHER == 0:
            self.release()

    @property
    def full(self) -> bool:
        """Whether so many are owed that the client has to wait for `room`."""
        return len(self._owed) >= _MOST and not self._ended

    async def room(self) -> None:
        """Wait while too many are owed."""
        if self.full:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def release(self) -> None:
        """Send those that are safe by now, and the rest when the store commits."""
        owed, sent, committed = self._owed, bytearray(), self._store.committed
        while owed and owed[0][0] <= committed:
            _, data, last = owed.popleft()
            sent += data
            if last and self.open:
                self.open -= 1
        if sent:
            self._send(bytes(sent))
        if owed and not self._ended:
            self._store.call_on_commit(self.release)
        elif self._room is not None and not self._room.done():
            self._room.set_result(None)

    def end(self) -> None:
        """The connection has ended: nobody waits any more."""
        self._ended = True
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
