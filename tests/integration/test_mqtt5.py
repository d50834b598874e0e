"""On MQTT 5 the response topic and correlation data of a request are honoured, within the device's own replies."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgpack
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.mosquitto import Mosquitto
from tests.support.system import System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def device(
    port: int, topic_filter: str = "mail/+/re/#", *, login: dict[str, str] | None = None
) -> Iterator[tuple[paho.Client, list[paho.MQTTMessage]]]:
    """An MQTT 5 client, unless told otherwise subscribed to everything of alice's and bob's."""
    received: list[paho.MQTTMessage] = []
    ready: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="five", protocol=paho.MQTTv5)
    if login is not None:
        client.username_pw_set(login["username"], login["password"])
    client.on_connect = lambda c, *_: c.subscribe([(topic_filter, 1)])
    client.on_subscribe = lambda *_: ready.append(1)
    client.on_message = lambda _c, _u, message: received.append(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        until(lambda: ready, what="SUBACK")
        yield client, received
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("mail/alice/re/phone/box", "mail/alice/re/phone/box"),
        ("mail/alice/re/phone", "mail/alice/re/phone"),
        ("mail/bob/re/phone", "mail/alice/re/phone"),
        ("mail/alice/re/phone2", "mail/alice/re/phone"),
    ],
)
def test_a_reply_goes_to_the_response_topic_if_it_is_the_devices_own(asked: str, answered: str, tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        System(
            tmp_path,
            POSTBELL_BROKER__EMBEDDED="false",
            POSTBELL_MQTT__URL=broker.url,
        ) as system,
        device(broker.port) as (client, received),
    ):
        system.add("alice")
        system.serve()
        until(lambda: broker.logged("do/+ (QoS 1)"), what="the bridge to hear requests")
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = asked
        properties.CorrelationData = b"\x00mine"
        client.publish("mail/alice/do/phone", msgpack.packb([1, 7, "recent", 5]), qos=1, properties=properties)
        assert_answered(until(lambda: received, what="a reply")[0], topic=answered)


def assert_answered(reply: paho.MQTTMessage, *, topic: str) -> None:
    said: Any = reply.properties
    assert reply.topic == topic
    assert said.CorrelationData == b"\x00mine"
    assert 0 < said.MessageExpiryInterval <= 600
    assert msgpack.unpackb(reply.payload)[:3] == [1, 7, 0]


def test_so_it_is_at_the_embedded_broker(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        login = system.add("alice")
        system.serve()
        assert system.status()["broker"]["protocol"] == "5"
        with device(system.mqtt_port(), "mail/alice/re/phone", login=login) as (client, received):
            properties = Properties(PacketTypes.PUBLISH)
            properties.ResponseTopic = "mail/alice/re/phone"
            properties.CorrelationData = b"\x00mine"
            until(lambda: asked_and_answered(client, received, properties), what="a reply")
        assert_answered(received[0], topic="mail/alice/re/phone")


def asked_and_answered(client: paho.Client, received: list[paho.MQTTMessage], properties: Properties) -> bool:
    """Ask again until the bridge hears requests."""
    if not received:
        client.publish("mail/alice/do/phone", msgpack.packb([1, 7, "recent", 5]), qos=1, properties=properties)
    return bool(received)
