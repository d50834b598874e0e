"""What is said of push: to whom it gets, and how it went last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.push import CHECKS, PushSeen, PushServiceSeen, judge
from bridge.kept import PushStanding, PushState
from tests.support.findings import answer, broken, found
from tests.support.push_service import Device

HOST = "push.example.net"
FINE = PushStanding(Device().at(f"https://{HOST}/x", HOST), PushState.OK, 1, 1, "", skew_s=2)
GONE = replace(FINE, state=PushState.FORGOTTEN, trouble="410")
SERVICE = PushServiceSeen(HOST, 443)
SEEN = PushSeen(
    enabled=True,
    subject="mailto:root@example.org",
    key=True,
    devices=(("alice.phone", FINE),),
    services=(SERVICE,),
)


def test_all_is_fine():
    findings = judge(SEEN)
    assert [finding.check for finding in findings] == list(CHECKS)
    assert {finding.ok for finding in findings} == {True}


@pytest.mark.parametrize("seen", [replace(SEEN, enabled=False), replace(SEEN, devices=(), services=(), key=None)])
def test_where_nobody_is_rung_nothing_is_known(seen):
    findings = judge(seen)
    assert [(finding.check, finding.ok) for finding in findings] == [(check, None) for check in CHECKS]


@pytest.mark.parametrize("key", [None, False])
def test_the_key_is_gone(key):
    assert "postbell push renew" in found(judge(replace(SEEN, key=key)), "push.key").cure


def test_apple_wants_to_know_whom_to_write_to():
    apple = PushServiceSeen("web.push.apple.com", 443)
    assert "Apple" in found(judge(replace(SEEN, subject="", services=(apple,))), "push.subject").problem
    assert answer(judge(replace(SEEN, subject="")), "push.subject") is None


def test_a_push_service_without_address():
    findings = judge(replace(SEEN, services=(replace(SERVICE, error="Name or service not known"), SERVICE)))
    assert HOST in found(findings, "push.resolves").problem
    assert answer(findings, "push.reached") is None


def test_a_push_service_that_is_no_public_one():
    finding = found(judge(replace(SEEN, services=(replace(SERVICE, forbidden="10.0.0.5"),))), "push.allowed")
    assert "10.0.0.5" in finding.problem
    assert f'push.allow = ["{HOST}"]' in finding.cure


def test_a_push_service_that_cannot_be_reached():
    finding = found(judge(replace(SEEN, services=(replace(SERVICE, refused="Connection refused"),))), "push.reached")
    assert finding.problem == f"the push service {HOST}, port 443: Connection refused"


def test_a_push_service_that_takes_nothing():
    failing = replace(FINE, state=PushState.FAILING, trouble="403: it does not take the signature (VAPID)")
    finding = found(judge(replace(SEEN, devices=(("alice.phone", failing), ("bob.phone", GONE)))), "push.taken")
    assert finding.problem.startswith(f"alice.phone: its push service {HOST} takes nothing (403: ")


def test_who_is_gone_is_told_and_not_broken():
    devices = tuple((f"user{number}.phone", GONE) for number in range(7))
    findings = judge(replace(SEEN, devices=devices, services=()))
    assert broken(findings) == set()
    [told] = [finding.problem for finding in findings if finding.check is Check.PUSH_TAKEN]
    assert told.startswith("the push services of user0.phone, user1.phone")
    assert told.endswith("user4.phone and 2 more no longer know them")


@pytest.mark.parametrize(("skew_s", "told"), [(3600, "3600 s behind"), (-3600, "3600 s ahead of")])
def test_a_clock_that_all_push_services_contradict(skew_s, told):
    off = ("alice.phone", replace(FINE, skew_s=skew_s))
    assert told in found(judge(replace(SEEN, devices=(off,))), "push.clock").problem
    assert answer(judge(replace(SEEN, devices=(off, ("bob.phone", FINE)))), "push.clock") is True
    assert answer(judge(replace(SEEN, devices=(("bob.phone", replace(FINE, skew_s=None)),))), "push.clock") is None
