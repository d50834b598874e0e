"""The clock, judged by what is newer than it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.clock import ClockSeen, judge
from tests.support.findings import answer, broken, found

NOON = 1_780_000_000_000
GOOD = ClockSeen(now_ms=NOON, newest_mail_ms=NOON - 5000, written_ms=NOON + 500, synchronised=True)


def test_what_is_right_is_fine():
    assert {finding.ok for finding in judge(GOOD)} == {True}


def test_a_clock_behind_the_newest_mail():
    finding = found(judge(replace(GOOD, newest_mail_ms=NOON + 3_600_000)), "clock.ids")
    assert "3600 s in the future" in finding.problem


def test_a_clock_behind_the_file_system():
    assert "300 s" in found(judge(replace(GOOD, written_ms=NOON + 300_000)), "clock.files").problem


def test_nothing_to_compare_with():
    findings = judge(replace(GOOD, newest_mail_ms=None, written_ms=None))
    assert (answer(findings, "clock.ids"), answer(findings, "clock.files")) == (None, None)


@pytest.mark.parametrize("synchronised", [False, None])
def test_whether_a_clock_is_right_cannot_be_known_where_nothing_keeps_it(synchronised):
    findings = judge(replace(GOOD, synchronised=synchronised))
    assert broken(findings) == set()
    assert answer(findings, "clock.synchronised") is None
