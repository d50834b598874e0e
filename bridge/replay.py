"""Looking at what the broker holds, and marking what is wrong there: reconciliation.

Every user's retained topics are replayed in turn, a bounded number of topics at once: mosquitto
drops what exceeds its queue limit from a replay without a word. Topics of users we do not know
are found by their views. A marker published behind each SUBSCRIBE comes back behind the replay and
proves that it is complete; where a broker does not keep that order (NATS), a topic that comes late
counts as missing and is published once more, which no device minds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge import topics
from bridge.reconcile import Observed, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.mqtt import Connection
    from bridge.outbox import Outbox
    from bridge.reconcile import Repair
    from bridge.store.store import Store

TOPICS_AT_ONCE = 800
MARKER_DEADLINE_S = 60.0


class Replay:
    """Reconciles one broker with the store, over a connection that also serves the outbox."""

    def __init__(
        self,
        *,
        store: Store,
        outbox: Outbox,
        root: str,
        node: str,
        ring: int,
        days: float,
        now_ms: Callable[[], int],
        new_token: Callable[[], str],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._root = root
        self._marker_topic = topics.marker(node)
        self._users_at_once = max(1, TOPICS_AT_ONCE // (ring + len(topics.STATE_VIEWS)))
        self._days = days
        self._now_ms = now_ms
        self._new_token = new_token
        self._markers: dict[bytes, asyncio.Event] = {}
        self._one_at_a_time = asyncio.Lock()
        self._log = structlog.get_logger()

    def marker_received(self, payload: bytes) -> None:
        """A message on the bridge's own marker topic came back."""
        if payload in self._markers:
            self._markers[payload].set()

    @property
    def marker_topic(self) -> str:
        """Where the markers come back."""
        return self._marker_topic

    async def run(self, connection: Connection, *, dry_run: bool = False) -> Repair:
        """Observe the whole retained set and mark every difference.

        Raises LinkDownError, RefusedError, TimeoutError or StoreUnavailableError.
        """
        async with self._one_at_a_time:
            repair = await self._run(connection, dry_run=dry_run)
        self._log.info(
            "reconciled",
            held=repair.held,
            missing=repair.missing,
            different=repair.different,
            stale=repair.stale,
            dry_run=dry_run,
        )
        return repair

    async def _run(self, connection: Connection, *, dry_run: bool) -> Repair:
        observed: dict[str, int] = {}  # paho's thread adds to it: copied, never iterated
        settled: set[str] = set()
        prefix = len(self._root) + 1

        def remember(topic: str, payload: bytes) -> None:
            if topic.startswith(self._root + "/"):
                observed[topic[prefix:]] = fingerprint(payload)

        connection.on_retained = remember
        self._outbox.witnesses.append(settled)
        try:
            await connection.subscribe([self._marker_topic], qos=1)
            known = sorted(user.name for user in (await self._store.directory()).users.values())
            await self._observe_users(connection, known)
            for view in topics.STATE_VIEWS:  # one by one: a topic for each user is as much as some brokers replay
                await self._observe(connection, [f"{self._root}/+/{view}"])
            unknown = sorted({path.partition("/")[0] for path in observed.copy()} - set(known))
            await self._observe_users(connection, unknown)
            return await self._store.repair(
                Observed(observed.copy(), frozenset(settled), self._now_ms(), self._days), dry_run=dry_run
            )
        finally:
            self._outbox.witnesses.remove(settled)
            connection.on_retained = lambda _topic, _payload: None

    async def _observe_users(self, connection: Connection, users: Sequence[str]) -> None:
        for start in range(0, len(users), self._users_at_once):
            await self._observe(connection, list(_filters(self._root, users[start : start + self._users_at_once])))

    async def _observe(self, connection: Connection, filters: list[str]) -> None:
        """Have these filters replayed once, and wait until the replay is complete."""
        if not filters:
            return
        token = self._new_token().encode()
        self._markers[token] = asyncio.Event()
        try:
            await connection.subscribe(filters, qos=0)
            await connection.publish(self._marker_topic, token, retain=False)
            async with asyncio.timeout(MARKER_DEADLINE_S):
                await self._markers[token].wait()
            await connection.unsubscribe(filters)
        finally:
            del self._markers[token]


def _filters(root: str, users: Iterable[str]) -> Iterable[str]:
    for name in users:
        yield f"{root}/{name}/msg/+"
        yield from (f"{root}/{name}/{view}" for view in topics.STATE_VIEWS)
