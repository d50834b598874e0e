"""A phone that sleeps is rung: the whole way, by processes of their own and a push service over HTTPS."""

from __future__ import annotations

import json
import signal
import socket
import threading

import msgpack
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.store import notifications, offline, subscriptions
from tests.support.push_service import HOST, Device, PushService, Reaction, claims_of
from tests.support.system import System
from tests.support.waiting import free_port, until

MAIL = b"From: Ada <ada@example.org>\nSubject: Plan %d\n\nSee the drawing.\n"


@pytest.fixture
def service(tmp_path):
    with PushService(tmp_path / "service") as service:
        yield service


def system_with(tmp_path, service, **overrides):
    """A system that trusts the push service, and may go there."""
    options = {
        "SSL_CERT_FILE": str(service.chain),
        "POSTBELL_PUSH__ALLOW": HOST,
        "POSTBELL_PUSH__SUBJECT": "mailto:root@example.org",
        "POSTBELL_HTTP__PUBLIC_URL": "https://mail.example.org",
    }
    return System(tmp_path, **(options | overrides))


class Page:
    """A page's connection: asks and hears answers. Its session stays, as that of every device."""

    def __init__(self, system, login):
        self.user, self.device = login["username"].split(".")
        self.answers = {}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=login["username"], clean_session=False)
        self.client.username_pw_set(login["username"], login["password"])
        self.client.on_message = self._heard
        self.client.on_subscribe = self._subscribed
        self._ready = []
        self.client.connect("127.0.0.1", system.mqtt_port())
        self.client.loop_start()
        self.client.subscribe(f"mail/{self.user}/re/{self.device}", 1)
        until(lambda: self._ready, what="the subscription")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def _subscribed(self, *_):
        self._ready.append(True)

    def _heard(self, _client, _data, message):
        reply = msgpack.unpackb(message.payload)
        self.answers[reply[1]] = reply

    def ask(self, *request):
        """Status and bytes of the answer."""
        number = len(self.answers) + 1
        self.client.publish(f"mail/{self.user}/do/{self.device}", msgpack.packb([1, number, "push", *request]), 1)
        until(lambda: number in self.answers, what="an answer")
        reply = self.answers[number]
        return reply[2], reply[5]


def subscribed(system, service, login, endpoint=None):
    """Have a device rung by what a page says; its keys."""
    device = Device()
    with Page(system, login) as page:
        assert page.ask(endpoint or service.endpoint(), *device.keys) == (0, b"")
    return device


def waiting(system):
    with offline.reading(system.state_dir / "postbell.db") as connection:
        return notifications.backlog(connection).waiting


def events(system, name):
    lines = (system.directory / "serve.log").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each["event"] == name]


def test_the_whole_way(tmp_path, service):
    with system_with(tmp_path, service) as system:
        login = system.add("alice")
        system.serve()
        device = Device()
        with Page(system, login) as page:
            status, packed = page.ask()
            key, *nothing = msgpack.unpackb(packed)
            assert (status, nothing) == (0, ["", "", ""])
            assert page.ask(service.endpoint(), *device.keys) == (0, b"")
            assert msgpack.unpackb(page.ask()[1]) == [key, service.endpoint(), "new", ""]
        mail_id = system.send(MAIL % 1, "alice@example.org")
        [post] = service.wait(1)
        assert device.shown(post) == {
            "title": "Ada",
            "body": "Plan 1 – See the drawing.",
            "navigate": f"https://mail.example.org/#mail={mail_id}",
            "tag": mail_id,
            "badge": 1,
        }
        fields = {"Content-Encoding": "aes128gcm", "TTL": "86400", "Topic": mail_id, "Urgency": "high"}
        assert fields.items() <= {**post.fields, "TTL": "86400"}.items()
        assert 86_000 < int(post.fields["TTL"]) <= 86_400
        claims = claims_of(post)
        assert (claims["aud"], claims["sub"], claims["k"]) == (
            f"https://{HOST}:{service.port}",
            "mailto:root@example.org",
            key,
        )
        until(lambda: not waiting(system), what="the row to be settled")
        [sent] = events(system, "push_sent")
        assert (sent["id"], sent["user"], sent["device"], sent["host"]) == (mail_id, "alice", "phone", HOST)
        assert service.endpoint() not in (system.directory / "serve.log").read_text(), "whoever knows it can ring"
        with Page(system, login) as page:
            assert msgpack.unpackb(page.ask()[1])[1:] == [service.endpoint(), "ok", ""]
            assert page.ask("") == (0, b"")
            assert msgpack.unpackb(page.ask()[1])[1:] == ["", "", ""]
        system.send(MAIL % 2, "alice@example.org")
        system.wait_drained()
        assert waiting(system) == 0
        assert len(service.posts) == 1


def test_a_bridge_killed_between_commit_and_post_rings_once(tmp_path, service):
    """The push service is away until the next process: what was committed is all that is left."""
    away = free_port()
    with system_with(tmp_path, service) as system:
        login = system.add("alice")
        serving = system.serve()
        device = subscribed(system, service, login, f"https://{HOST}:{away}/push/abc")
        mail_id = system.send(MAIL % 1, "alice@example.org")
        system.stop(serving, signal.SIGKILL)
        until(lambda: not system.facts("broker") or not broker_lives(system), what="the broker to be gone")
        assert waiting(system) == 1
        with PushService(tmp_path / "later", port=away) as later:
            system.environment["SSL_CERT_FILE"] = str(later.chain)
            system.serve()
            later.wait(1)
            until(lambda: not waiting(system), what="the row to be settled")
            system.send(MAIL % 2, "alice@example.org")
            first, second = [device.shown(post) for post in later.wait(2)]
            assert (first["tag"], first["body"]) == (mail_id, "Plan 1 – See the drawing.")
            assert second["body"] == "Plan 2 – See the drawing."


def test_a_bridge_killed_before_the_answer_says_it_again_under_the_same_topic(tmp_path, service):
    """At least once on the wire: a push service keeps one message of a topic, and a screen one of a tag."""
    with system_with(tmp_path, service) as system:
        login = system.add("alice")
        serving = system.serve()
        device = subscribed(system, service, login)
        service.reactions.append(Reaction(until=threading.Event()))
        mail_id = system.send(MAIL % 1, "alice@example.org")
        service.wait(1)
        system.stop(serving, signal.SIGKILL)
        until(lambda: not broker_lives(system), what="the broker to be gone")
        system.serve()
        posts = service.wait(2)
        assert [post.fields["Topic"] for post in posts] == [mail_id] * 2
        assert {device.shown(post)["tag"] for post in posts} == {mail_id}
        until(lambda: not waiting(system), what="the row to be settled")
        assert len(service.posts) == 2


def broker_lives(system):
    port = system.facts("broker").get("mqtt", ":0").rpartition(":")[2]
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_a_page_that_is_open_is_not_rung_a_second_time(tmp_path, service):
    with system_with(tmp_path, service) as system:
        login = system.add("alice")
        system.serve()
        subscribed(system, service, login)
        with Page(system, login) as page:
            page.client.subscribe("mail/alice/msg/+", 1)
            until(lambda: len(page._ready) == 2, what="the subscription")
            until(lambda: online(system), what="the broker to note the page")
            mail_id = system.send(MAIL % 1, "alice@example.org")
            until(lambda: not waiting(system), what="the decision")
        [told] = json.loads(system.run("trace", mail_id, "--json").stdout)["devices"]
        assert (told["push"]["result"], service.posts) == ("awake", [])
        until(lambda: not online(system), what="the broker to note that it is gone")
        system.send(MAIL % 2, "alice@example.org")
        assert len(service.wait(1)) == 1


def online(system):
    [device] = json.loads(system.run("device", "list", "--json").stdout)
    return device["online"]


def test_what_a_device_may_not_have(tmp_path, service):
    with system_with(tmp_path, service, POSTBELL_PUSH__ALLOW="") as system:
        login = system.add("alice")
        system.serve()
        keys = Device().keys
        with Page(system, login) as page:
            for endpoint in (
                "https://127.0.0.1/x",
                "https://[::1]/x",
                "https://[::ffff:10.0.0.5]/x",
                "https://10.1/x",
                "https://localhost/x",
                "https://a.localhost/x",
            ):
                status, text = page.ask(endpoint, *keys)
                assert (status, text) == (7, "no push to such an address: push.allow does not list it"), endpoint
            assert page.ask("https://push.example.net/x", "A" * 87, keys[1])[0] == 1
            assert page.ask("https://push.example.net/x", keys[0])[0] == 1
            assert page.ask("http://push.example.net/x", *keys)[0] == 1
            assert page.ask()[0] == 0


def test_a_name_of_this_machine_is_refused_when_it_is_rung(tmp_path, service):
    """What a name stands for is judged at each ring: here it stands for this machine, and nobody allowed that."""
    with system_with(tmp_path, service, POSTBELL_PUSH__ALLOW="") as system:
        system.add("alice")
        device = Device().at(f"https://localhost:{service.port}/x", "localhost")
        with offline.transaction(system.state_dir / "postbell.db", now_ms=1, count=100, days=7) as transaction:
            subscriptions.put(transaction, 1, "phone", device)
        system.serve()
        system.send(MAIL % 1, "alice@example.org")
        [delayed, *_] = until(lambda: events(system, "push_delayed"), what="a try")
        assert delayed["reason"] == "localhost is 127.0.0.1, and that is no public address; push.allow does not list it"
        assert service.posts == []


def test_switched_off_devices_are_told_so(tmp_path, service):
    with system_with(tmp_path, service, POSTBELL_PUSH__ENABLED="false") as system:
        login = system.add("alice")
        system.serve()
        with Page(system, login) as page:
            assert page.ask() == (7, "push is switched off here (push.enabled)")
            assert page.ask(service.endpoint(), *Device().keys)[0] == 7
            assert page.ask("") == (0, b"")


def test_ntfy_says_507_until_somebody_is_there(tmp_path, service):
    """A UnifiedPush distributor on one's own machine, with the address and the answers of ntfy."""
    with system_with(tmp_path, service) as system:
        login = system.add("alice")
        system.serve()
        service.reactions.append(Reaction(507, (("Retry-After", "1"),), b'{"code":50701,"error":"no rate visitor"}'))
        service.otherwise = Reaction(200, (("Content-Type", "application/json"),), b'{"id":"x","event":"message"}')
        device = subscribed(system, service, login, f"https://{HOST}:{service.port}/upABCDEF123456?up=1")
        mail_id = system.send(MAIL % 1, "alice@example.org")
        posts = service.wait(2)
        assert {post.path for post in posts} == {"/upABCDEF123456?up=1"}
        assert device.shown(posts[1])["tag"] == mail_id
        until(lambda: not waiting(system), what="the row to be settled")
        assert len(service.posts) == 2
