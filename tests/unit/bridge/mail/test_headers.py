"""What is read out of the header section: the subject, ids, hops; and what stands in for a text."""

from __future__ import annotations

import pytest

from bridge.model import Flag
from tests.unit.bridge.mail.clean import read


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (b"Re: Re: RE: hello", "Re: hello"),
        (b"AW: Re: WG: Fwd: hello", "AW: WG: hello"),
        (b"Fwd: hello", "Fwd: hello"),
        (b"FW:hello", "FW:hello"),
        (b"Re[4]: hello", "Re[4]: hello"),
        (b"Regarding: Re: hello", "Regarding: Re: hello"),
        (b"Re: Re:", "Re:"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?= c =?utf-8?q?d?=", "ab c d"),
        (b"=?iso-2022-jp?b?GyRCMnE1RBsoQg==?=", "会議"),
        (b"=?utf-8?b?aGVsbG8?=", "hello"),
        (b"=?utf-8?q?is_it_you??=", "is it you?"),
        (b"=?utf-8*en?q?hello?=", "hello"),
        (b"=?base64?q?hello?=", "hello"),
        (b"=?unicode_escape?q?=5Cu0041?=", "\\u0041"),
        (b"=?utf-8?x?hello?=", "=?utf-8?x?hello?="),
        (b"e\xcc\x81", "é"),
        (b"\x1b$B2q5D\x1b(B", "会議"),
    ],
)
def test_subject(field, subject):
    assert read(b"Subject: " + field + b"\r\n\r\n").subject == subject


def test_raw_bytes_take_the_charset_of_the_first_text_part():
    raw = (
        b"Subject: \xcf\xf0\xe8\xe2\xe5\xf2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\nx\r\n--b--\r\n"
    )
    assert read(raw).subject == "Привет"


def test_message_id_is_as_sent():
    assert read(b"Message-ID:\r\n  <a b@example.org> \r\n\r\n").message_id == "<a b@example.org>"
    assert read(b"Subject: x\r\n\r\nMessage-ID: <no@example.org>\r\n").message_id == ""


def test_received_fields_are_counted_in_the_header_section_only():
    raw = b"Received: a\r\n by b\r\nreceived : c\r\nX-Received: d\r\n\r\nReceived: body\r\n"
    assert read(raw).hops == 2
    assert read(b"Received: x\n" * 60).hops == 60


def test_mail_without_text_says_what_it_holds():
    attached = b"Content-Type: application/pdf; name=invoice.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD"
    assert read(attached).snippet == "invoice.pdf"
    forwarded = b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nx"
    assert read(forwarded).snippet == "grüße"


def test_text_that_is_pgp_in_itself_is_flagged():
    secret = read(b"Subject: x\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----\r\n")
    assert (secret.flags, secret.snippet) == (Flag.ENCRYPTED, "")
    signed = read(
        b"\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nhi\r\n-----BEGIN PGP SIGNATURE-----\r\nx"
    )
    assert (signed.flags, signed.snippet) == (Flag.SIGNED, "hi")
