"""What other programs may read of the broker's own file: the tables as docs/operations.md has them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bridge.store import visits
from bridge.store.visits import NotedVisit

FILE = Path(__file__).resolve().parents[3] / "vectors" / "sessions" / "0003.sql"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sessions.db"
    with sqlite3.connect(path) as database:
        database.executescript(FILE.read_text())
    database.close()
    return path


def test_who_is_online_and_how(path):
    read = visits.read(path, running=True)
    alice = NotedVisit(True, 1764000000500, 1764000000500, "192.0.2.7", "app", "3.1.1", "tcp", True, None)
    bob = NotedVisit(
        False, 1763900000500, 1763900060500, "2001:db8::7", "clock", "3.1.1", "websocket", False, 1763900050500
    )
    assert read == {"alice.phone": alice, "bob.clock": bob}


def test_while_the_broker_is_down_nobody_is_online(path):
    read = visits.read(path, running=False) or {}
    assert (read["alice.phone"].online, read["alice.phone"].seen_ms) == (False, 1764000300000)
    assert read["bob.clock"].seen_ms == 1763900060500


def test_looking_makes_no_file(path):
    before = sorted(path.parent.iterdir())
    visits.read(path, running=False)
    assert sorted(path.parent.iterdir()) == before
    assert visits.read(path.with_name("absent.db"), running=False) == {}
    assert sorted(path.parent.iterdir()) == before


def test_it_can_be_read_while_it_is_written(path):
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM visit")
        assert len(visits.read(path, running=True) or {}) == 2
        writer.execute("COMMIT")
        assert visits.read(path, running=True) == {}
    writer.close()


def test_a_file_of_an_earlier_version_knows_of_nobody(path):
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE visit")
    database.close()
    assert visits.read(path, running=False) == {}


def test_what_cannot_be_read_is_not_known(path):
    path.write_bytes(b"x" * 5000)
    assert visits.read(path, running=False) is None
