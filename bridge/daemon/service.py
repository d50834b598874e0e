"""What is done on one connection to the broker, from the moment it stands until it is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from bridge.daemon.connected import Connected
    from bridge.daemon.inbound import Inbound
    from bridge.daemon.presence import Presence
    from bridge.publish.connection import BrokerConnection
    from bridge.publish.outbox import Outbox
    from bridge.publish.replay import Replay


class Service:
    """Hears requests, compares what the broker holds, and publishes. `ready` is called at the first connection.

    What else is to be done on each connection is `beside`, by the names of its tasks.
    """

    def __init__(
        self,
        *,
        connected: Connected,
        presence: Presence,
        inbound: Inbound,
        replay: Replay,
        outbox: Outbox,
        ready: Callable[[], None],
        beside: Mapping[str, Callable[[BrokerConnection], Coroutine[Any, Any, None]]],
    ) -> None:
        self._connected = connected
        self._presence = presence
        self._inbound = inbound
        self._replay = replay
        self._outbox = outbox
        self._ready = ready
        self._beside = beside

    async def serve(self, connection: BrokerConnection) -> None:
        """Serve one connection until cancelled. A defect in any of the tasks ends all of them, and is raised."""
        try:
            with self._connected.by(connection):
                self._presence.tell()
                ready, self._ready = self._ready, lambda: None
                ready()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._inbound.clear_retained(connection), name="retained-requests")
                    tasks.create_task(self._inbound.listen(connection), name="requests")
                    tasks.create_task(self._replay.keep(connection), name="reconcile")
                    tasks.create_task(self._outbox.run(connection), name="outbox")
                    for name, work in self._beside.items():
                        tasks.create_task(work(connection), name=name)
        finally:
            self._presence.tell()
