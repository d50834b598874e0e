"""The store as a command opens it: to look, which makes nothing that is not there, or to change it once.

Configuration and store are imported by what opens them: help does without.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import typer

from bridge.cli import options, ownership
from bridge.errors import ConfigurationError, StoreContendedError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.config.settings import Settings
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction

T = TypeVar("T")

LOOK_S = 2.0
TRIES = 5


class NoStoreError(ConfigurationError):
    """The state directory that the configuration names has no database that this user can read."""


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def now() -> datetime:
    """The time of the world, as certificates know it."""
    return datetime.fromtimestamp(time.time(), UTC)


def file_of(context: typer.Context, config: Path | None) -> Path | None:
    """The configuration file of this command, or None for defaults; raises ConfigurationError."""
    from bridge.config import loading  # noqa: PLC0415

    return loading.find(options.chosen(context, config))


def existing(context: typer.Context, config: Path | None) -> Settings:
    """The configuration for a command that needs a store to be there; raises NoStoreError, or ConfigurationError."""
    settings = options.settings(context, config)
    problem = "" if settings.store.url else _problem(settings)  # whoever connects to a database is told
    if problem:
        from bridge.config import loading  # noqa: PLC0415

        place = loading.place_of(("state_dir",), file_of(context, config))
        raise NoStoreError(f"{place}: state_dir = {str(settings.state_dir)!r}: {problem}")
    return settings


@contextmanager
def reading(context: typer.Context, config: Path | None) -> Iterator[tuple[Settings, StoreConnection]]:
    """The configuration, and a connection that only reads. Raises NoStoreError, ConfigurationError, store errors."""
    from bridge.store import offline  # noqa: PLC0415

    settings = existing(context, config)
    with acting(settings), offline.reading(settings.place) as connection:
        yield settings, connection


@contextmanager
def changing(settings: Settings) -> Iterator[Transaction]:
    """One transaction on the store, as its owner if root asks for it.

    A running bridge knows of it when this returns, the broker within a second. A database of an older schema is
    migrated first, unless a bridge of that version still runs: it would not know what became of its tables.
    Raises ConfigurationError and store errors.
    """
    from bridge.daemon import runfile  # noqa: PLC0415
    from bridge.store import offline  # noqa: PLC0415

    with acting(settings):
        _make_newest(settings)
        with offline.transaction(
            settings.place, now_ms=now_ms(), count=settings.retain.count, days=settings.retain.days
        ) as transaction:
            yield transaction
        if runfile.running(settings.run_dir, runfile.BRIDGE):
            from bridge.daemon import control  # noqa: PLC0415 - sockets, for this alone

            with suppress(control.ControlError):  # it looks by itself as well, a little later
                control.ask(settings.run_dir, {"do": "look"}, deadline_s=LOOK_S)


def change(settings: Settings, work: Callable[[Transaction], T]) -> T:
    """What `work` gives in a transaction, as `changing` has it; for work on many rows beside bridges that are busy.

    With PostgreSQL two may wait for one another. Bridges try again by themselves, and so does this, a few times.
    """
    for _ in range(TRIES - 1):
        with suppress(StoreContendedError), changing(settings) as transaction:
            return work(transaction)
    with changing(settings) as transaction:
        return work(transaction)


@contextmanager
def acting(settings: Settings) -> Iterator[None]:
    """Root works as the owner of the state meanwhile; who may not work there at all is told who may."""
    with ownership.acting(settings.state_dir):
        try:
            yield
        except (OSError, StoreUnavailableError) as error:
            owner = ownership.somebody_else(settings.state_dir)
            if owner is None or ownership.may_work_in(settings.state_dir):
                raise
            raise ownership.WrongUserError(
                f"state_dir = {str(settings.state_dir)!r}: {ownership.instead(owner)}"
            ) from error


def require_file(settings: Settings, instead: str) -> None:
    """Raises ConfigurationError, with what to do instead, where the store is no file of ours."""
    if settings.store.url:
        raise ConfigurationError(f"store.url: this is for a store that is a file in state_dir; {instead}")


BEGIN = "mend the path, or begin there with: postbell serve, or: postbell user add NAME --address ADDR"


def _make_newest(settings: Settings) -> None:
    from bridge.daemon import runfile  # noqa: PLC0415
    from bridge.store import database, turn  # noqa: PLC0415

    if settings.store.url:
        return
    done = database.schema(settings.database)
    if not done or done == database.newest_schema():
        return
    if runfile.running(settings.run_dir, runfile.BRIDGE):
        raise StoreUnavailableError(
            f"{settings.database}: the bridge that runs is of an older version (schema {done}); start it anew first, "
            "as with: sudo systemctl restart postbell"
        )
    with turn.using(settings.database):
        migration = database.prepare(settings.database)
    if migration is not None:
        typer.echo(f"the database was made newer; as it was before it is kept as {migration.kept_as}", err=True)


def _problem(settings: Settings) -> str:
    """What keeps this user from reading the database, and what to do; empty when nothing does."""
    try:
        with settings.database.open("rb"):
            return ""
    except FileNotFoundError:
        if settings.state_dir.exists():
            return f"there is no database in this directory ({settings.database.name}); {BEGIN}"
        return f"there is no such directory; {BEGIN}"
    except PermissionError:
        return _refused(settings)
    except NotADirectoryError:
        return "this is not a directory; mend the path"
    except OSError as error:
        return f"the database cannot be read: {error.strerror}; mend the path, or what is wrong with the disk"


def _refused(settings: Settings) -> str:
    owner = ownership.somebody_else(settings.state_dir)
    if owner is not None:
        return ownership.instead(owner)
    as_whom = "run the command as the user that Postbell runs as"
    return f"this user may not read the database there; {as_whom}, mend the rights, or mend the path"
