"""mqtt.js by WebSocket and TCP against the embedded broker; `make test-node` brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import need
from tests.support.foreign import DEVICE, Foreign, lead_a_devices_life
from tests.support.mqtt_broker import EmbeddedBroker, password_of

PROGRAM = Path(__file__).with_name("mqttjs_client.mjs")


@pytest.fixture
def broker(tmp_path):
    broker = EmbeddedBroker(tmp_path, environ={"POSTBELL_BROKER__WEBSOCKET": "127.0.0.1:0"})
    broker.logins.add("bridge", "bridge")
    broker.logins.add(DEVICE)
    with broker:
        yield broker


def command(broker, over, version):
    name, path = {"tcp": ("mqtt", ""), "websocket": ("websocket", "/mqtt")}[over]
    scheme = {"tcp": "mqtt", "websocket": "ws"}[over]
    host, port = broker.address(name)
    return [need("node"), str(PROGRAM), f"{scheme}://{host}:{port}{path}", DEVICE, password_of(DEVICE), str(version)]


@pytest.mark.parametrize("over", ["websocket", "tcp"])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_mqtt_js_leads_a_devices_life(broker, over, version):
    lead_a_devices_life(broker, command(broker, over, version))


@pytest.mark.parametrize("over", ["websocket", "tcp"])
def test_mqtt_js_is_told_who_took_its_session(broker, over):
    with Foreign(command(broker, over, 5)) as client:
        client.wait_for("connected")
        broker.client(DEVICE).close()
        assert client.wait_for("reason") == 0x8E
