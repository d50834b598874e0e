"""Flags out of fields and parts."""

from __future__ import annotations

import pytest

from bridge.mail.headers import extract
from bridge.model import Flag
from tests.unit.bridge.mail.clean import read

NONE = Flag(0)
SPAM_HEADERS = ("X-Spam-Flag", "X-Spam-Status", "X-Spam", "X-Spamd-Result")


def flags(*fields: str, body: str = "\r\nx", **options) -> Flag:
    raw = "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n" + body.encode()
    return extract(raw, size=options.pop("size", len(raw)), **options).flags


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("Importance: High", Flag.URGENT),
        ("Importance: low", Flag.LOW_PRIORITY),
        ("Importance: normal", NONE),
        ("X-Priority: 1 (Highest)", Flag.URGENT),
        ("X-Priority: 2", Flag.URGENT),
        ("X-Priority: 3", NONE),
        ("X-Priority: 5 (Lowest)", Flag.LOW_PRIORITY),
        ("Priority: urgent", Flag.URGENT),
        ("Priority: non-urgent", Flag.LOW_PRIORITY),
        ("X-MSMail-Priority: High", Flag.URGENT),
        ("List-Id: <a.example.org>", Flag.BULK),
        ("List-Unsubscribe: <https://example.org/u>", Flag.BULK),
        ("Precedence: bulk", Flag.BULK),
        ("Precedence: first-class", NONE),
        ("Precedence: auto_reply", Flag.AUTOMATIC),
        ("Auto-Submitted: auto-replied", Flag.AUTOMATIC),
        ("Auto-Submitted: auto-generated (why)", Flag.AUTOMATIC),
        ("Auto-Submitted: no", NONE),
        ("X-Autoreply: yes", Flag.AUTOMATIC),
        ("X-Failed-Recipients: a@example.org", Flag.BOUNCE | Flag.AUTOMATIC),
        ("From: MAILER-DAEMON@example.org", Flag.BOUNCE | Flag.AUTOMATIC),
        ("From: postmaster@example.org", NONE),
        ("From: postmaster@example.org\r\nReturn-Path: <>", Flag.BOUNCE | Flag.AUTOMATIC),
        ("From: ann@example.org\r\nReturn-Path: <>", NONE),
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data", Flag.ENCRYPTED),
        ("Content-Type: application/x-pkcs7-mime; name=smime.p7m", Flag.ENCRYPTED),
        ("Content-Type: application/pkcs7-mime; smime-type=signed-data", Flag.SIGNED),
        ("Content-Type: text/calendar; method=REQUEST", Flag.INVITATION),
        ("Content-Type: text/calendar; method=REPLY", NONE),
        ("Content-Type: application/pdf", Flag.ATTACHMENT),
        ("Content-Type: text/plain", NONE),
        ("X-Spam-Flag: YES", NONE),
    ],
)
def test_fields(field, flag):
    assert flags(field) == flag


def parts(subtype: str, *children: str, parameters: str = "") -> tuple[str, str]:
    body = "".join(f"--b\r\n{child}\r\n" for child in children) + "--b--\r\n"
    return f"Content-Type: multipart/{subtype}; boundary=b{parameters}", body


TEXT = "Content-Type: text/plain\r\n\r\nx"


@pytest.mark.parametrize(
    ("subtype", "children", "flag"),
    [
        ("mixed", (TEXT,), NONE),
        ("mixed", (TEXT, "Content-Type: image/png\r\n\r\nx"), Flag.ATTACHMENT),
        ("mixed", (TEXT, "Content-Disposition: attachment\r\n\r\nx"), Flag.ATTACHMENT),
        ("mixed", (TEXT, "Content-Type: text/x-diff; name=a.diff\r\n\r\nx"), Flag.ATTACHMENT),
        ("mixed", (TEXT, "Content-Type: message/rfc822\r\n\r\n\r\nx"), Flag.ATTACHMENT),
        ("related", (TEXT, "Content-Type: image/png\r\nContent-ID: <a>\r\n\r\nx"), NONE),
        ("alternative", (TEXT, "Content-Type: text/calendar; method=request\r\n\r\nx"), Flag.INVITATION),
        ("signed", (TEXT, "Content-Type: application/pgp-signature; name=s.asc\r\n\r\nx"), Flag.SIGNED),
        (
            "encrypted",
            ("Content-Type: application/pgp-encrypted\r\n\r\nx", "Content-Type: application/octet-stream\r\n\r\nx"),
            Flag.ENCRYPTED,
        ),
        (
            "report",
            (TEXT, "Content-Type: message/delivery-status\r\n\r\nx", "Content-Type: message/rfc822\r\n\r\nx"),
            Flag.BOUNCE | Flag.AUTOMATIC,
        ),
        ("report", (TEXT, "Content-Type: message/disposition-notification\r\n\r\nx"), Flag.AUTOMATIC),
    ],
)
def test_parts(subtype, children, flag):
    field, body = parts(subtype, *children)
    assert flags(field, body=body) == flag


IMAGE = "Content-Type: image/png; name=a.png\r\nContent-ID: <A@x>\r\nContent-Disposition: {}\r\n\r\nx"
LOCATED = "Content-Type: image/png\r\nContent-Location: a.png\r\nContent-Disposition: attachment\r\n\r\nx"
PAGE = "Content-Type: text/html\r\n\r\n<p>x<img src={}></p>"


@pytest.mark.parametrize(
    ("subtype", "page", "image", "flag"),
    [
        ("related", "cid:a%40x", IMAGE.format("attachment; filename=a.png"), NONE),
        ("related", '"cid:A@X"', IMAGE.format("attachment"), NONE),
        ("mixed", "'cid:a@x'", IMAGE.format("inline"), NONE),
        ("mixed", "cid:a@x", IMAGE.format("attachment"), NONE),
        ("related", "'a.png'", LOCATED, NONE),
        ("related", "cid:b@x", IMAGE.format("attachment"), Flag.ATTACHMENT),
        ("related", "cid:b@x", IMAGE.format("inline"), NONE),
        ("mixed", "cid:b@x", IMAGE.format("inline"), Flag.ATTACHMENT),
        ("mixed", "cid:a@x", IMAGE.format("attachment").replace("image/png", "application/pdf"), Flag.ATTACHMENT),
    ],
)
def test_a_picture_that_the_page_shows_is_no_attachment(subtype, page, image, flag):
    field, body = parts(subtype, PAGE.format(page), image)
    assert flags(field, body=body) == flag


SEALED = "Content-Type: application/octet-stream; name=encrypted.asc\r\n\r\n-----BEGIN PGP MESSAGE-----"


def test_pgp_that_was_rewritten_on_the_way_is_encrypted():
    version = "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1"
    empty = "Content-Type: text/plain\r\n\r\n"
    for children in ((empty, version, SEALED), (version, SEALED), (version, SEALED, empty)):
        field, body = parts("mixed", *children)
        assert flags(field, body=body) == Flag.ENCRYPTED
    field, body = parts("mixed", TEXT, SEALED)
    assert flags(field, body=body) == Flag.ATTACHMENT
    field, body = parts("mixed", version, SEALED, "Content-Type: application/pdf; name=a.pdf\r\n\r\nx")
    assert flags(field, body=body) == Flag.ENCRYPTED | Flag.ATTACHMENT


def test_pgp_of_which_all_types_were_changed_is_encrypted():
    version = "Content-Type: application/octet-stream; name=version.txt\r\n\r\nVersion: 1"
    empty = "Content-Type: text/plain\r\n\r\n\r\n"
    for children in ((empty, version, SEALED), (version, SEALED), (SEALED,)):
        field, body = parts("mixed", *children)
        assert flags(field, body=body) == Flag.ENCRYPTED
        assert read(f"{field}\r\n\r\n{body}".encode()).snippet == ""
    pdf = "Content-Type: application/pdf; name=a.pdf\r\n\r\nx"
    field, body = parts("mixed", empty, SEALED, pdf)
    assert flags(field, body=body) == Flag.ENCRYPTED | Flag.ATTACHMENT
    field, body = parts("mixed", TEXT, version, SEALED)
    assert flags(field, body=body) == Flag.ATTACHMENT
    field, body = parts("mixed", empty, version)
    assert flags(field, body=body) == Flag.ATTACHMENT


def test_a_report_says_its_kind_even_when_its_parts_are_cut():
    field, _ = parts("report", parameters="; report-type=delivery-status")
    assert flags(field, body="") == Flag.BOUNCE | Flag.AUTOMATIC


def test_a_cut_mixed_message_counts_as_having_an_attachment():
    field, body = parts("mixed", TEXT)
    cut = body.removesuffix("--b--\r\n")
    assert flags(field, body=cut, complete=False) == Flag.ATTACHMENT
    assert flags(field, body=cut, complete=True) == NONE
    assert flags(field, body=body, complete=False) == NONE


@pytest.mark.parametrize(
    ("field", "suspicious"),
    [
        ("X-Spam-Flag: YES", True),
        ("X-Spam-Flag: NO", False),
        ("X-Spam-Status: Yes, score=7.1 required=5.0", True),
        ("X-Spam-Status: No, score=-1", False),
        ("X-Spam: Yes", True),
        ("X-Spamd-Result: default: True [16.00 / 15.00]; X(1.0)", True),
        ("X-Spamd-Result: default: False [1.00 / 15.00]; True", False),
    ],
)
def test_suspicious_is_believed_of_configured_headers_only(field, suspicious):
    assert (flags(field, spam_headers=SPAM_HEADERS) == Flag.SUSPICIOUS) is suspicious
    assert flags(field, spam_headers=("X-Our-Verdict",)) == NONE
    assert flags(field) == NONE


PASS = "Authentication-Results: mx.example.org; spf=pass; dmarc=pass (p=none) header.from=a.example"


@pytest.mark.parametrize(
    ("fields", "authenticated"),
    [
        ((PASS,), True),
        (("Authentication-Results: (who) MX.example.org 1; dmarc = pass",), True),
        (("Authentication-Results: mx.example.org; spf=pass; dkim=pass",), False),
        (("Authentication-Results: mx.example.org; dmarc=fail; x-dmarc=pass",), False),
        (("Authentication-Results: mx.example.org; dmarc=passed",), False),
        (("Authentication-Results: mx.example.org; dmarc=fail (it was; dmarc=pass)",), False),
        (('Authentication-Results: mx.example.org; spf=fail smtp.mailfrom="x; dmarc=pass"',), False),
        (("Authentication-Results: mx.example.org.evil.example; dmarc=pass",), False),
        (("Authentication-Results: evil.example; dmarc=pass", "X: mx.example.org; dmarc=pass"), False),
        (("Authentication-Results: dmarc=pass; mx.example.org; dmarc=pass",), False),
        (("Authentication-Results: mx.example.org; dmarc=fail", PASS), False),
        (("Authentication-Results: other.example; dmarc=fail", PASS), True),
    ],
)
def test_authenticated_is_believed_of_the_topmost_field_of_a_configured_server(fields, authenticated):
    assert (flags(*fields, authserv_ids=frozenset({"mx.example.org"})) == Flag.AUTHENTICATED) is authenticated
    assert flags(*fields) == NONE


@pytest.mark.parametrize("fold", ["", "\r\n\t", "\n "])
@pytest.mark.parametrize("between", ["", 'X-Said: "it, was" (fine)\r\n', "Subject: a\r\n b\r\n"])
def test_a_second_pass_below_a_topmost_failure_authenticates_nobody(fold, between):
    """With a possessive quantifier over a group, Python 3.11.2 does not see the upper field."""
    upper = f"Authentication-Results: mx.example.org;{fold} spf=fail (no; really){fold}; dmarc=fail\r\n"
    raw = f"Received: by mx{fold} for a\r\n{upper}{between}{PASS}\r\nFrom: a@a.example\r\n\r\nx\r\n".encode()
    found = extract(raw, size=len(raw), authserv_ids=frozenset({"mx.example.org"}))
    assert (found.flags, found.from_address) == (NONE, "a@a.example")


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("postal-mime/001.eml", Flag.BOUNCE | Flag.AUTOMATIC),
        ("postal-mime/002.eml", Flag.INVITATION),
        ("chatmail/003.eml", Flag.ENCRYPTED),
        ("chatmail/005.eml", Flag.AUTOMATIC),
        ("mikel-mail/047.eml", Flag.ATTACHMENT | Flag.SIGNED),
        ("cpython/032.eml", Flag.BULK),
    ],
)
def test_foreign_mail(mail_dir, name, flag):
    raw = (mail_dir / name).read_bytes()
    assert extract(raw, size=len(raw)).flags == flag
