"""PUBACKs that one client is owed: sent in the order of its PUBLISHes, each once its message is safe."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from broker import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.sessions import SessionStore

_TOGETHER = 16  # in one write; more would make the publisher idle until they come
_MOST = 4096  # PUBLISHes of one client that may wait for the disk


class Acks:
    """What is owed, until `end`. A message is safe when the store has committed its ticket [MQTT-4.6.0-2]."""

    __slots__ = ("_ended", "_owed", "_room", "_send", "_store")

    def __init__(self, *, store: SessionStore, send: Callable[[bytes], None]) -> None:
        self._store = store
        self._send = send
        self._owed: deque[tuple[int, int]] = deque()
        self._room: asyncio.Future[None] | None = None
        self._ended = False

    async def owe(self, ticket: int, packet_id: int) -> None:
        """Note a PUBLISH, and wait while too many are owed."""
        self._owed.append((ticket, packet_id))
        if len(self._owed) >= _TOGETHER:
            self.release()
        if len(self._owed) >= _MOST and not self._ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def release(self) -> None:
        """Send the PUBACKs of all messages that are safe by now, and the rest when the store commits."""
        owed, sent = self._owed, bytearray()
        while owed and owed[0][0] <= self._store.committed:
            sent += codec.encode_puback(owed.popleft()[1])
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
