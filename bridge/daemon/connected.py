"""Which connection to the broker there is at this moment, for whoever has something to do on it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.contract.expiry import REPLY_S
from bridge.errors import LinkDownError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.publish.connection import BrokerConnection
    from bridge.requests.replies import ReturnPath


class Connected:
    """The connection while there is one. `connection` is None between two of them."""

    def __init__(self) -> None:
        self.connection: BrokerConnection | None = None
        self.met = asyncio.Event()
        """Set from the first connection on."""

    @contextmanager
    def by(self, connection: BrokerConnection) -> Iterator[None]:
        """This connection is the one within the block."""
        self.connection = connection
        self.met.set()
        try:
            yield
        finally:
            self.connection = None

    def require(self) -> BrokerConnection:
        """The connection; raises LinkDownError when there is none."""
        if self.connection is None:
            raise LinkDownError("not connected")
        return self.connection

    async def reply(self, path: ReturnPath, payload: bytes) -> None:
        """Publish a reply to a device, done at PUBACK; raises LinkDownError or PublishRefusedError."""
        await self.require().publish(path.topic, payload, retain=False, expiry_s=REPLY_S, correlation=path.correlation)
