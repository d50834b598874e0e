"""The store for short-lived commands: one transaction or one look, then the database is closed."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import StoreUnavailableError
from bridge.store import database, places, snapshot, turn

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from bridge.store.engine import Engine, StoreConnection
    from bridge.store.writer import Transaction


@contextmanager
def transaction(place: Path | str, *, now_ms: int, count: int, days: float) -> Iterator[Transaction]:
    """One synced transaction on the file at a path, or the database of a URL; nothing is kept when the block raises.

    Raises store errors.
    """
    from bridge.box.live_set import Retention  # noqa: PLC0415 - a command that only looks waits for none of these
    from bridge.store import live  # noqa: PLC0415
    from bridge.store.writer import Transaction  # noqa: PLC0415

    its = places.of(place)
    with _turn(place):
        its.prepare(for_command=True)
    with _connected(place, its) as connection:
        its.require_newest(connection)
        its.begin(connection)
        try:
            work = Transaction(connection, now_ms, form=its.form)
            yield work
            retention = Retention(count, days)
            its.form(live.bring_up_to_date)(work, retention)
            live.doubt_terms(work, retention)
            its.commit(connection)
        except BaseException:
            its.rollback(connection)
            raise
        its.announce(connection, work.marked)


@contextmanager
def reading(place: Path | str, *, check: bool = False) -> Iterator[StoreConnection]:
    """A connection that only reads, and makes nothing; with `check` a file is looked through for damage first.

    Raises store errors, also when there is no database, or one of an older schema.
    """
    if isinstance(place, Path):
        with _file(place, check=check) as connection:
            yield connection
        return
    its = places.of(place)
    with _connected(place, its, reading=True) as connection:
        its.require_newest(connection)
        yield connection


@contextmanager
def picture(path: Path) -> Iterator[sqlite3.Connection]:
    """A file, and it is seen as it was when the block began, whoever writes meanwhile."""
    with _file(path) as connection:
        snapshot.begin(connection)
        yield connection


@contextmanager
def _file(path: Path, *, check: bool = False) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise StoreUnavailableError(f"{path}: there is no database")
    its = places.of(path)
    with _connected(path, its, reading=True) as connection:
        its.require_newest(connection)
        if check:
            database.require_sound(connection, path)
        yield connection


@contextmanager
def _turn(place: Path | str) -> Iterator[None]:
    """A file may be about to be replaced by another command; a database cannot."""
    if isinstance(place, Path):
        with turn.using(place):
            yield
    else:
        yield


@contextmanager
def _connected(place: Path | str, its: Engine, *, reading: bool = False) -> Iterator[Any]:
    with _turn(place):
        try:
            connection = its.connect(reading=reading)
            try:
                yield connection
            finally:
                connection.close()
        except Exception as error:
            typed = its.translate(error)
            if typed is None:
                raise
            raise typed from error
