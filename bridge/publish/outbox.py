"""The pump: what waits in the outbox is published, and leaves it when the broker acknowledged it.

It is the only way to a retained topic. Messages go first and in the order of their marks, with a
window of them in flight; views wait until no message waits or they have waited long enough, and
each is published at most once an interval, so a burst costs one publish per message plus a
handful. One topic is never in flight twice, which keeps the order per topic. What the broker refuses
stays in the outbox, and is offered again after a wait that doubles, or on the next connection
(docs/decisions/0035-what-is-used-of-mqtt-5.md); what stands behind it goes on.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

from bridge.contract.publication import Kind
from bridge.errors import LinkDownError, PublishRefusedError, StoreUnavailableError
from bridge.kept import ANYTHING, NOTHING
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
RETRY_S = 1.0
"""How long to wait when the store cannot be read or written."""


class Rows(Protocol):
    """What the pump needs of the store."""

    async def take_messages(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting messages and events."""

    async def take_views(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting views."""

    async def settle(self, publications: Sequence[Publication]) -> None:
        """Take out what was acknowledged."""

    async def doubt(self, publications: Sequence[Publication] | None, *, limit: int) -> None:
        """Note that the broker may hold these; when None, what a process before this one may have had in flight."""


class Publisher(Protocol):
    """What the pump needs of a connection."""

    def publish(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None) -> asyncio.Future[None]:
        """Send; done at PUBACK, or fails with LinkDownError or PublishRefusedError."""


class Outbox:
    """The pump of one bridge. `run` serves one connection; its state in flight dies with it."""

    def __init__(
        self, *, rows: Rows, root: str, window: int, monotonic: Callable[[], float], tally: Tally | None = None
    ) -> None:
        self._rows = rows
        self._root = root
        self._window = window
        self._monotonic = monotonic
        self._tally = tally or Tally()
        self._wake = asyncio.Event()
        self._flying: dict[str, Publication] = {}
        self._acknowledged: list[Publication] = []
        self._refusals = Refusals()
        self._doubtful: list[Publication] | None = None
        """What was in flight when the last connection ended; None: that was another process, who knows."""
        self._view_sent_at: dict[str, float] = {}
        self._views_at = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._witnesses: list[set[str]] = []
        self.drained = asyncio.Event()
        """Set while nothing waits and nothing is in flight, as far as this pump has seen."""
        self._log = structlog.get_logger()

    def wake(self) -> None:
        """Something was changed, nobody knows what: there may be work."""
        self.committed(ANYTHING)

    def committed(self, news: Committed) -> None:
        """A transaction is on disk."""
        if news != NOTHING:
            self.drained.clear()
            self._wake.set()

    @contextmanager
    def witness(self) -> Iterator[set[str]]:
        """A set that gets the path of everything that is acknowledged within the block.

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
        self._acknowledged.clear()
        self._refusals.clear()
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._doubt()
                await self._settle()
                if len(self._flying) <= self._window // 2:
                    await self._fill(connection)
            except StoreUnavailableError as error:
                self._log.warning("outbox_waits_for_store", reason=str(error))
                await asyncio.sleep(RETRY_S)
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
            self._refusals.taken(publication.path)

    async def _fill(self, connection: Publisher) -> None:
        """Top the window up, messages first."""
        room, resting = self._window - len(self._flying), self._refusals.resting
        if len(resting) >= refusals.AT_MOST:
            return
        busy = resting | self._flying.keys()
        messages = await self._rows.take_messages(limit=self._window + room + len(resting), busy=busy)
        for publication in messages[:room]:
            self._send(connection, publication)
        if len(messages) < room or self._monotonic() - self._views_at > VIEW_PATIENCE_S:
            await self._fill_views(connection, room=max(room - len(messages), VIEWS_AT_LEAST))

    async def _fill_views(self, connection: Publisher, *, room: int) -> None:
        now = self._views_at = self._monotonic()
        self._view_sent_at = {p: t for p, t in self._view_sent_at.items() if now - t < VIEW_INTERVAL_S}
        resting = self._view_sent_at.keys() | self._flying.keys() | self._refusals.resting
        views = await self._rows.take_views(limit=room + len(resting), busy=resting)
        if not (views or resting):
            self.drained.set()
        for publication in views[:room]:
            self._view_sent_at[publication.path] = now
            self._send(connection, publication)
        if self._view_sent_at and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(VIEW_INTERVAL_S, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._wake.set()

    def _send(self, connection: Publisher, publication: Publication) -> None:
        self._flying[publication.path] = publication
        if not publication.needed:
            self._forget(publication)
            self._acknowledged.append(publication)
            self._wake.set()
            return
        future = connection.publish(
            f"{self._root}/{publication.topic}",
            publication.payload,
            retain=publication.retain,
            expiry_s=publication.expiry_s,
        )
        future.add_done_callback(lambda done: self._landed(publication, done))

    def _landed(self, publication: Publication, done: asyncio.Future[None]) -> None:
        """The PUBACK has come: the row is settled at the next turn. Or the connection is lost, and nobody knows."""
        if done.cancelled() or isinstance(done.exception(), LinkDownError):
            return
        if self._flying.get(publication.path) is not publication:
            return  # a late acknowledgement of an earlier connection
        if isinstance(refusal := done.exception(), PublishRefusedError):
            self._refused(publication, str(refusal))
            return
        done.result()
        for witness in self._witnesses:
            witness.add(publication.path)
        self._acknowledged.append(publication)
        self._wake.set()
        self._count(publication)
        if publication.kind in {Kind.MESSAGE, Kind.EVENT}:
            self._log.info(
                "published",
                id=publication.mail_id,
                user=publication.path.partition("/")[0],
                kind=publication.kind.value if publication.payload else "tombstone",
                bytes=len(publication.payload),
            )

    def _refused(self, publication: Publication, reason: str) -> None:
        """A PUBACK that says no is no delivery: the row stays, and the topic rests."""
        del self._flying[publication.path]
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
        self._wake.set()

    def _count(self, publication: Publication) -> None:
        if publication.kind is not Kind.MESSAGE:
            self._tally.acknowledge(publication.kind.value)
        elif publication.payload:
            self._tally.acknowledge(publication.kind.value)
            self._tally.arrive(publication.user_id, publication.number)
        else:
            self._tally.acknowledge("tombstone")
            self._forget(publication)

    def _forget(self, publication: Publication) -> None:
        if publication.kind is Kind.MESSAGE:
            self._tally.forget(publication.user_id, publication.number)
