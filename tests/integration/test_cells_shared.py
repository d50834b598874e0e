"""Cells where two bridges share a PostgreSQL: two mosquittos, behind HAProxy, and whatever of all that dies."""

from __future__ import annotations

import signal
import threading

import pytest

from bridge.postgres import database
from bridge.store import offline, people
from tests.support.shared_cells import SharedCells
from tests.support.waiting import until

EVERYBODY = [f"user{number}" for number in range(64)]
USERS = EVERYBODY[::9]
"""Some of each cell and bridge."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(tmp_path, postgres):
    database.prepare(postgres)
    with SharedCells(tmp_path, postgres) as system:
        yield system


@pytest.fixture
def logins(system):
    """Of the users, once all of it runs."""
    system.add_east()
    with offline.transaction(system.url, now_ms=0, count=100, days=7) as transaction:
        for user in EVERYBODY:
            people.add_user(transaction, user, [f"{user}@example.org"])
    logins = {user: system.device_of(user) for user in USERS}
    system.serve()
    return logins


def one_of(system, *, owner, cell):
    """A user whose shard that bridge has, at that cell."""
    return min(system.users_of(owner) & system.at(cell) & set(USERS))


def test_users_are_apart_and_each_is_reached_through_haproxy(system, logins):
    assert all(one_of(system, owner=owner, cell=cell) for owner in "ab" for cell in system.cells)
    for login in logins.values():
        system.watch(login)
    sent = {user: [system.send(f"for {user}", user, node=node) for node in "ab"] for user in USERS}
    for user, some in sent.items():
        until(lambda: sorted(system.shown(user)) == sorted(some), what=f"both mails of {user}")  # noqa: B023
    system.store.drained()
    for cell in ("main", "east"):
        assert {topic.split("/")[1] for topic in system.retained(cell, "mail/#")} <= system.at(cell)
        text = (system.cells[cell].logins / "passwords").read_text()
        assert {user for user in USERS if f"{user}.phone" in text} == system.at(cell) & set(USERS)
        assert "bridge-a" in text
        assert "bridge-b" in text


def test_a_cell_that_is_killed_and_replaced_by_an_empty_one_is_filled(system, logins):
    for login in logins.values():
        system.watch(login)
    before = system.send("before", *USERS)
    until(lambda: all(system.shown(user) == [before] for user in USERS), what="the first mail everywhere")
    system.store.drained()
    east = system.cells["east"]
    east.stop(signal.SIGKILL)
    for path in east.directory.glob("mosquitto.db*"):
        path.unlink()
    meanwhile = [system.send(f"meanwhile {number}", *USERS, node="ab"[number % 2]) for number in range(4)]
    there, away = system.at("main") & set(USERS), system.at("east") & set(USERS)
    until(
        lambda: all(system.shown(user) == [before, *meanwhile] for user in there),
        what="the other cell's users to go on",
    )
    east.start()
    until(lambda: all(system.shown(user) == [before, *meanwhile] for user in away), what="the mails of meanwhile")
    system.wait_connected("a", "b")
    system.store.drained()
    user = min(away)
    found = {topic.rpartition("/")[2] for topic in system.retained("east", f"mail/{user}/msg/+")}
    assert found == {before, *meanwhile}


def test_a_bridge_dies_while_a_cell_is_dead(system, logins):
    """Users of other cells go on at once; those of the dead one when it is back and the dead bridge is fenced there."""
    here, there = one_of(system, owner="a", cell="main"), one_of(system, owner="a", cell="east")
    for user in (here, there):
        system.watch(logins[user])
    before = system.send("before", here, there)
    until(lambda: [system.shown(user) for user in (here, there)] == [[before]] * 2, what="the first mail")
    east = system.cells["east"]
    east.stop(signal.SIGKILL)
    system.a.send_signal(signal.SIGKILL)
    after = system.send("after", here, there)
    until(lambda: system.shown(here) == [before, after], what="the living cell's user to go on")
    assert system.shown(there) == [before]
    owed = "SELECT DISTINCT unnest(unfenced) FROM lease WHERE owner = 'b'"
    east_id = system.store.rows("SELECT cell_id FROM cell WHERE name = 'east'")[0][0]
    assert system.store.rows(owed) == [(f"a@{east_id}",)]
    east.start()
    until(lambda: system.shown(there) == [before, after], what="the other one's")
    assert {"node": "a", "cell": east_id} in [
        {key: told[key] for key in ("node", "cell")} for told in system.b.logged("node_fenced")
    ]
    until(lambda: system.store.rows(owed) == [], what="nothing to be owed any more")
    system.store.drained()


def test_a_user_moves_under_load_while_whose_it_is_dies(system, logins):
    """Whoever takes over ends the move; nothing is lost, nothing is shown twice, nothing stays at the old cell."""
    user = one_of(system, owner="a", cell="main")
    system.watch(logins[user])
    sent = [system.send("first", user)]
    until(lambda: system.shown(user) == sent, what="the first mail")
    done = threading.Event()

    def load():
        number = 0
        while not done.is_set():
            number += 1
            kept = None
            while kept is None and not done.is_set():
                kept = system.send_somewhere(f"load-{number}", user)
            if kept is not None:
                sent.append(kept)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        until(lambda: len(sent) > 10, what="some mails")
        system.a.send_signal(signal.SIGKILL)
        system.run("cell", "move", user, "east", node="b")
        until(lambda: system.store.rows("SELECT name FROM leaving") == [], what="the move to be ended")
        system.a.start_bridge()
        many = len(sent) + 10
        until(lambda: len(sent) > many, what="some more mails")
        system.store.spread("a", "b")
        said = system.run("cell", "move", user, "main").stdout
        assert said == f"{user} is at main now, and nothing is left at east\n"
    finally:
        done.set()
        sender.join()
    until(lambda: sorted(system.shown(user)) == sorted(sent), what="all mails to be shown")
    system.store.drained()
    assert len(set(system.shown(user))) == len(system.shown(user))
    assert system.retained("main", f"mail/{user}/box")
    assert system.retained("east", f"mail/{user}/#") == set()
    assert system.device(logins[user], cell="east") is None
