"""How long the broker keeps what it is given."""

from __future__ import annotations

import pytest

from bridge.contract.expiry import left_s

NOW_MS = 1_780_000_000_000


@pytest.mark.parametrize(
    ("age_ms", "days", "expected_s"),
    [
        (0, 7, 604_800),
        (1, 7, 604_800),
        (1_000, 7, 604_799),
        (1_001, 7, 604_799),
        (604_799_001, 7, 1),
        (604_800_000, 7, 1),
        (900_000_000, 7, 1),
        (-5_000, 7, 604_800),
        (0, 0.00001, 1),
        (0, 0.0001, 9),
        (0, 3650, 315_360_000),
    ],
)
def test_the_time_that_is_left(age_ms, days, expected_s):
    left = left_s(NOW_MS - age_ms, days=days, now_ms=NOW_MS)
    assert (left, type(left)) == (expected_s, int)
    assert left < 2**32, "it is a four byte integer"
