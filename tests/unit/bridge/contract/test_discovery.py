"""What Home Assistant finds a user's mail by, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.contract import discovery

GOLDEN = Path(__file__).with_name("discovery.json")
ALICE = {"root": "mail", "user": "alice", "node": "main", "version": "1.2.3"}


def test_it_is_as_it_was():
    assert json.loads(discovery.payload(**ALICE)) == json.loads(GOLDEN.read_text("utf-8"))


def test_it_is_small_and_says_nothing_that_home_assistant_has_done_away_with():
    payload = discovery.payload(**ALICE)
    assert len(payload) < 1500
    assert b"object_id" not in payload
    components = json.loads(payload)["components"]
    assert {each["platform"] for each in components.values()} == {"event", "sensor"}
    assert len({each["unique_id"] for each in components.values()}) == len(components)
    for each in components.values():  # a topic that was emptied is no error in the log of Home Assistant
        assert " or " in each["value_template"] or " if value " in each["value_template"]


@pytest.mark.parametrize(
    ("root", "user", "topic"),
    [
        ("mail", "alice", "homeassistant/device/mail_alice/config"),
        ("home/mail", "a-b", "homeassistant/device/home_mail_a-b/config"),
    ],
)
def test_its_topic_is_the_user_s_own(root, user, topic):
    assert discovery.topic("homeassistant", root, user) == topic


@pytest.mark.parametrize(
    ("payload", "ours"),
    [
        (discovery.payload(**ALICE), True),
        (discovery.payload(**ALICE | {"version": "9"}), True),
        (discovery.payload(**ALICE | {"node": "other"}), False),
        (b"", False),
        (b"null", False),
        (b"[1]", False),
        (b'{"origin": "Postbell"}', False),
        (b'{"origin": {"name": "zigbee2mqtt"}, "availability": []}', False),
        (b"[" * 100_000, False),
        (b"\xff", False),
    ],
)
def test_ours_are_told_from_others(payload, ours):
    assert discovery.is_of(payload, node="main") is ours
