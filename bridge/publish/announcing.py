"""Home Assistant is told of users that have a device for it: retained, and put right on each connection.

As with mail the broker holds a projection: at each connection all that is wanted is published, what is found there of
ours and is not wanted is cleared, and a change is published as it comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.contract import discovery
from bridge.errors import LinkDownError, PublishRefusedError, RefusedError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from bridge.publish.connection import BrokerConnection

RETRY_S = 5.0
"""After the store could not be read."""
BIRTHS_S = 10.0
"""How often at most Home Assistant is told all anew: any device may say that it has started."""


class Announcing:
    """Keeps what Home Assistant finds below `prefix`. `users` are the names of those that have a device for it."""

    def __init__(
        self,
        *,
        prefix: str,
        root: str,
        node: str,
        version: str,
        users: Callable[[], Awaitable[Collection[str]]],
        monotonic: Callable[[], float],
    ) -> None:
        self._prefix, self._root, self._node, self._version = prefix, root, node, version
        self._users = users
        self._monotonic = monotonic
        self._changed = asyncio.Event()
        self._again = False
        self._next_birth_s = 0.0
        self._announced: dict[str, bytes] = {}
        """What was published on this connection, or found there."""
        self._asking = True
        self._unheard = ""
        """Why nothing is heard on this connection, if so: told as soon as there is somebody whom that concerns."""
        self._refused = False
        self._log = structlog.get_logger()

    def wake(self) -> None:
        """Users or devices may have changed."""
        self._changed.set()

    def heard(self, topic: str, payload: bytes) -> None:
        """A message below the prefix: that Home Assistant has started, or our own."""
        if topic == discovery.status(self._prefix) and payload == discovery.ONLINE:
            self._again = True
            self.wake()

    async def keep(self, connection: BrokerConnection) -> None:
        """Announce, and again whenever something changed, until the connection is lost."""
        self._announced, self._refused, self._unheard = {}, False, ""
        try:
            with connection.retained(self._found):
                if self._asking:
                    await self._subscribe(connection)
                while not connection.closed.done():
                    self._changed.clear()
                    await self._bring_up_to_date(connection)
                    await self._changed.wait()
        except LinkDownError:
            pass

    def _found(self, topic: str, payload: bytes) -> None:
        """One that is retained: of ours it is known from now on, as others' are not."""
        start, end = discovery.any_topic(self._prefix).split("+")
        if topic.startswith(start) and topic.endswith(end) and discovery.is_of(payload, node=self._node):
            self._announced.setdefault(topic, payload)
            self.wake()

    async def _subscribe(self, connection: BrokerConnection) -> None:
        """A broker that ends the connection over this is not asked again: mail comes first."""
        self._asking = False
        try:
            await connection.subscribe([discovery.any_topic(self._prefix), discovery.status(self._prefix)], qos=0)
        except (RefusedError, TimeoutError) as error:
            self._unheard = str(error) or "no answer to the subscription"
        self._asking = True

    async def _bring_up_to_date(self, connection: BrokerConnection) -> None:
        try:
            wanted = self._wanted(await self._users())
        except StoreUnavailableError:
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)
            return
        if wanted and self._unheard:
            self._tell(self._unheard)
        anew = self._is_due()
        for topic in self._announced.keys() - wanted.keys():
            await self._publish(connection, topic, b"")
            del self._announced[topic]
        for topic, payload in wanted.items():
            if anew or self._announced.get(topic) != payload:
                await self._publish(connection, topic, payload)
                self._announced[topic] = payload

    def _wanted(self, users: Collection[str]) -> Mapping[str, bytes]:
        return {
            discovery.topic(self._prefix, self._root, user): discovery.payload(
                root=self._root, user=user, node=self._node, version=self._version
            )
            for user in users
        }

    def _is_due(self) -> bool:
        """Whether all is to be told anew now, as Home Assistant has started; too soon after the last time it waits."""
        if not self._again:
            return False
        left_s = self._next_birth_s - self._monotonic()
        if left_s > 0:
            asyncio.get_running_loop().call_later(left_s, self.wake)
            return False
        self._again, self._next_birth_s = False, self._monotonic() + BIRTHS_S
        return True

    async def _publish(self, connection: BrokerConnection, topic: str, payload: bytes) -> None:
        try:
            await connection.publish(topic, payload, retain=True)
        except PublishRefusedError as error:
            self._tell(str(error))
        else:
            self._log.info("discovery_published", topic=topic, gone=not payload)

    def _tell(self, reason: str) -> None:
        if not self._refused:
            self._refused = True
            self._log.warning("discovery_refused", prefix=self._prefix, reason=reason)
