"""Lines and branches are held to the floor apart."""

from __future__ import annotations

import pytest

from tests.support.coverage_floor import verdict


@pytest.mark.parametrize(
    ("lines", "branches", "enough"), [(990, 97, True), (970, 97, True), (1000, 96, False), (969, 100, False)]
)
def test_neither_makes_up_for_the_other(lines, branches, enough):
    totals = {"covered_lines": lines, "num_statements": 1000, "covered_branches": branches, "num_branches": 100}
    words, verdict_is_good = verdict(totals)
    assert verdict_is_good is enough
    assert f"branches {branches}.0 %" in words
    assert ("NOT" in words) is not enough
