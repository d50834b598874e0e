"""Cells: brokers that come and go beside the one of the configuration, and users who move from one to another.

A move is one transaction: from then on mail is published at the new cell, where all live mail is marked. The logins are
good at both until the new cell is ready (`placing.let_go`), and what is left at the old one is cleared when its broker
lets them in no more (`placing.leaving`): no device hears that its mail was gone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.cells import MAIN, Cell
from bridge.contract import topics
from bridge.errors import MalformedNameError
from bridge.store import live, marks
from bridge.store.people import NAME_RULE, user_id_of
from bridge.store.placing import OF_USER, THEIR_LOGINS, CellError, everyone, named

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


def add(transaction: Transaction, cell: Cell) -> Cell:
    """Add a cell, whose number is given here; raises CellError or MalformedNameError."""
    if not topics.valid_name(cell.name):
        raise MalformedNameError(f"{cell.name!r} cannot be a cell: {NAME_RULE}")
    if transaction.connection.execute("SELECT 1 FROM cell WHERE name = ?", (cell.name,)).fetchone():
        raise CellError(f"there is a cell {cell.name!r} already")
    transaction.connection.execute(
        "INSERT INTO cell (name, url, ca_file, password_file, logins_for, logins_dir, logins_hook)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(cell.name, cell.url, cell.ca_file, cell.password_file),
            *(cell.logins_for, cell.logins_dir, json.dumps(cell.logins_hook)),
        ),
    )
    return named(transaction.connection, cell.name)


def remove(transaction: Transaction, name: str) -> None:
    """Take away a cell that nobody is in; raises CellError. What is left to clear there stays there."""
    cell = named(transaction.connection, name)
    if cell.cell_id == MAIN:
        raise CellError(f"{name} is the broker of the configuration, and is always there")
    users = transaction.connection.execute("SELECT count(*) FROM user WHERE cell = ?", (cell.cell_id,)).fetchone()[0]
    if users:
        raise CellError(f"{name} has {users} users; move them first, as with: postbell cell drain {name} --move")
    transaction.connection.execute("DELETE FROM cell WHERE cell_id = ?", (cell.cell_id,))
    transaction.connection.execute("DELETE FROM leaving WHERE cell = ?", (cell.cell_id,))
    transaction.connection.execute("DELETE FROM outbox WHERE kind = 'stray' AND number = ?", (cell.cell_id,))


def drain(transaction: Transaction, name: str, *, draining: bool = True) -> None:
    """Have nobody new go to a cell, or have them again; raises CellError."""
    cell = named(transaction.connection, name)
    transaction.connection.execute("UPDATE cell SET draining = ? WHERE cell_id = ?", (draining, cell.cell_id))


def members(connection: StoreConnection, name: str, *, limit: int) -> list[str]:
    """The first users of a cell by name, so many at most; raises CellError."""
    cell = named(connection, name)
    rows = connection.execute("SELECT name FROM user WHERE cell = ? ORDER BY name LIMIT ?", (cell.cell_id, limit))
    return [user for (user,) in rows]


def move(transaction: Transaction, user: str, name: str) -> Cell:
    """Move a user to a cell; where they were. Raises PeopleError."""
    connection = transaction.connection
    user_id, there = user_id_of(connection, user), named(connection, name)
    (number,) = connection.execute(OF_USER, (user,)).fetchone()
    before = next(cell for cell in everyone(connection) if cell.cell_id == number)
    if before.cell_id == there.cell_id:
        raise CellError(f"{user} is at {name} already")
    connection.execute("UPDATE user SET cell = ?, text_held = NULL WHERE user_id = ?", (there.cell_id, user_id))
    connection.execute("DELETE FROM leaving WHERE cell = ? AND name = ?", (there.cell_id, user))
    connection.execute(
        "INSERT INTO leaving (cell, name) VALUES (?, ?) ON CONFLICT (cell, name) DO UPDATE SET let_go = 0",
        (before.cell_id, user),
    )
    # What was to be cleared there is theirs again.
    connection.execute(
        "DELETE FROM outbox WHERE user_id = ? AND kind = 'stray' AND number = ?", (user_id, there.cell_id)
    )
    # What is in flight at the old cell settles nothing, and devices may have what was there. In the order of paths, as
    # all who change several rows: two would wait for one another.
    waiting = connection.execute("SELECT path FROM outbox WHERE user_id = ? ORDER BY path", (user_id,)).fetchall()
    connection.executemany("UPDATE outbox SET generation = generation + 1 WHERE path = ?", waiting)
    connection.execute("UPDATE message SET held = 1 WHERE user_id = ? AND live = 1", (user_id,))
    marks.messages(transaction, user_id, user, live.live_numbers(connection, user_id))
    marks.views(transaction, user_id, user)
    _touch_logins(connection, user)
    return before


def _touch_logins(connection: StoreConnection, user: str) -> None:
    """Note that the logins of a user are to be read again, wherever they are let in."""
    connection.execute(f"UPDATE login SET cell = cell WHERE {THEIR_LOGINS}", (f"{user}.", f"{user}/"))  # noqa: S608
