"""mosquitto and NATS as the broker, their logins kept by Postbell: from first use to the end, and who reads what."""

from __future__ import annotations

import json
import signal

import pytest

from bridge.contract.packing import pack
from bridge.store import offline
from tests.support import mqtt_client as mqtt
from tests.support.outside import KINDS, OutsideSystem
from tests.support.waiting import until


@pytest.fixture(params=KINDS)
def system(request, tmp_path):
    with OutsideSystem(tmp_path, request.param) as system:
        yield system


def mail(subject):
    return f"From: Carol <carol@example.net>\nSubject: {subject}\n\nhello\n".encode()


def heard(client, *, topic, having=b""):
    """Take what comes, and acknowledge it, until it is on this topic; its payload."""
    while True:
        one = client.receive()
        assert one is not None, f"closed, expected something on {topic}"
        if one.kind != mqtt.PUBLISH:
            continue
        if one.qos:
            client.send(mqtt.puback(one.packet_id))
        size = int.from_bytes(one.body[:2], "big")
        if one.body[2 : 2 + size].startswith(topic.encode()) and having in one.body:
            return one.body


def thrown_out(client):
    """Whether the broker ends the connection; what it still had to say is passed by."""
    client.socket.settimeout(20)
    client.until_closed()
    return True


def test_a_device_from_first_to_last(system):
    broker = system.broker
    bridge = system.start("bridge")
    system.wait_connected()
    system.run("user", "add", "alice", "--address", "alice@example.org")
    login = system.asked("device", "add", "alice", "phone")

    with broker.admitted(login) as phone:
        assert phone.subscribe("mail/alice/#") == [1]
        first = system.send(mail("the first"), "alice@example.org")
        assert b"the first" in heard(phone, topic=f"mail/alice/msg/{first}")
        [listed] = json.loads(system.run("device", "list", "alice", "--json").stdout)
        assert (listed["online"], listed["last_seen"]) == (None, None), "its broker alone knows"

        renewed = system.asked("device", "password", "alice", "phone")
        assert thrown_out(phone)
    assert broker.connect(login) is None, "the old password"
    system.send(mail("while away"), "alice@example.org")
    system.wait_drained()
    system.stop(bridge)
    broker.stop()
    broker.start()
    with broker.admitted(renewed) as phone:
        assert phone.present, "the session is kept, and outlives the broker"
        heard(phone, topic="mail/alice/msg/", having=b"while away")

        system.start("bridge")
        system.wait_connected()
        assert system.run("device", "revoke", "alice", "phone").stdout == "revoked alice.phone\n"
        assert thrown_out(phone)
    assert broker.connect(renewed) is None
    assert "alice.phone" not in "".join(path.read_text() for path in broker.logins.iterdir() if path.is_file())

    with broker.admitted(system.asked("device", "add", "alice", "phone")) as another:
        assert not another.present, "whoever has a device of that name next finds no session"


def test_one_user_never_hears_of_another(system):
    broker = system.broker
    system.start("bridge")
    system.wait_connected()
    system.run("user", "add", "alice", "--address", "alice@example.org")
    alice = system.asked("device", "add", "alice", "phone")
    tablet = system.asked("device", "add", "alice", "tab")
    bob = system.asked("device", "add", "bob", "phone")
    with broker.admitted(alice) as phone:
        phone.subscribe("mail/alice/#")
    system.send(mail("a secret of alice"), "alice@example.org")
    system.wait_drained()

    with broker.admitted(bob) as spy:
        for topic_filter in ("#", "mail/#", "mail/+/msg/+", "mail/alice/#", "+/alice/#", "$MQTT/sub/#", "$SYS/#"):
            spy.subscribe(topic_filter)
            assert not any(b"secret" in one.body for one in spy.flush()), topic_filter
        for topic in ("mail/alice/do/phone", "mail/alice/msg/0000000zz", "mail/bob/msg/0000000zz"):
            spy.send(mqtt.publish(topic, b"forged", qos=1, retain=True))
            spy.expect(mqtt.PUBACK)
    # The client id of another's device, whose session has mail in it.
    with mqtt.Raw(("127.0.0.1", broker.port)) as thief:
        thief.send(mqtt.connect("alice:phone", username=bob["username"], password=bob["password"], clean=False))
        thief.expect(mqtt.CONNACK)
        assert not any(b"secret" in one.body for one in thief.flush())
    with broker.admitted(alice) as phone:
        assert phone.present
        heard(phone, topic="mail/alice/msg/", having=b"secret")
    with broker.admitted(tablet) as other:
        other.subscribe("mail/alice/#")
        system.send(mail("a secret of alice too"), "alice@example.org")
        payload = heard(other, topic="mail/alice/msg/", having=b"too")
        assert b"forged" not in payload
        with broker.admitted(alice) as phone:
            phone.subscribe("mail/alice/re/phone")
            phone.send(mqtt.publish("mail/alice/do/phone", pack([1, 9, "recent", 1]), qos=1))
            heard(phone, topic="mail/alice/re/phone")
        topics = [one.topic for one in other.flush() if one.kind == mqtt.PUBLISH]
        assert not [topic for topic in topics if topic.endswith("/phone")], "what a sibling asks, and is answered"


def test_a_request_that_a_device_retains_is_answered_once(system):
    """Neither broker can be told that a device may not."""
    broker, log = system.broker, system.directory / "bridge.log"
    bridge = system.start("bridge")
    system.wait_connected()
    with broker.admitted(system.asked("device", "add", "bob", "phone")) as phone:
        assert phone.subscribe("mail/bob/re/phone") == [1]
        phone.send(mqtt.publish("mail/bob/do/phone", pack([1, 7, "recent", 1]), qos=1, retain=True))
        assert b"\x01\x07" in heard(phone, topic="mail/bob/re/phone")
        system.stop(bridge)
        bridge = system.start("bridge")
        until(lambda: '"retained_request_cleared"' in log.read_text(), what="the request to be cleared")
        phone.send(mqtt.publish("mail/bob/do/phone", pack([1, 8, "recent", 1]), qos=1))
        assert b"\x01\x08" in heard(phone, topic="mail/bob/re/phone"), "and nothing before it"
        until(lambda: log.read_text().count('"request_answered"') == 2, what="both in the log")
        assert '"request_refused"' not in log.read_text(), "what clears it is no request"
    system.stop(bridge)
    own = {"username": "bridge", "password": (system.state_dir / "mqtt.password").read_text().strip()}
    with broker.admitted(own) as looking:
        looking.subscribe("mail/+/do/+")
        assert [one.payload for one in looking.flush() if one.kind == mqtt.PUBLISH] == []


def test_the_bridge_gets_a_new_password_and_no_mail_is_lost(system):
    broker = system.broker
    system.start("bridge")
    system.wait_connected()
    bob = system.asked("device", "add", "bob", "phone")
    file = system.state_dir / "mqtt.password"
    with broker.admitted(bob) as phone:
        phone.subscribe("mail/bob/#")
        ids = [system.send(mail("before"), "bob@example.org")]
        old = file.read_text().strip()
        assert system.asked("node", "password", "main") == {"username": "bridge", "taken_up": True}
        ids.append(system.send(mail("meanwhile"), "bob@example.org"))
        file.with_name("fresh").write_text("changed-by-hand-4f1c7a")
        file.with_name("fresh").replace(file)
        ids.append(system.send(mail("and again"), "bob@example.org"))
        until(lambda: broker.connect({"username": "bridge", "password": old}) is None, what="the old password to end")
        for mail_id in ids:
            heard(phone, topic=f"mail/bob/msg/{mail_id}")
        by_hand = {"username": "bridge", "password": "changed-by-hand-4f1c7a"}
        until(lambda: broker.connect(by_hand, clean=True), what="the file's password to count").close()
    system.wait_connected()
    system.wait_drained()
    assert '"broker_lost"' in (system.directory / "bridge.log").read_text()


def test_without_a_bridge_the_commands_tell_the_broker_and_say_when_they_cannot(system):
    broker = system.broker
    login = system.asked("device", "add", "bob", "phone")
    with broker.admitted(login):
        broker.stop(signal.SIGKILL)
    done = system.run("device", "revoke", "bob", "phone", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"bob.phone is removed here, but {broker.kind} does not know it yet: " in done.stderr

    broker.start()
    assert broker.connect(login) is None
    with broker.admitted(system.asked("device", "add", "bob", "watch")) as watch:
        assert "bob.phone" not in "".join(path.read_text() for path in broker.logins.glob("[!.]*"))
        with offline.transaction(system.state_dir / "postbell.db", now_ms=0, count=1, days=1) as transaction:
            transaction.connection.execute("UPDATE login SET pbkdf2 = NULL, bcrypt = NULL")
        done = system.run("setup", broker.kind, "--logins")
        assert f"the logins for {broker.kind} are in {broker.logins}" in done.stdout
        assert "left out: bob.watch, whose password is from before" in done.stderr
        assert "postbell device password bob watch" in done.stderr
        assert system.run("user", "remove", "bob").stdout.startswith("removed bob")
        assert thrown_out(watch)
