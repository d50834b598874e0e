"""A command that changes many rows of a PostgreSQL beside bridges that do so as well."""

from __future__ import annotations

import threading

import psycopg
import pytest

from bridge.cli import opening
from bridge.config.sections import KeptIn
from bridge.config.settings import Settings
from bridge.errors import StoreContendedError
from bridge.postgres import database
from bridge.store import offline, people
from tests.support.waiting import until

RENAME = "UPDATE \"user\" SET text_held = '' WHERE name = %s"
TOUCH = "UPDATE user SET text_held = NULL WHERE name = ?"


def waits(url, pid):
    """Whether that session waits for a row of somebody's."""
    with psycopg.connect(url) as looking:
        return looking.execute("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", (pid,)).fetchone() is not None


@pytest.fixture
def settings(tmp_path, postgres):
    database.prepare(postgres)
    with offline.transaction(postgres, now_ms=0, count=100, days=7) as transaction:
        for user in ("alice", "bob"):
            people.add_user(transaction, user, [f"{user}@example.org"])
    return Settings(state_dir=tmp_path, store=KeptIn(url=postgres))


def test_a_deadlock_is_tried_again(settings, postgres):
    """The other one has bob's row, and waits for alice's. It would look for a deadlock much later than the command."""
    asks, tries = threading.Event(), []
    with psycopg.connect(postgres) as other:
        other.execute("SET deadlock_timeout = '10min'")
        other.execute(RENAME, ("bob",))

        def ask():
            asks.wait()
            other.execute(RENAME, ("alice",))
            other.commit()

        thread = threading.Thread(target=ask)
        thread.start()

        def work(transaction):
            tries.append(True)
            transaction.connection.execute(TOUCH, ("alice",))
            if len(tries) == 1:
                asks.set()
                until(lambda: waits(postgres, other.info.backend_pid), what="the other to wait for alice")
            transaction.connection.execute(TOUCH, ("bob",))
            return "done"

        assert opening.change(settings, work) == "done"
        thread.join()
    assert len(tries) == 2


def test_it_is_given_up_after_a_few_times(settings):
    tries = []

    def work(_transaction):
        tries.append(True)
        raise StoreContendedError("deadlock detected")

    with pytest.raises(StoreContendedError):
        opening.change(settings, work)
    assert len(tries) == opening.TRIES
