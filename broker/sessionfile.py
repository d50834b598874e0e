"""Opens `sessions.db`: brings it to the newest schema, and puts it aside when it is damaged.

Devices then find no session, subscribe again and get the retained set, once the bridge has filled it again.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import structlog

from broker.errors import SessionFileError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMAS = (
    # 1; files from before schemas were numbered have these tables as well
    """
    CREATE TABLE IF NOT EXISTS session (
        username TEXT PRIMARY KEY, credential BLOB NOT NULL, seen REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS filter (
        username TEXT, topic_filter TEXT, qos INTEGER NOT NULL, PRIMARY KEY (username, topic_filter)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS queued (
        username TEXT, seq INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL,
        PRIMARY KEY (username, seq)) WITHOUT ROWID;
    """,
    # 2
    """
    CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL) WITHOUT ROWID;
    """,
    # 3; attendance.py writes them, other programs read them: docs/operations.md
    """
    CREATE TABLE visit (
        username TEXT PRIMARY KEY, online INTEGER NOT NULL, since REAL NOT NULL, seen REAL NOT NULL,
        address TEXT NOT NULL, client_id TEXT NOT NULL, protocol INTEGER NOT NULL, transport TEXT NOT NULL,
        tls INTEGER NOT NULL, shared REAL) WITHOUT ROWID;
    CREATE TABLE beat (one INTEGER PRIMARY KEY, at REAL NOT NULL);
    """,
    # 4; what MQTT 5 adds: a session's expiry in seconds (4294967295: none but ours), options of subscriptions as they
    # stand in a packet, what goes with a message (`expires` in epoch seconds, 0: never; `ids` with blanks between), and
    # packet ids of QoS 2 that were received and not released
    """
    ALTER TABLE session ADD COLUMN expiry INTEGER NOT NULL DEFAULT 4294967295;
    ALTER TABLE filter RENAME COLUMN qos TO options;
    ALTER TABLE filter ADD COLUMN identifier INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE queued ADD COLUMN properties BLOB NOT NULL DEFAULT x'';
    ALTER TABLE queued ADD COLUMN expires REAL NOT NULL DEFAULT 0;
    ALTER TABLE queued ADD COLUMN retain INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE queued ADD COLUMN ids TEXT NOT NULL DEFAULT '';
    ALTER TABLE retained ADD COLUMN properties BLOB NOT NULL DEFAULT x'';
    ALTER TABLE retained ADD COLUMN expires REAL NOT NULL DEFAULT 0;
    CREATE TABLE received (username TEXT, packet_id INTEGER, PRIMARY KEY (username, packet_id)) WITHOUT ROWID;
    """,
)
"""What takes the file from one schema to the next; `PRAGMA user_version` counts them."""


def open_file(path: Path) -> sqlite3.Connection:
    """The file with the newest schema, made when it is not there; for one thread at a time.

    Raises SessionFileError when a newer Postbell wrote it, sqlite3.OperationalError when it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite gives its side files the same mode
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        aside = path.with_suffix(".damaged")
        structlog.get_logger().warning("sessions_damaged", file=str(path), kept_as=str(aside), error=str(error))
        path.replace(aside)
        for leftover in ("-wal", "-shm"):
            path.with_name(path.name + leftover).unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
    try:
        database.execute("PRAGMA journal_mode = WAL").fetchone()
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA secure_delete = ON").fetchone()  # what is gone cannot be read from the file
        _migrate(database, path)
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except (sqlite3.Error, SessionFileError):
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(SCHEMAS):
        raise SessionFileError(
            f"{path}: written by a newer Postbell (schema {version}); run that version, or remove the file: devices "
            "then subscribe once more"
        )
    for number, script in enumerate(SCHEMAS[version:], version + 1):
        database.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
