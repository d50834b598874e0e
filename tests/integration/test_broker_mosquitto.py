"""The settings that Postbell gives for mosquitto: saved soon, but not at each change."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import MosquittoWithOurRules


@pytest.fixture
def running(tmp_path):
    with MosquittoWithOurRules(tmp_path, {"bridge": "bridge"}) as broker:
        yield broker, tmp_path / "mosquitto.db"


def test_it_saves_once_for_many_changes_and_by_itself(running):
    broker, database = running
    saves, last = set(), b"the-last-one"
    with broker.client("bridge") as bridge:
        for number in range(200):
            bridge.send(mqtt.publish(f"mail/u/msg/{number}", last if number == 199 else b"x", qos=1, retain=True))
            bridge.expect(mqtt.PUBACK)
            if database.exists():
                saves.add(database.stat().st_mtime_ns)
        assert len(saves) < 20
        while not database.exists() or last not in database.read_bytes():
            bridge.flush()  # the connection stays: it is the second that passes, not an end, that saves
