"""What is said of mailboxes that are followed, by how far one came with each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.access import FileSeen, SystemUser
from bridge.doctor.judge.files import DENIED, Named
from bridge.doctor.judge.mailboxes import CHECKS, MailboxSeen, MailboxTried, judge
from bridge.mailbox.account import MailAccount, Secret, SecretKind
from tests.support.findings import answer, found

POSTBELL = SystemUser(100, "postbell", frozenset({100}))
ROOT_DIRECTORY = FileSeen("/", 0, 0, 0o40755)
ACCOUNT = MailAccount(
    mailbox_id=3,
    user_id=1,
    user="alice",
    host="imap.example.org",
    port=993,
    tls=True,
    login="alice@example.org",
    secret=Secret(SecretKind.PASSWORD_FILE, "/secret"),
)
COMMAND = replace(ACCOUNT, secret=Secret(SecretKind.PASSWORD_COMMAND, "/bin/say alice"))
SEEN = MailboxSeen(
    account=ACCOUNT,
    secret=Named("password-file", "/secret", (ROOT_DIRECTORY, FileSeen("/secret", 100, 100, 0o100600))),
    tried=MailboxTried(offers=frozenset({"IDLE", "CONDSTORE"})),
    stopped="",
)


def judged(*mailboxes):
    return judge(mailboxes, runs_as=POSTBELL)


def tried(**what):
    return judged(replace(SEEN, tried=MailboxTried(**what)))


def secret(mode=0o100600, uid=100, path="/secret"):
    return Named("x", path, (ROOT_DIRECTORY, FileSeen(path, uid, uid, mode)))


def test_all_is_fine_and_what_the_server_can_is_said():
    findings = judged(SEEN)
    assert [(finding.check, finding.ok) for finding in findings] == [(check, True) for check in CHECKS]
    assert [finding.problem for finding in findings if finding.problem] == [
        "imaps://imap.example.org:993: IDLE, CONDSTORE"
    ]


def test_without_mailboxes_nothing_is_known():
    assert [(finding.check, finding.ok) for finding in judged()] == [(check, None) for check in CHECKS]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Named("x", "/secret", (), "No such file or directory"), "No such file"),
        (secret(0o100644), "every user of this machine"),
        (secret(0o100600, uid=7), "postbell, who runs the service, cannot read it"),
    ],
)
def test_a_file_that_is_not_there_or_not_for_the_service_alone(place, said):
    finding = found(judged(replace(SEEN, secret=place)), "mailbox.secret")
    assert finding.problem.startswith("mailbox 3 of alice: /secret: ")
    assert said in finding.problem


def test_a_file_that_this_user_may_not_look_at():
    assert answer(judged(replace(SEEN, secret=Named("x", "/secret", (), DENIED))), "mailbox.secret") is None


def test_a_program_that_is_not_there_or_cannot_be_run():
    seen = replace(SEEN, account=COMMAND, secret=None, program_error="there is no program say", tried=None)
    findings = judged(replace(seen, untried="there is no program say"))
    assert "there is no program say" in found(findings, "mailbox.secret").problem
    assert answer(findings, "mailbox.login") is None
    mine = replace(SEEN, account=COMMAND, secret=secret(0o100700, uid=7, path="/bin/say"))
    assert "postbell, who runs the service, cannot run /bin/say" in found(judged(mine), "mailbox.secret").problem
    assert answer(judged(replace(mine, secret=secret(0o100755, path="/bin/say"))), "mailbox.secret")


def test_a_secret_that_cannot_be_had():
    findings = tried(no_secret="the command say ended with 1")
    assert "ended with 1" in found(findings, "mailbox.secret").problem
    assert {answer(findings, f"mailbox.{check}") for check in ("reached", "certificate", "login", "folders")} == {None}


def test_how_far_it_came():
    findings = tried(unreached="imap.example.org:993: no route to host")
    assert "no route" in found(findings, "mailbox.reached").problem
    assert answer(findings, "mailbox.certificate") is None
    findings = tried(untrusted="the certificate is not trusted: self-signed")
    assert "imap.ca_file" in found(findings, "mailbox.certificate").cure
    assert (answer(findings, "mailbox.reached"), answer(findings, "mailbox.login")) == (True, None)
    findings = tried(refused="the server refuses the login: no")
    assert "alice@example.org: the server refuses" in found(findings, "mailbox.login").problem
    assert (answer(findings, "mailbox.certificate"), answer(findings, "mailbox.folders")) == (True, None)
    assert answer(findings, "mailbox.tells") is None


@pytest.mark.parametrize(("there", "said"), [(("INBOX", "Sent"), "are INBOX, Sent"), ((), "names no folders")])
def test_a_folder_that_is_not_there(there, said):
    findings = tried(missing=(("Work", "no such folder"),), there=there, offers=frozenset())
    finding = found(findings, "mailbox.folders")
    assert finding.problem == "mailbox 3 of alice: Work: no such folder"
    assert said in finding.cure
    [tells] = [each for each in findings if each.check == "mailbox.tells"]
    assert (tells.ok, "no IDLE" in tells.problem) == (True, True)


def test_one_that_is_broken_is_told_beside_one_that_is_not_known():
    unknown = replace(SEEN, tried=None, untried="only 20 are tried")
    findings = judged(unknown, replace(SEEN, tried=MailboxTried(refused="no")), SEEN)
    assert found(findings, "mailbox.login").problem.endswith(": no")
    (reached,) = [each for each in findings if each.check == "mailbox.reached"]
    assert (reached.ok, reached.problem) == (None, "mailbox 3 of alice: only 20 are tried")


def test_what_the_bridge_says():
    assert answer(judged(replace(SEEN, stopped=None)), "mailbox.followed") is None
    finding = found(judged(replace(SEEN, stopped="the server refuses the login: no")), "mailbox.followed")
    assert finding.problem == "mailbox 3 of alice is not followed: the server refuses the login: no"
