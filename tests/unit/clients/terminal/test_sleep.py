"""Whether the machine slept is asked where it can be told."""

from __future__ import annotations

import time

from clients.terminal import sleep


def test_time_asleep_is_what_boot_time_is_ahead(monkeypatch):
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", {7: 130.0}.get)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert sleep.asleep_s() == 30.0


def test_where_nobody_can_tell_it_never_slept(monkeypatch):
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert sleep.asleep_s() == 0.0
