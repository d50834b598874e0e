"""The misbehaving proxy of the crash suite, for tests that are not asyncio: it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from tests.crash.proxy import Proxy
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable


class Cuttable:
    """A port in front of `target()`; `drop` resets a connection, whatever is under way."""

    def __init__(self, target: Callable[[], tuple[str, int]]) -> None:
        self._proxy = Proxy(target)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._proxy.port

    @property
    def cuts(self) -> int:
        """Connections that were reset."""
        return self._proxy.cuts

    def drop(self) -> None:
        """Reset the connection that there is, or the next."""
        before = self.cuts

        def cut() -> bool:
            self._call(self._proxy.cut)
            return self.cuts > before

        until(cut, what="a connection to cut")

    def stall(self) -> None:
        """Move no byte until `heal`, and say nothing: what a NAT does that has forgotten a connection."""
        self._call(self._proxy.stall)

    def heal(self) -> None:
        self._call(self._proxy.heal)

    def _call(self, what: Callable[[], None]) -> None:
        async def call() -> None:
            what()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result(10)
        return self

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self._proxy.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
