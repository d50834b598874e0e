"""Floods of frames over WebSocket by strangers, for `broker_siege`: each goes on until its process is ended."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from tests.bench.broker_load import Running

_UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
_MASK = b"\0\0\0\0"  # which changes nothing
_PING = b"\x89\xfd" + _MASK + b"p" * 125
_EMPTY = b"\x82\x80" + _MASK
_FIRST, _FRAGMENT = b"\x02\x81" + _MASK + b"\x10", b"\x00\x81" + _MASK + b"a"


async def _flood(running: Running, first: bytes, frame: bytes) -> None:
    """Frames without end, and nothing is read but the answer to the handshake; who is cut off comes again at once."""
    assert running.websocket is not None, f"{running.name} has no listener for WebSocket here"
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(*running.websocket, limit=4096)
            writer.write(_UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first)
            while not writer.is_closing():
                writer.write(frame * 500)
                await writer.drain()
        await asyncio.sleep(0)


def _by(connections: int, frame: bytes, first: bytes = b"") -> Callable[[Running], Coroutine[Any, Any, None]]:
    async def flood(running: Running) -> None:
        await asyncio.gather(*(_flood(running, first, frame) for _ in range(connections)))

    return flood


FLOODS = {"pings": _by(1, _PING), "fragments": _by(20, _FRAGMENT, _FIRST), "empty": _by(20, _EMPTY)}
"""By their names: how many connections, and what they send."""
