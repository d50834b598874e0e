"""Who is at which cell, as the database has it: the cells, their users, and what is left where users were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.cells import MAIN, Cell, Leaving, Occupied, emptiest
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction

COLUMNS = "cell_id, name, url, ca_file, password_file, logins_for, logins_dir, logins_hook, draining"
_ALL = f"SELECT {COLUMNS} FROM cell ORDER BY cell_id"  # noqa: S608 - ours
COUNTED = f"""
SELECT {COLUMNS}, (SELECT count(*) FROM user INDEXED BY user_cell WHERE user.cell = cell_id) FROM cell ORDER BY cell_id
"""  # noqa: S608 - ours
OTHERS = f"SELECT EXISTS (SELECT 1 FROM cell WHERE cell_id <> {MAIN})"  # noqa: S608 - ours
ELSEWHERE = f"""
SELECT u.name, c.name FROM user u INDEXED BY user_cell JOIN cell c ON c.cell_id = u.cell
WHERE u.cell > {MAIN} ORDER BY u.name
"""  # noqa: S608 - ours
OF_USER = "SELECT cell FROM user WHERE name = ?"
THEIR_LOGINS = "username >= ? AND username < ?"
"""From `name.` to what comes behind the last of its kind, `name/`."""


class CellError(PostbellError):
    """A cell that is there already, is not there, or has users still."""


def everyone(connection: StoreConnection) -> list[Cell]:
    """All cells, the first is the broker of the configuration."""
    return [_cell(row) for row in connection.execute(_ALL)]


def occupied(connection: StoreConnection) -> list[Occupied]:
    """All cells, and how many users each has."""
    return [Occupied(_cell(row[:-1]), row[-1]) for row in connection.execute(COUNTED)]


def named(connection: StoreConnection, name: str) -> Cell:
    """The cell of that name; raises CellError."""
    row = connection.execute(f"SELECT {COLUMNS} FROM cell WHERE name = ?", (name,)).fetchone()  # noqa: S608 - ours
    if row is None:
        known = ", ".join(each.name for each in everyone(connection))
        raise CellError(f"there is no cell {name!r}; there are {known}")
    return _cell(row)


def of_user(connection: StoreConnection, name: str) -> Cell | None:
    """The cell of a user, if there is such a user and cells beside the first."""
    if not any_others(connection):
        return None
    row = connection.execute(OF_USER, (name,)).fetchone()
    if row is None:
        return None
    found = connection.execute(f"SELECT {COLUMNS} FROM cell WHERE cell_id = ?", row).fetchone()  # noqa: S608 - ours
    return _cell(found)


def any_others(connection: StoreConnection) -> bool:
    """Whether there is any cell but the first."""
    return bool(connection.execute(OTHERS).fetchone()[0])


def place_for_next(connection: StoreConnection) -> int:
    """The number of the cell that the next user goes to; raises CellError when all are draining."""
    if not any_others(connection):
        return MAIN
    cell = emptiest(occupied(connection))
    if cell is None:
        raise CellError("all cells are draining; add one, or have one filled again: postbell cell drain NAME --undo")
    return cell.cell_id


def elsewhere(connection: StoreConnection) -> list[tuple[str, str]]:
    """Who is not in the first cell, by name, and the name of the cell where they are."""
    return connection.execute(ELSEWHERE).fetchall()


def leave(transaction: Transaction, user: str) -> int:
    """Note that a user who is removed leaves topics at their cell, unless that is the first; which it is."""
    connection = transaction.connection
    (cell,) = connection.execute(OF_USER, (user,)).fetchone()
    if cell != MAIN:
        connection.execute(
            "INSERT INTO leaving (cell, name, let_go) VALUES (?, ?, 1)"
            " ON CONFLICT (cell, name) DO UPDATE SET let_go = 1",
            (cell, user),
        )
    connection.execute("UPDATE leaving SET let_go = 1 WHERE name = ?", (user,))
    return int(cell)


def leaving(connection: StoreConnection) -> list[Leaving]:
    """Of whom topics are still to be cleared where they were."""
    rows = connection.execute(
        "SELECT l.cell, l.name, l.let_go, u.cell, coalesce(u.user_id, 0)"
        " FROM leaving l LEFT JOIN user u ON u.name = l.name ORDER BY l.cell, l.name"
    )
    return [Leaving(cell, name, bool(let_go), now_at, user_id) for cell, name, let_go, now_at, user_id in rows]


def let_go(transaction: Transaction, users: Iterable[str]) -> None:
    """Have devices of these users be let in where their users are, and nowhere else."""
    connection = transaction.connection
    for user in users:
        connection.execute(
            f"UPDATE login SET cell = (SELECT cell FROM user WHERE name = ?) WHERE {THEIR_LOGINS}"  # noqa: S608 - ours
            " AND role = 'device' AND EXISTS (SELECT 1 FROM user WHERE name = ?)",
            (user, f"{user}.", f"{user}/", user),
        )
        connection.execute("UPDATE leaving SET let_go = 1 WHERE name = ?", (user,))


def cleared(transaction: Transaction, cell_id: int, users: Iterable[str]) -> None:
    """Nothing of these is left to be noticed at this cell: what was found there waits in the outbox."""
    rows = [(cell_id, user) for user in users]
    transaction.connection.executemany("DELETE FROM leaving WHERE cell = ? AND name = ? AND let_go = 1", rows)


def _cell(row: tuple[Any, ...]) -> Cell:
    cell_id, name, url, ca_file, password_file, logins_for, logins_dir, hook, draining = row
    return Cell(
        cell_id=cell_id,
        name=name,
        url=url,
        ca_file=ca_file,
        password_file=password_file,
        logins_for=logins_for,
        logins_dir=logins_dir,
        logins_hook=tuple(json.loads(hook)),
        draining=bool(draining),
    )
