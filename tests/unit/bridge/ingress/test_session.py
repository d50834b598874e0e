"""What a session says comes next, without anybody who does it: data, TLS, a login to check, the end."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bridge.errors import UnknownUserError
from bridge.ingress import SessionLimits, replies
from bridge.ingress.lmtp import LMTP
from bridge.ingress.session import (
    MailSession,
    Next,
    SessionAnswer,
    SessionTerms,
    command,
    delivered,
    logged_in,
    overlong,
)
from bridge.ingress.smtp import SMTP
from bridge.model import Recipient
from bridge.reply import Reply

KEPT, LATER, NEVER = Reply(250, "2.0.0", "Kept"), Reply(451, "4.3.0", "Later"), Reply(550, "5.0.0", "Never")


def resolve(address: str) -> Recipient:
    if address.startswith("nobody"):
        raise UnknownUserError(address)
    return Recipient(address, 1, "alice")


def session(dialect: Any = SMTP, *, trusted: bool = True, **terms: Any) -> MailSession:
    chosen = {"hostname": "mx", "max_size": 1000, "limits": SessionLimits(), "known": resolve, **terms}
    return MailSession(dialect, SessionTerms(**chosen), trusted=trusted)


def said(of: MailSession, *lines: str) -> SessionAnswer:
    """The answer to the last of several lines."""
    for line in lines:
        answer = command(of, line.encode() + b"\r\n")
    return answer


def codes(answer: SessionAnswer) -> list[int]:
    return [reply.code if isinstance(reply, Reply) else int(reply[:3]) for reply in answer.replies]


def test_a_mail_up_to_its_data():
    mail = session()
    answer = said(mail, "EHLO c", "MAIL FROM:<a@b> SIZE=999", "RCPT TO:<nobody@x>", "RCPT TO:<alice@x>", "DATA")
    assert (codes(answer), answer.then) == ([354], Next.DATA)
    assert mail.mail is not None
    assert [each.address for each in mail.mail.recipients] == ["alice@x"]
    assert (mail.errors, mail.commands, mail.spoken) == (1, 5, "ESMTP")


def test_nothing_that_was_said_in_the_clear_counts_behind_tls():
    mail = session(tls=True)
    assert said(mail, "EHLO c", "MAIL FROM:<a@b>", "STARTTLS").then is Next.TLS
    mail.encrypted()
    assert codes(said(mail, "RCPT TO:<alice@x>")) == [503]
    assert codes(said(mail, "MAIL FROM:<a@b>")) == [503]
    assert codes(said(mail, "STARTTLS")) == [503]
    assert said(mail, "EHLO c", "MAIL FROM:<a@b>") == SessionAnswer((replies.SENDER_OK,))
    assert mail.spoken == "ESMTPS"


def test_a_login_is_asked_for_line_by_line_and_checked_by_somebody_else():
    mail = session(trusted=False, tls=True, logins=True)
    mail.encrypted()
    words = [base64.b64encode(word).decode() for word in (b"alice", b"secret")]
    assert said(mail, "EHLO c", "AUTH LOGIN").replies == (b"334 VXNlcm5hbWU6\r\n",)
    assert said(mail, words[0]).replies == (b"334 UGFzc3dvcmQ6\r\n",)
    assert said(mail, words[1]) == SessionAnswer((), Next.LOGIN, ("alice", "secret"))
    assert codes(said(mail, "MAIL FROM:<a@b>")) == [530]
    assert codes(logged_in(mail, right=False)) == [535]
    assert mail.login_needed
    assert codes(logged_in(mail, right=True)) == [235]
    assert codes(said(mail, "MAIL FROM:<a@b>")) == [250]
    assert mail.spoken == "ESMTPSA"


@pytest.mark.parametrize(("given", "code"), [(b"*\r\n", 501), (b"no base64\r\n", 501), (b"YQ==\n", 500), (None, 500)])
def test_a_login_that_fails_is_over_and_counts_as_one_error(given, code):
    mail = session(trusted=False, tls=True, logins=True)
    mail.encrypted()
    said(mail, "EHLO c", "AUTH PLAIN")
    answer = overlong(mail) if given is None else command(mail, given)
    assert (codes(answer), answer.then, mail.errors) == ([code], Next.COMMAND, 1)
    assert codes(said(mail, "NOOP")) == [250]


def test_a_login_that_means_nothing_is_heard_and_not_looked_at():
    mail = session(any_login=True)
    assert said(mail, "HELO c", "AUTH LOGIN", "not base64", "either") == SessionAnswer((), Next.LOGIN)


@pytest.mark.parametrize(
    ("dialect", "answers", "codes_said", "errors"),
    [
        (SMTP, [KEPT, NEVER, LATER], [451], 1),
        (SMTP, [KEPT, NEVER], [550], 1),
        (SMTP, [KEPT, KEPT], [250], 0),
        (LMTP, [KEPT, NEVER, LATER], [250, 550, 451], 2),
    ],
)
def test_one_reply_for_all_or_one_for_each(dialect, answers, codes_said, errors):
    mail = session(dialect)
    assert codes(delivered(mail, answers)) == codes_said
    assert mail.errors == errors


def test_limits_end_the_session_and_count_anew_from_a_mail():
    mail = session(limits=SessionLimits(commands=2, errors=1))
    assert said(mail, "NOOP", "NOOP", "NOOP") == SessionAnswer((replies.TOO_MANY_COMMANDS,), Next.CLOSE)
    delivered(mail, [KEPT])
    assert codes(said(mail, "WHAT")) == [500]
    assert said(mail, "NOOP") == SessionAnswer((replies.TOO_MANY_ERRORS,), Next.CLOSE)


def test_a_defect_is_for_whoever_feeds_the_session():
    def broken(address: str) -> Recipient:
        raise RuntimeError(address)

    mail = session(known=broken)
    with pytest.raises(RuntimeError):
        said(mail, "EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<alice@x>")
