"""Who is turned away before he has logged in leaves a line that says why, as a person and as a collector reads it."""

from __future__ import annotations

import json
import re

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker
from tests.support.waiting import until

UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)
REFUSED = {
    "no_subprotocol": UPGRADE + b"\r\n",
    "not_a_websocket": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad_handshake": b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
}


@pytest.fixture(params=["json", "console"])
def running(request, tmp_path):
    environ = {"POSTBELL_LOG__FORMAT": request.param, "POSTBELL_BROKER__WEBSOCKET": "127.0.0.1:0"}
    broker = EmbeddedBroker(tmp_path, environ=environ)
    broker.logins.add("bridge", "bridge")
    with broker:
        yield broker


def refusals(broker):
    """What the log says of each refused connection, read from its text in either format."""
    found = []
    for line in broker.logged().splitlines():
        if line.startswith("{"):
            said = json.loads(line)
        else:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
            level, event, rest = re.search(r"\[(\w+) *\] (\w+) *(.*)", plain).groups()
            said = {"level": level, "event": event, **dict(pair.split("=", 1) for pair in rest.split())}
        if said["event"] == "connection_refused":
            found.append({key: str(value) for key, value in said.items() if key not in {"timestamp", "process"}})
    return found


@pytest.mark.parametrize(("level", "told"), [(2, 1), (6, 0x84)])
def test_the_level_that_a_client_speaks_is_in_the_log(running, level, told):
    with mqtt.Raw(running.address()) as client:
        client.send(mqtt.connect(level=level))
        assert client.expect(mqtt.CONNACK).body[1] == told
    assert until(lambda: refusals(running), what="the refusal in the log") == [
        {
            "event": "connection_refused",
            "level": "warning",
            "address": "127.0.0.1",
            "reason": "protocol_version",
            "protocol_level": str(level),
        }
    ]


def test_a_handshake_that_is_refused_is_in_the_log(running):
    for request in REFUSED.values():
        with mqtt.Raw(running.address("websocket")) as client:
            client.send(request)
    until(lambda: len(refusals(running)) >= len(REFUSED), what="the refusals in the log")
    told = refusals(running)
    common = {"event": "connection_refused", "level": "warning", "address": "127.0.0.1"}
    assert sorted(told, key=str) == sorted(({**common, "reason": reason} for reason in REFUSED), key=str)
