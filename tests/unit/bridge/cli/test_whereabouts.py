"""What `postbell device list` tells of a device."""

from __future__ import annotations

import dataclasses

import pytest

from bridge.cli import whereabouts
from bridge.kept import PushStanding, PushState
from bridge.model import Subscription
from bridge.store.pairing import DeviceListing
from bridge.store.visits import NotedVisit

NOW = 1_800_000_000_000
LISTING = DeviceListing("alice", "phone", "alice.phone", NOW - 9_000_000, None)
ASKED = DeviceListing("alice", "phone", "alice.phone", NOW - 9_000_000, NOW - 60_000)
HERE = NotedVisit(True, NOW - 5000, NOW - 5000, "192.0.2.7", "app", "3.1.1", "websocket", True, None)
GONE = NotedVisit(False, NOW - 9000, NOW - 5000, "192.0.2.7", "", "3.1.1", "tcp", False, NOW - 7000)


def told(listing, visits):
    [device] = whereabouts.known([listing], visits, now_ms=NOW)
    return device


def test_who_is_online_was_seen_now():
    device = told(ASKED, {"alice.phone": HERE})
    assert device.as_row() == (
        *("alice", "phone", "alice.phone", "yes", "now"),
        *("192.0.2.7", "MQTT 3.1.1, WebSocket, TLS app", "no", "2027-01-15T05:30:00Z"),
    )
    assert device.as_json() == {
        "user": "alice",
        "device": "phone",
        "username": "alice.phone",
        "created": "2027-01-15T05:30:00Z",
        "created_ms": NOW - 9_000_000,
        "online": True,
        "last_seen": "2027-01-15T08:00:00Z",
        "last_request": "2027-01-15T07:59:00Z",
        "since": "2027-01-15T07:59:55Z",
        "address": "192.0.2.7",
        "client": {"id": "app", "protocol": "3.1.1", "transport": "websocket", "tls": True},
        "payload": None,
        "push": None,
        "shared": None,
    }
    assert whereabouts.warnings([device]) == []


def test_who_left_was_seen_then():
    row = told(LISTING, {"alice.phone": GONE}).as_row()
    assert row[3:7] == ("no", "2027-01-15T07:59:55Z", "192.0.2.7", "MQTT 3.1.1")


@pytest.mark.parametrize(
    ("listing", "visits", "online", "seen"),
    [
        (LISTING, {}, "no", "never"),
        (ASKED, {}, "no", "2027-01-15T07:59:00Z"),
        (LISTING, None, "unknown", "unknown"),
        (ASKED, None, "unknown", "2027-01-15T07:59:00Z"),
    ],
)
def test_what_is_not_known_is_said_so(listing, visits, online, seen):
    device = told(listing, visits)
    assert device.as_row()[3:7] == (online, seen, "", "")
    assert device.as_json()["online"] is (False if visits is not None else None)


def test_two_apps_with_one_login_are_told_for_a_day():
    [warning] = whereabouts.warnings([told(LISTING, {"alice.phone": GONE})])
    assert "alice.phone: two apps take turns" in warning
    assert "postbell device add alice NAME" in warning
    later = whereabouts.known([LISTING], {"alice.phone": GONE}, now_ms=NOW + whereabouts.SHARED_FOR_MS)
    assert whereabouts.warnings(later) == []


def standing(state, **more):
    return PushStanding(
        Subscription("https://push.example.net/secret", "push.example.net", b"", b""), state, NOW, **more
    )


@pytest.mark.parametrize(
    ("pushed", "words"),
    [
        (None, "no"),
        (standing(PushState.NEW, ok_ms=None, trouble=""), "yes, not rung yet"),
        (standing(PushState.OK, ok_ms=NOW, trouble=""), "yes, last 2027-01-15T08:00:00Z"),
        (
            standing(PushState.FAILING, ok_ms=None, trouble="503: not now"),
            "failing since 2027-01-15T08:00:00Z (503: not now)",
        ),
        (standing(PushState.FORGOTTEN, ok_ms=None, trouble="410"), "gone since 2027-01-15T08:00:00Z (410)"),
    ],
)
def test_how_it_is_rung_is_told(pushed, words):
    assert told(dataclasses.replace(LISTING, push=pushed), {}).as_row()[7] == words


def test_programs_hear_how_it_is_rung_and_not_where():
    pushed = standing(PushState.FAILING, ok_ms=NOW - 1000, trouble="503: not now", waiting=2)
    facts = told(dataclasses.replace(LISTING, push=pushed), {}).as_json()
    assert facts["push"] == {
        "state": "failing",
        "host": "push.example.net",
        "since": "2027-01-15T08:00:00Z",
        "last_sent": "2027-01-15T07:59:59Z",
        "reason": "503: not now",
        "waiting": 2,
    }
    assert "secret" not in str(facts)


def test_who_has_to_subscribe_again_is_warned_of():
    gone = told(dataclasses.replace(LISTING, push=standing(PushState.FORGOTTEN, ok_ms=None, trouble="410")), {})
    [warning] = whereabouts.warnings([gone])
    assert warning.startswith("alice.phone: its push service no longer knows it.")
