"""What devices are told of where we are, judged."""

from __future__ import annotations

from dataclasses import replace

from bridge.doctor.judge.names import NameSeen, judge
from tests.support.findings import answer, found

GOOD = NameSeen("broker.public_url", "mqtts://bell.example.org", "bell.example.org", 8883)


def test_what_is_right_is_fine():
    assert {finding.ok for finding in judge([GOOD, GOOD])} == {True}


def test_nothing_is_told():
    assert {finding.ok for finding in judge([])} == {None}


def test_a_name_without_an_address():
    findings = judge([replace(GOOD, error="Name or service not known"), GOOD])
    assert "bell.example.org has no address here (Name or" in found(findings, "name.resolves").problem
    assert answer(findings, "name.port") is None


def test_a_port_of_this_machine_at_which_nobody_answers():
    assert "nobody answers at port 8883" in found(judge([replace(GOOD, answers=False)]), "name.port").problem


def test_a_port_of_another_machine_may_answer_others():
    assert answer(judge([replace(GOOD, answers=False, here=False)]), "name.port") is None
