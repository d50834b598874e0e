"""Reconciling: the broker's retained set is compared with the truth, and differences are marked.

Marking is always safe: the outbox publishes what is desired when a row's turn comes, so a
difference that has healed meanwhile costs one publish and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.contract import ids, topics
from bridge.contract.header import fitted
from bridge.contract.publication import Kind
from bridge.reconcile import Difference, Observed, Repair, difference, fingerprint
from bridge.store import marks, outbox, payloads, views
from bridge.store.desired import view_is_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


def compare(connection: StoreConnection, observed: Observed) -> Repair:
    """What would be repaired, without touching anything."""
    return summary(_difference(connection, observed), observed)


def mark(transaction: Transaction, observed: Observed) -> Repair:
    """Mark every difference in the outbox, and note what the broker turned out to hold.

    What it turned out not to hold any more stays noted as held: devices may have it nevertheless.
    """
    connection = transaction.connection
    found = _difference(connection, observed)
    users = {name: user_id for name in observed.users for user_id in _user_ids(connection, name, observed.cell)}
    for path in sorted(found.missing | found.different | found.stale):
        name, _, rest = path.partition("/")
        user_id, kind = users.get(name), rest.partition("/")[0]
        number = number_in(rest)
        if user_id is None or (kind == Kind.MESSAGE and number is None):
            marks.stray(transaction, path, cell=observed.cell)
        elif number is not None:
            if path in observed.retained:
                connection.execute("UPDATE message SET held = 1 WHERE user_id = ? AND number = ?", (user_id, number))
            marks.messages(transaction, user_id, name, [number])
        else:
            connection.execute("UPDATE user SET text_held = NULL WHERE user_id = ?", (user_id,))
            marks.views(transaction, user_id, name, [rest])
    return summary(found, observed)


def _difference(connection: StoreConnection, observed: Observed) -> Difference:
    found = beside(observed, _desired(connection, observed))
    return Difference(
        missing=frozenset(path for path in found.missing if not _under_way(connection, path)),
        different=found.different,
        stale=found.stale,
    )


def beside(observed: Observed, desired: Iterable[tuple[str, int]]) -> Difference:
    """How what was observed differs from what is desired, where the broker has not acknowledged something newer."""
    wanted = {path: state for path, state in desired if path not in observed.acknowledged}
    retained = {path: state for path, state in observed.retained.items() if path not in observed.acknowledged}
    return difference(wanted, retained)


def _under_way(connection: StoreConnection, path: str) -> bool:
    """Whether what is missing waits in the outbox already, or is in flight: marked anew it would be published twice.

    Not so the text: its row may be about to go without a publish, for the broker is thought to hold it.
    """
    row = connection.execute("SELECT kind FROM outbox WHERE path = ?", (path,)).fetchone()
    if row is not None:
        return Kind(row[0]) is not Kind.TEXT
    name, _, rest = path.partition("/")
    number = number_in(rest)
    return number is not None and outbox.waits_new(connection, name, number)


def _desired(connection: StoreConnection, observed: Observed) -> Iterator[tuple[str, int]]:
    """Path and fingerprint of everything that the broker should hold of these users."""
    for name in observed.users:
        for user_id in _user_ids(connection, name, observed.cell):
            yield from _desired_of(connection, user_id, name, observed)


def _desired_of(connection: StoreConnection, user_id: int, name: str, observed: Observed) -> Iterator[tuple[str, int]]:
    limit = payloads.of_user(connection, user_id)
    for number, header in connection.execute(
        "SELECT number, header FROM message WHERE user_id = ? AND live = 1", (user_id,)
    ):
        yield topics.message(name, ids.encode(number)), fingerprint(fitted(header, limit))
    row = connection.execute("SELECT views FROM user WHERE user_id = ?", (user_id,)).fetchone()
    switched_on = views.parse(row[0])
    for kind in map(Kind, topics.STATE_VIEWS):
        if not view_is_on(kind, switched_on):
            continue
        payload = outbox.view_payload(connection, user_id, kind, now_ms=observed.now_ms, days=observed.days)
        if payload:  # an empty one clears the topic: nothing is held
            yield topics.view(name, kind), fingerprint(payload)


def _user_ids(connection: StoreConnection, name: str, cell: int | None) -> list[int]:
    """The user of that name, if there is one, and at this cell."""
    found = connection.execute("SELECT user_id, cell FROM user WHERE name = ?", (name,))
    return [user_id for user_id, at in found if cell in {None, at}]


def number_in(rest: str) -> int | None:
    """The number of the message whose topic this is, without its user; None for any other topic."""
    kind, _, text = rest.partition("/")
    if kind != Kind.MESSAGE:
        return None
    try:
        return ids.decode(text)
    except ValueError:
        return None


def summary(found: Difference, observed: Observed) -> Repair:
    """A difference as it is told."""
    return Repair(len(found.missing), len(found.different), len(found.stale), len(observed.retained))
