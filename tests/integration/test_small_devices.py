"""Devices with a small buffer: how long a header they get, and that those which drop what is longer do not starve."""

from __future__ import annotations

import json

import pytest

from bridge.contract.header import unpack_header
from bridge.contract.publication import Kind
from bridge.reconcile import Observed, fingerprint
from bridge.store import offline, pairing, payloads, people
from bridge.store.payloads import PayloadError
from tests.support import mqtt_client as mqtt
from tests.support.pubsubclient import LIBRARY_BYTES, PubSubClient
from tests.support.stored import COUNT, DAYS, NOON_MS, add_user, header, mail, to, told
from tests.support.system import System

WORDS = " ".join(f"word{number}" for number in range(80))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "postbell.db"
    add_user(path, "alice")
    add_user(path, "bob")
    return path


def changed(path, operation, *arguments, **options):
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        operation(transaction, *arguments, **options)
        return people.revision(transaction.connection)


def marked(path):
    """The user, and the length of what is published, of each message that waits."""

    async def story(store):
        taken = await store.take_messages(limit=99, busy=())
        await store.settle([*taken, *await store.take_views(limit=99, busy=())])
        return [(each.user_id, len(each.payload)) for each in taken if each.kind is Kind.MESSAGE]

    return told(path, story)


def test_the_limit_of_a_user_is_that_of_the_device_that_takes_most(path):
    def limit():
        with offline.reading(path) as connection:
            return payloads.of_user(connection, 1)

    assert limit() is None
    changed(path, pairing.add_device, "alice", "board", payload=192)
    changed(path, pairing.add_device, "bob", "phone")
    assert limit() == 192
    changed(path, pairing.add_device, "alice", "clock", payload=256)
    assert limit() == 256
    changed(path, pairing.add_device, "alice", "phone")
    assert limit() is None
    changed(path, pairing.change_device, "alice", "phone", payload=300)
    assert limit() == 300
    changed(path, pairing.revoke_device, "alice", "phone")
    assert limit() == 256
    with offline.reading(path) as connection:
        assert {each.device: each.payload for each in pairing.list_devices(connection, "alice")} == {
            "board": 192,
            "clock": 256,
        }
        assert payloads.of_user(connection, 99) is None


@pytest.mark.parametrize("payload", [1, 63, 65_537, -1])
def test_a_limit_that_no_device_has_is_refused(path, payload):
    with pytest.raises(PayloadError, match="64 to 65536"):
        changed(path, pairing.add_device, "alice", "board", payload=payload)


def test_what_the_broker_has_is_published_anew_as_soon_as_it_does_not_fit_and_in_full_when_it_may(path):
    async def two(store):
        await store.keep(mail(to(1, "alice"), to(2, "bob")), header(WORDS), message_id="")
        await store.keep(mail(to(1, "alice")), header("short"), message_id="")

    told(path, two)
    (_, full), _, (_, short) = marked(path)
    assert full > 192 > short
    before = changed(path, pairing.add_device, "bob", "phone")
    assert changed(path, pairing.add_device, "alice", "board", payload=192) == before + 1, "the bridge is told"
    ((user, cut),) = marked(path)
    assert user == 1
    assert 180 < cut <= 192
    assert changed(path, pairing.add_device, "alice", "clock", payload=192) == before + 1
    assert marked(path) == []
    changed(path, pairing.add_device, "alice", "phone")
    assert marked(path) == [(1, full)], "the store has kept all of it"
    changed(path, pairing.revoke_device, "alice", "phone")
    assert marked(path) == [(1, cut)]

    stored = told(path, lambda store: store.recent(1, 9))
    assert max(len(payload) for _, payload in stored) == full


def test_reconciling_holds_the_broker_to_the_short_header(path):
    changed(path, pairing.add_device, "alice", "board", payload=192)

    async def story(store):
        await store.keep(mail(to(1, "alice")), header(WORDS), message_id="")
        taken = [*await store.take_messages(limit=9, busy=()), *await store.take_views(limit=9, busy=())]
        await store.settle(taken)
        retained = {
            each.path: fingerprint(each.payload) for each in taken if each.payload and each.user_id == 1 and each.retain
        }
        observed = Observed(
            users=frozenset({"alice"}), retained=retained, acknowledged=frozenset(), now_ms=NOON_MS, days=DAYS
        )
        return await store.repair(observed, dry_run=True)

    found = told(path, story)
    assert (found.missing, found.different, found.stale) == (0, 0, 0)


def connected(system, login, *, clean=False):
    """A client with PubSubClient's own buffer, and what it shows."""
    shown = {}

    def callback(topic, payload):
        if "/msg/" in topic and payload:
            shown[topic.rpartition("/")[2]] = unpack_header(payload)

    board = PubSubClient(("127.0.0.1", system.mqtt_port()), buffer_bytes=LIBRARY_BYTES, callback=callback)
    board.raw.send(mqtt.connect("board", username=login["username"], password=login["password"], clean=clean))
    board.raw.expect(mqtt.CONNACK)
    board.raw.send(mqtt.subscribe(("mail/alice/msg/+", 1), ("mail/alice/box", 1)))
    while board.loop():
        pass
    return board, shown


def starved_or_not(system, login, mails=90):
    """What was sent, what such a client shows, and how many packets it dropped, of so many long mails."""
    board, shown = connected(system, login)
    sent = {
        system.send(
            f"From: Ada <ada@example.net>\r\nSubject: {n} {WORDS}\r\n\r\n{WORDS}\r\n".encode(), "alice@example.org"
        )
        for n in range(mails)
    }
    system.wait_drained()
    while board.loop():
        pass
    board.raw.close()
    return sent, shown, board.dropped


def test_a_client_that_drops_what_is_longer_gets_every_mail(tmp_path):
    with System(tmp_path) as system:
        system.run("user", "add", "alice", "--address", "alice@example.org")
        login = json.loads(system.run("device", "add", "alice", "board", "--payload", "192", "--json").stdout)
        system.serve()
        sent, shown, dropped = starved_or_not(system, login)
        assert shown.keys() == sent
        assert dropped == 0
        assert all(each.subject.startswith(str(number)) for number, each in enumerate(shown.values()))
        [listed] = json.loads(system.run("device", "list", "--json").stdout)
        assert listed["payload"] == 192

        added = system.run("device", "add", "alice", "phone")
        assert "alice.board takes headers of 192 bytes" in added.stderr
        changed_phone = system.run("device", "change", "alice", "phone", "--payload", "192")
        assert changed_phone.stdout == "changed alice.phone\n"
        assert "alice.board" not in changed_phone.stderr
        assert "alice.board takes" in system.run("device", "change", "alice", "phone", "--payload", "0").stderr
        assert "alice.board takes" in system.run("device", "list").stderr
        system.wait_drained()
        refused = system.run("device", "change", "alice", "phone", "--payload", "5", check=False)
        assert refused.returncode == 1
        assert "64 to 65536" in refused.stderr


def test_without_the_limit_it_starves_until_its_session_ends(tmp_path):
    """So that the test above can fail; and what docs/devices/pubsubclient.md says of a device that starves already."""
    with System(tmp_path) as system:
        login = system.add("alice", "board")
        system.serve()
        sent, shown, dropped = starved_or_not(system, login, mails=70)
        assert dropped == 64, "the broker's window is full of what was never acknowledged"
        assert len(shown) < len(sent)
        system.run("device", "change", "alice", "board", "--payload", "192")
        system.wait_drained()
        board, shown = connected(system, login, clean=True)
        assert (shown.keys(), board.dropped) == (sent, 0)
        board.raw.close()
