"""Users and their addresses.

These operations run from the command line in a process of its own, while the bridge may be
running: each is one transaction, and the bridge notices by SQLite's data version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.cells import MAIN
from bridge.contract import topics
from bridge.directory import PROBE_DOMAIN, PROBES, normalise
from bridge.errors import MalformedNameError, PostbellError
from bridge.store import marks, placing, views

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


_LOGINS_OF = "login WHERE username >= ? AND username < ?"  # from `name.` to what comes behind the last of its kind
_BODIES_OF_NOBODY = (
    "DELETE FROM body WHERE body_id IN (SELECT value FROM json_each(?))"
    " AND NOT EXISTS (SELECT 1 FROM message WHERE message.body_id = body.body_id)"
)
NAME_RULE = "use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit"


class PeopleError(PostbellError):
    """A user, address or device that is there already, or is not there."""


@dataclass(frozen=True, slots=True)
class UserListing:
    """One user as the command line shows them."""

    user: str
    addresses: tuple[str, ...]
    devices: tuple[str, ...]
    views: tuple[str, ...]
    live: int
    unseen: int


def add_user(transaction: Transaction, name: str, addresses: Sequence[str]) -> None:
    """Add a user with addresses; raises PeopleError or, for a name or address that cannot be, Malformed…Error."""
    if not topics.valid_name(name):
        raise MalformedNameError(f"{name!r} cannot be a user: {NAME_RULE}")
    if name.startswith(PROBES):
        raise MalformedNameError(f"{name!r} cannot be a user: names that begin with {PROBES} are the doctor's")
    _insert_user(transaction, name, addresses, cell=placing.place_for_next(transaction.connection))


def add_probe(transaction: Transaction, name: str) -> str:
    """Add a user of the doctor's, who is for nobody's mail; the address. `remove_probes` is due soon."""
    assert name.startswith(PROBES), "the names of the doctor's users tell them from all others"
    address = f"{name}@{PROBE_DOMAIN}"
    _insert_user(transaction, name, [address])
    return address


def remove_probes(transaction: Transaction) -> list[str]:
    """Remove all users of the doctor's, also those that an earlier one left; their names."""
    names = probes(transaction.connection)
    for name in names:
        remove_user(transaction, name)
    return names


def probes(connection: StoreConnection) -> list[str]:
    """The users of the doctor's that there are: none but while it is at work, or after it was killed."""
    rows = connection.execute(
        "SELECT name FROM user WHERE substr(name, 1, CAST(? AS INTEGER)) = ?", (len(PROBES), PROBES)
    )
    return [name for (name,) in rows]


def _insert_user(transaction: Transaction, name: str, addresses: Sequence[str], *, cell: int = MAIN) -> None:
    connection = transaction.connection
    if connection.execute("SELECT 1 FROM user WHERE name = ?", (name,)).fetchone():
        raise PeopleError(f"there is a user {name!r} already")
    [(user_id,)] = connection.execute(
        "INSERT INTO user (name, views, created_ms, cell) VALUES (?, ?, ?, ?) RETURNING user_id",
        (name, views.write(views.ALL), transaction.now_ms, cell),
    ).fetchall()
    add_addresses(transaction, name, addresses)
    marks.views(transaction, user_id, name)


def add_addresses(transaction: Transaction, name: str, addresses: Iterable[str]) -> None:
    """Give a user further addresses; `@domain` catches what nobody else of that domain has."""
    user_id = user_id_of(transaction.connection, name)
    for address in addresses:
        normal = normalise(address)
        owner = transaction.connection.execute(
            "SELECT u.name FROM address a JOIN user u USING (user_id) WHERE a.address = ?", (normal,)
        ).fetchone()
        if owner is not None:
            raise PeopleError(f"{normal} belongs to {owner[0]} already")
        transaction.connection.execute("INSERT INTO address VALUES (?, ?, ?)", (normal, user_id, normal.casefold()))


def remove_address(transaction: Transaction, name: str, address: str) -> None:
    """Take an address from a user, written with the same or other capitals."""
    user_id, normal = user_id_of(transaction.connection, name), normalise(address)
    theirs = [
        row[0] for row in transaction.connection.execute("SELECT address FROM address WHERE user_id = ?", (user_id,))
    ]
    meant = normal if normal in theirs else next((a for a in theirs if a.casefold() == normal.casefold()), None)
    if meant is None:
        raise PeopleError(f"{name} has no address {address}")
    transaction.connection.execute("DELETE FROM address WHERE address = ?", (meant,))


def set_view(transaction: Transaction, name: str, view: str, *, on: bool) -> None:
    """Switch one of a user's optional views on or off; what is off is cleared on the broker."""
    if view not in topics.OPTIONAL_VIEWS:
        raise MalformedNameError(f"{view!r} is no view; there are {', '.join(topics.OPTIONAL_VIEWS)}")
    connection, user_id = transaction.connection, user_id_of(transaction.connection, name)
    row = connection.execute("SELECT views FROM user WHERE user_id = ?", (user_id,)).fetchone()
    before = views.parse(row[0])
    after = before | {view} if on else before - {view}
    connection.execute("UPDATE user SET views = ? WHERE user_id = ?", (views.write(after), user_id))
    marks.views(transaction, user_id, name)


@dataclass(frozen=True, slots=True)
class Belongings:
    """How much a user has: addresses, devices, passwords of logins, messages, and bodies that nobody else has."""

    user_id: int
    addresses: int
    devices: int
    logins: int
    messages: int
    bodies: int


def belongings(connection: StoreConnection, name: str) -> Belongings:
    """How much a user has; raises PeopleError."""
    user_id = user_id_of(connection, name)

    def count(query: str, *values: object) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {query}", values).fetchone()[0])  # noqa: S608 - ours

    return Belongings(
        user_id,
        count("address WHERE user_id = ?", user_id),
        count("device WHERE user_id = ?", user_id),
        count(_LOGINS_OF, f"{name}.", f"{name}/"),
        count("message WHERE user_id = ?", user_id),
        count(
            "message m WHERE user_id = ? AND body_id IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM message o WHERE o.body_id = m.body_id AND o.user_id <> m.user_id)",
            user_id,
        ),
    )


def remove_user(transaction: Transaction, name: str) -> Belongings:
    """Remove a user with messages, devices and logins; the broker's copies are cleared by the outbox. What it was."""
    connection, user_id = transaction.connection, user_id_of(transaction.connection, name)
    removed = belongings(connection, name)
    if placing.leave(transaction, name) == MAIN:
        numbers = connection.execute(
            "SELECT number FROM message WHERE user_id = ? AND (held = 1 OR live = 1)", (user_id,)
        ).fetchall()
        marks.gone(transaction, user_id, name, [row[0] for row in numbers])
        marks.views(transaction, user_id, name)
    else:  # what waits is not for the broker where it would go without its user
        connection.execute("DELETE FROM outbox WHERE user_id = ?", (user_id,))
    theirs = connection.execute("SELECT body_id FROM message WHERE user_id = ? AND body_id IS NOT NULL", (user_id,))
    left = json.dumps([body_id for (body_id,) in theirs])
    connection.execute(f"DELETE FROM {_LOGINS_OF}", (f"{name}.", f"{name}/"))  # noqa: S608 - ours
    connection.execute("DELETE FROM user WHERE user_id = ?", (user_id,))
    connection.execute(_BODIES_OF_NOBODY, (left,))
    return removed


def list_users(connection: StoreConnection, horizon: int) -> list[UserListing]:
    """All users by name but the doctor's; `horizon` is the smallest number that counts as unseen."""
    users = connection.execute(
        "SELECT user_id, name, views, live FROM user WHERE substr(name, 1, CAST(? AS INTEGER)) <> ? ORDER BY name",
        (len(PROBES), PROBES),
    ).fetchall()
    listings = []
    for user_id, name, switched_on, live in users:
        addresses = connection.execute("SELECT address FROM address WHERE user_id = ? ORDER BY address", (user_id,))
        devices = connection.execute("SELECT name FROM device WHERE user_id = ? ORDER BY name", (user_id,))
        unseen = connection.execute(
            "SELECT count(*) FROM message WHERE user_id = ? AND seen = 0 AND number >= ?", (user_id, horizon)
        ).fetchone()[0]
        listings.append(
            UserListing(
                name,
                tuple(row[0] for row in addresses.fetchall()),
                tuple(row[0] for row in devices.fetchall()),
                tuple(view for view in topics.OPTIONAL_VIEWS if view in views.parse(switched_on)),
                live,
                unseen,
            )
        )
    return listings


def all_addresses(connection: StoreConnection) -> list[str]:
    """The addresses of all users but the doctor's, sorted."""
    found = connection.execute("SELECT address FROM address ORDER BY address")
    return [address for (address,) in found if not address.endswith(f"@{PROBE_DOMAIN}")]


def revision(connection: StoreConnection) -> int:
    """A number that grows whenever users or addresses change, in whichever process."""
    value: int = connection.execute("SELECT value FROM revision WHERE name = 'people'").fetchone()[0]
    return value


def user_id_of(connection: StoreConnection, name: str) -> int:
    """The number of a user; raises PeopleError."""
    row = connection.execute("SELECT user_id FROM user WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise PeopleError(f"there is no user {name!r}")
    user_id: int = row[0]
    return user_id
