"""A door before a broker that speaks MQTT 5: what comes with 5 is refused as brokers did that knew only 3.1.1."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWERS: Mapping[str, bytes] = {
    "code 1": bytes.fromhex("20020001"),
    "reason 0x84": bytes.fromhex("2003008400"),
    "closes": b"",
}
"""What such brokers answer to CONNECT, before they close (MQTT 3.1.1 §3.2.2.3, MQTT 5 §3.2.2.2)."""
LEVEL = 8
"""Where the protocol level stands in a CONNECT with a remaining length of one byte (MQTT 3.1.1 §3.1.2.2)."""


class OldBroker:
    """Listens on `port` and passes on to a broker what speaks 3.1.1, and 5 while it `refuses` nothing.

    `levels` are those that came, in order.
    """

    def __init__(self, target: int, *, answer: bytes) -> None:
        self.levels: list[int] = []
        self.refuses = True
        self._target, self._answer = target, answer
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            head = await reader.readexactly(LEVEL + 1)
            self.levels.append(head[LEVEL])
            if head[LEVEL] == 5 and self.refuses:
                writer.write(self._answer)
                await writer.drain()
                writer.close()
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            far_writer.write(head)
            await asyncio.wait(
                [
                    asyncio.ensure_future(_pump(reader, far_writer)),
                    asyncio.ensure_future(_pump(far_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            writer.transport.abort()
            far_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
