"""Reports of deliveries: only what failed for good is a bounce, and that says who was missed and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Flag
from tests.support.processor import least_s
from tests.unit.bridge.mail.clean import read

BOUNCE = Flag.BOUNCE | Flag.AUTOMATIC


def report(*recipients: str, letter: str = "I am sorry.", kind: str = "message/delivery-status") -> bytes:
    status = "\r\n\r\n".join(("Reporting-MTA: dns; mx.example.net", *recipients))
    return (
        "From: Mail Delivery System <MAILER-DAEMON@example.net>\r\nSubject: x\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n{letter}\r\n--b\r\nContent-Type: {kind}\r\n\r\n{status}\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: hi\r\n\r\nhi\r\n--b--\r\n"
    ).encode()


def recipient(
    action: str = "failed", diagnostic: str = "", *, status: str = "5.1.1", address: str = "per@example.net"
) -> str:
    said = f"\r\nDiagnostic-Code: {diagnostic}" if diagnostic else ""
    return f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}{said}"


@pytest.mark.parametrize(
    ("action", "status", "flags"),
    [
        ("failed", "5.1.1", BOUNCE),
        ("Failed (bad address)", "5.0.0", BOUNCE),
        ("failed", "4.4.7", BOUNCE),
        ("delayed", "4.4.1", Flag.AUTOMATIC),
        ("delivered", "2.0.0", Flag.AUTOMATIC),
        ("relayed", "2.1.9", Flag.AUTOMATIC),
        ("expanded", "2.0.0", Flag.AUTOMATIC),
        ("delayed", "5.0.0", Flag.AUTOMATIC),
    ],
)
def test_only_what_failed_for_good_is_a_bounce(action, status, flags):
    found = read(report(recipient(action, "smtp; 450 4.2.0 try again", status=status)))
    assert found.flags == flags
    assert (found.snippet == "I am sorry.") is (flags == Flag.AUTOMATIC)


def test_a_status_without_an_action_counts():
    assert read(report("Final-Recipient: rfc822; a@example.net\r\nStatus: 5.1.1")).flags == BOUNCE
    assert read(report("Final-Recipient: rfc822; a@example.net\r\nStatus: 4.1.1")).flags == Flag.AUTOMATIC


@pytest.mark.parametrize(
    ("diagnostic", "said"),
    [
        ("smtp; 550 5.1.1 User unknown", "550 5.1.1 User unknown"),
        (
            "smtp;550 5.1.1 <per@example.net>: Recipient address rejected: User unknown",
            "550 5.1.1 Recipient address rejected: User unknown",
        ),
        (
            "smtp; 550-5.1.1 The account does not exist. Please try\r\n 550-5.1.1 double-checking it. 550 5.1.1 https://example.net",
            "550 5.1.1 The account does not exist",
        ),
        ("smtp; 552 5.2.2 Mailbox full", "552 5.2.2 Mailbox full"),
        ("x-unix; unknown user: per", "unknown user: per"),
        ("No such user here", "No such user here"),
        ("smtp; 554 5.7.1 " + "word " * 60, "554 5.7.1 " + "word " * 23 + "word…"),
    ],
)
def test_it_says_who_was_missed_and_why(diagnostic, said):
    assert read(report(recipient("failed", diagnostic))).snippet == f"per@example.net: {said}"


def test_several_recipients():
    full = [recipient("failed", "smtp; 552 Mailbox full", address=f"{name}@example.net") for name in "abcd"]
    late = recipient("delayed", "smtp; 450 busy", address="late@example.net")
    assert read(report(late, *full[:2])).snippet == "a@example.net, b@example.net: 552 Mailbox full"
    assert read(report(*full)).snippet == "a@example.net, b@example.net, c@example.net, …: 552 Mailbox full"
    unknown = recipient("failed", "smtp; 550 unknown", address="e@example.net")
    assert read(report(full[0], unknown)).snippet == "a@example.net: 552 Mailbox full; e@example.net: 550 unknown"


def test_without_a_reason_the_letter_stays():
    assert read(report(recipient("failed"))).snippet == "I am sorry."
    assert read(report(recipient("failed", "smtp; 550 5.1.1"))).snippet == "I am sorry."


def test_a_report_in_unicode():
    raw = report(
        "Final-Recipient: utf-8; jürgen@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 gibt es nicht",
        kind="message/global-delivery-status",
    )
    assert read(raw).snippet == "jürgen@example.net: 550 gibt es nicht"


def letter(text: str, *fields: str, subject: str = "failure notice") -> bytes:
    head = "\r\n".join(("From: MAILER-DAEMON@example.net", f"Subject: {subject}", *fields))
    return f"{head}\r\n\r\n{text}".replace("\n", "\r\n").replace("\r\r", "\r").encode()


QMAIL = """Hi. This is the qmail-send program at example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.

<per@example.net>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 No such person
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.
"""
EXIM = """This message was created automatically by mail delivery software.

  per@example.net
    host mx.example.net [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<per@example.net>:
    550 No such person

------ This is a copy of the message.
"""


def test_a_letter_alone_says_it_as_well():
    found = read(letter(QMAIL))
    assert (found.flags, found.snippet) == (BOUNCE, "per@example.net: 550 5.1.1 No such person")
    found = read(letter(EXIM, "X-Failed-Recipients: per@example.net"))
    assert (found.flags, found.snippet) == (BOUNCE, "per@example.net: 550 No such person")


def test_a_letter_without_a_code_before_its_reason():
    text = "<per@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below is a copy.\n"
    found = read(letter(text))
    assert (found.flags, found.snippet) == (BOUNCE, "per@example.net: Sorry, no mailbox here by that name")


def test_a_report_that_a_person_passes_on_is_no_bounce():
    raw = report(recipient("failed", "smtp; 550 no")).replace(
        b"multipart/report; report-type=delivery-status", b"multipart/mixed"
    )
    person = raw.replace(b"Mail Delivery System <MAILER-DAEMON@example.net>", b"Nora <nora@example.org>")
    assert Flag.BOUNCE not in read(person).flags
    assert read(person).snippet == "I am sorry."
    assert Flag.BOUNCE in read(raw).flags


def test_a_letter_about_a_delay_is_no_bounce():
    late = "A message that you sent has not yet been delivered after more than 24 hours.\n\n  per@example.net\n"
    assert read(letter(late, subject="Warning: message delayed 24 hours")).flags == Flag.AUTOMATIC
    assert read(letter("x", subject="Zustellung verzögert")).flags == Flag.AUTOMATIC
    waits = "The message has not been delivered yet.\n\n  per@example.net\n    451 4.3.0 try again later\n"
    assert read(letter(waits, subject="Warning: delayed")).flags == Flag.AUTOMATIC
    assert read(letter("We could not reach anybody.")).flags == BOUNCE


def test_somebody_who_forwards_words_of_a_server_is_no_server():
    assert read(b"From: Nora <nora@example.net>\r\n\r\nIt said: <per@example.net>: 550 5.1.1 No\r\n").flags == Flag(0)


@given(st.text(alphabet="Action: failedStu5.1\r\n;<@>é-", max_size=300))
def test_no_report_raises(text):
    assert isinstance(read(report(text, letter=text)).snippet, str)


@pytest.mark.parametrize("unit", ["a@b ", "550 ", "\r\n ", "<a@b>:\r\n", "5.1.1-", "Action: failed\r\n\r\n", "; "])
def test_a_long_report_is_read_at_once(unit):
    raw = report((unit * 60_000)[:200_000], letter=(unit * 60_000)[:200_000])
    assert least_s(lambda: read(raw), bound_s=0.1) < 0.1
