"""The Arduino sketch, as a client with PubSubClient's limits, against the embedded broker and its window of 64."""

from __future__ import annotations

import zlib

import msgpack
import pytest

from tests.support import mqtt_client as mqtt
from tests.support.contract_player import mail_id
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.pubsubclient import FILTERS, LIBRARY_BYTES, SKETCH_BYTES, PubSubClient, Sketch

LOGIN = ("alice.board", password_of("alice.board"))


@pytest.fixture
def broker(tmp_path):
    with EmbeddedBroker(tmp_path) as running:
        running.logins.add("alice.board")
        running.logins.add("bridge", "bridge")
        yield running


def header(size):
    """A header of so many bytes."""
    packed = msgpack.packb([1, 0, "Ada", "ada@example.org", "Plan", "x" * 300, 100])
    return msgpack.packb([1, 0, "Ada", "ada@example.org", "Plan", "x" * (300 + size - len(packed)), 100])


def publish(broker, payloads):
    """As the bridge: retained headers, then their digest; the ids."""
    ids = [mail_id(number) for number in range(len(payloads))]
    check = 0
    with broker.client("bridge") as bridge:
        for place, (name, payload) in enumerate(zip(ids, payloads, strict=True)):
            check ^= zlib.crc32(name.encode())
            bridge.send(mqtt.publish(f"mail/alice/msg/{name}", payload, qos=1, packet_id=place + 1, retain=True))
            bridge.expect(mqtt.PUBACK)
        digest = msgpack.packb([1, len(ids), check, ids[-1]])
        bridge.send(mqtt.publish("mail/alice/box", digest, qos=1, packet_id=9, retain=True))
        bridge.expect(mqtt.PUBACK)
    return ids


def test_the_librarys_own_buffer_starves(broker):
    got = []
    library = PubSubClient(broker.address(), buffer_bytes=LIBRARY_BYTES, callback=lambda topic, _: got.append(topic))
    library.connect("alice:board", *LOGIN, 60)
    library.raw.send(mqtt.subscribe(*((each, 1) for each in FILTERS)))
    while library.loop():
        pass
    publish(broker, [header(300)] * 70 + [header(100)] * 30)
    while library.loop():
        pass
    assert library.dropped == 64, "the broker's window is full of what was never acknowledged"
    assert got == []
    library.raw.close()


def test_the_sketch_gets_the_longest_headers_and_whatever_is_longer(broker):
    payloads = [header(512)] * 70 + [header(2000)] * 20 + [b"x" * 20_000] * 10
    ids = publish(broker, payloads)
    sketch = Sketch(broker.address(), *LOGIN, confirmed=False)
    sketch.run(lambda: sketch.played.box.agrees(sketch.played.box.digest))
    assert sketch.played.live() == ids
    assert sorted(sketch.played.shown) == ids[:70], "what is longer is live, and cannot be shown"
    assert sketch.confirmed
    sketch.close()


def test_it_returns_as_the_page_says(broker):
    ids = publish(broker, [header(200)] * 5)
    first = Sketch(broker.address(), *LOGIN, confirmed=False)
    first.run(lambda: first.played.box.agrees(first.played.box.digest))
    first.close()
    again = Sketch(broker.address(), *LOGIN, confirmed=True)
    again.run(lambda: again.played.box.digest is not None)
    assert (first.subscribed, again.subscribed) == ([FILTERS], [FILTERS[1:]])
    assert again.played.box.digest is not None
    assert again.played.box.digest[0] == len(ids)
    assert again.played.shown == []
    again.close()


def test_the_buffer_holds_what_the_contract_promises():
    topic = f"mail/{'a' * 32}/msg/{mail_id(0)}"
    assert len(mqtt.publish(topic, b"x" * 512, qos=1)) <= SKETCH_BYTES
    assert len(mqtt.publish(f"mail/{'a' * 32}/re/{'b' * 32}", b"x" * 600, qos=1)) <= SKETCH_BYTES
