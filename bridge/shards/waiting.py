"""What waits for the broker, where several bridges share a database: how far it was handed out, and who may settle it.

Before anything of a shard goes out, its lease says on disk that it may have (`taken`, by `seq`, ahead in large steps):
whoever takes the shard over knows what may be on its way. What comes back acknowledged is settled only under the epoch
at which it was sent: under any other it is *late*, and marked again, so that the owner of now sends the truth anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bridge.contract.publication import Kind
from bridge.shards.database_thread import transaction as one_transaction
from bridge.shards.plan import shard_of
from bridge.store import marks, outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from bridge.contract.publication import Publication
    from bridge.postgres.connection import PostgresConnection
    from bridge.store.writer import Transaction

AHEAD = 5000
"""How far ahead of what goes out the mark is set: a write for so many rows."""

RAISE = """
UPDATE lease SET taken = greatest(taken, ?) FROM unnest(?::smallint[], ?::bigint[]) mine (shard, epoch)
WHERE lease.shard = mine.shard AND lease.epoch = mine.epoch AND owner = ? AND expires > clock_timestamp()
RETURNING lease.shard
"""
OWNED = "SELECT shard, epoch FROM lease WHERE shard = ANY(?) AND owner = ? ORDER BY shard FOR SHARE"
DOUBT_NEW = """
UPDATE message SET held = 1 FROM lease
WHERE lease.shard = ANY(?) AND message.shard = lease.shard AND message.waits <> 0 AND message.waits & 1 = 1
AND message.seq <= lease.taken AND held = 0
"""
DOUBT_MARKED = """
UPDATE message SET held = 1 FROM lease, outbox
WHERE lease.shard = ANY(?) AND outbox.shard = lease.shard AND outbox.kind = 'msg' AND outbox.seq <= lease.taken
AND message.user_id = outbox.user_id AND message.number = outbox.number AND held = 0
"""
DOUBT_TEXTS = """
UPDATE "user" SET text_held = NULL FROM outbox
WHERE outbox.shard = ANY(?) AND outbox.kind = 'text' AND "user".user_id = outbox.user_id AND text_held IS NOT NULL
"""


def raise_marks(transaction: Transaction, node: str, epochs: Mapping[int, int], *, seq: int) -> frozenset[int]:
    """Have leases say, on disk, that what waits up to this number may be on its way; those that are the node's still.

    `epochs` are the shards, each with the epoch at which it was taken.
    """
    rows = transaction.connection.execute(RAISE, (seq, list(epochs), list(epochs.values()), node)).fetchall()
    return frozenset(shard for (shard,) in rows)


def doubt(connection: PostgresConnection, shards: Collection[int]) -> None:
    """Note that the broker may have what earlier owners of these shards were handed; so it is cleared some day."""
    some = sorted(shards)
    with one_transaction(connection):
        for statement in (DOUBT_NEW, DOUBT_MARKED, DOUBT_TEXTS):
            connection.execute(statement, (some,))


def owned(transaction: Transaction, node: str, shards: Iterable[int]) -> dict[int, int]:
    """The epochs of those of these shards that are the node's, which stay so until the transaction is over."""
    rows = transaction.connection.execute(OWNED, (sorted(set(shards)), node)).fetchall()
    return dict(rows)


def settle(
    transaction: Transaction, publications: Sequence[Publication], *, node: str, cell: int | None = None
) -> None:
    """Take out what the broker, of a cell or the only one, acknowledged under the leases of now.

    What was sent under others is marked again.
    """
    epochs = owned(transaction, node, (shard_of(each.user_id) for each in publications))
    late = [each for each in publications if epochs.get(shard_of(each.user_id)) != each.epoch]
    mine = [each for each in publications if epochs.get(shard_of(each.user_id)) == each.epoch]
    if mine:
        transaction.form(outbox.settle)(transaction, mine, cell=cell)
    if late:
        mark_late(transaction, [each for each in late if each.needed])
        structlog.get_logger().warning("published_late", rows=len(late))


def mark_late(transaction: Transaction, publications: Sequence[Publication]) -> None:
    """What was sent by one who was not to send any more is sent once more, as it should be then, by whoever is.

    An event is not: it is news, and retained nowhere.
    """
    for each in publications:
        user = each.path.partition("/")[0]
        if each.kind is Kind.MESSAGE:
            transaction.connection.execute(
                "UPDATE message SET held = 1 WHERE user_id = ? AND number = ? AND held = 0", (each.user_id, each.number)
            )
            marks.messages(transaction, each.user_id, user, [each.number])
        elif each.kind is Kind.STRAY:
            cell = each.number if each.path != each.topic else None
            marks.stray(transaction, each.topic, cell=cell, user_id=each.user_id)
        elif each.kind.is_view:
            if each.kind is Kind.TEXT:
                transaction.connection.execute('UPDATE "user" SET text_held = NULL WHERE user_id = ?', (each.user_id,))
            marks.views(transaction, each.user_id, user, [each.kind.value])
