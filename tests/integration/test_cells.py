"""Cells: two mosquittos and the embedded broker with users of their own, behind a HAProxy that reads who comes."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5
from tests.support.cells import CellSystem
from tests.support.waiting import until


@pytest.fixture
def system(tmp_path):
    with CellSystem(tmp_path, "east", "west") as system:
        yield system


def mail(subject):
    return f"From: Carol <carol@example.net>\nSubject: {subject}\n\nhello\n".encode()


def retained(client, topic_filter):
    """The topics that are retained there."""
    client.send(mqtt.subscribe((topic_filter, 1)))
    return {packet.topic for packet in client.flush() if packet.kind == mqtt.PUBLISH and packet.payload}


def admin_at(system, port):
    """An administrator's connection to a cell, as soon as its broker has read the login."""
    name = f"boss{time.monotonic_ns()}"
    login = json.loads(system.run("admin", "add", name, "--json").stdout)
    return until(lambda: system.device(login, port=port, clean=True), what="the administrator to be known")


def test_users_come_to_their_cells_through_haproxy(system):
    system.run("cell", "drain", "main")
    logins = {user: system.add(user) for user in ("alice", "bob", "carol")}
    listed = {each["cell"]: each["users"] for each in json.loads(system.run("cell", "list", "--json").stdout)}
    assert listed == {"main": 0, "east": 2, "west": 1}, "the next one goes where the fewest are"
    system.serve_behind_proxy()
    for user in logins:
        system.send(mail(f"for {user}"), f"{user}@example.org")
    system.wait_drained()

    for cell, users in (("east", {"alice", "carol"}), ("west", {"bob"})):
        with admin_at(system, system.cells[cell].port) as admin:
            assert {topic.split("/")[1] for topic in retained(admin, "mail/#")} == users
        text = "".join(path.read_text() for path in system.cells[cell].logins.iterdir() if path.is_file())
        assert {user for user in logins if f"{user}.phone" in text} == users
    for user, login in logins.items():
        with system.device(login) as phone:
            assert retained(phone, f"mail/{user}/last") == {f"mail/{user}/last"}
        with mqtt5.Raw(("127.0.0.1", system.front)) as phone:
            phone.send(mqtt5.connect("whatever", username=login["username"], password=login["password"]))
            assert phone.expect(mqtt.CONNACK).body[1] == 0
            phone.send(mqtt5.subscribe((f"mail/{user}/text", 1)))
            phone.expect(mqtt.SUBACK)
            assert f"for {user}" in phone.expect(mqtt.PUBLISH).payload.decode()


def shown(system, user):
    """The ids that the reference client has shown on one device, in their order."""
    lines = (system.directory / f"watch-{user}.log").read_text().splitlines()
    return [json.loads(line)["id"] for line in lines if line.startswith("{") and '"subject"' in line]


def watch(system, login):
    """The reference client, through HAProxy; its record goes on where it ended."""
    user = login["user"]
    secret = system.directory / f"{user}.password"
    secret.write_text(login["password"])
    return system.start(
        *("watch", f"{user}/phone", "--json", "--url", f"mqtt://127.0.0.1:{system.front}"),
        *("--password-file", str(secret), "--state", str(system.directory / f"{user}.journal")),
        module="clients",
        log=f"watch-{user}",
    )


def test_a_cell_that_is_killed_and_replaced_by_an_empty_one_is_filled(system):
    system.run("cell", "drain", "main")
    alice, bob = system.add("alice"), system.add("bob")
    system.serve_behind_proxy()
    watch(system, alice), watch(system, bob)
    before = [system.send(mail(f"mail {number}"), "alice@example.org", "bob@example.org") for number in range(5)]
    until(lambda: shown(system, "alice") == before, what="the first mails")
    system.wait_drained()

    east = system.cells["east"]
    east.stop(signal.SIGKILL)
    for path in east.directory.glob("mosquitto.db*"):
        path.unlink()
    meanwhile = [
        system.send(mail(f"meanwhile {number}"), "alice@example.org", "bob@example.org") for number in range(5)
    ]
    until(lambda: shown(system, "bob") == before + meanwhile, what="the other cell to go on")
    until(lambda: system.status()["cells"][1]["connected"] is False, what="the loss to be told")
    east.start()
    until(lambda: shown(system, "alice") == before + meanwhile, what="the mails of meanwhile")
    system.wait_cells()
    system.wait_drained()
    with admin_at(system, east.port) as admin:
        found = {topic.rpartition("/")[2] for topic in retained(admin, "mail/alice/msg/+")}
    assert found == {*before, *meanwhile}
    assert json.loads(system.run("reconcile", "--dry-run", "--json").stdout)["missing"] == 0


def test_a_user_moves_under_load_and_nothing_is_lost_or_shown_twice(system):
    system.run("cell", "drain", "main")
    alice = system.add("alice")
    system.serve_behind_proxy()
    watch(system, alice)
    sent = [system.send(mail("the first"), "alice@example.org")]
    until(lambda: shown(system, "alice") == sent, what="the first mail")
    done = threading.Event()

    def load():
        while not done.is_set():
            sent.append(system.send(mail(f"mail {len(sent)}"), "alice@example.org"))

    sender = threading.Thread(target=load)
    sender.start()
    try:
        for cell in ("west", "main", "east", "west"):
            said = system.run("cell", "move", "alice", cell).stdout
            assert said.startswith(f"alice is at {cell} now, and nothing is left"), said
    finally:
        done.set()
        sender.join()
    until(lambda: sorted(shown(system, "alice")) == sorted(sent), what="all mails to be shown")
    system.wait_drained()
    assert len(set(shown(system, "alice"))) == len(shown(system, "alice"))

    places = {"main": system.mqtt_port(), "east": system.cells["east"].port, "west": system.cells["west"].port}
    for cell, port in places.items():
        with admin_at(system, port) as admin:
            there = retained(admin, "mail/alice/#")
        assert bool(there) == (cell == "west"), (cell, there)
        refused = system.device(alice, port=port)
        assert (refused is None) == (cell != "west"), cell
        if refused is not None:
            refused.close()


def test_who_leaves_the_embedded_broker_is_told_that_it_moved(system):
    login = system.add("alice")
    system.run("cell", "move", "alice", "main", check=False)
    system.serve_behind_proxy()
    with mqtt5.Raw(("127.0.0.1", system.mqtt_port())) as phone:
        phone.send(mqtt5.connect("phone", username=login["username"], password=login["password"]))
        assert phone.expect(mqtt.CONNACK).body[1] == 0
        phone.socket.settimeout(60)
        system.run("cell", "move", "alice", "west")
        assert phone.ending() == 0x9D
    assert system.device(login, port=system.mqtt_port()) is None


def test_a_user_who_is_removed_leaves_nothing_at_a_cell(system):
    system.run("cell", "drain", "main")
    login = system.add("alice")
    system.serve_behind_proxy()
    system.send(mail("the last"), "alice@example.org")
    system.wait_drained()
    with admin_at(system, system.cells["east"].port) as admin:
        assert retained(admin, "mail/alice/#")
    system.run("user", "remove", "alice", "--yes")
    with admin_at(system, system.cells["east"].port) as admin:
        until(lambda: not retained(admin, "mail/alice/#"), what="the topics to go")
    assert system.device(login, port=system.cells["east"].port) is None
    assert system.run("cell", "remove", "east").stdout == "removed cell east\n"
    until(lambda: system.facts("bridge").get("cells") == {"west": True}, what="the cell to be let go")


def test_a_move_is_ended_by_the_next_bridge_where_one_was_killed(system):
    system.run("cell", "drain", "main")
    alice = system.add("alice")
    process = system.serve_behind_proxy()
    watch(system, alice)
    first = system.send(mail("before"), "alice@example.org")
    until(lambda: shown(system, "alice") == [first], what="the first mail")
    process.kill()
    process.wait(20)
    assert "as soon as the bridge reaches both" in system.run("cell", "move", "alice", "west").stdout
    process = system.serve()
    until(lambda: system.facts("bridge").get("pid") == process.pid, what="the next bridge")
    second = system.send(mail("after"), "alice@example.org")
    until(lambda: shown(system, "alice") == [first, second], what="the mail that came to the new cell")
    listed = until(
        lambda: [each for each in json.loads(system.run("cell", "list", "--json").stdout) if not each["leaving"]][2:],
        what="the old cell to be left",
    )
    assert [(each["cell"], each["users"]) for each in listed] == [("west", 1)]
    with admin_at(system, system.cells["east"].port) as admin:
        assert retained(admin, "mail/alice/#") == set()


def test_a_cell_is_drained_while_mail_comes(system):
    system.run("cell", "drain", "main")
    names = ("alice", "bob", "carol", "dave")
    logins = {user: system.add(user) for user in names}
    system.serve_behind_proxy()
    everybody = [f"{user}@example.org" for user in names]
    for user in names:
        watch(system, logins[user])
    before = system.send(mail("before"), *everybody)
    assert "2 users have moved" in system.run("cell", "drain", "east", "--move").stdout
    after = system.send(mail("after"), *everybody)
    until(lambda: all(shown(system, user) == [before, after] for user in names), what="both mails everywhere")
    listed = {each["cell"]: each["users"] for each in json.loads(system.run("cell", "list", "--json").stdout)}
    assert listed == {"main": 0, "east": 0, "west": 4}
    login = json.loads(system.run("device", "add", "alice", "tablet", "--json").stdout)
    with system.device(login, port=system.cells["west"].port) as tablet:
        assert retained(tablet, "mail/alice/unread") == {"mail/alice/unread"}, "it is let in as soon as that is said"
    system.run("device", "revoke", "alice", "tablet")
    assert system.device(login, port=system.cells["west"].port) is None
