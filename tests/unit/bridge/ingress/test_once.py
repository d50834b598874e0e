from __future__ import annotations

from bridge.ingress.once import REMEMBERED, Once


def test_each_is_met_for_the_first_time_once():
    once = Once()
    assert [once.first(key) for key in ("a", "b", "a", "b", "")] == [True, True, False, False, True]


def test_of_very_many_the_oldest_are_forgotten():
    once = Once()
    assert all(once.first(str(number)) for number in range(REMEMBERED + 1))
    assert not once.first("1")
    assert once.first("0")
