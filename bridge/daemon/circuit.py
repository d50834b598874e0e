"""A circuit: one broker, and all that the bridge does there, over the store that all circuits have in common."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from bridge.cells import MAIN
from bridge.daemon.clock import wall_ms
from bridge.daemon.connected import Connected
from bridge.daemon.elsewhere import OwnersRequests
from bridge.daemon.inbound import Inbound
from bridge.daemon.service import Service
from bridge.publish.announcing import Announcing
from bridge.publish.backoff import Backoff
from bridge.publish.link import Link
from bridge.publish.outbox import Outbox
from bridge.publish.replay import Replay
from bridge.requests.requests import Requests
from bridge.store import pairing
from bridge.store.adapters import OutboxRows, StoredTruth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
    from typing import Any

    from bridge.config.settings import Settings
    from bridge.contract.publication import Publication
    from bridge.daemon.directory_cache import DirectoryCache
    from bridge.daemon.live import Adjustable
    from bridge.daemon.presence import Presence
    from bridge.daemon.sharing import Sharing
    from bridge.directory import User
    from bridge.kept import StoredBody
    from bridge.publish.connection import BrokerConnection
    from bridge.publish.target import Target
    from bridge.requests.needs import PushSubscriptions
    from bridge.shards.rows import SharedRows
    from bridge.shards.truth import SharedTruth
    from bridge.store.adapters import Mailbox
    from bridge.store.store import Store
    from bridge.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitNeeds:
    """What all circuits have in common: one store, and what knows people, bodies and devices."""

    store: Store
    mailbox: Mailbox
    pushing: PushSubscriptions
    directory: DirectoryCache
    load: Callable[[StoredBody], Awaitable[bytes | None]]
    heard: Callable[[str], None]
    tally: Tally
    sharing: Sharing | None = None
    """Where several bridges share the store: what this one owns."""


def _unheard(_topic: str) -> None:
    """Whoever answers notes it."""


class Circuit:
    """The parts that serve one broker: the link, the pump, the look at what is there, requests and their replies.

    `settings` say where it is and how it is spoken to, `target` where that is at this moment. Without a `cell` the
    broker has all users; with one, rows, topics and requests are those of the users who are there.
    """

    def __init__(
        self,
        shared: CircuitNeeds,
        settings: Settings,
        given: Adjustable,
        *,
        cell: int | None,
        target: Callable[[], Target],
        figures: Callable[[str, bytes], None] = lambda _topic, _payload: None,
    ) -> None:
        self._shared = shared
        self._settings = settings
        root, tally, days = settings.mqtt.root, shared.tally, given.retention.days
        sharing = shared.sharing
        self.connected = Connected()
        self.rows = self._make_rows(days, cell)
        self.outbox = Outbox(
            rows=self.rows,
            root=root,
            window=settings.mqtt.window,
            monotonic=time.monotonic,
            tally=tally,
            may_send=None if isinstance(self.rows, OutboxRows) else self.rows.may_send,
        )
        self.replay = Replay(
            store=self._make_truth(),
            outbox=self.outbox,
            root=root,
            node=settings.node,
            for_strangers=lambda: sharing is None or sharing.first,
            count=given.retention.count,
            days=days,
            now_ms=wall_ms,
            new_token=secrets.token_hex,
            tally=tally,
        )
        self.requests = self._make_requests(given)
        self._owned = self._make_owned()
        self.announcing = self._make_announcing()
        self.inbound = Inbound(
            requests=self._owned or self.requests,
            replay=self.replay,
            heard=shared.heard if sharing is None else _unheard,
            figures=figures,
            announced=self.announcing.heard if self.announcing else lambda _topic, _payload: None,
            home=settings.home,
            root=root,
        )
        self.link = Link(
            target=target,
            node=settings.node,
            keepalive_s=settings.mqtt.keepalive,
            version=settings.mqtt.version,
            backoff=Backoff(),
            jitter=random.random,
            on_message=self.inbound.take,
            tally=tally,
        )

    @property
    def cell(self) -> int | None:
        """Whose users it serves; None for all."""
        return self.rows.cell

    @cell.setter
    def cell(self, cell: int | None) -> None:
        self.rows.cell = cell

    def service(
        self,
        *,
        presence: Presence,
        ready: Callable[[], None] = lambda: None,
        beside: Mapping[str, Callable[[BrokerConnection], Coroutine[Any, Any, None]]],
    ) -> Service:
        """What is done on each connection; `beside` what is done there beside that."""
        sharing = self._shared.sharing
        more: dict[str, Callable[[BrokerConnection], Coroutine[Any, Any, None]]] = {}
        if self.announcing is not None:
            keep = self.announcing.keep
            more["discovery"] = keep if sharing is None else lambda at: sharing.while_first(partial(keep, at))
        if sharing is not None:
            more["takeovers"] = partial(sharing.look_after, replay=self.replay, cell=self.key)
        return Service(
            connected=self.connected,
            presence=presence,
            inbound=self.inbound,
            replay=self.replay,
            outbox=self.outbox,
            ready=ready,
            beside={**more, **beside},
        )

    def use(self, given: Adjustable) -> None:
        """Have other settings hold, as far as they are live."""
        self.rows.days = given.retention.days
        self.replay.use(count=given.retention.count, days=given.retention.days)
        self.requests.use(chunk=given.chunk, rate=given.request_rate)

    def people_changed(self) -> None:
        """Users came, went or moved, or something of theirs is other than it was."""
        self.rows.people_changed()
        self.outbox.wake()
        if self.announcing is not None:
            self.announcing.wake()

    # --- as a party of a bridge that shares its store --------------------------------------------------------

    @property
    def key(self) -> int:
        """The number of its cell; that of the first where there is no other."""
        return self.cell or MAIN

    @property
    def up(self) -> bool:
        """Whether there is a connection to the broker."""
        return self.connected.connection is not None

    def in_flight(self) -> list[Publication]:
        """What is on its way there."""
        return self.outbox.in_flight()

    def wake(self) -> None:
        """There may be something to publish."""
        self.outbox.wake()

    async def taken_over(self, shards: Collection[int], *, in_order: bool) -> None:
        """Answer what was kept for these shards, which are ours now; whether they were given to us."""
        if self._owned is not None:
            await self._owned.taken_over(shards, in_order=in_order)

    # --- its parts -------------------------------------------------------------------------------------------

    def _make_rows(self, days: float, cell: int | None) -> OutboxRows | SharedRows:
        sharing, store = self._shared.sharing, self._shared.store
        if sharing is None:
            return OutboxRows(store, days=days, now_ms=wall_ms, cell=cell)
        from bridge.shards.rows import SharedRows  # noqa: PLC0415 - psycopg, for those who have such a store

        return SharedRows(
            store,
            keeper=sharing.keeper,
            node=sharing.node,
            days=days,
            now_ms=wall_ms,
            monotonic=time.monotonic,
            cell=cell,
        )

    def _make_truth(self) -> StoredTruth | SharedTruth:
        if isinstance(self.rows, OutboxRows):
            return StoredTruth(self._shared.store, rows=self.rows)
        from bridge.shards.truth import SharedTruth  # noqa: PLC0415 - as above

        return SharedTruth(self._shared.store, self.rows)

    def _make_owned(self) -> OwnersRequests | None:
        """What answers the requests of users that are ours, where several bridges hear them all."""
        sharing = self._shared.sharing
        if sharing is None:
            return None
        return OwnersRequests(
            self.requests,
            named=self._named,
            serves=lambda shard: sharing.keeper.serves(shard, self.key),
            heard=self._shared.heard,
            root=self._settings.mqtt.root,
            monotonic=time.monotonic,
        )

    async def _named(self, name: str) -> User | None:
        """The user of that name, unless they are at another cell: its broker speaks for its own users alone."""
        user = await self._shared.directory.named(name)
        return user if user is None or self.cell in {None, user.cell} else None

    async def _discovered(self) -> list[str]:
        return await self._shared.store.read(pairing.discovered, cell=self.cell)

    def _make_requests(self, given: Adjustable) -> Requests:
        return Requests(
            store=self._shared.mailbox,
            pushing=self._shared.pushing,
            named=self._named,
            load=self._shared.load,
            reply=self.connected.reply,
            root=self._settings.mqtt.root,
            chunk=given.chunk,
            rate=given.request_rate,
            tally=self._shared.tally,
            monotonic=time.monotonic,
        )

    def _make_announcing(self) -> Announcing | None:
        """What has Home Assistant told, where that is wanted."""
        if not self._settings.home:
            return None
        return Announcing(
            prefix=self._settings.home,
            root=self._settings.mqtt.root,
            node=self._settings.node,
            version=version("postbell"),
            users=self._discovered,
            monotonic=time.monotonic,
        )
