"""A store in PostgreSQL: 250 only for what is surely kept, several writers, large bodies, and texts it cannot hold."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing

import psycopg
import pytest

from bridge.contract import ids
from bridge.errors import StoreUnavailableError
from bridge.postgres import connection as connecting
from bridge.store import messages, parts
from bridge.store.bodies import Keeping
from bridge.store.bodies import clear as bodies_clear
from bridge.store.postgres import MARKED, PostgresEngine
from bridge.store.uploads import Uploads
from tests.support.stored import DAY_MS, Clock, add_user, header, mail, rows, storing, to, told
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)


def keep(store, alice, subject="s"):
    return store.keep(mail(to(alice, "alice"), text=subject), header(subject), message_id=f"<{subject}@x>")


def at_commit(place, does):
    """Have the database do this when a message is committed, as late as anything can be done."""
    rows(
        place,
        f"CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {does}; RETURN NULL; END'",
    )
    rows(
        place,
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION late()",
    )


def test_a_commit_that_warns_is_no_yes(postgres):
    alice = add_user(postgres, "alice")
    at_commit(postgres, "RAISE WARNING ''canceling wait for synchronous replication due to user request''")
    news = []

    async def story(store):
        with pytest.raises(StoreUnavailableError, match="standby"):
            await keep(store, alice)
        with pytest.raises(StoreUnavailableError, match="standby"):
            await asyncio.gather(keep(store, alice, "1"), keep(store, alice, "2"))
        rows(postgres, "DROP TRIGGER late ON message")
        [kept] = await keep(store, alice)
        assert kept.copy_of_known, "it was kept after all, and the sender tried again"

    told(postgres, story, changed=news.append)


def test_a_commit_that_hangs_ends_as_no(postgres, monkeypatch):
    alice = add_user(postgres, "alice")
    at_commit(postgres, "PERFORM pg_sleep(600)")
    connect = connecting.connect

    def impatient(url, **options):
        connection = connect(url, **options)
        connection.patience_s = 0.5
        return connection

    monkeypatch.setattr(connecting, "connect", impatient)

    async def story(store):
        with pytest.raises(StoreUnavailableError):
            await keep(store, alice)
        terminated = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"
        )
        rows(postgres, terminated)
        rows(postgres, "DROP TRIGGER late ON message")
        [kept] = await keep(store, alice)
        assert not kept.copy_of_known

    told(postgres, story)


def test_who_waits_too_long_for_a_box_tries_again(postgres):
    alice = add_user(postgres, "alice")
    holding = psycopg.connect(postgres)
    holding.execute('SELECT 1 FROM "user" FOR UPDATE')

    async def story(store):
        waiting = asyncio.ensure_future(keep(store, alice))
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await asyncio.to_thread(until, lambda: rows(postgres, query) != [(0,)], what="it to wait")
        holding.rollback()
        [kept] = await waiting
        assert kept.number
        holding.execute('SELECT 1 FROM "user" FOR UPDATE')
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            await keep(store, alice, "2")
        holding.rollback()

    told(f"{postgres}?options=-c%20lock_timeout%3D300ms", story)
    holding.close()


def test_what_one_operation_spoils_is_kept_of_the_others(postgres):
    alice = add_user(postgres, "alice")

    def spoil(transaction):
        transaction.connection.execute("INSERT INTO address VALUES (?, ?, ?)", ("x", -1, "x"))

    async def story(store):
        good, bad = asyncio.ensure_future(keep(store, alice)), asyncio.ensure_future(store.write(spoil))
        with pytest.raises(StoreUnavailableError, match="foreign key"):
            await bad
        assert (await good)[0].number

    told(postgres, story)


def test_writers_of_the_same_boxes_give_ids_that_only_grow(postgres):
    users = [add_user(postgres, f"user{number}") for number in range(5)]
    given, failed = {user_id: [] for user_id in users}, []

    async def story(store):
        for round_ in range(10):
            some = [
                store.keep(
                    mail(*(to(user_id, "u") for user_id in users), text=f"{id(store)} {round_} {number}"),
                    header(),
                    message_id="",
                )
                for number in range(4)
            ]
            for kept in await asyncio.gather(*some):
                for each in kept:
                    given[each.user_id].append(each.number)
            await store.set_seen(users[round_ % 5], [given[users[round_ % 5]][0]], seen=bool(round_ % 2))

    def run():
        try:
            told(postgres, story)
        except Exception as error:  # noqa: BLE001 - it is looked at below
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert not failed
    for user_id in users:
        assert len(set(given[user_id])) == 160
        assert rows(postgres, "SELECT count(*) FROM message WHERE user_id = ?", user_id) == [(160,)]
        [(live, counted, last)] = rows(
            postgres,
            "SELECT (SELECT count(*) FROM message m WHERE m.user_id = u.user_id AND m.live = 1), u.live, u.last_number"
            " FROM user u WHERE u.user_id = ?",
            user_id,
        )
        assert live == counted == 100
        assert last == max(given[user_id])


def test_a_retry_through_another_writer_at_once_is_one_mail(postgres):
    alice = add_user(postgres, "alice")

    async def story():
        async with storing(postgres) as one, storing(postgres) as other:
            for number in range(50):
                [first], [second] = await asyncio.gather(keep(one, alice, str(number)), keep(other, alice, str(number)))
                assert first.number == second.number
                assert {first.copy_of_known, second.copy_of_known} == {False, True}

    asyncio.run(story())
    assert rows(postgres, "SELECT count(*) FROM message") == [(50,)]
    assert rows(postgres, "SELECT count(*) FROM body") == [(50,)]


def test_it_is_told_for_which_shards_something_waits(postgres):
    for number in range(3):
        add_user(postgres, f"user{number}")
    with closing(psycopg.connect(postgres, autocommit=True)) as listening:
        listening.execute(f"LISTEN {MARKED}")

        async def story(store):
            await store.keep(mail(to(1, "user0"), to(3, "user2")), header(), message_id="")

        told(postgres, story)
        [news] = listening.notifies(timeout=60, stop_after=1)
        assert news.payload == "1,3"


def test_texts_with_u0000_are_kept_and_their_copies_known(postgres):
    alice = add_user(postgres, "alice")

    async def story(store):
        for copy in (False, True):
            kept = await asyncio.gather(
                *(
                    store.keep(mail(to(alice, "alice"), text="same"), header("a\0b"), message_id=message_id)
                    for message_id in ("<a\0b@x>", "<" + "ü" * 3000 + ">")
                )
            )
            assert [each.copy_of_known for [each] in kept] == [copy, copy]

    told(postgres, story)


# --- bodies ---------------------------------------------------------------------------------------


def test_a_large_body_comes_in_parts_and_any_bridge_reads_it(postgres):
    alice, whole = add_user(postgres, "alice"), bytes(range(256)) * 3000
    files = {"large.eml": whole, "lost.eml": whole}

    async def read(name):
        return files.get(name)

    async def story(store):
        uploads = Uploads(postgres, read=read, now_ms=lambda: Clock().now_ms)
        await uploads.put("large.eml")
        await uploads.put("lost.eml")
        with pytest.raises(StoreUnavailableError, match="gone"):
            await uploads.put("other.eml")
        with pytest.raises(StoreUnavailableError):
            await uploads.put("large.eml")
        await uploads.close()
        [kept] = await store.keep(
            mail(to(alice, "alice"), size=len(whole), spooled="large.eml"), header(), message_id="<1@x>"
        )
        stored = await store.body(alice, kept.number)
        assert (stored.raw, stored.file, stored.size) == (whole, None, len(whole))
        [each] = await store.read(lambda connection: list(parts.messages_of(connection, alice)))
        assert each.body.raw == whole
        assert await store.read(messages.spooled_files) == set()
        assert rows(postgres, "SELECT file FROM upload") == [("lost.eml",)]
        return kept.number

    number = told(postgres, story)
    roomy = Keeping(days=30, quota=10**9, total=10**9, headers_days=365)

    async def later(store):
        assert await store.write(bodies_clear, roomy) == 0
        assert rows(postgres, "SELECT DISTINCT file FROM body_part") == [("large.eml",)]
        assert rows(postgres, "SELECT count(*) FROM upload") == [(0,)]
        assert await store.write(bodies_clear, Keeping(days=0, quota=10**9, total=10**9, headers_days=365)) == 1
        assert (await store.body(alice, number)).raw is None
        assert rows(postgres, "SELECT count(*) FROM body_part") == [(0,)]
        assert rows(postgres, "SELECT sum(bytes) FROM stored") == [(0,)]

    clock = Clock()
    clock.pass_(2 * DAY_MS / 1000)
    told(postgres, later, clock=clock)


def test_the_reader_cannot_write(postgres):
    add_user(postgres, "alice")

    async def story(store):
        with pytest.raises(StoreUnavailableError, match="read-only"):
            await store.read(lambda connection: connection.execute("DELETE FROM user"))
        assert await store.live_count() == 0, "and goes on"

    told(postgres, story)


def test_whoever_is_not_told_of_a_commit_finds_it_kept(postgres, monkeypatch):
    alice = add_user(postgres, "alice")

    def fail(_engine, connection, _marked):
        connection.close()
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(PostgresEngine, "announce", fail)

    async def story(store):
        [first] = await keep(store, alice, "1")
        [second] = await keep(store, alice, "2")
        assert ids.received_ms(first.number) <= ids.received_ms(second.number)

    told(postgres, story)


@pytest.mark.parametrize("users", [1, 3, 70])
def test_what_waits_is_taken_in_its_order_however_it_lies_in_shards(postgres, users):
    ids_ = [add_user(postgres, f"user{number}") for number in range(users)]

    async def story(store):
        for number in range(210 // users):
            some = [store.keep(mail(to(each, "u")), header(f"{number}"), message_id="") for each in ids_]
            await asyncio.gather(*some)
        kept, busy = [], set()
        for _ in range(10):
            some = [p for p in await store.take_messages(limit=60 + len(busy), busy=busy) if p.kind == "msg"]
            kept += some
            events = [p for p in await store.take_messages(limit=1000, busy=busy) if p.kind != "msg"]
            busy |= {p.path for p in (*some, *events)}
            if not some:
                break
        assert len({p.path for p in kept}) == len(kept) == 210 // users * users
        for each in ids_:
            numbers = [p.number for p in kept if p.user_id == each]
            assert numbers == sorted(numbers)

    told(postgres, story, count=1000)
