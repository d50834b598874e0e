"""Whether bridge and broker run, judged."""

from __future__ import annotations

from bridge.doctor.judge.service import ServiceSeen, judge
from tests.support.findings import answer, found


def test_both_run():
    assert {finding.ok for finding in judge(ServiceSeen(bridge=True, broker=True, embedded=True))} == {True}


def test_one_does_not():
    found(judge(ServiceSeen(bridge=False, broker=True, embedded=True)), "service.bridge")
    found(judge(ServiceSeen(bridge=True, broker=False, embedded=True)), "service.broker")


def test_another_broker_is_not_ours_to_start():
    findings = judge(ServiceSeen(bridge=True, broker=False, embedded=False))
    assert answer(findings, "service.broker") is None


def test_who_may_not_look_knows_nothing():
    assert {finding.ok for finding in judge(ServiceSeen(bridge=None, broker=None, embedded=True))} == {None}


def test_where_none_was_ever_run_others_may():
    findings = judge(ServiceSeen(bridge=False, broker=False, embedded=False, elsewhere=("a", "b")))
    assert {finding.ok for finding in findings} == {None}
    assert findings[0].problem.endswith("elsewhere there are a, b")
