"""The file of sessions: each schema that there ever was, with rows, opened by this version."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SessionFileError
from broker.saved import SavedEntry, SavedSession
from broker.sessionfile import SCHEMAS, open_file
from broker.sessions import SessionStore
from broker.wire.message import Message
from broker.wire.packets import NEVER

EARLIER = sorted((Path(__file__).resolve().parents[2] / "vectors" / "sessions").glob("*.sql"))
ALICE = SavedSession(
    "alice.phone",
    bytes.fromhex("00112233445566778899aabbccddeeff"),
    1764000000.5,
    NEVER,
    {"mail/alice/#": (1, 0), "mail-bridge/+/status": (0, 0)},
    queued=2,
    octets=2,
    last_seq=9,
)
HEADER = Message("mail/alice/msg/8jf0q2c1k", b"\x00\xff", 1)
BOX = SavedEntry(9, Message("mail/alice/box", b"", 1), retain=False, ids=())
SINCE_5: dict[str, Any] = {
    "filters": {"mail/alice/#": (1, 0), "mail-bridge/+/status": (28, 268_435_455)},
    "expiry_s": 3600,
    "received": {65_535},
}
"""What the fourth schema has of her beside that."""


def test_there_is_a_file_with_rows_of_each_schema():
    assert [file.stem for file in EARLIER] == [f"{number:04}" for number in range(1, len(SCHEMAS) + 1)]


@pytest.mark.parametrize("dump", EARLIER, ids=lambda dump: dump.stem)
def test_what_an_earlier_version_left_is_taken_over(tmp_path, dump):
    path = tmp_path / "sessions.db"
    with sqlite3.connect(path) as before:
        before.executescript(dump.read_text(encoding="utf-8"))
    before.close()

    async def story():
        store = SessionStore(path)
        saved = {session.username: session for session in store.load()}
        queue = await store.queue_of("alice.phone", after=0, before=10)
        retained = list(store.load_retained("mail/"))
        store.start()
        store.done("alice.phone", 7)
        await store.close()
        return saved, queue, retained

    saved, queue, retained = asyncio.run(story())
    newest = dump.stem == f"{len(SCHEMAS):04}"
    alice = replace(ALICE, **SINCE_5) if newest else ALICE
    assert saved == {"alice.phone": alice, "bob.clock": SavedSession("bob.clock", b"\xff", 0.0, NEVER)}
    about: dict[str, Any] = {"properties": b"\1\1", "expires_at": 1764003600.25} if newest else {}
    header = SavedEntry(7, replace(HEADER, **about), retain=newest, ids=(1, 268_435_455) if newest else ())
    assert queue == [header, BOX]
    assert retained == ([] if dump.stem == "0001" else [replace(Message("mail/alice/text", b"A", 1), **about)])
    after = open_file(path)
    assert after.execute("PRAGMA user_version").fetchone()[0] == len(SCHEMAS)
    assert [row[0] for row in after.execute("SELECT seq FROM queued")] == [9]
    assert shape(after) == shape(open_file(tmp_path / "new.db"))
    assert not list(tmp_path.glob("*.damaged"))


def shape(database):
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return {table: database.execute(f"PRAGMA table_info({table})").fetchall() for table in tables}


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "sessions.db"
    newer = open_file(path)
    newer.execute(f"PRAGMA user_version = {len(SCHEMAS) + 1}")
    newer.close()
    with pytest.raises(SessionFileError, match="newer Postbell"):
        open_file(path)
    assert path.exists()


def test_what_is_no_database_is_put_aside(tmp_path):
    path = tmp_path / "sessions.db"
    path.write_bytes(b"x" * 5000)
    assert open_file(path).execute("SELECT count(*) FROM session").fetchone()[0] == 0
    assert (tmp_path / "sessions.damaged").read_bytes() == b"x" * 5000
