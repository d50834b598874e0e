"""Clients that others wrote, against the embedded broker and mosquitto: a device's life in each version they speak."""

from __future__ import annotations

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.support import mqtt_client as mqtt
from tests.support.foreign import lead_a_devices_life, python_client
from tests.support.mqtt_broker import password_of
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("library", "version"),
    [("paho", 3), ("paho", 4), ("paho", 5), ("aiomqtt", 4), ("aiomqtt", 5), ("gmqtt", 4), ("gmqtt", 5)],
)
def test_a_client_of_a_python_library(broker, library, version):
    lead_a_devices_life(broker, python_client(library, version, broker.address()[1]))


class HomeAssistant:
    """Its client's way: paho, will and birth on its own status topic, all of it at QoS 0, no session."""

    def __init__(self, broker):
        self.heard, self.codes, self.ended = [], [], []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="7wyT9gZ2mZ0aXfG1hQ2b3c", protocol=paho.MQTTv5)
        self.client.username_pw_set("alice.phone", password_of("alice.phone"))
        self.client.will_set("homeassistant/status", "offline", 0, retain=False)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.codes.append([code.value for code in codes])
        self.client.on_message = lambda _c, _u, got: self.heard.append((got.topic, bytes(got.payload), got.retain))
        self.client.on_disconnect = lambda _c, _u, _f, code, _p: self.ended.append(str(code))
        host, port = broker.address()[:2]
        self.client.connect(host, port, 60, clean_start=True)
        self.client.loop_start()

    def _connected(self, client, _data, _flags, code, _properties):
        assert not code.is_failure
        at_once = SubscribeOptions(qos=0)
        client.publish("homeassistant/status", "online", 0)
        client.subscribe([("homeassistant/+/+/config", at_once), ("homeassistant/status", at_once)])
        client.subscribe([(f"mail/alice/{leaf}", at_once) for leaf in ("text", "unread", "event")])

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def test_home_assistants_client(broker):
    bridge = broker.client("bridge")
    for path, payload, retain in (("text", b"Ada: Plan", True), ("unread", b"1", True), ("event", b"early", False)):
        bridge.send(mqtt.publish(f"mail/alice/{path}", payload, qos=1, retain=retain))
        bridge.expect(mqtt.PUBACK)
    home = HomeAssistant(broker)
    until(lambda: home.codes[1:], what="both SUBACKs")
    bridge.send(mqtt.publish("mail/alice/event", b"{}", qos=1) + mqtt.publish("mail/alice/unread", b"2", retain=True))
    until(lambda: len(home.heard) >= 4, what="what is retained and what is new")
    assert set(home.heard) == {
        ("mail/alice/text", b"Ada: Plan", True),
        ("mail/alice/unread", b"1", True),
        ("mail/alice/event", b"{}", False),
        ("mail/alice/unread", b"2", False),
    }
    assert home.codes[1] == [0, 0, 0]
    assert home.ended == [], "what it may not publish and not read ends nothing"
    home.close()
    bridge.close()
