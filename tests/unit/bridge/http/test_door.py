"""Who may come in over HTTP, how many, and how fast strangers are answered."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from bridge.http.door import Door, DoorLimits

MONITOR, STRANGER, OTHER = "192.0.2.1", "203.0.113.1", "203.0.113.2"
NETWORKS = (ip_network("192.0.2.0/24"), ip_network("fd00::/8"))


def door(**limits):
    return Door(networks=NETWORKS, limits=DoorLimits(**limits))


@pytest.mark.parametrize(
    ("address", "known"),
    [
        (MONITOR, True),
        ("::ffff:192.0.2.9", True),
        ("fd00::1%eth0", True),
        (STRANGER, False),
        ("127.0.0.1", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_who_is_of_the_networks_is_known(address, known):
    assert door().knows(address) is known


def test_nobody_is_known_where_no_network_is_named():
    assert not Door(networks=()).knows("127.0.0.1")
    assert Door().knows("127.0.0.1")


def test_strangers_who_take_all_their_places_take_none_of_a_monitors():
    entrance = door(connections=2, per_address=2)
    assert [entrance.enter(STRANGER), entrance.enter(OTHER), entrance.enter("203.0.113.3")] == [True, True, False]
    assert [entrance.enter(MONITOR), entrance.enter(MONITOR), entrance.enter(MONITOR)] == [True, True, False]
    assert entrance.open == 4
    entrance.leave(OTHER)
    entrance.leave(MONITOR)
    assert entrance.open == 2
    assert entrance.enter("203.0.113.3")
    assert entrance.enter(MONITOR)


def test_one_address_gets_its_share():
    entrance = door(connections=10, per_address=2)
    assert [entrance.enter(STRANGER) for _ in range(3)] == [True, True, False]
    assert entrance.enter(OTHER)
    entrance.leave(STRANGER)
    assert entrance.enter(STRANGER)


def test_strangers_are_answered_at_a_pace_and_monitors_at_once():
    entrance = door(rate=10.0, burst=2.0)
    assert [round(entrance.wait_s(STRANGER, now=100.0), 3) for _ in range(4)] == [0, 0, 0.1, 0.2]
    assert entrance.wait_s(MONITOR, now=100.0) == 0
    assert round(entrance.wait_s(OTHER, now=100.1), 3) == 0.2, "the pace is that of all strangers together"
    assert entrance.wait_s(STRANGER, now=200.0) == 0
