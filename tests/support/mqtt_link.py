"""A bad link for tests: a TCP proxy that delays every byte and cuts all connections again and again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self


class BadLink:
    """Listens on `address` and forwards to `target`: `delay` seconds each way, cut every `lifetime` seconds."""

    def __init__(self, target: tuple[str, int], *, delay: float, lifetime: float | None = None) -> None:
        self.cuts = 0
        self._target = target
        self._delay = delay
        self._lifetime = lifetime
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.address = server.sockets[0].getsockname()
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accept(self, reader, writer) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            pumps = [
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            ]
            await asyncio.wait(pumps, timeout=self._lifetime, return_when=asyncio.FIRST_COMPLETED)
            self.cuts += 1
            for pump in pumps:
                pump.cancel()
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader, writer) -> None:
        while data := await reader.read(65536):
            self._loop.call_later(self._delay, self._write, writer, data)

    @staticmethod
    def _write(writer, data) -> None:
        if not writer.transport.is_closing():
            writer.write(data)
