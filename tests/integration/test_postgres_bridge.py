"""A bridge whose store is a database of PostgreSQL, beside mosquitto: mail comes in, is shown, and outlives it all."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import postgres as support
from tests.support.outside import OutsideSystem
from tests.support.stored import rows
from tests.support.waiting import free_port, until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(tmp_path, postgres):
    with OutsideSystem(tmp_path, "mosquitto", POSTBELL_STORE__URL=postgres) as system:
        yield system


def mail(subject, body="hello"):
    return f"From: Carol <carol@example.net>\nMessage-ID: <{subject}@x>\nSubject: {subject}\n\n{body}\n".encode()


def heard(client, *, topic, having=b""):
    """Take what comes, and acknowledge it, until it is on this topic; its payload."""
    while True:
        one = client.receive(60)
        assert one is not None, f"closed, expected something on {topic}"
        if one.kind != mqtt.PUBLISH:
            continue
        if one.qos:
            client.send(mqtt.puback(one.packet_id))
        if one.topic.startswith(topic) and having in one.payload:
            return one.payload


def waiting(system):
    return json.loads(system.run("status", "--json", check=False).stdout)["outbox"]


def test_mail_is_kept_and_shown_and_commands_work_by_the_url(system, postgres):
    bridge = system.start("bridge")
    system.wait_connected()
    system.run("user", "add", "alice", "--address", "alice@example.org")
    login = system.asked("device", "add", "alice", "phone")
    with system.broker.admitted(login) as phone:
        assert phone.subscribe("mail/alice/#") == [1]
        mail_id = system.send(mail("first"), "alice@example.org")
        assert system.send(mail("first"), "alice@example.org") == mail_id, "a copy"
        heard(phone, topic=f"mail/alice/msg/{mail_id}", having=b"first")
        until(lambda: waiting(system) == 0, what="the outbox to be empty")
        traced = json.loads(system.run("trace", mail_id, "--json").stdout)
        assert "first" in json.dumps(traced)
        facts = json.loads(system.run("status", "--json").stdout)
        assert (facts["ok"], facts["users"], facts["live"]) == (True, 2, 1)
        told = json.loads(system.run("reconcile", "--json").stdout)
        assert told["missing"] == told["different"] == told["stale"] == 0
    findings = json.loads(system.run("doctor", "--json", check=False).stdout)
    told = {each["check"]: each["ok"] for each in findings}
    assert told["store.opens"] is told["store.schema"] is told["store.writable"] is True, findings
    system.run("user", "remove", "alice", "--yes")
    system.stop(bridge)
    assert not list(system.state_dir.glob("*.db*")), "nothing is kept in a file"
    assert rows(postgres, "SELECT count(*) FROM message") == [(0,)]


def test_a_large_mail_is_in_the_database_and_not_on_the_disk(system, postgres):
    bridge = system.start("bridge")
    system.wait_connected()
    body = "\n".join("x" * 70 for _ in range(14_000))
    system.send(mail("large", body), "bob@example.org")
    [(size, parts)] = rows(
        postgres, "SELECT (SELECT size FROM body), (SELECT sum(length(data)) FROM body_part WHERE file <> '')"
    )
    assert size == parts > 900_000
    assert rows(postgres, "SELECT count(*) FROM upload") == [(0,)]
    assert not list((system.state_dir / "spool").glob("*"))
    system.stop(bridge)


@pytest.fixture
def own_server():
    """A server that this test may kill."""
    with support.server() as server:
        yield server


def test_without_the_database_senders_keep_their_mail_and_the_bridge_recovers(tmp_path, own_server):
    url = own_server.url("postgres")
    with OutsideSystem(tmp_path, "mosquitto", POSTBELL_STORE__URL=url) as system:
        bridge = system.start("bridge")
        system.wait_connected()
        first = system.send(mail("first"), "bob@example.org")
        own_server.stop(signal.SIGQUIT)
        with system.smtp() as smtp:
            smtp.ehlo("test.example")
            smtp.mail("sender@example.net")
            assert smtp.rcpt("nobody@example.org")[0] == 451, "who that is cannot be asked"
            assert smtp.rcpt("bob@example.org")[0] == 250, "he is in mind"
            code, said = smtp.data(mail("second"))
            assert (code, said[:5]) == (451, b"4.3.0")
        own_server.start()
        second = system.send(mail("second"), "bob@example.org")
        assert first < second
        until(lambda: waiting(system) == 0, what="the outbox to be empty")
        assert rows(url, "SELECT number, held FROM message ORDER BY number DESC LIMIT 1")[0][1] == 1
        assert bridge.poll() is None
        system.stop(bridge)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("POSTBELL_BROKER__EMBEDDED", "true", "keeps to a store that is a file"),
        ("POSTBELL_STORE__URL", "mysql://x/y", "not the URL of a database"),
        ("POSTBELL_STORE__URL", "postgresql://u:secret@h/d", "no password belongs here"),
        ("POSTBELL_STORE__URL", "postgresql://h", "names no database"),
    ],
)
def test_what_cannot_be_is_refused(typed, monkeypatch, name, value, problem):
    for key, given in {
        "POSTBELL_STORE__URL": "postgresql://postgres@127.0.0.1/x",
        "POSTBELL_BROKER__EMBEDDED": "false",
        "POSTBELL_MQTT__URL": "mqtt://127.0.0.1:1883",
        name: value,
    }.items():
        monkeypatch.setenv(key, given)
    code, said, told = typed("config", "check")
    assert code
    assert problem in said + told
    assert "secret" not in said + told


@pytest.mark.parametrize(
    "command", [("backup", "x.tar"), ("restore", "x.tar"), ("salvage",), ("export", "alice", "x.tar")]
)
def test_what_is_for_a_file_says_so(typed, monkeypatch, tmp_path, command):
    monkeypatch.setenv("POSTBELL_STORE__URL", "postgresql://postgres@127.0.0.1/x")
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    monkeypatch.setenv("POSTBELL_MQTT__URL", "mqtt://127.0.0.1:1883")
    (tmp_path / "x.tar").write_bytes(b"")
    code, _, told = typed(*command)
    assert code
    assert "for a store that is a file" in told


def test_without_psycopg_it_is_said_what_to_install(typed, monkeypatch):
    monkeypatch.setenv("POSTBELL_STORE__URL", "postgresql://postgres@127.0.0.1/x")
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    monkeypatch.setenv("POSTBELL_MQTT__URL", "mqtt://127.0.0.1:1883")
    monkeypatch.delitem(sys.modules, "bridge.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for module in [name for name in sys.modules if name.startswith("bridge.postgres.")]:
        monkeypatch.delitem(sys.modules, module)
    code, _, told = typed("user", "list")
    assert code
    assert "postbell[postgresql]" in told


def test_the_doctor_says_when_the_database_is_away(typed, monkeypatch, tmp_path):
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("POSTBELL_STORE__URL", f"postgresql://postgres@127.0.0.1:{free_port()}/x")
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    monkeypatch.setenv("POSTBELL_MQTT__URL", f"mqtt://127.0.0.1:{free_port()}")
    code, said, _ = typed("doctor", "--json")
    assert code
    told = {each["check"]: each for each in json.loads(said)}
    assert told["store.opens"]["ok"] is False
    assert "connection" in told["store.opens"]["problem"]
    assert "store.url" in told["store.opens"]["cure"]
    assert typed("status")[0]
