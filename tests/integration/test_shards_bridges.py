"""Two bridges as processes at one PostgreSQL and one mosquitto: whoever owns dies under load, and nothing is lost."""

from __future__ import annotations

import signal
import smtplib
import threading
import time

import msgpack
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.postgres import database
from bridge.store import offline, people
from tests.support.mosquitto import RuledMosquitto
from tests.support.shared_store import NodeSystem, SharedStore
from tests.support.waiting import until

EVERYBODY = [f"user{number}" for number in range(64)]
USERS = EVERYBODY[::8]
"""Of shards all over."""
PASSWORDS = {"bridge-a": "word-of-a", "bridge-b": "word-of-b", **{f"{user}.phone": f"word-{user}" for user in USERS}}
ROLES = {name: "bridge" if name.startswith("bridge") else "device" for name in PASSWORDS}
TELLS_NOBODY = """
from bridge.store.postgres import PostgresEngine
PostgresEngine.announce = lambda *_: None
"""
pytestmark = pytest.mark.timeout(300)


class Phone:
    """The device of a user: the headers it was sent, and what is retained of them as far as it knows."""

    def __init__(self, user, address):
        self.user = user
        self.headers, self.live, self.replies = {}, 0, []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{user}:phone", clean_session=False)
        self.client.username_pw_set(f"{user}.phone", PASSWORDS[f"{user}.phone"])
        self.client.on_message = self.received
        self.ready = []
        self.client.on_connect = self.connected
        self.client.on_subscribe = lambda *_: self.ready.append(True)
        self.client.connect(*address)
        self.client.loop_start()
        until(lambda: self.ready, what="the phone to have subscribed")

    def connected(self, *_):
        self.client.subscribe([(f"mail/{self.user}/#", 1)])

    def received(self, _client, _userdata, message):
        kind, _, rest = message.topic.removeprefix(f"mail/{self.user}/").partition("/")
        if kind == "msg" and message.payload:
            self.headers[rest] = bytes(message.payload)
        elif kind == "msg":
            self.headers.pop(rest, None)
        elif kind == "box":
            self.live = (msgpack.unpackb(message.payload)[1:] or [0])[0]
        elif kind == "re":
            self.replies.append(bytes(message.payload))

    def has(self, mail_id):
        return mail_id in self.headers

    def ask(self, *request):
        self.client.publish(f"mail/{self.user}/do/phone", msgpack.packb(request), 1)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Sender:
    """Hands mails to both bridges in turn, each until one says 250."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.kept = {}
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            user = USERS[number % len(USERS)]
            raw = f"Subject: {number}\r\nMessage-ID: <{number}@test>\r\n\r\nx\r\n".encode()
            tries = number
            while not self.ends.is_set():
                tries += 1
                try:
                    nodes = self.nodes
                    mail_id = self.hand_in(nodes[tries % len(nodes)], raw, user)
                except (OSError, KeyError, AssertionError, smtplib.SMTPException):
                    time.sleep(0.02)
                    continue
                self.kept.setdefault(user, set()).add(mail_id)
                break

    def hand_in(self, node, raw, user):
        host, _, port = node.facts("bridge")["smtp"].rpartition(":")
        with smtplib.SMTP(host, int(port), timeout=5) as smtp:
            smtp.ehlo("test.example")
            smtp.mail("sender@example.net")
            assert smtp.rcpt(f"{user}@example.org")[0] == 250
            code, answer = smtp.data(raw)
            assert code == 250
            return answer.split()[1].decode()

    def stop(self):
        self.ends.set()
        self.thread.join(60)


@pytest.fixture
def broker(tmp_path):
    with RuledMosquitto(tmp_path, ROLES, PASSWORDS, verbose=False) as running:
        yield running


@pytest.fixture
def nodes(request, tmp_path, postgres, broker):
    """Two bridges; `broken` on purpose, if a test says so."""
    broken = getattr(request, "param", "")
    database.prepare(postgres)
    with offline.transaction(postgres, now_ms=0, count=100, days=7) as transaction:
        for user in EVERYBODY:
            people.add_user(transaction, user, [f"{user}@example.org"])
    (tmp_path / "nodes").write_text("a:word-of-a\nb:word-of-b\n")
    more = {"POSTBELL_MQTT__NODES_FILE": str(tmp_path / "nodes"), "POSTBELL_RETAIN__COUNT": "10000"}
    both = [
        NodeSystem(
            tmp_path / name, name, store=postgres, broker=broker.url, password=f"word-of-{name}", broken=broken, **more
        )
        for name in "ab"
    ]
    with both[0], both[1]:
        for node in both:
            node.start_bridge()
        for node in both:
            node.wait_connected()
        SharedStore(postgres).spread("a", "b")
        yield both


@pytest.fixture
def phones(broker):
    some = {user: Phone(user, broker.address()) for user in USERS}
    yield some
    for each in some.values():
        each.close()


def settled(store, phones, kept):
    """Wait until every phone has each of its mails, once, and a digest that says as much."""

    def has_all():
        return all(
            kept.get(user, set()) <= phone.headers.keys() and phone.live == len(phone.headers)
            for user, phone in phones.items()
        )

    until(has_all, what="every phone to have all of its mails")
    store.drained()
    rows = store.rows(
        'SELECT u.name, m.message_id, count(*) FROM message m JOIN "user" u USING (user_id) GROUP BY 1, 2'
    )
    assert [row for row in rows if row[2] > 1] == []  # what was tried again is one mail
    assert sum(len(phone.headers) for phone in phones.values()) == len(rows)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_the_owner_goes_under_load_and_nothing_is_lost_or_twice(postgres, nodes, phones, number):
    store, (a, b) = SharedStore(postgres), nodes
    sender = Sender(nodes)
    try:
        until(lambda: sum(map(len, sender.kept.values())) > 50, what="some mails")
        a.send_signal(number)
        sender.nodes = [b]  # who is stopped says nothing to whoever is connected
        store.spread("b")
        until(lambda: b.logged("leases_served")[-1]["own"] == 64, what="b to serve all")
        many = sum(map(len, sender.kept.values())) + 50
        until(lambda: sum(map(len, sender.kept.values())) > many, what="some more mails")
        if number is signal.SIGSTOP:
            a.send_signal(signal.SIGCONT)
        else:
            a.start_bridge()
        store.spread("a", "b")
        sender.nodes = [a, b]
        many = sum(map(len, sender.kept.values())) + 50
        until(lambda: sum(map(len, sender.kept.values())) > many, what="some more mails")
    finally:
        sender.stop()
    settled(store, phones, sender.kept)


def test_a_request_is_answered_by_one_and_across_a_takeover_by_one(postgres, nodes, phones):
    store, (a, b) = SharedStore(postgres), nodes
    for phone in phones.values():
        phone.ask(1, 1, "recent", 5)
    until(lambda: all(phone.replies for phone in phones.values()), what="a reply for everybody")
    assert [len(phone.replies) for phone in phones.values()] == [1] * len(phones)
    a.send_signal(signal.SIGSTOP)
    for phone in phones.values():
        phone.ask(1, 2, "recent", 5)

    def answered():
        return [[msgpack.unpackb(reply)[1] for reply in phone.replies].count(2) for phone in phones.values()]

    until(lambda: all(answered()), what="a reply for everybody again")
    assert store.owners() == {"b": 64}
    assert answered() == [1] * len(phones)  # the first may come once more: who was stopped may have answered, or not
    assert b.bridge.poll() is None


@pytest.mark.parametrize("nodes", [TELLS_NOBODY], indirect=True)
def test_an_owner_that_nobody_told_finds_what_waits(nodes, phones):
    mails = {user: [node.send(b"Subject: x\r\n\r\n", f"{user}@example.org") for node in nodes] for user in USERS}
    for user, some in mails.items():
        until(lambda: phones[user].headers.keys() == set(some), what=f"both mails of {user}")  # noqa: B023


def test_a_second_bridge_of_one_name_does_not_start(tmp_path, postgres, nodes, broker):
    del nodes
    with NodeSystem(tmp_path / "again", "a", store=postgres, broker=broker.url, password="word-of-a") as second:
        second.start_bridge()
        assert second.bridge.wait(60) != 0
        assert "another bridge at this database has that name" in (second.directory / "bridge.log").read_text()
