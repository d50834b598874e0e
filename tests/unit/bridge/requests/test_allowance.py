"""Devices that ask too often, and those that have not asked for long."""

from __future__ import annotations

from bridge.requests.allowance import DEVICES_REMEMBERED, Allowances


def test_devices_that_asked_long_ago_are_forgotten_first():
    allowances = Allowances(rate=0.25)  # one request at once
    assert allowances.spend("first", now=0.0)
    assert not allowances.spend("first", now=0.0)
    for number in range(DEVICES_REMEMBERED):
        assert allowances.spend(f"device{number}", now=0.0)
    assert allowances.spend("first", now=0.0), "forgotten, so it begins anew"
    assert not allowances.spend(f"device{DEVICES_REMEMBERED - 1}", now=0.0)


def test_a_device_spends_what_it_saved_and_then_its_rate():
    allowances = Allowances(2.0)
    assert sum(allowances.spend("alice.phone", now=0.0) for _ in range(20)) == 8
    assert allowances.spend("alice.tablet", now=0.0)
    assert sum(allowances.spend("alice.phone", now=1.0) for _ in range(20)) == 2
