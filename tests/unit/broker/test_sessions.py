"""The journal of sessions on a real SQLite file, and the router that writes it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
import threading

import pytest

from broker import sessions
from broker.acl import Identity, Role
from broker.sessions import SessionStore
from broker.wire.message import Message
from broker.wire.packets import NEVER, Will
from tests.support.waiting import until_on_loop
from tests.unit.broker.stage import Stage, committed, run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


def loaded(path):
    async def load(store):
        return {saved.username: saved for saved in store.load()}

    return run(path, load)


def queued(path, username):
    """What of a login's queue is on disk."""

    async def read(store):
        return await store.queue_of(username, after=0, before=2**60)

    return [(entry.seq, entry.message.topic, entry.message.payload) for entry in run(path, read)]


def test_what_was_written_is_read_back(path):
    async def story(store):
        store.remember("a", b"key", 5.0, 60)
        store.subscribe("a", "mail/a/#", 1)
        store.subscribe("a", "gone", 0)
        store.unsubscribe("a", "gone")
        for seq in (3, 1, 2):
            store.queue("a", seq, Message(f"t{seq}", b"\x00\xff", 1))
        store.done("a", 2)
        await committed(store, store.queue("a", 4, Message("t4", b"", 1)))
        store.done("a", 3)

    run(path, story)
    saved = loaded(path)["a"]
    assert (saved.credential, saved.seen_s, saved.expiry_s) == (b"key", 5.0, 60)
    assert (saved.filters, saved.queued, saved.octets, saved.last_seq) == ({"mail/a/#": (1, 0)}, 2, 2, 4)
    assert queued(path, "a") == [(1, "t1", b"\x00\xff"), (4, "t4", b"")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_retained_is_read_back_without_what_was_cleared_or_lies_elsewhere(path):
    async def before(store):
        store.retain(Message("mail/a/text", b"old", 1))
        store.retain(Message("mail/a/gone", b"x", 1))
        store.retain(Message("old/a/text", b"below another root", 1))
        await committed(store, store.retain(Message("mail/a/text", b"new", 1)))
        store.retain(Message("mail/a/gone", b"", 1))
        store.retain(Message("mail/a/last", b"\x00\xff", 0))

    async def after(store):
        return list(store.load_retained("mail/"))

    run(path, before)
    assert run(path, after) == [Message("mail/a/last", b"\x00\xff", 0), Message("mail/a/text", b"new", 1)]
    assert run(path, after) == run(path, after)  # what lies elsewhere is gone from the file as well
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM retained").fetchone() == (2,)


def test_forgetting_takes_all_and_only_what_was_before(path):
    async def story(store):
        store.remember("a", b"1", 0, NEVER)
        store.remember("b", b"1", 0, NEVER)
        store.subscribe("a", "x", 1)
        await committed(store, store.queue("a", 1, Message("old", b"", 1)))
        store.queue("a", 2, Message("old", b"", 1))
        store.forget("a")
        store.remember("a", b"2", 0, NEVER)
        store.queue("a", 1, Message("new", b"", 1))

    run(path, story)
    saved = loaded(path)
    assert set(saved) == {"a", "b"}
    assert (saved["a"].credential, saved["a"].filters) == (b"2", {})
    assert queued(path, "a") == [(1, "new", b"")]


def test_a_full_disk_holds_nobody_up_and_is_made_good(path):
    async def story(store):
        store.remember("a", b"", 0, NEVER)
        await committed(store, store.queue("a", 1, Message("t", b"small", 1)))
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        await committed(store, store.queue("a", 2, Message("t", b"x" * 100_000, 1)))
        store._database.execute("PRAGMA max_page_count = 1000000")

    run(path, story)
    assert [seq for seq, _, _ in queued(path, "a")] == [1, 2]


def test_a_session_comes_back_with_all_it_had(path):
    async def before(store):
        stage = Stage(store)
        session, present = stage.open()
        assert not present
        assert stage.subscribe(session, "mail/alice/#", "mail/bob/#", options=2) == [1, 0x87]
        stage.say("mail/alice/msg/1", b"1")
        await committed(store, stage.say("mail/alice/msg/2", b"2"))
        stage.router.acknowledge(session, session.delivery.take().packet_id)

    async def after(store):
        stage = Stage(store)
        restoring = await stage.restore()
        await restoring.ready("alice.phone")
        session, present = stage.open()
        assert present
        assert session.subscriptions == {"mail/alice/#": 1}
        assert session.delivery.take().message.payload == b"2"
        assert stage.say("mail/alice/msg/3") > 0

    run(path, before)
    run(path, after)


def test_a_changed_role_begins_a_new_session(path):
    async def story(store):
        stage = Stage(store)
        first, _ = stage.open()
        second, present = stage.open(Identity("alice.phone", Role.ADMIN))
        assert not present
        assert second is not first

    run(path, story)


def test_only_the_newest_state_waits(path):
    async def story(store):
        stage = Stage(store)
        session, _ = stage.open()
        stage.subscribe(session, "mail/alice/#")
        session.handler.evict("gone")
        for number in range(50):
            stage.say("mail/alice/box", b"%d" % number, retain=True)
        await committed(store, stage.say("mail/alice/msg/1"))
        assert len(session.delivery) == 2

    run(path, story)
    assert [payload for _, _, payload in queued(path, "alice.phone")] == [b"49", b"x"]


def test_a_will_without_the_right_is_counted_and_dropped(path):
    async def story(store):
        stage = Stage(store)
        session, _ = stage.open()
        stage.router.send_will(session, Will(Message("mail/bob/box", b"x", 2), retain=True))
        assert len(stage.router.retained) == 0
        assert stage.router._statistics.dropped["not_allowed"] == 1

    run(path, story)


def test_a_writer_that_fails_is_told_to_who_watches(path, monkeypatch):
    def broken(_self, _batch):
        raise RuntimeError("a defect in the writer")

    async def story():
        store = SessionStore(path)
        monkeypatch.setattr(SessionStore, "_commit", broken)
        store.start()
        store.queue("alice.phone", 1, Message("mail/alice/last", b"x", 1))
        with pytest.raises(RuntimeError, match="a defect in the writer"):
            await store.watch()
        monkeypatch.undo()
        with pytest.raises(RuntimeError, match="a defect in the writer"):
            await store.close()

    asyncio.run(story())


def test_a_publisher_that_cannot_be_told_is_a_defect_as_well(path):
    def broken():
        raise ZeroDivisionError

    async def story():
        store = SessionStore(path)
        store.start()
        store.call_on_commit(broken)
        store.queue("alice.phone", 1, Message("mail/alice/last", b"x", 1))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(store.watch(), 60)
        with pytest.raises(ZeroDivisionError):
            await store.close()

    asyncio.run(story())


def test_what_is_being_written_at_the_end_is_there_and_what_came_since(path, monkeypatch):
    commit, begun, go = SessionStore._commit, threading.Event(), threading.Event()

    def slow(store, batch):
        begun.set()
        assert go.wait(60)
        commit(store, batch)

    monkeypatch.setattr(SessionStore, "_commit", slow)

    async def story(store):
        store.remember("a", b"", 0, NEVER)
        await until_on_loop(begun.is_set, what="the first to be written")
        store.remember("b", b"", 0, NEVER)
        asyncio.get_running_loop().call_soon(go.set)

    run(path, story)
    assert set(loaded(path)) == {"a", "b"}


def test_what_comes_while_a_batch_is_written_is_written_after_it(path, monkeypatch):
    commit, begun, go = SessionStore._commit, threading.Event(), threading.Event()

    def slow(store, batch):
        begun.set()
        assert go.wait(60)
        commit(store, batch)

    monkeypatch.setattr(SessionStore, "_commit", slow)

    async def story(store):
        first = store.queue("a", 1, Message("t", b"1", 1))
        await until_on_loop(begun.is_set, what="the first to be written")
        second = store.queue("a", 2, Message("t", b"2", 1))
        assert store.committed < first < second
        go.set()
        await committed(store, second)
        gone = store.queue("a", 3, Message("t", b"3", 1))
        store.done("a", 3)
        await committed(store, gone)  # of which nothing has to be written

    run(path, story)
    assert queued(path, "a") == [(1, "t", b"1"), (2, "t", b"2")]


def test_after_a_while_of_quiet_nothing_that_is_gone_is_in_the_file_or_its_log(path, monkeypatch):
    monkeypatch.setattr(sessions, "_QUIET_S", 0.02)
    files = [path, path.with_name("sessions.db-wal")]

    async def story(store):
        await committed(store, store.queue("a", 1, Message("t", b"to be forgotten" * 50, 1)))
        assert any(b"to be forgotten" in file.read_bytes() for file in files)
        store.done("a", 1)
        await committed(store, store.ticket)
        await until_on_loop(
            lambda: not any(b"to be forgotten" in file.read_bytes() for file in files), what="the log to be emptied"
        )
        await committed(store, store.queue("a", 2, Message("t", b"the next", 1)))

    run(path, story)


def test_what_all_have_acknowledged_needs_no_disk(path, monkeypatch):
    """Who waits for it goes on at once; the disk is another's affair."""
    monkeypatch.setattr(sessions, "_GATHER_S", 3600.0)

    async def steps():
        for _ in range(5):
            await asyncio.sleep(0)

    async def story(store):
        first, second = (store.queue("a", seq, Message("t", b"1", 1)) for seq in (1, 2))
        waited = asyncio.ensure_future(committed(store, max(first, second)))
        await steps()
        store.done("a", 1)
        await steps()
        assert not waited.done()
        store.done("a", 2)
        await asyncio.wait_for(waited, 10)
        assert store.queue("a", 3, Message("t", b"3", 1)) > second
        waited = asyncio.ensure_future(committed(store, store.ticket))
        await steps()
        store.done("a", 3)
        store.queue("a", 3, Message("t", b"3", 1))
        await steps()
        assert not waited.done()  # in the same step something else came
        waited.cancel()
        store.remember("a", b"", 0, NEVER)
        waited = asyncio.ensure_future(committed(store, store.ticket))
        await steps()
        store.done("a", 3)
        await steps()
        assert not waited.done()  # a session has still to be written
        waited.cancel()

    run(path, story)
    assert list(loaded(path)) == ["a"]
    assert queued(path, "a") == []


@pytest.mark.parametrize("count", [1, 7, 8, 63, 64, 200])
def test_any_number_of_rows_is_written_and_taken_away(path, count):
    async def story(store):
        store.remember("a", b"", 0, NEVER)
        for seq in range(1, count + 1):
            store.queue("a", seq, Message(f"t{seq}", b"%d" % seq, 1, b"p", float(seq)), retain=True, ids=(seq, 2))
            ticket = store.retain(Message(f"mail/{seq}", b"%d" % seq, 1))
        await committed(store, ticket)
        for seq in range(1, count):
            store.done("a", seq)
            store.retain(Message(f"mail/{seq}", b"", 1))

    run(path, story)
    assert queued(path, "a") == [(count, f"t{count}", b"%d" % count)]
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT * FROM retained").fetchall() == [(f"mail/{count}", b"%d" % count, 1, b"", 0.0)]
        assert file.execute("SELECT properties, expires, retain, ids FROM queued").fetchall() == [
            (b"p", float(count), 1, f"{count} 2")
        ]
