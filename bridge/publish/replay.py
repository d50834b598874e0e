"""Looking at what the broker holds, and marking what is wrong there: reconciliation.

A few users at a time have their retained topics replayed and compared, so that memory, the replay
and each look into the store are bounded however many topics there are, and live mail goes on
between them; what was marked is published before more is. Mosquitto also drops what exceeds its
queue limit from a replay without a word. Topics of users we do not know are found by their views.

A marker published behind each SUBSCRIBE comes back behind the replay and proves that it is
complete; where a broker does not keep that order, a topic that comes late counts as missing and is
published once more, which no device minds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bridge.contract import topics
from bridge.errors import LinkDownError, RefusedError, StoreUnavailableError
from bridge.reconcile import Observed, Repair, fingerprint
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

TOPICS_AT_ONCE = 800
USERS_AT_ONCE = 100
"""Of users who have few live messages: the broker may hold more of them than it should."""
MARKER_DEADLINE_S = 60.0
LOOK_AGAIN_S = 3600.0
"""How often a connection that lasts is looked at: what was lost without breaking it comes back then."""
TRY_AGAIN_S = 30.0
"""After a look that the broker did not let us finish."""
STORE_RETRY_S = 1.0
WAITING_AT_MOST = 200
"""Messages that may wait in the outbox before more are looked at: live mail stands in the same queue behind them."""
PACE_S = 0.05
PACES_AT_MOST = 200
"""An outbox that does not empty for so many paces is waited for no longer: there is more of the broker to look at."""


class Truth(Protocol):
    """What a look at the broker needs of the store."""

    async def names(
        self, *, after: str, limit: int, live: int, each: int, shards: Collection[int] | None = None
    ) -> list[str]:
        """Some names of users, in their order, behind this one: the first, and more up to a limit.

        They have so many `live` messages together, where each counts for some more; `shards` are theirs, if given.
        """

    async def strangers(self, some: Collection[str]) -> list[str]:
        """Those of these names that no user has, sorted."""

    async def waiting_messages(self) -> int:
        """How many rows wait in the outbox, the views left out."""

    async def repair(self, observed: Observed, *, dry_run: bool = False) -> Repair:
        """Compare, and mark every difference unless `dry_run`; raises StoreUnavailableError."""


class Witnessed(Protocol):
    """What a look needs of the outbox that is at work on the same connection."""

    def witness(self) -> AbstractContextManager[set[str]]:
        """A set that gets the topic, without the root, of everything that is acknowledged within the block."""


class Replaying(Protocol):
    """What a look needs of a connection: subscriptions, replayed topics, publishes, and when it was lost."""

    def retained(self, callback: Callable[[str, bytes], None]) -> AbstractContextManager[None]:
        """Within the block `callback` gets topic and payload of what is replayed."""

    @property
    def closed(self) -> asyncio.Future[str]:
        """Done, with the reason, once the connection is lost."""

    async def subscribe(self, filters: Sequence[str], *, qos: int) -> None:
        """Subscribe; raises LinkDownError, RefusedError or TimeoutError."""

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe; raises LinkDownError or TimeoutError."""

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> asyncio.Future[None]:
        """Send; done at PUBACK."""


class Replay:
    """Reconciles one broker with the store, over a connection that also serves the outbox."""

    def __init__(
        self,
        *,
        store: Truth,
        outbox: Witnessed,
        root: str,
        node: str,
        count: int,
        days: float,
        now_ms: Callable[[], int],
        new_token: Callable[[], str],
        tally: Tally | None = None,
        for_strangers: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._root = root
        self._marker_topic = topics.marker(node)
        self.use(count=count, days=days)
        self._now_ms = now_ms
        self._new_token = new_token
        self._tally = tally or Tally()
        self._for_strangers = for_strangers
        self._markers: dict[bytes, asyncio.Future[None]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._log = structlog.get_logger()

    def use(self, *, count: int, days: float) -> None:
        """Look with these settings from the next users on."""
        self._users_at_once = max(1, TOPICS_AT_ONCE // (count + len(topics.STATE_VIEWS)))
        self._days = days

    def marker_received(self, payload: bytes) -> None:
        """A message on the bridge's own marker topic came back."""
        marker = self._markers.get(payload)
        if marker is not None and not marker.done():
            marker.set_result(None)

    @property
    def marker_topic(self) -> str:
        """Where the markers come back."""
        return self._marker_topic

    async def keep(self, connection: Replaying) -> None:
        """Reconcile now and from time to time, until cancelled or the connection is lost.

        A look that fails is taken again, since what it would have found is still wrong.
        """
        while True:
            try:
                await self.run(connection)
            except LinkDownError:
                return
            except StoreUnavailableError as error:
                self._tally.looks["failed"] += 1
                self._log.warning("reconcile_waits_for_store", reason=str(error))
                await asyncio.sleep(STORE_RETRY_S)
            except (RefusedError, TimeoutError) as error:
                self._tally.looks["failed"] += 1
                self._log.error("broker_not_checked", reason=str(error) or "the replay did not end in time")
                await asyncio.sleep(TRY_AGAIN_S)
            else:
                await asyncio.sleep(LOOK_AGAIN_S)

    async def run(
        self,
        connection: Replaying,
        *,
        dry_run: bool = False,
        shards: Collection[int] | None = None,
        strangers: bool = False,
    ) -> Repair:
        """Observe the whole retained set and mark every difference; of the users of some `shards`, if these are given.

        Without `shards`, or with `strangers`, also what is there of nobody's.

        Without `dry_run` the outbox has to be at work on the same connection.
        Raises LinkDownError, RefusedError, TimeoutError or StoreUnavailableError.
        """
        async with self._one_at_a_time:
            repair = await self._run(connection, dry_run=dry_run, shards=shards, strangers=strangers)
        if not dry_run:
            self._tally.look(missing=repair.missing, different=repair.different, stale=repair.stale, topics=repair.held)
        self._log.info(
            "reconciled",
            held=repair.held,
            missing=repair.missing,
            different=repair.different,
            stale=repair.stale,
            dry_run=dry_run,
        )
        return repair

    async def look_at(self, connection: Replaying, users: Sequence[str]) -> Repair:
        """Observe the topics of some users, and mark every difference; raises as `run`."""
        async with self._one_at_a_time:
            await connection.subscribe([self._marker_topic], qos=1)
            repair = Repair(0, 0, 0, 0)
            for some in self._some_at_a_time(users):
                repair += await self._look_at(connection, some, dry_run=False)
            return repair

    async def _run(
        self, connection: Replaying, *, dry_run: bool, shards: Collection[int] | None, strangers: bool
    ) -> Repair:
        await connection.subscribe([self._marker_topic], qos=1)
        repair = Repair(0, 0, 0, 0)
        async for users in self._everybody(shards):
            repair += await self._look_at(connection, users, dry_run=dry_run)
            if not dry_run:
                await self._pace(connection)
        if (shards is not None and not strangers) or not self._for_strangers():
            return repair
        for users in self._some_at_a_time(await self._strangers(connection)):
            repair += await self._look_at(connection, users, dry_run=dry_run)
            if not dry_run:
                await self._pace(connection)
        return repair

    async def _everybody(self, shards: Collection[int] | None) -> AsyncIterator[frozenset[str]]:
        after = ""
        some: dict[str, Any] = {"limit": USERS_AT_ONCE, "live": TOPICS_AT_ONCE, "each": len(topics.STATE_VIEWS)}
        some |= {} if shards is None else {"shards": shards}
        while users := await self._store.names(after=after, **some):
            yield frozenset(users)
            after = users[-1]

    def _some_at_a_time(self, users: Sequence[str]) -> Iterator[frozenset[str]]:
        for start in range(0, len(users), self._users_at_once):
            yield frozenset(users[start : start + self._users_at_once])

    async def _look_at(self, connection: Replaying, users: frozenset[str], *, dry_run: bool) -> Repair:
        """Compare these users' topics with what they should be."""
        observed: dict[str, int] = {}
        root, prefix = f"{self._root}/", len(self._root) + 1

        def remember(topic: str, payload: bytes) -> None:
            path = topic[prefix:]
            if topic.startswith(root) and path.partition("/")[0] in users:  # what comes late is another look's
                observed[path] = fingerprint(payload)

        with self._outbox.witness() as acknowledged:
            with connection.retained(remember):
                await self._replay(connection, list(_filters(self._root, sorted(users))))
            seen = Observed(users, observed, frozenset(acknowledged), self._now_ms(), self._days)
            return await self._store.repair(seen, dry_run=dry_run)

    async def _pace(self, connection: Replaying) -> None:
        for _ in range(PACES_AT_MOST):
            if await self._store.waiting_messages() <= WAITING_AT_MOST:
                break
            await asyncio.wait({connection.closed}, timeout=PACE_S)
            if connection.closed.done():
                raise LinkDownError(connection.closed.result())

    async def _strangers(self, connection: Replaying) -> list[str]:
        """Names that are no user's and have views: a topic for each user is as much as some brokers replay at once."""
        some: set[str] = set()
        strangers: set[str] = set()
        root, prefix = f"{self._root}/", len(self._root) + 1

        def remember(topic: str, _payload: bytes) -> None:
            if topic.startswith(root):
                some.add(topic[prefix:].partition("/")[0])

        with connection.retained(remember):
            for view in topics.STATE_VIEWS:
                await self._replay(connection, [f"{self._root}/+/{view}"])
                strangers.update(await self._store.strangers(some))
                some.clear()
        return sorted(strangers)

    async def _replay(self, connection: Replaying, filters: list[str]) -> None:
        """Have these filters replayed once, and wait until the replay is complete."""
        token = self._new_token().encode()
        marker = self._markers[token] = asyncio.get_running_loop().create_future()
        ends: set[asyncio.Future[None] | asyncio.Future[str]] = {marker, connection.closed}
        try:
            await connection.subscribe(filters, qos=0)
            async with asyncio.timeout(MARKER_DEADLINE_S):
                await connection.publish(self._marker_topic, token, retain=False)
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            await connection.unsubscribe(filters)
        finally:
            del self._markers[token]


def _filters(root: str, users: Iterable[str]) -> Iterable[str]:
    for name in users:
        yield f"{root}/{name}/msg/+"
        yield from (f"{root}/{name}/{view}" for view in topics.STATE_VIEWS)
