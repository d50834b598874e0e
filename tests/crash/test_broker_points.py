"""The embedded broker dies at the moments between what it tells a device and what it has on disk."""

from __future__ import annotations

import contextlib
import sqlite3
import sys

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker
from tests.support.waiting import until

pytestmark = pytest.mark.crash
DEVICE = "alice.phone"


class MortalBroker(EmbeddedBroker):
    """Its next process dies at a named point."""

    point = ""

    def start(self):
        self._environ["CRASH_POINT"] = self.point
        return super().start()

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.crash.entry", *super().command()[2:]]


def saved(broker: EmbeddedBroker, table: str) -> int:
    """How many rows a table of the broker's own file has."""
    with contextlib.closing(sqlite3.connect(f"file:{broker.state}/sessions.db?mode=ro", uri=True)) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.fixture
def broker(tmp_path):
    broker = MortalBroker(tmp_path / "state")
    broker.logins.add(DEVICE)
    broker.logins.add("bridge", "bridge")
    yield broker
    broker.stop()
    broker.logins.close()


def test_a_subscription_is_confirmed_only_when_it_survives(broker):
    """With SUBACK and no subscription the device would be deaf: it is told `session present` and never asks again."""
    broker.point = "before_queue_commit:2"
    broker.start()
    device = broker.client(DEVICE, clean=False)
    until(lambda: saved(broker, "session"), what="the session on disk")
    device.send(mqtt.subscribe(("mail/alice/#", 1)))
    assert mqtt.SUBACK not in [packet.kind for packet in device.until_closed()]
    assert broker.process.wait(20) == -9


def test_a_confirmed_subscription_survives(broker):
    broker.start()
    device = broker.client(DEVICE, clean=False)
    assert device.subscribe("mail/alice/#") == [1]
    broker.point = ""
    broker.restart()
    assert saved(broker, "filter") == 1
    again = broker.client(DEVICE, clean=False)
    assert again.present


def test_a_publish_is_acknowledged_only_when_it_survives(broker):
    broker.start()
    device = broker.client(DEVICE, clean=False)
    device.subscribe("mail/alice/#")
    device.close()
    broker.point = "before_queue_commit:2"
    broker.restart()
    bridge = broker.client("bridge", clean=False)
    until(lambda: saved(broker, "session") == 2, what="the session on disk")
    bridge.send(mqtt.publish("mail/alice/msg/000000001", b"header", qos=1, packet_id=1))
    assert bridge.until_closed() == []
    assert broker.process.wait(20) == -9
