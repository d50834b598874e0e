"""Commands from a machine on which no bridge runs: its configuration has the URLs of store and broker, and no more."""

from __future__ import annotations

import json
import signal
from functools import partial

import pytest

from tests.integration.test_shards_bridges import EVERYBODY, broker, nodes  # noqa: F401 - fixtures
from tests.support.shared_store import SharedStore
from tests.support.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def elsewhere(tmp_path, postgres, broker):  # noqa: F811
    (tmp_path / "elsewhere").mkdir()
    with System(
        tmp_path / "elsewhere",
        POSTBELL_STORE__URL=postgres,
        POSTBELL_BROKER__EMBEDDED="false",
        POSTBELL_MQTT__URL=broker.url,
    ) as system:
        yield system


def told(system, *arguments):
    return json.loads(system.run(*arguments, "--json", check=False).stdout)


def test_people_are_added_from_anywhere_and_their_mail_is_taken_and_traced(postgres, nodes, elsewhere):  # noqa: F811
    elsewhere.run("user", "add", "dora", "--address", "dora@example.org")
    done = elsewhere.run("device", "add", "dora", "phone", "--json")
    login = json.loads(done.stdout)
    assert "The broker is told by bridges elsewhere (a, b), where mqtt.logins_for is set there." in done.stderr
    assert login["username"] == "dora.phone"
    ids = []
    for node in nodes:
        until(partial(accepted, node, "dora@example.org"), what="dora's mail to be taken")
        ids.append(node.send(b"Subject: for dora\r\n\r\n", "dora@example.org"))
    SharedStore(postgres).drained()
    for mail_id in ids:
        story = told(elsewhere, "trace", mail_id)
        assert (story["user"], story["id"]) == ("dora", mail_id)
        assert "dora.phone" in elsewhere.run("trace", mail_id).stdout
    assert not (elsewhere.state_dir / "run").exists()


def accepted(node, address):
    with node.smtp() as smtp:
        smtp.ehlo("test.example")
        smtp.mail("a@example.net")
        return smtp.rcpt(address)[0] == 250


def test_all_bridges_are_asked_to_reconcile(postgres, nodes, elsewhere):  # noqa: F811
    store = SharedStore(postgres)
    for user in EVERYBODY[:8]:
        nodes[0].send(b"Subject: x\r\n\r\n", f"{user}@example.org")
    store.drained()
    nothing = told(elsewhere, "reconcile", "--dry-run")
    assert (nothing["missing"], nothing["different"], nothing["stale"]) == (0, 0, 0)
    assert nothing["held"] >= 64 + 8
    store.rows("UPDATE message SET live = 0, seen = 1 RETURNING 1")
    store.rows('UPDATE "user" SET live = 0 RETURNING 1')
    found = told(elsewhere, "reconcile", "--dry-run")
    assert found["stale"] >= 8, "headers that nobody is to have any more"
    assert store.waiting() == 0
    assert told(elsewhere, "reconcile") == found
    store.drained()
    assert told(elsewhere, "reconcile", "--dry-run")["stale"] == 0
    assert {len(node.logged("reconciled")) > 1 for node in nodes} == {True}, "each looked at its own"
    assert told(nodes[1], "reconcile", "--dry-run")["stale"] == 0, "asked on its own machine it is about everybody, too"


def test_whoever_asks_is_told_that_nobody_answers(nodes, elsewhere):  # noqa: F811
    for node in nodes:
        node.send_signal(signal.SIGTERM)
    done = elsewhere.run("reconcile", check=False)
    assert done.returncode != 0
    assert "no bridge runs at this database now" in done.stderr


def test_a_bridge_that_dies_over_it_is_named(nodes, elsewhere):  # noqa: F811
    nodes[1].send_signal(signal.SIGSTOP)
    asking = elsewhere.start("reconcile", "--dry-run")
    assert asking.wait(60) != 0
    said = (elsewhere.directory / "reconcile.log").read_text()
    assert "the bridge b went before it answered: ask again" in said or "changed hands" in said
    nodes[1].send_signal(signal.SIGCONT)


def test_status_tells_of_all_bridges_and_how_late_mail_is(postgres, nodes, broker, elsewhere):  # noqa: F811
    found = told(elsewhere, "status")
    assert (found["ok"], found["here"], found["down"]) == (True, False, [])
    assert [each["node"] for each in found["nodes"]] == ["a", "b"]
    assert found["oldest_s"] is None
    assert {each["oldest_s"] for each in found["nodes"]} == {None}
    lines = elsewhere.run("status").stdout.splitlines()
    assert lines[0].split(maxsplit=1) == ["bridge", "runs elsewhere"]
    broker.kill()
    nodes[0].send(b"Subject: late\r\n\r\n", "user7@example.org")
    [(shard,)] = SharedStore(postgres).rows("SELECT shard FROM \"user\" WHERE name = 'user7'")
    found = until(lambda: late(told(elsewhere, "status")), what="the mail to be late")
    assert [(each["shard"], each["mails"]) for each in found["lagging"]] == [(shard, 1)]
    assert "the oldest mail for " in elsewhere.run("status", check=False).stdout
    broker.start()
    until(lambda: told(elsewhere, "status")["oldest_s"] is None, what="the mail to be published")


def late(found):
    return found if found["oldest_s"] and found["oldest_s"] > 1 else None


def test_a_bridge_that_was_run_here_and_is_not_is_down_whoever_else_runs(nodes):  # noqa: F811
    nodes[0].send_signal(signal.SIGKILL)
    found = told(nodes[0], "status")
    assert found["here"]
    assert "bridge" in found["down"]


def test_the_doctor_looks_from_anywhere(nodes, elsewhere):  # noqa: F811
    del nodes
    found = {each["check"]: each for each in told(elsewhere, "doctor", "--look-only")}
    assert [check for check, each in found.items() if each["ok"] is False] == []
    assert {check: found[check]["ok"] for check in ("store.opens", "store.schema", "store.writable")} == {
        "store.opens": True,
        "store.schema": True,
        "store.writable": True,
    }
