"""The brokers that the suite of MQTT 5, 3.1.1 and 3.1 runs against: ours, mosquitto, and any other by its URL.

    MQTT_CONFORMANCE_URL='mqtt://broker.example:1883?ann:secret,ben:secret,cid:secret' \\
        .venv/bin/python -m pytest tests/conformance/mqtt -k url

The three logins may publish, retain and subscribe below `mail/`; what a URL cannot hold as it is (`:`, `,`, `%`)
is percent-encoded. A fourth, of a device, is only where the broker was started for the suite. Without logins the suite
comes as anonymous clients, and the tests that need a refused password are skipped. `mqtts://` uses TLS and trusts what
the system trusts, or the CA in SSL_CERT_FILE. Client ids are the usernames, so it does not matter to which of the two
a broker ties its sessions. A wrong test shows as a failure on every broker.
"""

from __future__ import annotations

import itertools
import os
import ssl
from urllib.parse import unquote, urlsplit

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5
from tests.support.mqtt_broker import EmbeddedBroker, MosquittoWithOurRules, password_of

LOGINS = ("one", "two", "three")
DEVICE = "ann.phone"
_PATIENCE = 10.0  # seconds until a missing answer is a failure
_SHORT = 1.0  # the same where it is known to be missing


class Remote:
    """A broker that already runs somewhere."""

    def __init__(self, url):
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        self._address = (parts.hostname or "127.0.0.1", parts.port or (8883 if tls else 1883))
        self._tls = ssl.create_default_context() if tls else None
        logins = [login.partition(":") for login in parts.query.split(",") if login]
        assert len(logins) in (0, len(LOGINS)), f"the URL names {len(logins)} logins, not {len(LOGINS)}"
        self._logins = [(unquote(name), unquote(password)) for name, _, password in logins]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def raw(self, kind=mqtt.Raw, **options):
        return kind(self._address, tls=self._tls, **options)

    def credentials(self, number):
        if not self._logins:
            return {"client_id": LOGINS[number]}
        name, password = self._logins[number]
        return {"client_id": name, "username": name, "password": password}


class Started:
    """A broker that was started for the suite."""

    def __init__(self, broker):
        self._broker = broker

    def __enter__(self):
        self._broker.__enter__()
        return self

    def __exit__(self, *exception):
        self._broker.__exit__(*exception)

    def raw(self, kind=mqtt.Raw, **options):
        return kind(self._broker.address(), **options)

    def credentials(self, number):
        name = DEVICE if number is DEVICE else LOGINS[number]
        return {"client_id": name, "username": name, "password": password_of(name)}


class Target:
    """A broker under test, by role: `client(0)` is the first login's, with a fresh session unless told otherwise."""

    def __init__(self, name, broker):
        self.name = name
        self._broker = broker
        self._opened = []
        self.patience = _PATIENCE

    def raw(self):
        """A connection on which nothing was sent."""
        return self._open(self._broker.raw())

    def client(self, number=0, **options):
        """A client that was let in; `present` is what CONNACK said."""
        client = self.raw()
        client.send(self.connect(number, **options))
        connack = client.expect(mqtt.CONNACK)
        assert connack.body[1] == 0, f"CONNACK code {connack.body[1]}"
        client.present = bool(connack.body[0])
        return client

    def five(self, number=0, **options):
        """A client of version 5 that was let in; `connack` is with what."""
        client = self.raw5()
        client.send(self.connect5(number, **options))
        client.connack = client.expect(mqtt.CONNACK)
        assert client.connack.code == 0, f"CONNACK code {client.connack.code:#x}"
        client.present = bool(client.connack.body[0])
        return client

    def device(self, **options):
        """A client of version 5 that may not publish but to its own requests."""
        if self.name == "url":
            pytest.skip("a URL has no login of a device")
        return self.five(DEVICE, **options)

    def raw5(self):
        """A connection on which nothing was sent, and version 5 is understood."""
        return self._open(self._broker.raw(mqtt5.Raw))

    def connect5(self, number=0, **options):
        """The bytes of a CONNECT of version 5."""
        return mqtt5.connect(**{**self._broker.credentials(number), **options})

    def connect(self, number=0, **options):
        """The bytes of a CONNECT that this broker would accept, unless the options make it unacceptable."""
        return mqtt.connect(**{**self._broker.credentials(number), **options})

    def credentials(self):
        """Of the first login; a client without one sends what is ignored."""
        return {"username": "", "password": "", **self._broker.credentials(0)}

    def wrong_password(self, **options):
        """The bytes of a CONNECT of the first login with another password."""
        self._need_passwords()
        return self.connect(password="wrong", **options)

    def wrong_password5(self, **options):
        """The same in version 5."""
        self._need_passwords()
        return self.connect5(password="wrong", **options)

    def ends(self, client, *reasons):
        """Whether the broker closes a connection of version 5 and says one of these reasons.

        mosquitto 2.0 mostly closes without a word, which [MQTT-4.13.1-1] leaves to it.
        """
        told = client.ending()
        return told in reasons or (told is None and self.name != "embedded")

    def _need_passwords(self):
        if "password" not in self._broker.credentials(0):
            pytest.skip("anonymous clients have no password that could be wrong")

    def _open(self, client):
        client.socket.settimeout(self.patience)
        self._opened.append(client)
        return client

    def close(self):
        """Close all, so that the next test begins alone; sessions end with a clean connection."""
        for client in self._opened:
            client.close()
        for number in range(len(LOGINS)):
            self.client(number).close()


def _names():
    return ["embedded", "mosquitto", *(["url"] if os.environ.get("MQTT_CONFORMANCE_URL") else [])]


@pytest.fixture(scope="package", params=_names())
def running(request, tmp_path_factory):
    state = tmp_path_factory.mktemp(request.param)
    broker: Remote | Started
    if request.param == "url":
        broker = Remote(os.environ["MQTT_CONFORMANCE_URL"])
    elif request.param == "mosquitto":
        broker = Started(MosquittoWithOurRules(state, {**dict.fromkeys(LOGINS, "bridge"), DEVICE: "device"}))
    else:
        embedded = EmbeddedBroker(state)
        for name in LOGINS:
            embedded.logins.add(name, "bridge")
        embedded.logins.add(DEVICE)
        broker = Started(embedded)
    with broker:
        yield request.param, broker


@pytest.fixture
def broker(running):
    target = Target(*running)
    yield target
    target.close()


_numbers = itertools.count()


@pytest.fixture
def topic():
    """A topic that no other test uses."""
    return f"mail/test{next(_numbers)}"


@pytest.fixture
def pass_time(broker, topic):
    """Have the broker's own clock go on by so many seconds: a will is delayed that long."""

    def wait(delay_s):
        watcher = broker.five(2)
        watcher.subscribe(f"{topic}/time")
        will = (f"{topic}/time", b"is over", 0, False)
        clock = broker.five(
            1,
            will=will,
            will_having=[(mqtt5.WILL_DELAY, delay_s)],
            having=[(mqtt5.SESSION_EXPIRY, delay_s + 60)],
        )
        clock.send(mqtt5.disconnect(4))
        assert watcher.expect(mqtt.PUBLISH, timeout=30 + delay_s).payload == b"is over"
        watcher.close()

    return wait


@pytest.fixture
def unlike(request, broker):
    """Mark where a broker is known to differ: `unlike("mosquitto", why)` expects the test to fail there."""

    def declare(name, why):
        if broker.name == name:
            broker.patience = _SHORT
            request.applymarker(pytest.mark.xfail(reason=why, strict=True))

    return declare
