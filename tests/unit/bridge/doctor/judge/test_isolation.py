"""What two throw-away accounts tried, judged."""

from __future__ import annotations

from dataclasses import replace

from bridge.doctor.judge.isolation import OF_ISOLATION, IsolationSeen, judge
from tests.support.findings import found

GOOD = IsolationSeen(anonymous="", leaked="", wrote="", robbed=False)


def test_what_is_right_is_fine():
    assert {finding.check: finding.ok for finding in judge(GOOD)} == dict.fromkeys(OF_ISOLATION, True)


def test_what_was_not_tried_is_not_known():
    findings = judge(IsolationSeen("no device was let in"))
    assert {(finding.ok, finding.problem) for finding in findings} == {(None, "no device was let in")}


def test_each_hole_is_found():
    found(judge(replace(GOOD, anonymous="anybody without a login")), "isolation.strangers")
    assert "mail/<user>/box" in found(judge(replace(GOOD, leaked="mail/<user>/box")), "isolation.read").problem
    assert "mail/<user>/text" in found(judge(replace(GOOD, wrote="mail/<user>/text")), "isolation.write").problem
    assert "use_username_as_clientid" in found(judge(replace(GOOD, robbed=True)), "isolation.session").cure
