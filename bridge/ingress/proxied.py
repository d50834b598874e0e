"""The header of a load balancer that names the real peer (PROXY v1 and v2), read by aiosmtpd's parser. Pure.

The parser is a coroutine that awaits nothing but bytes, so it is driven here by hand: it goes on when more has come.
"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING, Any

from aiosmtpd.proxy_protocol import get_proxy

if TYPE_CHECKING:
    from collections.abc import Generator

    from aiosmtpd.proxy_protocol import ProxyData

    from bridge.ingress.reading import Unread

LONGEST_FIRST_VERSION = 1024
"""Bytes in which its line has to end; it may have 107, and what is longer is refused."""


class IncomingProxyHeader:
    """One header that is coming in."""

    def __init__(self, incoming: Unread) -> None:
        self._incoming = incoming
        self._came = b""
        self._parser: Any = get_proxy(self)

    def go_on(self) -> ProxyData | None:
        """The header, once all of it has come; what is behind it is left where it was."""
        self._came += self._incoming.take()
        try:
            self._parser.send(None)
        except StopIteration as done:
            self._incoming.unread(self._came)
            header: ProxyData = done.value
            return header
        return None

    def close(self) -> None:
        """There will be no more."""
        self._parser.close()

    async def readexactly(self, n: int) -> bytes:
        """The next `n` bytes."""
        while len(self._came) < n:
            await _more()
        return self._take(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """The next line."""
        while separator not in self._came:
            if len(self._came) > LONGEST_FIRST_VERSION:
                raise ValueError("the line has no end")
            await _more()
        return self._take(self._came.index(separator) + len(separator))

    async def read(self, n: int = -1) -> bytes:
        """What has come, at most `n` bytes and at least one."""
        while not self._came:
            await _more()
        return self._take(n)

    def _take(self, n: int) -> bytes:
        taken, self._came = self._came[:n], self._came[n:]
        return taken


@coroutine
def _more() -> Generator[None, None, None]:
    yield
