"""A bridge that shares its database with others: what it owns, what it does when that changes, and what only one does.

Some work is for one of them, whoever that is: what has to be cleared, expired or told once. It is done by the owner of
shard 0.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bridge.daemon.asked import Asked
from bridge.errors import LinkDownError, RefusedError, StoreUnavailableError
from bridge.postgres import connection as connecting
from bridge.publish.ending import end
from bridge.shards import names
from bridge.shards.asking import ANSWERED
from bridge.shards.database_thread import DatabaseThread
from bridge.shards.keeper import LeaseKeeper
from bridge.shards.plan import BEAT_S, LEASE_S, shard_of
from bridge.shards.waking import Waking
from bridge.store.postgres import MARKED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence

    from bridge.contract.publication import Publication
    from bridge.daemon.asked import Action
    from bridge.postgres.connection import PostgresConnection
    from bridge.publish.connection import BrokerConnection
    from bridge.publish.replay import Replay

LOOK_AGAIN_S = 5.0
"""After a takeover it is looked at the broker at once, and again when all that was on its way has come."""
ABSENT_S = 3.0
"""So long a bridge without its broker keeps what it has."""
TELL = "SELECT pg_notify(?, ?)"
FIRST = 0
"""Whose owner does what is for one."""


class Party(Protocol):
    """What a bridge does at one broker."""

    @property
    def key(self) -> int:
        """The number of its cell; that of the first where there is no other."""

    @property
    def up(self) -> bool:
        """Whether there is a connection."""

    def in_flight(self) -> list[Publication]:
        """What is on its way there."""

    def wake(self) -> None:
        """There may be something to publish."""

    async def taken_over(self, shards: Collection[int], *, in_order: bool) -> None:
        """Answer what was kept for these shards, which are ours now; whether they were given to us."""


class Sharing:
    """One bridge among several. `circuits` are what it does at each broker, of which one has to be reached.

    `fence` closes the connection of another node at a cell. `wake` is called when something may be to be done for users
    that are this bridge's, `changed` when these are others, and `told`, while what is for one is for this one, with the
    shards of users of whom another committed something, all when None. `actions` are what can be asked of all bridges.
    """

    def __init__(
        self,
        url: str,
        *,
        node: str,
        fence: Callable[[int, str], Awaitable[None]],
        circuits: Callable[[], Sequence[Party]],
        wake: Callable[[], None],
        told: Callable[[frozenset[int] | None], None],
        changed: Callable[[], None],
        actions: Callable[[], Mapping[str, Action]],
        monotonic: Callable[[], float],
    ) -> None:
        self._url = url
        self.node = node
        self._circuits = circuits
        self._connected_at = float("-inf")
        self._monotonic = monotonic
        self._others_wake = wake
        self._told = told
        self._others_changed = changed
        self._claimed = False
        self._thread = DatabaseThread(self._connect_named, url=url, name="leases")
        self._beside = DatabaseThread(self._connect, url=url, name="takeovers")
        self.keeper = LeaseKeeper(
            node=node,
            session=self._thread,
            beside=self._beside,
            fence=fence,
            able=self._able,
            busy=self._busy,
            stuck=self._stuck,
            changed=self._changed,
            served=self._served,
            monotonic=monotonic,
        )
        self._asked = Asked(node=node, actions=actions, owned=self._everywhere, tell=self._tell)
        self._waking = Waking(
            self._connect, channel=MARKED, marked=self._marked, freed=self.keeper.wake, asked=self._asked.take
        )
        self._looking: dict[int, asyncio.Queue[tuple[frozenset[int], bool]]] = {}
        """What was taken and is to be looked at, by the cells to which there is a connection."""
        self._unseen: dict[int, list[tuple[frozenset[int], bool]]] = {}
        """What was taken while there was none."""
        self._to_answer: asyncio.Queue[tuple[int, frozenset[int], bool]] = asyncio.Queue()
        self._moved = asyncio.Event()
        self._log = structlog.get_logger()

    @property
    def first(self) -> bool:
        """Whether what is for one bridge is for this one, at this moment."""
        return self.keeper.owns(FIRST)

    def owns(self, user_id: int) -> bool:
        """Whether what is to be done for a user, or for nobody as user 0, is this bridge's at this moment."""
        return self.keeper.owns(shard_of(user_id))

    def serves(self, user_id: int, cell: int) -> bool:
        """Whether nobody else can publish for a user at a cell any more, as this bridge does."""
        return self.keeper.serves(shard_of(user_id), cell)

    async def claim(self) -> None:
        """Have the node's name; raises NodeTakenError when another bridge has it, or StoreUnavailableError."""
        await self._thread.run(lambda connection: connection.execute("SELECT 1"))
        self._claimed = True

    async def run(self) -> None:
        """Keep leases and be woken until cancelled; then give them up."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.keeper.run(), name="leases")
            tasks.create_task(self._waking.run(), name="waking")
            tasks.create_task(self._asked.run(), name="asked")
            tasks.create_task(self._answer(), name="kept-requests")
            tasks.create_task(self._beat(), name="beat")

    async def close(self) -> None:
        """Let go of the node's name."""
        await self._thread.close()
        await self._beside.close()

    async def look_after(self, connection: BrokerConnection, replay: Replay, *, cell: int) -> None:
        """Look at a cell's broker for what is taken from now on, until cancelled or the connection is lost.

        Also for what was taken while there was no connection to it.
        """
        taken: asyncio.Queue[tuple[frozenset[int], bool]] = asyncio.Queue()
        for each in self._unseen.pop(cell, ()):
            taken.put_nowait(each)
        self._looking[cell] = taken
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    shards, in_order = await taken.get()
                    tasks.create_task(self._look(connection, replay, shards, again=not in_order), name="look")
        finally:
            if self._looking.get(cell) is taken:
                del self._looking[cell]

    async def while_first(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do what is for one bridge whenever it is for this one, until cancelled or done."""
        while True:
            self._moved.clear()
            if not self.first:
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await self._moved.wait()
                continue
            working = asyncio.create_task(work(), name="for-one")
            try:
                while self.first and not working.done():
                    await asyncio.wait({working}, timeout=BEAT_S)
                if working.done():
                    return
            finally:
                await end(working)

    async def _tell(self, pieces: Sequence[str]) -> None:
        await self._thread.run(lambda connection: connection.executemany(TELL, [(ANSWERED, piece) for piece in pieces]))

    def _connect(self) -> PostgresConnection:
        return connecting.connect(self._url, name=f"{self.node} waking")

    def _connect_named(self) -> PostgresConnection:
        connection = connecting.connect(self._url, name=f"{self.node} leases", patience_s=LEASE_S)
        try:
            names.take(connection, self.node)
        except BaseException as error:
            connection.close()
            if self._claimed and isinstance(error, names.NodeTakenError):
                raise StoreUnavailableError("the session before has the node's name still") from error
            raise
        return connection

    def _able(self) -> bool:
        """Whether anybody should wait for this bridge: one that lost its connections may have one back soon."""
        now = self._monotonic()
        if any(circuit.up for circuit in self._circuits()):
            self._connected_at = now
        return now - self._connected_at < ABSENT_S

    def _busy(self) -> frozenset[int]:
        """Of which shards something is in flight; where there are cells, at those that are there."""
        circuits = self._circuits()
        counted = circuits if len(circuits) == 1 else [circuit for circuit in circuits if circuit.up]
        return frozenset(shard_of(each.user_id) for circuit in counted for each in circuit.in_flight())

    def _stuck(self) -> dict[int, frozenset[int]]:
        """Of which shards something was in flight at cells that are away, by cell."""
        away = [circuit for circuit in self._circuits() if not circuit.up]
        return {circuit.key: frozenset(shard_of(each.user_id) for each in circuit.in_flight()) for circuit in away}

    def _everywhere(self) -> frozenset[int]:
        """The shards of whose users nobody is left out, at whichever cell they are."""
        return self.keeper.everywhere(circuit.key for circuit in self._circuits())

    def _changed(self) -> None:
        self._moved.set()
        self._others_changed()
        self._wake()

    def _wake(self) -> None:
        for circuit in self._circuits():
            circuit.wake()
        self._others_wake()

    def _served(self, cell: int, shards: frozenset[int], in_order: bool) -> None:  # noqa: FBT001 - as the keeper says it
        looking = self._looking.get(cell)
        if looking is not None:
            looking.put_nowait((shards, in_order))
        else:
            self._unseen.setdefault(cell, []).append((shards, in_order))
        self._to_answer.put_nowait((cell, shards, in_order))

    def _marked(self, shards: frozenset[int] | None) -> None:
        if shards is None or any(self.keeper.owns(shard) for shard in shards):
            self._wake()
        if self.first:
            self._told(shards)

    async def _answer(self) -> None:
        while True:
            cell, shards, in_order = await self._to_answer.get()
            for circuit in self._circuits():
                if circuit.key == cell:
                    await circuit.taken_over(shards, in_order=in_order)

    async def _beat(self) -> None:
        """Whoever committed and died, or was not heard, told nobody."""
        while True:
            await asyncio.sleep(BEAT_S)
            if self.keeper.owns_any:
                self._wake()

    async def _look(self, connection: BrokerConnection, replay: Replay, shards: frozenset[int], *, again: bool) -> None:
        # A broker that lost its last second has again what was cleared of a user who left: that is a stranger there.
        strangers = FIRST in shards and len(self._circuits()) > 1
        for wait_s in (0.0, LOOK_AGAIN_S) if again else (0.0,):
            await asyncio.sleep(wait_s)
            try:
                await replay.run(connection, shards=shards, strangers=strangers)
            except LinkDownError:
                return
            except (RefusedError, TimeoutError, StoreUnavailableError) as error:
                self._log.warning("taken_over_unseen", shards=len(shards), reason=str(error) or "no answer in time")
