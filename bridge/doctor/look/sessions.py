"""The file in which the running embedded broker keeps its sessions, looked at without changing it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge.broker import SessionsSeen
from bridge.doctor.look.store import damage_of

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "sessions.db"
DAMAGE_S: Final = 1.0
WAIT_S: Final = 1.0
"""How long the broker is waited for: its own transactions take milliseconds."""


def look(directory: Path) -> SessionsSeen:
    """The facts; a damage is looked for as long as there is time."""
    path = directory / FILE
    try:
        with closing(_connected(path)) as connection:
            damage = damage_of(connection, within_s=DAMAGE_S)
            return SessionsSeen(str(path), damage=damage or "", refusal="" if damage else _refusal(connection))
    except sqlite3.Error as error:
        return SessionsSeen(str(path), unread=str(error))


def _connected(path: Path) -> sqlite3.Connection:
    """A connection that makes no file."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=WAIT_S)


def _refusal(connection: sqlite3.Connection) -> str:
    """Why it cannot be written; "" when a change of nothing could, which is taken back, or when the broker is at it."""
    try:
        connection.execute("BEGIN")
        try:
            connection.execute("DELETE FROM session WHERE 0")
        finally:
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return "" if error.sqlite_errorcode == sqlite3.SQLITE_BUSY else str(error)
    return ""
