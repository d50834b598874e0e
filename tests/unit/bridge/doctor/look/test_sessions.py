"""The file of the embedded broker's sessions, as the broker makes it: sound, damaged, not to be written, not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from bridge.doctor.judge.broker import SessionsSeen
from bridge.doctor.look import sessions
from broker import sessionfile


@pytest.fixture
def directory():
    """A folder that everybody may enter, with a file that holds a session."""
    made = Path(tempfile.mkdtemp(prefix="postbell-sessions-"))
    made.chmod(0o755)
    with closing(sessionfile.open_file(made / "sessions.db")) as connection:
        connection.execute("INSERT INTO session VALUES ('alice.phone', x'00', 0, 60)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield made
    shutil.rmtree(made)


def test_a_sound_file_is_fine_and_stays_as_it_is(directory):
    before = (directory / "sessions.db").read_bytes()
    assert sessions.look(directory) == SessionsSeen(str(directory / "sessions.db"))
    assert (directory / "sessions.db").read_bytes() == before


def test_the_broker_at_work_is_no_fault(directory, monkeypatch):
    monkeypatch.setattr(sessions, "WAIT_S", 0.1)
    with closing(sessionfile.open_file(directory / "sessions.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert sessions.look(directory).refusal == ""


def test_damage_is_found(directory):
    path = directory / "sessions.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    assert sessions.look(directory).damage
    path.write_bytes(b"no database at all, but long enough to look like one" * 100)
    assert "not a database" in sessions.look(directory).damage


def test_what_is_not_there_is_not_made(directory):
    (directory / "sessions.db").unlink()
    assert "unable to open" in sessions.look(directory).unread
    assert list(directory.iterdir()) == []


def test_a_file_that_cannot_be_written(directory):
    if os.geteuid():
        pytest.skip("needs root to become somebody else")
    with closing(sessionfile.open_file(directory / "sessions.db")):
        for path in directory.iterdir():
            path.chmod(0o644)
        os.seteuid(65_534)
        try:
            seen = sessions.look(directory)
        finally:
            os.seteuid(0)
    assert "readonly" in seen.refusal
