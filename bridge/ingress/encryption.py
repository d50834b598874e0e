"""TLS in the place of a connection in the clear."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

HANDSHAKE_S = 30.0


async def encrypted(
    transport: asyncio.Transport, protocol: asyncio.Protocol, context: ssl.SSLContext, *, early: Callable[[], bytes]
) -> asyncio.Transport:
    """The transport that speaks TLS over this one. Raises OSError when the handshake fails; then both are closed.

    `early` gives, when asked, what has come of the handshake already: a sender may be quicker than we are.
    """
    loop = asyncio.get_running_loop()
    handshake = loop.create_task(
        loop.start_tls(transport, protocol, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S),
        name="smtp-handshake",
    )
    pass_on = functools.partial(_pass_on, transport, early)
    loop.call_soon(loop.call_soon, pass_on)  # behind the task's first step, which stops reading
    try:
        secure = await handshake
    finally:
        handshake.cancel()
    if secure is None:
        raise ConnectionAbortedError("the connection was lost")
    return secure


def _pass_on(transport: asyncio.Transport, early: Callable[[], bytes]) -> None:
    """Give TLS the beginning of its handshake, which came before TLS was there.

    Called in the step of the loop in which TLS takes its place, and before more is read.
    """
    tls = cast("asyncio.BufferedProtocol", transport.get_protocol())  # uvloop's is one in all but inheritance
    came = memoryview(early())
    while came:
        room = cast("memoryview", tls.get_buffer(len(came)))
        count = min(len(room), len(came))
        room[:count] = came[:count]
        tls.buffer_updated(count)
        came = came[count:]
