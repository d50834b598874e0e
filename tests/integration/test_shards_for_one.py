"""What is for one of several bridges is done once, whoever takes mail in and owns its user: also by the next one."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from bridge.store import offline, pairing, people, subscriptions
from tests.integration.test_shards_bridges import Phone, broker, nodes  # noqa: F401 - fixtures
from tests.support.imap_server import PASSWORD, MailServer, beside
from tests.support.mailbox import letter
from tests.support.push_service import HOST, Device, PushService
from tests.support.shared_store import SharedStore
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
USER = "user8"
MAILS = 6


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A push service that every bridge trusts and may go to: they have this process's environment."""
    with PushService(tmp_path / "service") as service:
        monkeypatch.setenv("SSL_CERT_FILE", str(service.chain))
        yield service


@pytest.fixture
def ringing(service, nodes, postgres):  # noqa: F811
    """Both bridges, and a device of somebody that sleeps and is rung; each bridge is started anew with its settings."""
    for node in nodes:
        node.environment |= {
            "POSTBELL_PUSH__ALLOW": HOST,
            "POSTBELL_PUSH__SUBJECT": "mailto:root@example.org",
            "SSL_CERT_FILE": str(service.chain),
        }
        node.send_signal(signal.SIGTERM)
    for node in nodes:
        node.start_bridge()
    for node in nodes:
        node.wait_connected()
    SharedStore(postgres).spread("a", "b")
    with offline.transaction(postgres, now_ms=1, count=100, days=7) as transaction:
        pairing.add_device(transaction, USER, "sleeper")
        user_id = people.user_id_of(transaction.connection, USER)
        subscriptions.put(transaction, user_id, "sleeper", Device().at(service.endpoint()))
    return nodes


def first_and_other(postgres, nodes):  # noqa: F811
    """The bridge that does what is for one, and the other."""
    [(owner,)] = SharedStore(postgres).rows("SELECT owner FROM lease WHERE shard = 0")
    return sorted(nodes, key=lambda node: node.node != owner)


def send_some(nodes, what):  # noqa: F811
    return [
        node.send(f"Subject: {what} {number}\n\nx\n".encode(), f"{USER}@example.org")
        for number in range(MAILS // 2)
        for node in nodes
    ]


def rung(service):
    return Counter(post.fields["Topic"] for post in service.posts)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_device_is_rung_once_for_each_mail_through_a_takeover(postgres, ringing, service, number):
    first, other = first_and_other(postgres, ringing)
    ids = send_some(ringing, "before")
    until(lambda: rung(service).keys() == set(ids), what="a ring for each")
    settled(postgres)
    first.send_signal(number)
    meanwhile = [other.send(b"Subject: meanwhile\n\nx\n", f"{USER}@example.org") for _ in range(MAILS)]
    until(lambda: rung(service).keys() == {*ids, *meanwhile}, what="a ring for what came meanwhile")
    first.start_bridge()
    first.wait_connected()
    SharedStore(postgres).spread("a", "b")
    after = send_some(ringing, "after")
    until(lambda: rung(service).keys() == {*ids, *meanwhile, *after}, what="a ring for what came then")
    settled(postgres)
    assert set(rung(service).values()) == {1}


def settled(postgres):
    def none_waits():
        return SharedStore(postgres).rows("SELECT count(*) FROM notification WHERE result IS NULL") == [(0,)]

    until(none_waits, what="what came of all rings to be noted")


def test_a_mailbox_is_fetched_once_and_told_whoever_owns_its_user(tmp_path, postgres, nodes, broker):  # noqa: F811
    """The user is one of whom the bridge that follows the mailbox is not the owner."""
    store, server = SharedStore(postgres), MailServer()
    first, other = first_and_other(postgres, nodes)
    owners = {user: store.owner(user) for user in (f"user{number}" for number in range(0, 64, 8))}
    user = next(user for user, owner in owners.items() if owner == other.node)
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    with beside(server):
        url = f"imap://127.0.0.1:{server.port}"
        login = ("--login", "alice", "--password-file", str(secret), "--source", "--since", "2026-05-01")
        first.run("mailbox", "add", user, url, *login)
        until(lambda: server.connections == 1, what="one to follow it")
        phone = Phone(user, broker.address())
        try:
            fetched_and_told(server, phone, store, [1, 2])
            first.send_signal(signal.SIGKILL)
            store.spread(other.node)
            until(lambda: server.connections == 2, what="the other to follow it")
            fetched_and_told(server, phone, store, [3, 4])
        finally:
            phone.close()
    assert server.connections == 2
    assert store.rows("SELECT count(*) FROM message") == [(4,)]


def fetched_and_told(server, phone, store, numbers):
    """Mail comes to the mailbox, is on the phone once, is marked there, and is read in the mailbox."""
    before = set(phone.headers)
    for number in numbers:
        server.add(letter(number))
    until(lambda: len(phone.headers.keys() - before) == len(numbers), what="what was fetched")
    came = phone.headers.keys() - before
    for request, mail_id in enumerate(sorted(came), 10 * numbers[0]):
        phone.ask(1, request, "seen", mail_id)
    until(lambda: all(server.letters[number].seen for number in numbers), what="the mailbox to be told")
    store.drained()
