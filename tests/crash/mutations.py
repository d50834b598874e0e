"""The programs broken on purpose, each in the one way that a layer of the promise stands against."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from tests.crash.cluster.mutations import CLUSTER_MUTATIONS
from tests.crash.mailbox_faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

COMMIT_LAG_S = 0.05
"""How late the disk is when nobody waits for it."""
POST_LAG_S = 0.2
"""How long a notification is on its way that nobody waits for."""
HAND_OVER_AHEAD_S = 0.4
"""How far ahead of its commit a mail is published: a broker that syncs has acknowledged it by then."""


def reply_before_commit() -> None:
    """The bridge answers 250 while the message still waits for its transaction."""
    from bridge.contract import ids
    from bridge.kept import Kept
    from bridge.store.adapters import Mailbox
    from bridge.store.writer import Writer

    keep, write, later = Mailbox.keep, Writer._write, set()

    async def hasty(self: Any, envelope: Any, header: Any, **found: str) -> tuple[Kept, ...]:
        task = asyncio.ensure_future(keep(self, envelope, header, **found))
        later.add(task)  # it is lost with the process, and not with the collector of garbage
        task.add_done_callback(later.discard)
        number = ids.at(time.time_ns() // 1_000_000)
        return tuple(Kept(each.user_id, each.user, number) for each in envelope.recipients)

    def lagging(self: Any, batch: list[Any]) -> None:
        time.sleep(COMMIT_LAG_S)  # so that the 250s are out when it dies at its commit
        write(self, batch)

    Mailbox.keep, Writer._write = hasty, lagging  # type: ignore[assignment]


def settle_before_acknowledgement() -> None:
    """The bridge takes a row out of its outbox as soon as the publish is handed to the socket."""
    from bridge.publish.connection import BrokerConnection

    post = BrokerConnection.post

    def careless(*arguments: Any, landed: Callable[[Exception | None], None], **options: Any) -> None:
        post(*arguments, landed=lambda _: None, **options)
        asyncio.get_running_loop().call_soon(landed, None)

    BrokerConnection.post = careless


def ring_settled_before_post() -> None:
    """The bridge takes it for granted that a push service takes what it is about to be sent."""
    from bridge.kept import PushResult
    from bridge.push.delivery import PushDelivery
    from bridge.push.letter import UndeliveredError

    later = set()

    async def careless(self: Any, waiting: Any) -> None:
        async def post() -> None:
            await asyncio.sleep(POST_LAG_S)
            with contextlib.suppress(UndeliveredError):
                await self._send(waiting, short=False)

        self._done(waiting, PushResult.SENT)
        task = asyncio.ensure_future(post())
        later.add(task)
        task.add_done_callback(later.discard)

    PushDelivery._attempt = careless


def no_recognition() -> None:
    """The bridge takes a delivery that is tried again for new mail."""
    from bridge.store import boxes

    boxes._copies = lambda *_: {}


def no_deduplication() -> None:
    """The client shows whatever is delivered."""
    from clients.box.inbox import Inbox, Shown
    from clients.contract.header import decode_header

    apply_header = Inbox.apply_header

    def forgetful(self: Any, mail_id: str, payload: bytes, *, retained: bool, now: float) -> list[Any]:
        changes = apply_header(self, mail_id, payload, retained=retained, now=now)
        if payload and not any(isinstance(change, Shown) for change in changes):
            changes.append(Shown(mail_id, decode_header(payload), payload))
        return changes

    Inbox.apply_header = forgetful


def no_reconciliation() -> None:
    """The bridge never looks at what its broker holds."""
    from bridge.publish.replay import Replay
    from bridge.reconcile import Repair

    async def blind(_self: Any, _connection: Any, *, dry_run: bool = False) -> Repair:
        del dry_run
        return Repair(0, 0, 0, 0)

    Replay.run = blind  # type: ignore[assignment]


def hand_over_before_commit() -> None:
    """The bridge publishes what is not on disk yet."""
    from bridge.store.writer import Writer

    commit = Writer._commit

    def hasty(self: Any, batch: list[Any]) -> Any:
        before = self._before_commit

        def telling(transaction: Any) -> None:
            before(transaction)
            self._loop.call_soon_threadsafe(self._committed, transaction.news)
            time.sleep(HAND_OVER_AHEAD_S)

        self._before_commit = telling
        try:
            return commit(self, batch)
        finally:
            self._before_commit = before

    Writer._commit = hasty


MUTATIONS: dict[str, Callable[[], None]] = {
    "reply_before_commit": reply_before_commit,
    "hand_over_before_commit": hand_over_before_commit,
    "settle_before_acknowledgement": settle_before_acknowledgement,
    "ring_settled_before_post": ring_settled_before_post,
    "no_recognition": no_recognition,
    "no_deduplication": no_deduplication,
    "no_reconciliation": no_reconciliation,
}


def mutate(names: str) -> None:
    """Apply mutations, given by name with commas between; those of followed mailboxes as well."""
    for name in filter(None, names.split(",")):
        (MUTATIONS | FAULTS | CLUSTER_MUTATIONS)[name]()
