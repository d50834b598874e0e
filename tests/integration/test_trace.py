"""The story of a mail in the store and at the broker: what is noted, and found again."""

from __future__ import annotations

import json
import sys

import pytest

from bridge.cli import main
from bridge.contract import ids
from bridge.rules.change import Change
from bridge.store import offline, pairing, rules, trace
from bridge.store.trace import Handover
from tests.support import mqtt_client as mqtt
from tests.support.stored import COUNT, DAYS, NOON_MS, Clock, add_user, header, mail, to, told
from tests.support.system import System
from tests.support.waiting import until

MAIL = b"From: Front Door <cam@example.net>\r\nMessage-ID: <1@example.net>\r\nSubject: Motion\r\n\r\nhello\r\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "postbell.db"
    assert [add_user(path, name) for name in ("alice", "bob")] == [1, 2]
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        rules.change(transaction, "bob", Change(mute=("bob@example.net",)))
    return path


def found(path, sought, **options):
    with offline.reading(path) as connection:
        return trace.find(connection, sought, **options)


def test_it_is_noted_how_a_mail_came_what_was_decided_and_who_saw_it(path):
    clock = Clock()

    async def story(store):
        both = mail(to(1, "alice", "alice+x@example.org"), to(2, "bob"))
        kept, _ = await store.keep(both, header(), message_id="<1@x>")
        assert [each.waits for each in found(path, kept.mail_id)] == [True, True]
        clock.pass_(1)
        await store.settle(await store.take_messages(limit=9, busy=()))
        clock.pass_(1)
        assert await store.set_seen(1, [kept.number], seen=True, by="phone") == 1
        await store.settle(await store.take_messages(limit=9, busy=()))
        return kept

    kept = told(path, story, clock=clock)
    alice, bob = found(path, kept.mail_id)
    assert [alice.user, bob.user] == ["alice", "bob"]
    assert alice.arrival == Handover("sender@example.net", "alice+x@example.org", "", "SMTP")
    assert (alice.alert, alice.reason, alice.silent) == ("ring", "", False)
    assert (bob.alert, bob.reason, bob.silent) == ("muted", "mute bob@example.net", True)
    assert alice.told_ms == bob.told_ms == NOON_MS + 1000, "the first time counts"
    assert (alice.seen, alice.seen_ms, alice.seen_by, alice.live) == (True, NOON_MS + 2000, "phone", False)
    assert (bob.seen, bob.seen_ms, bob.seen_by, bob.live, bob.waits) == (False, None, None, True, False)


def test_it_is_found_by_id_by_message_id_and_by_user(path):
    async def story(store):
        [kept] = await store.keep(mail(to(1, "alice")), header("one"), message_id="<1@x>")
        await store.set_seen(1, [kept.number], seen=True, by="phone")
        await store.set_seen(1, [kept.number], seen=False, by="phone")
        await store.keep(mail(to(2, "bob"), text="2"), header("two"), message_id="bare@x")
        return kept

    kept = told(path, story)
    for sought in (kept.mail_id, kept.mail_id.upper(), f" {kept.mail_id} ", "<1@x>", "1@x"):
        (one,) = found(path, sought, user="alice")
        assert (one.header.subject, one.seen_ms, one.seen_by) == ("one", None, None)
    assert [each.header.subject for each in found(path, "<bare@x>")] == ["two"]
    assert [each.user for each in found(path, kept.mail_id)] == ["alice", "bob"], "they came in the same millisecond"
    assert found(path, "1@x", user="bob") == found(path, "nothing") == found(path, ids.encode(1)) == []


def test_the_story_is_told_from_mail_from_to_the_last_device(tmp_path):
    with System(tmp_path) as system:
        login = system.add("alice")
        system.run("device", "add", "alice", "board")
        system.run("user", "rules", "alice", "--mute", "@example.net")
        system.serve()
        with mqtt.Raw(("127.0.0.1", system.mqtt_port())) as phone:
            phone.send(mqtt.connect("x", username=login["username"], password=login["password"], clean=False))
            phone.expect(mqtt.CONNACK)
            phone.send(mqtt.subscribe(("mail/alice/msg/+", 1)))
            phone.expect(mqtt.SUBACK)
            mail_id = system.send(MAIL, "alice@example.org")
            packet = phone.expect(mqtt.PUBLISH)

            def traced(*words):
                return json.loads(system.run("trace", *words, "--json").stdout)

            def delivery():
                return {device["device"]: device["delivery"] for device in traced(mail_id)["devices"]}

            until(lambda: delivery() == {"board": "no_session", "phone": "waiting"}, what="the broker to note it")
            phone.send(mqtt.puback(packet.packet_id))
            until(lambda: delivery()["phone"] == "acknowledged", what="the broker to note the acknowledgement")
        facts = traced("alice", "1@example.net")
        assert (facts["id"], facts["mail_from"], facts["peer"]) == (mail_id, "sender@example.net", "127.0.0.1")
        assert (facts["alert"], facts["reason"], facts["silent"]) == ("muted", "mute @example.net", True)
        assert facts["published"] > facts["received"]
        text = system.run("trace", mail_id).stdout
        assert "silent: its sender or list is muted (rule: mute @example.net)" in text
        assert "alice.board has never been here" in text
        nothing = system.run("trace", "bob", mail_id, check=False)
        assert (nothing.returncode, nothing.stdout) == (1, "")
        assert "bob has no mail" in nothing.stderr


def test_at_another_broker_nobody_knows_what_became_of_it(path, monkeypatch, capsys):
    [kept] = told(path, lambda store: store.keep(mail(to(1, "alice")), header(), message_id=""))
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        pairing.add_device(transaction, "alice", "phone")
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(path.parent))
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    monkeypatch.setenv("POSTBELL_MQTT__URL", "mqtt://127.0.0.1:1")
    monkeypatch.chdir(path.parent)
    for words, code, said in (
        ([kept.mail_id], 0, "alice.phone (not known where) only its broker knows"),
        (["nobody", kept.mail_id], 1, ""),
        (["alice", kept.mail_id, "more"], 2, ""),
    ):
        monkeypatch.setattr(sys, "argv", ["postbell", "trace", *words])
        assert main.run() == code
        assert said in capsys.readouterr().out
