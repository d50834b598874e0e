"""Making a backup of a state that is in use: one picture of the database, and every file that it names.

The order is what makes it consistent. First the spool is held: whatever a running bridge lets go of from then on,
it removes no file. Then the picture of the database is taken; each file that it names was there at that moment,
and stays until it is in the backup. Nobody waits meanwhile: mail comes in, bodies are dropped, and their files
are removed when the spool is let go.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bridge import spool
from bridge.archive import contents, tape
from bridge.archive.contents import BackupError, Head
from bridge.store import database, offline, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRATCH = Path("/var/tmp")  # noqa: S108 - made there with a name that nobody knows, and removed at once
"""Where the copy of the database lies while it is written to a stream, unless TMPDIR says otherwise."""

_OF_THE_SOURCE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_SCHEMA}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What there is to save: files of one state directory, and those beside it that are wanted."""

    database: Path
    spool_dir: Path
    key: Path
    password: Path | None = None
    configuration: Path | None = None


def make(state: State, stream: IO[bytes], *, scratch: Path, version: str, node: str, now_ms: int) -> Head:
    """Write a backup into a stream; what it says of itself.

    `scratch` is a directory with room for the database. Raises store errors, BackupError, or OSError of the stream.
    """
    with spool.staying(state.spool_dir), offline.picture(state.database) as picture:
        database.require_sound(picture, state.database)
        files, missing = _spooled(picture, state.spool_dir)
        with _copied(picture, scratch) as (copy, size):
            head = _head(picture, version=version, node=node, now_ms=now_ms, files=files, missing=missing, size=size)
            writer = tape.ArchiveWriter(stream, made_s=now_ms // 1000)
            writer.add_text(contents.HEAD, head.written())
            writer.add(contents.DATABASE, copy, size=size)
            for name, bytes_of_it in files.items():
                _add_spooled(writer, state.spool_dir, name, size=bytes_of_it)
        for name, path in _beside(state):
            with path.open("rb") as file:
                writer.add(name, file, size=os.fstat(file.fileno()).st_size)
        writer.add_text(contents.TAIL, contents.checksums(writer.members))
        writer.close()
    return head


def _add_spooled(writer: tape.ArchiveWriter, spool_dir: Path, name: str, *, size: int) -> None:
    try:
        file = spool.opened(spool_dir, name)
    except FileNotFoundError as error:
        raise BackupError(f"{spool_dir / name} was removed by somebody while it was saved; try again") from error
    with file:
        writer.add(contents.SPOOL + name, file, size=size)


def scratch_for(name: str) -> Path:
    """Where there should be room for a copy of the database: beside the file of this name, or on the system's disk."""
    path = Path(name)
    if path.parent.is_dir() and name != "-":
        return path.parent
    return Path(os.environ.get("TMPDIR") or SCRATCH)


def _spooled(picture: sqlite3.Connection, spool_dir: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """The files that the picture names with their sizes, and those that are not there any more."""
    sizes: dict[str, int] = {}
    missing = []
    rows = picture.execute("SELECT file FROM body WHERE file IS NOT NULL ORDER BY body_id")
    for (name,) in rows:
        size = spool.size_of(spool_dir, name)
        if size is None:
            missing.append(name)
        else:
            sizes[name] = size
    return sizes, tuple(missing)


@contextmanager
def _copied(picture: sqlite3.Connection, scratch: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The database as the picture shows it, as a file without a name: nothing of it stays, however this ends."""
    path = Path(tempfile.mkdtemp(prefix=".postbell-backup-", dir=scratch)) / contents.DATABASE
    file: IO[bytes] | None = None
    try:
        snapshot.copy(picture, path)
        file = path.open("rb")
    except (OSError, sqlite3.OperationalError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_SOURCE:
            raise
        raise BackupError(
            f"{scratch}: the copy of the database cannot be written: {error}; make room there, or name another place "
            "in the variable TMPDIR"
        ) from error
    finally:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    with file:
        yield file, os.fstat(file.fileno()).st_size


def _beside(state: State) -> Iterator[tuple[str, Path]]:
    """The single files that there are, by their names in the backup."""
    wanted = {
        contents.KEY: state.key,
        contents.PASSWORD: state.password,
        contents.CONFIGURATION: state.configuration,
    }
    for name, path in wanted.items():
        if path is not None and path.exists():
            yield name, path


def _head(
    picture: sqlite3.Connection,
    *,
    version: str,
    node: str,
    now_ms: int,
    files: dict[str, int],
    missing: tuple[str, ...],
    size: int,
) -> Head:
    def count(table: str) -> int:
        return int(picture.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours

    return Head(
        version=version,
        schema=picture.execute("PRAGMA user_version").fetchone()[0],
        created_ms=now_ms,
        node=node,
        users=count("user"),
        messages=count("message"),
        bodies=count("body"),
        spool_files=len(files),
        missing=missing,
        size=size + sum(files.values()),
    )
