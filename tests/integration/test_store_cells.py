"""Cells in the database: who is where, what waits for which broker, and what a move marks."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.cells import Cell
from bridge.contract import ids
from bridge.contract.publication import Kind
from bridge.errors import MalformedNameError
from bridge.reconcile import Observed
from bridge.store import (
    cells,
    logins,
    offline,
    outbox,
    outbox_at,
    pairing,
    people,
    placing,
    registered,
    repair,
)
from bridge.store.outbox_at import Since
from tests.support.stored import NOON_MS

TAKE: dict[str, Any] = {"limit": 99, "now_ms": NOON_MS, "busy": (), "days": 7.0}
EAST = Cell(cell_id=0, name="east", url="mqtt://192.0.2.2:1883", logins_for="mosquitto", logins_hook=("true", "x y"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "postbell.db"


def change(path, *operations):
    with offline.transaction(path, now_ms=NOON_MS, count=100, days=7) as transaction:
        return [operation(transaction) for operation in operations][-1]


def look(path, looking, *arguments, **options):
    with offline.reading(path) as connection:
        return looking(connection, *arguments, **options)


def waiting(path, cell):
    found = look(path, outbox.take_views, **TAKE, at=None if cell is None else (cell, 0))
    if cell is None:
        found += look(path, outbox.take_messages, **TAKE)
    else:
        found += look(path, outbox_at.take_messages, **TAKE, cell=cell, since=Since())[0]
    return {publication.topic for publication in found}


def of(name):
    return {f"{name}/{view}" for view in ("box", "last", "text", "unread")}


@pytest.fixture
def two(path):
    """alice at the first cell, bob at east."""
    change(path, lambda t: people.add_user(t, "alice", ["alice@example.org"]), lambda t: cells.add(t, EAST))
    change(path, lambda t: people.add_user(t, "bob", ["bob@example.org"]))
    return path


def test_a_cell_is_kept_as_it_was_added(two):
    [main, east] = look(two, placing.everyone)
    assert (main.cell_id, main.name, main.url) == (0, "main", "")
    assert (east.name, east.url, east.logins_for, east.logins_hook) == ("east", EAST.url, "mosquitto", ("true", "x y"))
    assert [(each.cell.name, each.users) for each in look(two, placing.occupied)] == [("main", 1), ("east", 1)]
    assert look(two, placing.elsewhere) == [("bob", "east")]
    assert look(two, placing.of_user, "bob") == east
    assert look(two, placing.of_user, "nobody") is None


def test_without_other_cells_nobody_is_at_one(path):
    change(path, lambda t: people.add_user(t, "alice", ["alice@example.org"]))
    assert look(path, placing.of_user, "alice") is None
    assert not look(path, placing.any_others)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda t: cells.add(t, EAST), placing.CellError, "there is a cell 'east' already"),
        (lambda t: cells.add(t, Cell(cell_id=0, name="No!", url="")), MalformedNameError, "cannot be a cell"),
        (lambda t: cells.remove(t, "main"), placing.CellError, "always there"),
        (lambda t: cells.remove(t, "east"), placing.CellError, "east has 1 users"),
        (lambda t: cells.move(t, "bob", "east"), placing.CellError, "bob is at east already"),
        (lambda t: cells.move(t, "bob", "west"), placing.CellError, "there is no cell 'west'; there are main, east"),
        (lambda t: cells.move(t, "carol", "east"), people.PeopleError, "there is no user 'carol'"),
    ],
)
def test_what_cannot_be_is_said(two, wrong, error, words):
    with pytest.raises(error, match=words):
        change(two, wrong)


def test_nobody_new_goes_where_all_drain(two):
    change(two, lambda t: cells.drain(t, "main"), lambda t: cells.drain(t, "east"))
    with pytest.raises(placing.CellError, match="all cells are draining"):
        change(two, lambda t: people.add_user(t, "carol", ["carol@example.org"]))
    change(two, lambda t: cells.drain(t, "east", draining=False))
    change(two, lambda t: people.add_user(t, "carol", ["carol@example.org"]))
    assert look(two, cells.members, "east", limit=9) == ["bob", "carol"]
    change(two, lambda t: people.add_probe(t, "postbell-doctor-x"))
    assert look(two, cells.members, "main", limit=9) == ["alice", "postbell-doctor-x"], "who looks at the first broker"


def test_each_broker_is_told_of_its_own_users(two):
    assert (waiting(two, 0), waiting(two, 1)) == (of("alice"), of("bob"))
    assert waiting(two, None) == of("alice") | of("bob")
    names = {"after": "", "limit": 9, "live": 100}
    assert [look(two, registered.names, **names, cell=cell) for cell in (0, 1, None)] == [
        ["alice"],
        ["bob"],
        ["alice", "bob"],
    ]
    assert look(two, registered.strangers, ["alice", "bob", "x"], cell=1) == ["alice", "x"]


def test_a_move_marks_all_there_and_leaves_the_old_one_to_be_looked_at(two):
    password = change(two, lambda t: pairing.add_device(t, "alice", "phone"))
    assert password
    change(two, lambda t: t.connection.execute("DELETE FROM outbox WHERE path LIKE 'alice/%'"))  # all is published
    change(two, lambda t: cells.move(t, "alice", "east"))
    assert (waiting(two, 0), waiting(two, 1)) == (set(), of("alice") | of("bob"))
    assert [(each.cell_id, each.name, each.let_go, each.now_at) for each in look(two, placing.leaving)] == [
        (0, "alice", False, 1)
    ]
    assert look(two, registered.strangers, ["alice"], cell=0) == [], "it is seen off"
    at = {cell: [login.username for login in look(two, logins.list_at, cell)] for cell in (0, 1)}
    assert at == {0: ["alice.phone"], 1: ["alice.phone"]}, "known at both until the new one is ready"
    change(two, lambda t: placing.let_go(t, ["alice"]))
    at = {cell: [login.username for login in look(two, logins.list_at, cell)] for cell in (0, 1)}
    assert at == {0: [], 1: ["alice.phone"]}

    seen = Observed(frozenset({"alice"}), {"alice/box": 1, "alice/msg/000000001": 2}, frozenset(), NOON_MS, 7.0, 0)
    assert change(two, lambda t: repair.mark(t, seen)).stale == 2
    change(two, lambda t: placing.cleared(t, 0, ["alice"]))
    assert look(two, placing.leaving) == []
    assert (waiting(two, 0), waiting(two, 1)) == ({"alice/box", "alice/msg/000000001"}, of("alice") | of("bob"))
    assert [look(two, outbox_at.waiting_messages, cell=cell, since=Since()) for cell in (0, 1)] == [2, 0]
    rows, _ = look(two, outbox_at.take_messages, **TAKE, cell=0, since=Since())
    assert {(row.kind, row.payload, row.path) for row in rows} == {
        (Kind.STRAY, b"", "#0/alice/box"),
        (Kind.STRAY, b"", "#0/alice/msg/000000001"),
    }
    change(two, lambda t: outbox.settle(t, rows, cell=0))
    assert waiting(two, 0) == set()


def test_what_the_old_broker_acknowledges_settles_nothing(two):
    rows = look(two, outbox.take_views, **TAKE, at=(0, 0))
    [text] = [row for row in rows if row.kind is Kind.TEXT]
    change(two, lambda t: cells.move(t, "alice", "east"), lambda t: outbox.settle(t, rows, cell=0))
    assert of("alice") <= waiting(two, 1)
    held = "SELECT text_held FROM user WHERE name = 'alice'"
    assert look(two, lambda connection: connection.execute(held).fetchone()) == (None,), text


def test_who_comes_back_does_not_leave(two):
    change(two, lambda t: cells.move(t, "alice", "east"), lambda t: cells.move(t, "alice", "main"))
    assert [(each.cell_id, each.name) for each in look(two, placing.leaving)] == [(1, "alice")]


def test_a_user_who_is_removed_is_looked_for_where_they_were(two):
    change(two, lambda t: people.remove_user(t, "bob"))
    assert [(each.cell_id, each.let_go, each.now_at) for each in look(two, placing.leaving)] == [(1, True, None)]
    assert waiting(two, 1) == set()
    change(two, lambda t: cells.remove(t, "east"))
    assert look(two, placing.leaving) == []


def test_what_another_process_had_in_flight_is_doubted_at_its_own_cell(two):
    def add(transaction):
        for name in ("alice", "bob"):
            user_id = people.user_id_of(transaction.connection, name)
            transaction.connection.execute(
                "INSERT INTO message (user_id, number, header, message_id, digest, size, seen, live, waits)"
                " VALUES (?, ?, x'', '', x'', 0, 0, 1, 1)",
                (user_id, ids.at(NOON_MS)),
            )

    change(two, add, lambda t: outbox.doubt(t, None, limit=9, cell=1))
    held = "SELECT u.name, m.held FROM message m JOIN user u USING (user_id) ORDER BY u.name"
    assert look(two, lambda connection: connection.execute(held).fetchall()) == [("alice", 0), ("bob", 1)]


def test_the_backlog_of_another_cell_is_walked_once(two):
    """Steps of SQLite, since a cell that is away may have some 100,000 rows."""

    def mark(transaction, user, first):
        user_id = people.user_id_of(transaction.connection, user)
        rows = [(f"{user}/msg/{number}", "msg", user_id, number) for number in range(first, first + 3000)]
        transaction.connection.executemany("INSERT INTO outbox (path, kind, user_id, number) VALUES (?, ?, ?, ?)", rows)

    def taken(connection, since):
        steps = []
        connection.set_progress_handler(lambda: steps.append(1), 100)
        found, since = outbox_at.take_messages(connection, **TAKE, cell=0, since=since)
        connection.set_progress_handler(None, 0)
        return {each.topic for each in found}, since, len(steps)

    change(two, lambda t: mark(t, "bob", 0))
    nothing, since, at_first = look(two, taken, Since())
    again = look(two, taken, since)
    assert (nothing, again[0], again[1]) == (set(), set(), since)
    assert at_first > 100 > 10 * again[2]
    alice = people.user_id_of
    change(
        two,
        lambda t: t.connection.execute(
            "INSERT INTO outbox (path, kind, user_id, number) VALUES ('alice/msg/1', 'msg', ?, 1)",
            (alice(t.connection, "alice"),),
        ),
        lambda t: mark(t, "bob", 3000),
    )
    found, since, _ = look(two, taken, since)
    assert found == {"alice/msg/1"}
    assert look(two, taken, since)[0] == {"alice/msg/1"}, "until it is settled"
