"""Waits that double."""

from __future__ import annotations

from clients.backoff import Backoff


def test_backoff_doubles_up_to_its_longest_and_jitters_by_half():
    backoff = Backoff(jitter=lambda: 0.0, first_s=1.0, longest_s=5.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 2.5, 2.5]
    backoff.reset()
    backoff.jitter = lambda: 0.999
    assert 0.99 < backoff.next_s() < 1.0
