"""What a probe met on its way, judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.way import OF_WAY, Handed, Letter, WaySeen, judge, nothing
from tests.support.findings import answer, found

GOOD = WaySeen(
    handed=(Handed("Postfix", arrived=True),),
    letters=(Letter("smtp", accepted=True, reply="250 2.0.0 kept"),),
    published=True,
    url="mqtt://127.0.0.1:1883",
    told=True,
    asked=True,
    answer=0,
    vanished=True,
)


def changed(**changes):
    return judge(replace(GOOD, **changes))


def test_what_is_right_is_fine():
    assert {finding.check: finding.ok for finding in judge(GOOD)} == dict.fromkeys(OF_WAY, True)


def test_without_a_probe_nothing_is_known():
    assert {finding.check: finding.ok for finding in nothing("none was wanted")} == dict.fromkeys(OF_WAY)


@pytest.mark.parametrize(
    ("handed", "told"),
    [
        (Handed("Exim", refusal="it does not run"), "Exim did not take a mail from a program of this machine: it does"),
        (Handed("Exim", queued=True, reason="refused"), "Exim took a mail, and cannot hand it over: refused"),
        (Handed("Exim", queued=False), "Exim took a mail, and it did not come; it is not in its queue, either"),
        (Handed("Exim"), "its queue cannot be asked by this user"),
    ],
)
def test_a_mail_that_the_mail_server_does_not_hand_over(handed, told):
    assert told in found(changed(handed=(*GOOD.handed, handed)), "way.handed").problem


def test_a_mail_that_is_on_its_way_or_was_not_sent_is_not_called_broken():
    assert answer(changed(handed=(Handed("Exim", queued=True),)), "way.handed") is None
    findings = {each.check: each.problem for each in changed(handed=(), unhanded="there is none")}
    assert findings["way.handed"] == "there is none"


def test_what_there_was_no_time_for_is_not_known():
    assert {
        (each.ok, each.problem) for each in judge(WaySeen(late="no time was left")) if each.check != "way.cleared"
    } == {(None, "no time was left")}


def test_when_there_was_no_time_for_each_listener_not_all_of_them_are_called_fine():
    assert answer(changed(published=None, late="no time was left"), "way.accepted") is None


def test_a_mail_that_is_not_taken():
    letters = (*GOOD.letters, Letter("lmtp", accepted=False, reply="452 4.3.1 full"))
    finding = found(changed(letters=letters), "way.accepted")
    assert finding.problem == "lmtp did not take a mail for a user: 452 4.3.1 full"
    assert answer(changed(letters=()), "way.accepted") is None


@pytest.mark.parametrize("reply", ["530 5.7.0 Authentication required", "554 5.7.1 Your address may not"])
def test_a_listener_that_is_for_others_is_not_called_broken(reply):
    assert answer(changed(letters=(Letter("smtp", accepted=False, reply=reply),)), "way.accepted") is None


def test_a_mail_that_is_not_acknowledged():
    found(changed(published=False), "way.published")
    assert answer(changed(published=None), "way.published") is None


def test_a_device_that_is_not_let_in():
    assert "Not authorized" in found(changed(refusal="Not authorized"), "way.login").problem
    assert answer(changed(refusal="Not authorized", unknown_login=True), "way.login") is None
    assert answer(changed(url=""), "way.login") is None


def test_a_device_that_hears_nothing():
    found(changed(told=False), "way.told")
    assert answer(changed(told=None), "way.told") is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"answer": None}, "got no answer"),
        ({"answer": 6}, "was refused (status 6)"),
        ({"vanished": False}, "does not go away"),
    ],
)
def test_a_mail_that_stays_though_it_was_seen(changes, told):
    assert told in found(changed(**changes), "way.seen").problem
    assert answer(changed(asked=False), "way.seen") is None


def test_something_that_is_left():
    assert "still there" in found(changed(left="the accounts are still there"), "way.cleared").problem
