"""The brokers that the MQTT 3.1.1 suite runs against: ours, mosquitto, and any other by its URL.

    MQTT_CONFORMANCE_URL='mqtt://broker.example:1883?one:secret,two:secret,three:secret' pytest tests/conformance/mqtt

The three logins may publish, retain and subscribe below `mail/`; each has a session of its own, whatever
client id it sends. A wrong test shows as a failure on every broker.
"""

from __future__ import annotations

import itertools
import os
from urllib.parse import urlsplit

import pytest

from tests.conformance import mqtt_client as mqtt
from tests.conformance.mqtt_broker import EmbeddedBroker, Mosquitto, password_of
from tests.conftest import need

LOGINS = ("one", "two", "three")
_PATIENCE = 2.0  # seconds until a missing answer is a failure


class Remote:
    """A broker that already runs somewhere."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 1883)
        self._logins = [login.partition(":") for login in parts.query.split(",")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def address(self):
        return self._address

    def client(self, username, **options):
        name, _, password = self._logins[LOGINS.index(username)]
        return EmbeddedBroker.client(self, name, password=password, **options)


class Target:
    """A broker under test, by role: `client(0)` is the first login's, with a fresh session unless told otherwise."""

    def __init__(self, name, broker):
        self.name = name
        self._broker = broker
        self._opened = []

    def raw(self):
        """A connection on which nothing was sent."""
        return self._open(mqtt.Raw(self._broker.address()))

    def client(self, number=0, **options):
        """A client that was let in; `present` is what CONNACK said."""
        return self._open(self._broker.client(LOGINS[number], **options))

    def connect(self, number=0, **options):
        """The bytes of a CONNECT that this broker would accept."""
        name = LOGINS[number]
        options = {"client_id": name, "username": name, "password": password_of(name), **options}
        return mqtt.connect(**options)

    def _open(self, client):
        client.socket.settimeout(_PATIENCE)
        self._opened.append(client)
        return client

    def close(self):
        """Close all, so that the next test begins alone; sessions end with a clean connection."""
        for client in self._opened:
            client.close()
        for number in range(len(LOGINS)):
            self._broker.client(LOGINS[number]).close()


def _names():
    return ["embedded", "mosquitto", *(["url"] if os.environ.get("MQTT_CONFORMANCE_URL") else [])]


@pytest.fixture(scope="package", params=_names())
def running(request, tmp_path_factory):
    state = tmp_path_factory.mktemp(request.param)
    if request.param == "url":
        broker = Remote(os.environ["MQTT_CONFORMANCE_URL"])
    elif request.param == "mosquitto":
        broker = Mosquitto(need("mosquitto"), state, dict.fromkeys(LOGINS, "bridge"))
    else:
        broker = EmbeddedBroker(state)
        for name in LOGINS:
            broker.logins.add(name, "bridge")
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
def unlike(request, running):
    """Mark where a broker is known to differ: `unlike("mosquitto", why)` expects the test to fail there."""

    def declare(name, why):
        if running[0] == name:
            request.applymarker(pytest.mark.xfail(reason=why, strict=True))

    return declare
