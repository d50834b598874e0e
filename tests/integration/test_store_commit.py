"""One writer, one synced transaction for all that waits, and errors that stay with who caused them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from functools import partial

import pytest

from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.store import database, writer
from tests.support.stored import Clock, add_user, header, mail, storing, to, told

SENDERS = 50


@pytest.fixture
def path(tmp_path):
    return tmp_path / "postbell.db"


def count(path, table="message"):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()


def keep(store, alice, subject="s"):
    return store.keep(mail(to(alice, "alice"), text=subject), header(subject), message_id=f"<{subject}@x>")


def test_many_senders_share_few_transactions(path):
    alice, commits = add_user(path, "alice"), []

    async def story(store):
        for _ in range(4):
            kept = await asyncio.gather(*(keep(store, alice, str(number)) for number in range(SENDERS)))
            numbers = {copy.number for [copy] in kept}
        assert len(numbers) == SENDERS

    told(path, story, changed=lambda _: commits.append(1))
    assert count(path) == SENDERS
    assert len(commits) <= 4 * SENDERS / 4, "at least four to a transaction on average"


def handed_over(store, monkeypatch):
    """How many went to the thread each time."""
    sizes, hand_over = [], store._writer._hand_over

    def noting():
        sizes.append(len(store._writer._gathered))
        hand_over()

    monkeypatch.setattr(store._writer, "_hand_over", noting)
    return sizes


async def in_its_turn(store, alice, turns):
    for _ in range(turns):
        await asyncio.sleep(0)
    return await keep(store, alice, str(turns))


def test_what_comes_turn_by_turn_goes_together(path, monkeypatch):
    alice = add_user(path, "alice")

    async def story(store):
        sizes = handed_over(store, monkeypatch)
        await asyncio.gather(*(in_its_turn(store, alice, turns) for turns in range(3)))
        assert sizes == [3]

    told(path, story)


def test_no_group_waits_for_all_that_may_come(path, monkeypatch):
    alice = add_user(path, "alice")

    async def story(store):
        sizes = handed_over(store, monkeypatch)
        await asyncio.gather(*(in_its_turn(store, alice, turns) for turns in range(40)))
        assert sum(sizes) == 40
        assert max(sizes) <= writer.TURNS_AT_MOST + 2

    told(path, story)
    assert count(path) == 40


def nothing(transaction):
    """An operation that somebody wants done."""
    return transaction.now_ms


def test_what_nobody_waits_for_goes_along_with_what_somebody_does(path, monkeypatch):
    monkeypatch.setattr(writer, "RIDE_S", 3600.0)
    alice, commits = add_user(path, "alice"), []

    async def story(store):
        along = partial(store.write_along, nothing)
        riding = asyncio.ensure_future(along())
        for _ in range(10):
            await asyncio.sleep(0.001)  # a moment in which a transaction would have begun
        assert commits == []
        await asyncio.gather(keep(store, alice), along(), riding)
        assert len(commits) == 1

    told(path, story, changed=lambda _: commits.append(1))


def test_what_rides_along_goes_by_itself_when_nothing_comes_and_at_the_end(path, monkeypatch):
    monkeypatch.setattr(writer, "RIDE_S", 0.001)
    commits: list[int] = []
    waiting = []

    async def story(store):
        along = partial(store.write_along, nothing)
        first, second = await asyncio.gather(along(), along())
        assert first == second == Clock().now_ms
        assert len(commits) == 1
        monkeypatch.setattr(writer, "RIDE_S", 3600.0)
        waiting.append(asyncio.ensure_future(along()))
        await asyncio.sleep(0)

    told(path, story, changed=lambda _: commits.append(1))
    assert waiting[0].result() == Clock().now_ms
    assert len(commits) == 2


def test_what_was_answered_is_on_disk(path):
    alice = add_user(path, "alice")

    async def story(store):
        for number in range(1, 6):
            await keep(store, alice, str(number))
            assert count(path) == number, "another connection sees it as soon as the future is done"
        assert (await store.read(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])) == 2, "FULL"

    told(path, story)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda transaction: transaction.connection.execute("INSERT INTO user SELECT * FROM user"),
        lambda transaction: transaction.connection.execute("INSERT INTO body VALUES (NULL, 1, 1, 5, NULL)"),
        lambda _: 1 // 0,
    ],
    ids=["a constraint", "a type", "a defect"],
)
def test_one_bad_operation_spoils_nobody_elses(path, spoil):
    alice = add_user(path, "alice")

    async def story(store):
        gate = threading.Event()
        blocked = store._writer.submit(lambda _: gate.wait(10))
        others = [asyncio.ensure_future(keep(store, alice, str(number))) for number in range(10)]
        await asyncio.sleep(0)
        bad = store._writer.submit(spoil)
        others += [asyncio.ensure_future(keep(store, alice, str(number))) for number in range(10, 20)]
        await asyncio.sleep(0)
        gate.set()
        await blocked
        assert len(await asyncio.gather(*others)) == 20
        with pytest.raises((StoreUnavailableError, ZeroDivisionError)):
            await bad

    told(path, story)
    assert count(path) == 20


def test_nothing_of_an_operation_that_fails_is_kept(path):
    alice = add_user(path, "alice")

    async def story(store):
        def half_done(transaction):
            transaction.connection.execute("DELETE FROM address")
            transaction.changed.add(alice)
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            await store._writer.submit(half_done)
        await keep(store, alice)

    told(path, story)
    assert count(path, "address") == 1


def test_a_look_that_fails_costs_no_other(path):
    alice = add_user(path, "alice")

    async def story(store):
        await keep(store, alice)
        looks = [store.read(lambda c: c.execute("SELECT nonsense").fetchone()), store.live_count()]
        failed, live = await asyncio.gather(*looks, return_exceptions=True)
        assert (type(failed), live) == (StoreUnavailableError, 1)
        with pytest.raises(StoreUnavailableError):
            await store.read(lambda c: c.execute("DELETE FROM message"))
        assert await store.live_count() == 1, "a look cannot write"

    told(path, story)


def test_a_sender_that_goes_away_does_not_disturb_the_others(path):
    alice = add_user(path, "alice")

    async def story(store):
        leaving = asyncio.ensure_future(keep(store, alice, "leaving"))
        staying = asyncio.ensure_future(keep(store, alice, "staying"))
        await asyncio.sleep(0)
        leaving.cancel()
        [kept] = await staying
        assert not kept.copy_of_known

    told(path, story)


def test_a_closed_store_says_so_instead_of_hanging(path):
    alice = add_user(path, "alice")

    async def story():
        async with storing(path) as store:
            await keep(store, alice)
        with pytest.raises(StoreUnavailableError, match="closed"):
            await keep(store, alice, "late")

    asyncio.run(story())


def test_closing_finishes_what_waits(path):
    alice = add_user(path, "alice")

    async def story():
        async with storing(path) as store:
            waiting = [asyncio.ensure_future(keep(store, alice, str(number))) for number in range(30)]
            await asyncio.sleep(0)
        assert len(await asyncio.gather(*waiting)) == 30

    asyncio.run(story())
    assert count(path) == 30


# --- when the file cannot be written --------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "error", "reply"),
    [
        ("max_page_count = 1", StoreUnavailableError, "451 4.3.0"),
        ("query_only = ON", StoreUnavailableError, "451 4.3.0"),
    ],
    ids=["full", "read-only"],
)
def test_a_store_that_cannot_be_written_refuses_and_recovers_by_itself(path, restricted, pragma, error, reply):
    alice = add_user(path, "alice")

    async def story(store):
        restricted.add(pragma)
        big = mail(to(alice, "alice"), text="x" * 500_000)
        with pytest.raises(error) as refusal:
            await store.keep(big, header(), message_id="")
        assert str(refusal.value.reply).startswith(reply)
        assert str(path) in str(refusal.value)
        restricted.clear()
        await store.keep(big, header(), message_id="")
        assert await store.live_count() == 1

    told(path, story)
    assert count(path, "body") == 1


def test_a_database_locked_by_another_program_is_waited_for(path):
    alice = add_user(path, "alice")

    async def story(store):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(keep(store, alice))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        assert (await store.recent(alice, 10)) == [], "reading goes on meanwhile"
        other.execute("COMMIT")
        other.close()
        await waiting

    told(path, story)


def test_a_slow_disk_slows_each_commit_and_not_each_message(path):
    alice, commits = add_user(path, "alice"), []

    async def story(store):
        before_commit = store._writer._before_commit

        def slowly(transaction):
            before_commit(transaction)
            threading.Event().wait(0.02)  # what a disk that takes 20 ms for each sync does to the writer

        store._writer._before_commit = slowly
        async with asyncio.timeout(10):
            for _ in range(4):
                await asyncio.gather(*(keep(store, alice, f"{number}") for number in range(500)))

    told(path, story, changed=lambda _: commits.append(1), count=1000)
    assert count(path) == 500
    assert len(commits) < 60


# --- opening --------------------------------------------------------------------------------------


def test_the_file_is_private_and_in_wal_mode(path):
    add_user(path, "alice")
    assert path.stat().st_mode & 0o777 == 0o600
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_preparing_again_writes_nothing(path):
    add_user(path, "alice")
    before = path.read_bytes()
    database.prepare(path, check=True)
    database.prepare(path)
    assert path.read_bytes() == before
    assert not path.with_name("postbell.db-wal").exists()


def test_a_restored_backup_is_put_into_wal_mode_again(path, tmp_path):
    add_user(path, "alice")
    sqlite3.connect(path).execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    database.prepare(tmp_path / "backup.db", check=True)
    assert sqlite3.connect(tmp_path / "backup.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_another_programs_database_is_refused(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreCorruptError, match="not Postbell's"):
        database.prepare(path)
    assert path.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused(path):
    add_user(path, "alice")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreCorruptError, match="newer Postbell"):
        database.prepare(path)


def test_what_is_no_database_is_refused_with_the_way_out(path):
    path.write_bytes(b"This is not a database, whatever its name says. " * 100)
    with pytest.raises(StoreCorruptError, match="restore a backup"):
        database.prepare(path)


def test_damage_within_is_found_by_the_check_at_start(path):
    alice = add_user(path, "alice")

    async def story(store):
        for number in range(50):
            await keep(store, alice, f"{number}" * 500)

    told(path, story)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="restore a backup"):
        database.prepare(path, check=True)


@pytest.mark.parametrize("missing", ["", "deep", "deep/deeper"])
def test_a_directory_that_cannot_be_made_is_told_with_the_one_that_refuses(tmp_path, missing):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match=f"check owner and mode of {tmp_path}/file, or run this as"):
        database.prepare(tmp_path / "file" / missing / "postbell.db")


def test_a_file_that_cannot_be_made_is_told_with_its_directory(tmp_path):
    (tmp_path / "postbell.db").symlink_to(tmp_path / "nowhere" / "postbell.db")
    with pytest.raises(StoreUnavailableError, match=f"unable to open.*check owner and mode of {tmp_path}, or"):
        database.prepare(tmp_path / "postbell.db")


def test_the_clock_may_stand_before_the_first_id(path):
    alice = add_user(path, "alice")

    async def story(store):
        numbers = [(await keep(store, alice, str(number)))[0].number for number in range(3)]
        assert numbers == [1, 2, 3]
        assert await store.live_count() == 3

    told(path, story, clock=Clock(0))
