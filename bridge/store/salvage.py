"""Saving what can be read of a damaged database into a new one.

Each table is read from its start up to the damage and from its end back to it, so that a damaged
page costs its own rows and no others. What waits for the broker is left out: the next connection
compares the broker with what was saved and marks every difference anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.store import copies, database, turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LEFT_OUT = frozenset({"outbox", "revision", "discarded", "sqlite_sequence", "changed_login", "stored", "live_terms"})
_BODIES_OF_NOBODY = "DELETE FROM body WHERE body_id NOT IN (SELECT body_id FROM message WHERE body_id IS NOT NULL)"
_NUMBERS_ONLY_GROW = (
    "UPDATE user SET last_number = max(last_number, coalesce("
    "(SELECT max(number) FROM message WHERE message.user_id = user.user_id), 0))"
)
_COUNTED = (
    "UPDATE user SET live = (SELECT count(*) FROM message WHERE message.user_id = user.user_id AND live = 1),"
    " kept = (SELECT count(*) FROM message WHERE message.user_id = user.user_id),"
    " stored = (SELECT coalesce(sum(size), 0) FROM message WHERE message.user_id = user.user_id AND body_id NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Rows saved by table, the tables of which some could not be read, and where the damaged file is now."""

    rows: dict[str, int]
    damaged: tuple[str, ...]
    kept_as: Path


def salvage(path: Path) -> Salvaged:
    """Put a new database in the place of a damaged one; nobody else may have it open.

    The damaged file is kept beside it. Raises StoreCorruptError when nothing can be read of it, and
    StoreUnavailableError when the new one cannot be written; then the old one is still in its place.
    """
    if not path.exists():
        raise StoreUnavailableError(f"{path}: there is no database to save anything from")
    with turn.replacing(path):
        return _salvaged(path)


def _salvaged(path: Path) -> Salvaged:
    fresh = path.with_name(path.name + ".salvaged")
    _remove(fresh)
    database.prepare(fresh)
    old, new = sqlite3.connect(path), database.connect(fresh)
    try:
        rows, damaged = _copy_all(old, new)
    except sqlite3.Error as error:
        raise database.translate(error, fresh) from error
    finally:
        old.close()
        new.close()
    if not rows["user"]:
        _remove(fresh)
        raise StoreCorruptError(f"{path}: no user can be read of it; restore a backup, or move it away to begin anew")
    return Salvaged(rows, damaged, _exchange(path, fresh))


def _copy_all(old: sqlite3.Connection, new: sqlite3.Connection) -> tuple[dict[str, int], tuple[str, ...]]:
    found = new.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    tables = [name for (name,) in found if name not in _LEFT_OUT]
    new.execute("PRAGMA foreign_keys = OFF")
    new.execute("BEGIN")
    damaged = tuple(table for table in tables if not _copy(old, new, table))
    for table in tables:
        _cut_loose_ends(new, table)
    new.execute(_BODIES_OF_NOBODY)
    new.execute(_NUMBERS_ONLY_GROW)
    new.execute(_COUNTED)
    for table in ("user", "login"):  # whose cell was lost is at the first
        new.execute(f"UPDATE {table} SET cell = 0 WHERE cell NOT IN (SELECT cell_id FROM cell)")  # noqa: S608 - ours
    new.execute("UPDATE stored SET bytes = (SELECT coalesce(sum(size), 0) FROM body)")
    new.create_function("casefold", 1, str.casefold, deterministic=True)
    new.execute("UPDATE address SET folded = casefold(address)")
    rows = {table: new.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}  # noqa: S608 - ours
    new.execute("COMMIT")
    return rows, damaged


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> bool:
    """Copy what can be read of a table; whether that was all."""
    try:
        there = {column[1] for column in old.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return False
    columns = [column for column in new.execute(f"PRAGMA table_info({table})") if column[1] in there]
    if not columns:
        return False
    names = ", ".join(column[1] for column in columns)
    key = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]] or ["rowid"]
    insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - ours
    for direction in ("", " DESC"):
        order = ", ".join(column + direction for column in key)
        rows = _readable(old, f"SELECT {names} FROM {table} NOT INDEXED ORDER BY {order}")  # noqa: S608 - ours
        if _insert_all(new, insert, rows):
            return True
    return False


def _readable(old: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...] | None]:
    """The rows up to the first damage, and None in its place."""
    try:
        yield from old.execute(query)
    except sqlite3.DatabaseError:
        yield None


def _insert_all(new: sqlite3.Connection, statement: str, rows: Iterable[tuple[object, ...] | None]) -> bool:
    """Insert rows; whether damage was met nowhere."""
    for row in rows:
        if row is None:
            return False
        with suppress(sqlite3.IntegrityError):  # damage can also look like a row with values that no row has
            new.execute(statement, row)
    return True


def _cut_loose_ends(new: sqlite3.Connection, table: str) -> None:
    """Do what the foreign keys say for rows whose parent was lost."""
    for _, _, parent, column, _, _, on_delete, _ in new.execute(f"PRAGMA foreign_key_list({table})").fetchall():
        [key] = [info[1] for info in new.execute(f"PRAGMA table_info({parent})") if info[5]]
        lost = f"{column} NOT IN (SELECT {key} FROM {parent})"  # noqa: S608 - ours
        if on_delete == "SET NULL":
            new.execute(f"UPDATE {table} SET {column} = NULL WHERE {lost}")  # noqa: S608 - ours
        else:
            new.execute(f"DELETE FROM {table} WHERE {lost}")  # noqa: S608 - ours


def _exchange(path: Path, fresh: Path) -> Path:
    """Put the new file in the place of the old one; where the old one is now."""
    number = 1
    while (kept_as := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(kept_as.with_name(kept_as.name + suffix))
    fresh.rename(path)
    copies.sync_directory(path.parent)
    return kept_as


def _remove(fresh: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
