"""Devices of users, and the logins with which the broker lets them in.

As with users (people.py), each operation is one transaction of a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import topics
from bridge.errors import MalformedNameError
from bridge.store import logins, payloads, subscriptions, views
from bridge.store.people import NAME_RULE, PeopleError, user_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.kept import PushStanding
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


DISCOVERED = f"SELECT name, cell FROM user WHERE instr(views, '{views.DISCOVERED}') > 0 ORDER BY name"  # noqa: S608
"""As the index of PostgreSQL has them."""


@dataclass(frozen=True, slots=True)
class DeviceListing:
    """One device as the command line shows it.

    `heard_ms` is when it last asked for something, to the minute; `payload` how many bytes of a header it takes, None
    for whatever there is. `push` is how ringing it goes, None where it is not rung.
    """

    user: str
    device: str
    username: str
    created_ms: int
    heard_ms: int | None
    payload: int | None = None
    push: PushStanding | None = None


def username(user: str, device: str) -> str:
    """The MQTT login of a device; a dot cannot occur in either name, so it is never ambiguous."""
    return f"{user}.{device}"


def add_device(transaction: Transaction, user: str, device: str, *, payload: int | None = None) -> str:
    """Add a device and return its password, which is shown this once and kept only as a hash.

    `payload` says how many bytes of a header it takes (`payloads.py`). Raises PeopleError, MalformedNameError or
    PayloadError.
    """
    if not topics.valid_name(device):
        raise MalformedNameError(f"{device!r} cannot be a device: {NAME_RULE}")
    connection, user_id = transaction.connection, user_id_of(transaction.connection, user)
    if connection.execute("SELECT 1 FROM device WHERE user_id = ? AND name = ?", (user_id, device)).fetchone():
        raise PeopleError(
            f"{user} has a device {device!r} already; a new password for it: postbell device password {user} {device}"
        )
    with payloads.fitting(transaction, user_id, user):
        connection.execute(
            "INSERT INTO device (user_id, name, created_ms) VALUES (?, ?, ?)", (user_id, device, transaction.now_ms)
        )
        payloads.limit(transaction, user_id, device, payload)
    return logins.grant(transaction, username(user, device), label="device", role="device")


def renew_device(transaction: Transaction, user: str, device: str) -> str:
    """A new password for a device; connections with the old one end, its session goes on.

    Where it is rung by push is forgotten: whoever had the old password may have said so, and the device says it anew.
    """
    require_device(transaction.connection, user, device)
    subscriptions.end(transaction, user_id_of(transaction.connection, user), device)
    return logins.replace(transaction, username(user, device), label="device", role="device")


def change_device(transaction: Transaction, user: str, device: str, *, payload: int | None) -> None:
    """Say anew how many bytes of a header a device takes, None for whatever there is."""
    require_device(transaction.connection, user, device)
    user_id = user_id_of(transaction.connection, user)
    with payloads.fitting(transaction, user_id, user):
        payloads.limit(transaction, user_id, device, payload)


def revoke_device(transaction: Transaction, user: str, device: str) -> None:
    """Remove a device and every secret that opens its login."""
    user_id = user_id_of(transaction.connection, user)
    with payloads.fitting(transaction, user_id, user):
        cursor = transaction.connection.execute("DELETE FROM device WHERE user_id = ? AND name = ?", (user_id, device))
    if not cursor.rowcount:
        raise PeopleError(f"{user} has no device {device!r}")
    transaction.connection.execute("DELETE FROM login WHERE username = ?", (username(user, device),))
    _set_views(transaction, user, lambda on: on - {f"{views.DISCOVERED}{device}"})


def discover(transaction: Transaction, user: str, device: str) -> None:
    """Have Home Assistant told of a user, as long as this device is there; raises PeopleError."""
    require_device(transaction.connection, user, device)
    _set_views(transaction, user, lambda on: on | {f"{views.DISCOVERED}{device}"})


def discovered(connection: StoreConnection, *, cell: int | None = None) -> list[str]:
    """The users of whom Home Assistant is told, by name; those at one cell, or all."""
    return [name for name, at in connection.execute(DISCOVERED) if cell in {None, at}]


def _set_views(transaction: Transaction, user: str, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
    """Change what stands with a user's views, if that changes anything."""
    user_id = user_id_of(transaction.connection, user)
    (text,) = transaction.connection.execute("SELECT views FROM user WHERE user_id = ?", (user_id,)).fetchone()
    changed = views.write(change(views.parse(text)))
    if changed != text:
        transaction.connection.execute("UPDATE user SET views = ? WHERE user_id = ?", (changed, user_id))


def hear(transaction: Transaction, heard: Mapping[tuple[str, str], int]) -> None:
    """Note when devices last asked for something, by user and device in Unix milliseconds."""
    transaction.connection.executemany(
        "UPDATE device SET heard_ms = ? WHERE name = ? AND user_id = (SELECT user_id FROM user WHERE name = ?)",
        [(at_ms, device, user) for (user, device), at_ms in heard.items()],
    )


def require_device(connection: StoreConnection, user: str, device: str) -> None:
    """Raises PeopleError unless the user has this device."""
    user_id = user_id_of(connection, user)
    if not connection.execute("SELECT 1 FROM device WHERE user_id = ? AND name = ?", (user_id, device)).fetchone():
        raise PeopleError(f"{user} has no device {device!r}; add it with: postbell device add {user} {device}")


def list_devices(connection: StoreConnection, user: str | None) -> list[DeviceListing]:
    """The devices of one user or of all, by name."""
    if user is not None:
        user_id_of(connection, user)
    rows = connection.execute(
        "SELECT u.name, d.name, d.created_ms, d.heard_ms, d.payload FROM device d JOIN user u USING (user_id)"
        " WHERE CAST(?1 AS TEXT) IS NULL OR u.name = ?1 ORDER BY u.name, d.name",
        (user,),
    )
    rung = subscriptions.standings(connection)
    return [
        DeviceListing(owner, device, username(owner, device), created, heard, payload, rung.get((owner, device)))
        for owner, device, created, heard, payload in rows
    ]
