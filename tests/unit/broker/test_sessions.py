"""The journal of sessions on a real SQLite file, and the router that writes it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat

import pytest

from broker import sessions
from broker.acl import Identity, Role, Rules
from broker.codec import Will
from broker.delivery import Bounds
from broker.retained import Message
from broker.router import Router
from broker.sessions import SessionStore
from broker.statistics import Statistics
from tests.support.waiting import until_on_loop

ALICE = Identity("alice.phone", Role.DEVICE)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


def run(path, story):
    """Tell a story to an open store; afterwards all it said is on disk."""

    async def told():
        store = SessionStore(path)
        store.start()
        try:
            return await story(store)
        finally:
            await store.close()

    return asyncio.run(told())


def loaded(path):
    async def load(store):
        return {saved.username: saved for saved in store.load()}

    return run(path, load)


async def committed(store, ticket):
    while store.committed < ticket:
        done = asyncio.Event()
        store.call_on_commit(done.set)
        await asyncio.wait_for(done.wait(), 10)


def test_what_was_written_is_read_back(path):
    async def story(store):
        store.remember("a", b"key", 5.0)
        store.subscribe("a", "mail/a/#", 1)
        store.subscribe("a", "gone", 0)
        store.unsubscribe("a", "gone")
        for seq in (3, 1, 2):
            store.queue("a", seq, f"t{seq}", b"\x00\xff")
        store.done("a", 2)
        await committed(store, store.queue("a", 4, "t4", b""))
        store.done("a", 3)

    run(path, story)
    saved = loaded(path)["a"]
    assert (saved.credential, saved.seen_s, saved.filters) == (b"key", 5.0, {"mail/a/#": 1})
    assert saved.queued == [(1, "t1", b"\x00\xff"), (4, "t4", b"")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_retained_is_read_back_without_what_was_cleared_or_lies_elsewhere(path):
    async def before(store):
        store.retain("mail/a/text", b"old", 1)
        store.retain("mail/a/gone", b"x", 1)
        store.retain("old/a/text", b"below another root", 1)
        await committed(store, store.retain("mail/a/text", b"new", 1))
        store.retain("mail/a/gone", b"", 1)
        store.retain("mail/a/last", b"\x00\xff", 0)

    async def after(store):
        return list(store.load_retained("mail/"))

    run(path, before)
    assert run(path, after) == [("mail/a/last", b"\x00\xff", 0), ("mail/a/text", b"new", 1)]
    assert run(path, after) == run(path, after)  # what lies elsewhere is gone from the file as well
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM retained").fetchone() == (2,)


def test_forgetting_takes_all_and_only_what_was_before(path):
    async def story(store):
        store.remember("a", b"1", 0)
        store.remember("b", b"1", 0)
        store.subscribe("a", "x", 1)
        await committed(store, store.queue("a", 1, "old", b""))
        store.queue("a", 2, "old", b"")
        store.forget("a")
        store.remember("a", b"2", 0)
        store.queue("a", 1, "new", b"")

    run(path, story)
    saved = loaded(path)
    assert set(saved) == {"a", "b"}
    assert (saved["a"].credential, saved["a"].filters, saved["a"].queued) == (b"2", {}, [(1, "new", b"")])


def test_a_full_disk_holds_nobody_up_and_is_made_good(path):
    async def story(store):
        store.remember("a", b"", 0)
        await committed(store, store.queue("a", 1, "t", b"small"))
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        await committed(store, store.queue("a", 2, "t", b"x" * 100_000))
        store._database.execute("PRAGMA max_page_count = 1000000")

    run(path, story)
    assert [seq for seq, _, _ in loaded(path)["a"].queued] == [1, 2]


class Stage:
    """An router with a clock that is told what time it is."""

    def __init__(self, store):
        self.now = 1000.0
        self.store = store
        self.router = Router(
            rules=Rules("mail"),
            bounds=Bounds(window=5, messages=10, octets=1000),
            subscriptions=5,
            store=store,
            statistics=Statistics(),
            clock=lambda: self.now,
        )

    def say(self, topic, payload=b"x", *, retain=False):
        return self.router.publish(Message(topic, payload, 1), retain=retain)


def test_a_session_comes_back_with_all_it_had(path):
    async def before(store):
        stage = Stage(store)
        session, present = stage.router.open(ALICE, b"key", clean=False)
        assert not present
        assert stage.router.subscribe(session, [("mail/alice/#", 2), ("mail/bob/#", 1)]) == [1, 0x80]
        stage.say("mail/alice/msg/1", b"1")
        await committed(store, stage.say("mail/alice/msg/2", b"2"))
        stage.router.acknowledge(session, session.delivery.take().packet_id)

    async def after(store):
        stage = Stage(store)
        for saved in store.load():
            stage.router.restore(ALICE, saved)
        session, present = stage.router.open(ALICE, b"key", clean=False)
        assert present
        assert session.subscriptions == {"mail/alice/#": 1}
        assert session.delivery.take().message.payload == b"2"
        assert stage.say("mail/alice/msg/3") > 0

    run(path, before)
    run(path, after)


def test_sessions_expire_when_nobody_came_for_long(path):
    async def story(store):
        stage = Stage(store)
        stage.router.open(ALICE, b"", clean=False)
        stage.now = 2000.0
        stage.router.open(Identity("bob.phone", Role.DEVICE), b"", clean=False)
        stage.router.expire(1500.0)
        assert set(stage.router.sessions) == {"bob.phone"}

    run(path, story)
    assert set(loaded(path)) == {"bob.phone"}


def test_a_changed_role_begins_a_new_session(path):
    async def story(store):
        stage = Stage(store)
        first, _ = stage.router.open(ALICE, b"", clean=False)
        second, present = stage.router.open(Identity("alice.phone", Role.ADMIN), b"", clean=False)
        assert not present
        assert second is not first

    run(path, story)


def test_only_the_newest_state_waits(path):
    async def story(store):
        stage = Stage(store)
        session, _ = stage.router.open(ALICE, b"", clean=False)
        stage.router.subscribe(session, [("mail/alice/#", 1)])
        for number in range(50):
            stage.say("mail/alice/box", b"%d" % number, retain=True)
        await committed(store, stage.say("mail/alice/msg/1"))
        assert len(session.delivery) == 2

    run(path, story)
    assert [payload for _, _, payload in loaded(path)["alice.phone"].queued] == [b"49", b"x"]


def test_a_will_without_the_right_is_counted_and_dropped(path):
    async def story(store):
        stage = Stage(store)
        session, _ = stage.router.open(ALICE, b"", clean=False)
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
        store.queue("alice.phone", 1, "mail/alice/last", b"x")
        with pytest.raises(RuntimeError, match="a defect in the writer"):
            await store.watch()
        monkeypatch.undo()
        with pytest.raises(RuntimeError, match="a defect in the writer"):
            await store.close()

    asyncio.run(story())


def test_after_a_while_of_quiet_nothing_that_is_gone_is_in_the_file_or_its_log(path, monkeypatch):
    monkeypatch.setattr(sessions, "_QUIET_S", 0.02)
    files = [path, path.with_name("sessions.db-wal")]

    async def story(store):
        await committed(store, store.queue("a", 1, "t", b"to be forgotten" * 50))
        assert any(b"to be forgotten" in file.read_bytes() for file in files)
        store.done("a", 1)
        await committed(store, store.ticket)
        await until_on_loop(
            lambda: not any(b"to be forgotten" in file.read_bytes() for file in files), what="the log to be emptied"
        )
        await committed(store, store.queue("a", 2, "t", b"the next"))

    run(path, story)
