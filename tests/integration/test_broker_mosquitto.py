"""The settings that Postbell gives for mosquitto: as the page says them, and saved soon but not at each change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import configuration_text
from tests.support.mqtt_broker import MosquittoWithOurRules

ROOT = Path(__file__).resolve().parents[2]


def settings_of(text):
    lines = (line.partition("#")[0].split(maxsplit=1) for line in text.splitlines())
    return {parts[0]: parts[1].strip() for parts in lines if len(parts) == 2}


def test_the_settings_on_the_page_are_those_that_are_tested():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    block = re.search(r"In `mosquitto\.conf`:\n\n```\n(.*?)```", page, re.DOTALL)
    told = settings_of(block.group(1))
    given = settings_of(configuration_text(listen="127.0.0.1:1", acl="/a", passwords="/p", persistence="/d"))
    assert (told["autosave_on_changes"], told["autosave_interval"]) == ("false", "1")
    files = {"password_file", "acl_file"}
    assert {key: given.get(key) for key in told.keys() - files} == {key: told[key] for key in told.keys() - files}


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
