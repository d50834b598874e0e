"""Logins as they come and go in the store's table while the broker runs."""

from __future__ import annotations

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker, LoginTable, password_of


@pytest.fixture
def running(tmp_path):
    broker = EmbeddedBroker(tmp_path, config="[limits]\nlogin_failures = 5\n")
    broker.logins.add("bridge", "bridge")
    broker.logins.add("alice.phone")
    with broker:
        yield broker


def code(broker, username, password):
    with mqtt.Raw(broker.address()) as client:
        client.send(mqtt.connect(username=username, password=password))
        return client.expect(mqtt.CONNACK).body[1]


def test_a_new_device_gets_in_and_a_revoked_one_is_out(running):
    running.logins.add("alice.watch")
    watch = running.client("alice.watch", clean=False)
    watch.subscribe("mail/alice/#")
    running.logins.remove("alice.watch")
    assert watch.receive(timeout=5) is None  # promised is one second; a busy machine gets more
    assert code(running, "alice.watch", password_of("alice.watch")) == 4
    running.logins.add("alice.watch", password="another")
    assert not running.client("alice.watch", password="another", clean=False).present  # its old session is gone


def test_a_login_revoked_while_the_broker_was_down_leaves_no_session(running):
    with running.client("alice.phone", clean=False) as phone:
        phone.subscribe("mail/alice/#")
    running.stop()
    running.logins.remove("alice.phone")
    running.logins.add("alice.phone", password="new owner")
    running.start()
    assert not running.client("alice.phone", password="new owner", clean=False).present


def test_a_new_password_ends_the_connection_and_keeps_the_session(running):
    phone = running.client("alice.phone", clean=False)
    phone.subscribe("mail/alice/#")
    running.logins.replace("alice.phone", "second")
    assert phone.receive(timeout=5) is None
    assert code(running, "alice.phone", password_of("alice.phone")) == 4
    with running.client("bridge") as bridge:
        bridge.send(mqtt.publish("mail/alice/msg/1", b"while away", qos=1))
        bridge.expect(mqtt.PUBACK)
    with running.client("alice.phone", password="second", clean=False) as phone:
        assert phone.present
        assert phone.expect(mqtt.PUBLISH).body.endswith(b"while away")


def test_a_password_replaced_while_the_broker_was_down_keeps_the_session(running):
    with running.client("alice.phone", clean=False) as phone:
        phone.subscribe("mail/alice/#")
    running.stop()
    running.logins.replace("alice.phone", "second")
    running.logins.replace("alice.phone", "third")
    running.start()
    assert running.client("alice.phone", password="third", clean=False).present


def test_a_visit_without_a_session_ends_with_its_password(running):
    phone = running.client("alice.phone", clean=True)
    running.logins.replace("alice.phone", "second")
    assert phone.receive(timeout=5) is None
    assert not running.client("alice.phone", password="second", clean=False).present


def test_any_of_several_labels_lets_in(running):
    running.logins.add("alice.phone", label="second", password="second")
    assert code(running, "alice.phone", "second") == 0
    assert code(running, "alice.phone", password_of("alice.phone")) == 0


def test_a_chosen_password_is_checked_with_argon2(running):
    running.logins.add_chosen("boss", "admin", Argon2Hasher().hash("correct horse"))
    assert code(running, "boss", "correct horse") == 0
    assert code(running, "boss", "wrong horse") == 4


def test_after_too_many_failures_only_generated_passwords_still_get_in(running):
    running.logins.add_chosen("boss", "admin", Argon2Hasher().hash("correct horse"))
    for _ in range(5):
        assert code(running, "boss", "wrong horse") == 4
    assert code(running, "boss", "correct horse") == 4
    assert code(running, "alice.phone", password_of("alice.phone")) == 0
    assert running.logged().count("too_many_login_failures") == 1


def test_before_the_store_exists_clients_are_told_to_come_again(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    broker.logins.close()
    (tmp_path / "postbell.db").unlink()
    with broker:
        assert code(broker, "alice.phone", "x") == 3
        assert "logins_unavailable" in broker.logged()
        broker.logins = LoginTable(tmp_path / "postbell.db")
        broker.logins.add("alice.phone")
        assert code(broker, "alice.phone", password_of("alice.phone")) == 0


def test_passwords_are_never_logged(running):
    code(running, "alice.phone", "hunter2-secret")
    code(running, "alice.phone", password_of("alice.phone"))
    assert "hunter2" not in running.logged()
    assert password_of("alice.phone") not in running.logged()
