"""A TCP proxy that misbehaves on command: it cuts, delays, stalls, half-closes and refuses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import weakref
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with time 0: close sends RST


class Proxy:
    """Listens on a port of its own and connects each client to `target()`, a host and a port.

    `delay` holds every byte back for so many seconds each way; `stalled` keeps bytes where they are
    and connections open; `refusing` resets whoever comes.
    """

    def __init__(self, target: Callable[[], tuple[str, int]], *, host: str = "127.0.0.1") -> None:
        self.delay = 0.0
        self.refusing = False
        self.cuts = 0
        self.port = 0
        self._target = target
        self.host = host
        self._moving = asyncio.Event()
        self._moving.set()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._ended: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.heal()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection: what is under way is lost."""
        for pair in list(self._pairs):
            self.cuts += 1
            for writer in pair:
                _reset(writer)

    def half_close(self) -> None:
        """Tell each client that no more will come, and go on taking what it sends."""
        for client, _server in list(self._pairs):
            self._ended.add(client)
            with contextlib.suppress(OSError):
                client.write_eof()

    def stall(self) -> None:
        """Move no byte until `heal`."""
        self._moving.clear()

    def heal(self) -> None:
        """No fault any more, for new and for open connections."""
        self.delay = 0.0
        self.refusing = False
        self._moving.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            self._tasks.discard(task)
            _reset(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            return
        host, port = self._target()
        far_reader, far_writer = await asyncio.open_connection(host, port)
        pair = (writer, far_writer)
        self._pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer))
                both.create_task(self._pump(far_reader, writer))
        except* (OSError, EOFError):
            pass
        finally:
            self._pairs.discard(pair)
            _reset(far_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes of one direction, in order, each held back as long as the delay was when it came."""
        loop = asyncio.get_running_loop()
        waiting: deque[tuple[float, bytes]] = deque()
        arrived = asyncio.Event()

        async def send() -> None:
            while True:
                await arrived.wait()
                while waiting:
                    due, data = waiting[0]
                    await asyncio.sleep(max(0.0, due - loop.time()))
                    await self._moving.wait()
                    waiting.popleft()
                    if not data or writer.transport.is_closing() or writer in self._ended:
                        raise EOFError
                    writer.write(data)
                    await writer.drain()
                arrived.clear()

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            data = b"-"
            while data:
                data = await reader.read(CHUNK)
                waiting.append((loop.time() + self.delay, data))
                arrived.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
