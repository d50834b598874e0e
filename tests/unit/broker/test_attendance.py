"""Who is here and who was when: noted as rows, a few for many, and that two apps take turns with one login."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from broker import attendance as attendance_module
from broker.attendance import SPAN_S, TOLD_EACH_S, TURNS, Attendance, Visit
from broker.sessions import SessionStore
from broker.statistics import Statistics
from tests.support.waiting import until_on_loop

PHONE = Visit("alice.phone", "192.0.2.7", "app", 4, "tcp", True)
ELSEWHERE = replace(PHONE, address="198.51.100.7")


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def told(tmp_path):
    """Tells a story to an attendance; gives the rows that it left, by username, and the statistics."""
    path, clock = tmp_path / "sessions.db", Clock()

    def tell(story):
        async def whole():
            store, statistics = SessionStore(path), Statistics()
            store.start()
            attendance = Attendance(store, statistics=statistics, clock=clock)
            try:
                await story(attendance, clock)
                attendance.save()
            finally:
                await store.close()
            return statistics

        statistics = asyncio.run(whole())
        with sqlite3.connect(path) as database:
            rows = database.execute("SELECT * FROM visit").fetchall()
        database.close()
        return {row[0]: row[1:] for row in rows}, statistics

    return tell


def test_who_comes_is_online_and_counted(told):
    async def story(attendance, clock):
        attendance.arrived(PHONE)
        clock.now += 5
        attendance.arrived(Visit("bob.tab", "::1", "x\x1b[31m" + "y" * 100, 4, "websocket", False))

    rows, statistics = told(story)
    assert rows["alice.phone"] == (1, 1_000_000.0, 1_000_000.0, "192.0.2.7", "app", 4, "tcp", 1, None)
    client_id = rows["bob.tab"][4]
    assert (client_id[:8], len(client_id)) == ("x?[31myy", 64)
    assert statistics.devices == 2


def test_who_leaves_was_last_seen_then(told):
    async def story(attendance, clock):
        attendance.arrived(PHONE)
        attendance.save()
        clock.now += 60
        attendance.left("alice.phone")
        clock.now += 60
        attendance.left("alice.phone")
        attendance.left("never.here")

    rows, statistics = told(story)
    assert rows["alice.phone"][:3] == (0, 1_000_000.0, 1_000_060.0)
    assert statistics.devices == 0


def test_who_came_and_left_within_a_second_is_offline(told):
    async def story(attendance, clock):
        attendance.arrived(PHONE)
        clock.now += 0.5
        attendance.left("alice.phone")

    assert told(story)[0]["alice.phone"][:3] == (0, 1_000_000.0, 1_000_000.5)


def test_after_a_kill_nobody_is_online_and_was_seen_at_the_last_beat(told):
    async def killed(attendance, clock):
        attendance.arrived(PHONE)
        attendance.save()
        clock.now += 300  # the beat that `save` writes

    async def later(_, clock):
        clock.now += 10_000

    told(killed)
    rows, statistics = told(later)
    assert rows["alice.phone"][:3] == (0, 1_000_000.0, 1_000_300.0)
    assert statistics.devices == 0


def test_of_a_login_that_went_nothing_is_kept(told):
    async def story(attendance, _):
        attendance.arrived(PHONE)
        attendance.arrived(replace(PHONE, username="bob.tab"))
        attendance.save()
        attendance.forget({"alice.phone", "carol.watch"})
        assert attendance.known == {"bob.tab"}

    async def later(attendance, _):
        attendance.forget(attendance.known - {"carol.watch"})

    rows, statistics = told(story)
    assert list(rows) == ["bob.tab"]
    assert statistics.devices == 1
    assert told(later)[0] == {}, "also of one that went while the broker was down"


def turns(attendance, clock, *, times, pause_s):
    for number in range(times + 1):
        attendance.arrived(PHONE if number % 2 else ELSEWHERE)
        clock.now += pause_s


def test_two_apps_that_take_turns_are_told_of_once(told):
    async def story(attendance, clock):
        turns(attendance, clock, times=TURNS * 3, pause_s=2)

    with capture_logs() as logs:
        rows, _ = told(story)
    assert [(line["event"], line["username"]) for line in logs] == [("login_shared", "alice.phone")]
    assert rows["alice.phone"][-1] is not None


def test_and_again_an_hour_later(told):
    async def story(attendance, clock):
        turns(attendance, clock, times=TURNS, pause_s=2)
        clock.now += TOLD_EACH_S
        turns(attendance, clock, times=TURNS, pause_s=2)

    with capture_logs() as logs:
        told(story)
    assert len(logs) == 2


@pytest.mark.parametrize(
    ("times", "pause_s"), [(TURNS - 1, 2), (TURNS * 3, SPAN_S / (TURNS - 1))], ids=["seldom", "slowly"]
)
def test_a_phone_that_changes_its_network_is_no_second_app(told, times, pause_s):
    async def story(attendance, clock):
        turns(attendance, clock, times=times, pause_s=pause_s)

    with capture_logs() as logs:
        rows, _ = told(story)
    assert (logs, rows["alice.phone"][-1]) == ([], None)


def test_nor_is_an_app_that_comes_back_before_its_connection_is_known_to_be_dead(told):
    async def story(attendance, _):
        for _ in range(TURNS * 3):
            attendance.arrived(PHONE)

    assert told(story)[0]["alice.phone"][-1] is None


def test_it_writes_by_itself_and_beats_while_somebody_is_here(told, monkeypatch):
    monkeypatch.setattr(attendance_module, "GATHER_S", 0)
    monkeypatch.setattr(attendance_module, "BEAT_S", 0.01)
    beats = []

    async def story(attendance, _):
        monkeypatch.setattr(attendance._store, "change", lambda sql, *_: beats.append(sql))
        following = asyncio.create_task(attendance.follow())
        attendance.arrived(PHONE)
        await until_on_loop(lambda: len(beats) > 4, what="beats")
        following.cancel()

    told(story)
    assert sum("visit" in sql for sql in beats) == 1


@pytest.mark.parametrize("turns_before", range(5))
def test_it_ends_when_it_is_told_so_as_somebody_arrives(told, turns_before):
    async def story(attendance, _):
        following = asyncio.create_task(attendance.follow())
        await asyncio.sleep(0)
        attendance.arrived(PHONE)
        for _turn in range(turns_before):
            await asyncio.sleep(0)
        following.cancel()
        done, _still = await asyncio.wait({following}, timeout=5)
        assert done
        assert following.cancelled()

    told(story)
