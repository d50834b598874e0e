"""The pump: what waits in the outbox is published, and leaves it when the broker acknowledged it.

It is the only way to a retained topic. Messages go first and in the order of their marks, with a
window of them in flight; views wait until no message waits or they have waited long enough, and
each is published at most once an interval, so a burst costs one publish per message plus a
handful. One topic is never in flight twice, which keeps the order per topic. What the broker refuses
stays in the outbox, and is offered again after a wait that doubles, or on the next connection
(docs/decisions/0035-what-is-used-of-mqtt-5.md); what stands behind it goes on.

What was committed a moment ago is handed over in memory and goes out as it was committed
(docs/decisions/0044-from-commit-to-broker.md). The store is read for what was left over: after a start or a
reconnection, when more came than memory is to hold, and for whatever is marked again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from bridge.contract.publication import Kind
from bridge.errors import LinkDownError, StoreUnavailableError
from bridge.kept import ANYTHING
from bridge.publish import refusals
from bridge.publish.refusals import Refusals
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from bridge.contract.publication import Publication
    from bridge.kept import Committed

VIEW_INTERVAL_S = 1.0
"""A view of one user is published at most so often; the first one at once."""
VIEW_PATIENCE_S = 2.0
"""Under a load that never lets up, views get their turn at least so often."""
VIEWS_AT_LEAST = 32
VIEW_PAUSE_S = 0.05
"""So long it is before it is looked again which views wait, whoever's they are."""
READY_AT_MOST = 2048
"""Publications in memory while the window is full. What is beyond that is read from the store when its turn comes."""
_NEWS = frozenset({Kind.MESSAGE, Kind.EVENT})
RETRY_S = 1.0
"""How long to wait when the store cannot be read or written."""


class Rows(Protocol):
    """What the pump needs of the store."""

    async def take_messages(self, *, limit: int, busy: Container[str], new: bool) -> list[Publication]:
        """Waiting messages and events; without `new` only what was marked, and not what is new."""

    async def take_views(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting views."""

    async def settle(self, publications: Sequence[Publication]) -> None:
        """Take out what was acknowledged."""

    async def doubt(self, publications: Sequence[Publication] | None, *, limit: int) -> None:
        """Note that the broker may hold these; when None, what a process before this one may have had in flight."""


class Publisher(Protocol):
    """What the pump needs of a connection."""

    def post(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        expiry_s: int | None,
        landed: Callable[[Exception | None], None],
    ) -> None:
        """Send; once this has returned `landed` is told None at PUBACK, or LinkDownError or PublishRefusedError."""


class Outbox:
    """The pump of one bridge. `run` serves one connection; its state in flight dies with it.

    `may_send` is asked before each publish where several bridges share a database: what was read may be another's now.
    """

    def __init__(
        self,
        *,
        rows: Rows,
        root: str,
        window: int,
        monotonic: Callable[[], float],
        tally: Tally | None = None,
        may_send: Callable[[Publication], bool] | None = None,
    ) -> None:
        self._rows = rows
        self._root = root
        self._window = window
        self._monotonic = monotonic
        self._tally = tally or Tally()
        self._may_send = may_send
        self._wake = asyncio.Event()
        self._connection: Publisher | None = None
        self._flying: dict[str, Publication] = {}
        """What the broker may or may not have as far as the store knows: until it was acknowledged and settled."""
        self._unacknowledged = 0
        self._acknowledged: list[Publication] = []
        self._ready: deque[Publication] = deque()
        """New messages that were committed a moment ago, in their order, while the window is full."""
        self._left = self._marked = self._views_due = True
        """Whether the store has new messages that are not at hand, other topics that go before the views, and views."""
        self._reading = False
        self._refusals = Refusals()
        self._doubtful: list[Publication] | None = None
        """What was in flight when the last connection ended; None: that was another process, who knows."""
        self._view_sent_at: dict[str, float] = {}
        self._views_at = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._witnesses: list[set[str]] = []
        self.drained = asyncio.Event()
        """Set while nothing waits and nothing is in flight, as far as this pump has seen."""
        self._log = structlog.get_logger()

    def in_flight(self) -> list[Publication]:
        """What the broker may or may not have, and is not settled or doubted yet."""
        return [*self._flying.values(), *(self._doubtful or ())]

    def wake(self) -> None:
        """Something was changed, nobody knows what: there may be work."""
        self._left = True
        self.committed(ANYTHING)

    def committed(self, news: Committed) -> None:
        """A transaction is on disk. What is new goes out at once, unless older messages have to go before it."""
        if not (news.fresh or news.messages or news.views):
            return
        self.drained.clear()
        self._views_due |= news.views
        if news.messages:  # it may be about one that is ready: what to say of that is read again
            self._marked = True
            self._leave()
        if news.fresh:
            self._take(news.fresh)
        if self._left or self._marked or self._views_due:
            self._wake.set()

    def _take(self, fresh: Sequence[Publication]) -> None:
        if self._connection is None or self._left or len(self._ready) + len(fresh) > READY_AT_MOST:
            self._left = True
            self._leave()
            return
        flying = self._flying
        self._ready.extend([each for each in fresh if each.path not in flying])  # else it was read a moment ago
        if not self._reading:  # else what is being read goes first
            self._send_ready(self._connection)

    def _leave(self) -> None:
        """Have what is ready read from the store when its turn comes."""
        if self._ready:
            self._ready.clear()
            self._left = self._marked = True

    @contextmanager
    def witness(self) -> Iterator[set[str]]:
        """A set that gets the topic, without the root, of everything that is acknowledged within the block.

        Whoever replays the retained set needs it: an acknowledgement is newer than the replay.
        """
        acknowledged: set[str] = set()
        self._witnesses.append(acknowledged)
        try:
            yield acknowledged
        finally:
            self._witnesses = [each for each in self._witnesses if each is not acknowledged]

    async def run(self, connection: Publisher) -> None:
        """Publish until cancelled."""
        if self._doubtful is not None:
            self._doubtful += self._flying.values()
        self._flying.clear()
        self._unacknowledged = 0
        self._acknowledged.clear()
        self._ready.clear()
        self._refusals.clear()
        self._left = self._marked = self._views_due = True
        self._wake.set()
        try:
            await self._pump(connection)
        finally:
            self._connection, self._reading = None, False

    async def _pump(self, connection: Publisher) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._doubt()
                self._connection = connection
                await self._settle()
                self._send_ready(connection)
                await self._fill(connection)
            except StoreUnavailableError as error:
                self._log.warning("outbox_waits_for_store", reason=str(error))
                await asyncio.sleep(RETRY_S)
                self._left = self._marked = self._views_due = True
                self._wake.set()

    async def _doubt(self) -> None:
        """What was in flight may have arrived, so it is cleared later even if it is never sent again."""
        if self._doubtful is None or self._doubtful:
            await self._rows.doubt(self._doubtful, limit=2 * self._window)
        self._doubtful = []

    async def _settle(self) -> None:
        if not self._acknowledged:
            return
        done, self._acknowledged = self._acknowledged, []
        try:
            await self._rows.settle(done)
        except StoreUnavailableError:
            self._acknowledged = done + self._acknowledged
            raise
        for publication in done:
            self._flying.pop(publication.path, None)
        if self._refusals.some:
            for publication in done:
                self._refusals.taken(publication.path)

    @property
    def _room(self) -> int:
        """How many may be sent now: a window without an acknowledgement, and as many again that wait to be settled.

        Both are bounds on what a process that dies leaves in doubt (`_doubt`).
        """
        return min(self._window - self._unacknowledged, 2 * self._window - len(self._flying))

    def _send_ready(self, connection: Publisher) -> None:
        """Send what is ready, as far as the window has room."""
        room = self._room
        while self._ready and room > 0:
            self._send(connection, self._ready.popleft())
            room -= 1

    async def _fill(self, connection: Publisher) -> None:
        """Top the window up from the store, messages first; views when none waits or they have waited long enough."""
        if len(self._refusals.resting) >= refusals.AT_MOST:
            return
        if (self._left or self._marked) and 2 * self._room >= self._window:
            await self._catch_up(connection)
        waiting = self._left or self._marked or bool(self._ready)
        if self._views_due and (not waiting or self._monotonic() - self._views_at > VIEW_PATIENCE_S):
            await self._fill_views(connection)

    async def _catch_up(self, connection: Publisher) -> None:
        """Read the first messages that wait in the store. What is committed meanwhile goes behind them."""
        room, resting = self._room, self._refusals.resting
        ready = {publication.path for publication in self._ready}
        busy = resting | self._flying.keys() | ready
        left, self._left, self._marked = self._left, False, False
        self._reading = True
        try:
            limit = 2 * room + len(self._flying) + len(resting) + len(ready)
            messages = await self._rows.take_messages(limit=limit, busy=busy, new=left)
        except BaseException:
            self._left = self._marked = True
            raise
        finally:
            self._reading = False
        came = {publication.path for publication in self._ready}
        messages = [publication for publication in messages if publication.path not in came]
        for publication in messages[:room]:
            self._send(connection, publication)
        if len(messages) >= 2 * room:  # there may be more
            self._leave()
            self._left, self._marked = self._left or left, True
        else:
            self._ready.extendleft(reversed(messages[room:]))
        if self._left or self._marked:
            self._wake.set()
        self._send_ready(connection)

    async def _fill_views(self, connection: Publisher) -> None:
        now = self._monotonic()
        if self._pause is not None:
            return
        self._pause = asyncio.get_running_loop().call_later(VIEW_PAUSE_S, self._paused)
        self._views_at = now
        self._views_due = False
        self._view_sent_at = {p: t for p, t in self._view_sent_at.items() if now - t < VIEW_INTERVAL_S}
        resting = self._view_sent_at.keys() | self._flying.keys() | self._refusals.resting
        room = max(self._room, VIEWS_AT_LEAST)
        views = await self._rows.take_views(limit=room + len(resting), busy=resting)
        if not (views or resting or self._left or self._marked or self._ready):
            self.drained.set()
        for publication in views[:room]:
            self._view_sent_at[publication.path] = now
            self._send(connection, publication)
        if (self._view_sent_at or self._flying) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(VIEW_INTERVAL_S, self._look_again)

    def _paused(self) -> None:
        self._pause = None
        if self._views_due:
            self._wake.set()

    def _look_again(self) -> None:
        self._timer = None
        self._views_due = True
        self._wake.set()

    def _send(self, connection: Publisher, publication: Publication) -> None:
        if self._may_send is not None and not self._may_send(publication):
            return  # whoever may reads it
        self._flying[publication.path] = publication
        if not publication.needed:
            self._forget(publication)
            self._acknowledged.append(publication)
            self._wake.set()
            return
        self._unacknowledged += 1
        connection.post(
            f"{self._root}/{publication.topic}",
            publication.payload,
            retain=publication.retain,
            expiry_s=publication.expiry_s,
            landed=partial(self._landed, publication),
        )

    def _landed(self, publication: Publication, failure: Exception | None) -> None:
        """The PUBACK has come: the row is settled at the next turn. Or the connection is lost, and nobody knows."""
        if isinstance(failure, LinkDownError) or self._flying.get(publication.path) is not publication:
            return  # or a late acknowledgement of an earlier connection
        self._unacknowledged -= 1
        if failure is not None:
            self._refused(publication, str(failure))
            return
        for witness in self._witnesses:
            witness.add(publication.topic)
        self._acknowledged.append(publication)
        self._wake.set()
        self._count(publication)
        if publication.kind in _NEWS:
            self._log.info(
                "published",
                id=publication.mail_id,
                user=publication.path.partition("/")[0],
                kind=str(publication.kind) if publication.payload else "tombstone",
                bytes=len(publication.payload),
            )
        if self._ready and self._connection is not None and not self._reading:
            self._send_ready(self._connection)

    def _refused(self, publication: Publication, reason: str) -> None:
        """A PUBACK that says no is no delivery: the row stays, and the topic rests."""
        del self._flying[publication.path]
        self._left = self._marked = self._views_due = (
            True  # what rests may be of any kind, and what is behind it goes on
        )
        wait_s = self._refusals.refused_for_s(publication.path)
        asyncio.get_running_loop().call_later(wait_s, self._offer_again, publication.path)
        self._wake.set()
        self._log.warning(
            "publish_refused",
            id=publication.mail_id,
            user=publication.path.partition("/")[0],
            kind=publication.kind.value,
            bytes=len(publication.payload),
            reason=reason,
            again_s=wait_s,
        )

    def _offer_again(self, path: str) -> None:
        self._refusals.due(path)
        self._left = self._marked = self._views_due = True
        self._wake.set()

    def _count(self, publication: Publication) -> None:
        if publication.kind is not Kind.MESSAGE:
            self._tally.acknowledge(str(publication.kind))
        elif publication.payload:
            self._tally.acknowledge(str(publication.kind))
            self._tally.arrive(publication.user_id, publication.number)
        else:
            self._tally.acknowledge("tombstone")
            self._forget(publication)

    def _forget(self, publication: Publication) -> None:
        if publication.kind is Kind.MESSAGE:
            self._tally.forget(publication.user_id, publication.number)
