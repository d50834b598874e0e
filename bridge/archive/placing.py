"""Putting an unpacked backup in the place of a state that nobody uses.

One rename decides: that of the database. Before it the old state is in force, and what came beside it already are
spool files that no row names, which the next start sweeps away. Behind it the new state is, and what is left of the
old one beside it is what can be made anew: sessions of the broker, journals. So a process that is killed at any
point leaves the one or the other, and a restore that is begun again ends as if nothing had happened.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from bridge import spool
from bridge.archive import contents
from bridge.archive.contents import BackupError
from bridge.store import database, offline
from bridge.store.copies import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.archive.making import State
    from bridge.archive.unpacking import Unpacked

SIDE_FILES = ("-wal", "-shm", "-journal")
PUT_ASIDE = ("sessions.db", "sessions.db-wal", "sessions.db-shm", "watch")
"""What goes with the database that it belongs to, beside the spool and the key."""


def make_fit(fresh: Path, unpacked: Unpacked) -> None:
    """Look an unpacked database through, and bring it to the newest schema; raises store errors or BackupError."""
    path = fresh / contents.DATABASE
    database.prepare(path, check=True, keep=False)
    with offline.reading(path) as connection:
        named = {row[0] for row in connection.execute("SELECT file FROM body WHERE file IS NOT NULL")}
    there = {name.removeprefix(contents.SPOOL) for name in unpacked.names}
    lacking = named - there - set(unpacked.head.missing)
    if lacking:
        raise BackupError(f"this backup is damaged: {min(lacking)} is missing; take another one")


def place(fresh: Path, state: State, *, aside: Path) -> Path | None:
    """Have what lies in `fresh` be the state; where the old one is kept, None when there was none.

    `fresh` and `aside` are in the state's directory; it is this process's turn there. Raises OSError, or BackupError;
    then the old state is in force.
    """
    kept_as = None
    if state.database.exists():
        kept_as = aside
        _fold(state.database)
        _keep(state, aside)
    _bring_spool(fresh, state.spool_dir)
    for suffix in SIDE_FILES:  # of a damaged database, whose log could not be taken into it
        state.database.with_name(state.database.name + suffix).unlink(missing_ok=True)
    (fresh / contents.DATABASE).rename(state.database)
    sync_directory(state.database.parent)
    # From here on the new state is in force.
    _tidy(fresh, state, aside)
    return kept_as


def _fold(path: Path) -> None:
    """Take the log into the database, so that one file is all of it; a damaged one stays as it is."""
    with suppress(sqlite3.DatabaseError), closing(database.connect(path)) as connection:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise BackupError(f"{path}: another command works with it; try again when it has ended") from error
            raise


def _keep(state: State, aside: Path) -> None:
    """Give every file of the old state a second name in a directory beside it."""
    for directory in (aside, aside / contents.SPOOL):
        directory.mkdir(mode=0o700, exist_ok=True)
    names = [state.database.name + suffix for suffix in ("", *SIDE_FILES)]
    for path in [state.database.with_name(name) for name in names] + [state.key, *_own_password(state)]:
        _link(path, aside / path.name)
    if state.spool_dir.is_dir():
        for path in spool.files(state.spool_dir):
            _link(path, aside / contents.SPOOL / path.name)
    for directory in (aside / contents.SPOOL, aside, aside.parent):
        sync_directory(directory)


def _own_password(state: State) -> list[Path]:
    """The password for the broker, where it is Postbell's own to keep: in the state's directory."""
    return [state.password] if state.password is not None and state.password.parent == state.database.parent else []


def _link(path: Path, other: Path) -> None:
    if not path.exists() or other.exists():
        return
    try:
        os.link(path, other)
    except OSError:  # the spool is on a disk of its own, or the disk knows no second names
        shutil.copy2(path, other)


def _bring_spool(fresh: Path, spool_dir: Path) -> None:
    spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in spool.files(fresh / contents.SPOOL):
        shutil.move(path, spool_dir / path.name)
    sync_directory(spool_dir)


def _tidy(fresh: Path, state: State, aside: Path) -> None:
    """Put the rest where it belongs: nothing of it is needed to go on."""
    place = state.database.parent
    if (fresh / contents.KEY).exists():
        (fresh / contents.KEY).replace(state.key)
    for path in _own_password(state):
        if (fresh / contents.PASSWORD).exists():
            (fresh / contents.PASSWORD).replace(path)
    for name in PUT_ASIDE:
        if aside.is_dir() and (place / name).exists():
            (place / name).rename(aside / name)
    sync_directory(place)
