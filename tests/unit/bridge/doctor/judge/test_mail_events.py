"""What is said of a Dovecot that is to say which mailbox changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.access import FileSeen, SystemUser
from bridge.doctor.judge.files import Named
from bridge.doctor.judge.mail_events import AGAIN, MailEventsSeen, judge
from bridge.doctor.judge.mta import Left
from tests.support.findings import answer, found

POSTBELL = SystemUser(100, "postbell", frozenset({100}))


def box(mode=0o41733, uid=100):
    return Named("imap.events_dir", "/box", (FileSeen("/", 0, 0, 0o40755), FileSeen("/box", uid, uid, mode)))


SCRIPT = Left("/etc/dovecot/postbell-events.lua", "x", "x")
SEEN = MailEventsSeen(wanted=True, box=box(), left=(SCRIPT,))


def judged(**what):
    return judge(replace(SEEN, **what), runs_as=POSTBELL)


def test_all_is_fine_or_not_wanted_or_not_known():
    assert answer(judged(), "mailbox.events")
    assert answer(judged(wanted=False, box=Named("x", "/box", (), "no")), "mailbox.events") is None
    [finding] = judged(left=())
    assert (finding.ok, finding.cure) == (None, AGAIN)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Named("x", "/box", (), "No such file or directory"), "No such file"),
        (box(0o41700), "they cannot leave a name"),
        (box(0o40777), "they cannot leave a name"),
        (box(0o101733), "they cannot leave a name"),
        (box(uid=7), "postbell, who runs the service, may not look into /box"),
    ],
)
def test_a_directory_that_is_no_letter_box(place, said):
    assert said in found(judged(box=place), "mailbox.events").problem


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (replace(SCRIPT, there="y"), "is not as the recipe writes it now"),
        (replace(SCRIPT, there=None, error="No such file"), "cannot be read: No such file"),
    ],
)
def test_a_script_that_is_gone_or_changed(left, said):
    assert said in found(judged(left=(left,)), "mailbox.events").problem
