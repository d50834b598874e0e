"""The content digest: equal for two deliveries of one mail, different for different mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail.digest import LONGEST_HEAD, ContentDigest
from tests import mail
from tests.mail import content_digest

MAIL = b"From: a@example.org\r\nReceived-Not: x\r\nSubject: s\r\n\r\nReceived: in the body\r\nbody\r\n"

BLANK_LINES = [b"\r\n", b"\n", b" \r\n", b"\t \n", b"\r\n\r\n \r\n", b"\n" * 8_000, b" " * 7_999 + b"\n", b"\r\r\n"]
BLANK_LINES += ["\ufeff\u00a0\u2028".encode(), b"\xa0\n", b"\nFrom a@example.org today\n\n"]


def in_chunks(raw: bytes, size: int) -> bytes:
    digest = ContentDigest()
    for start in range(0, len(raw), size):
        digest.update(raw[start : start + size])
    return digest.digest()


@pytest.mark.parametrize(
    "trace",
    [
        b"Received: from a by b\r\n\twith SMTP;\r\n today\r\n",
        b"Return-Path: <x@example.org>\r\nDelivered-To: bob\r\n",
        b"X-Original-To: bob\r\nENVELOPE-TO: bob\r\nDelivery-date: now\r\n",
        b"Authentication-Results: mx; dmarc=pass\r\nReceived-SPF: pass\r\n",
    ],
)
def test_trace_fields_make_no_difference(trace):
    assert content_digest(trace + MAIL) == content_digest(MAIL)
    assert content_digest(MAIL.replace(b"Subject", trace + b"Subject")) == content_digest(MAIL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"body\r\n", b"bodY\r\n"),
        (b"body\r\n", b"body\r\n\r\n"),
        (b"in the body", b"in the bodY"),
        (b"Subject: s", b"Subject: t"),
        (b"Received-Not: x", b"Received-Not: y"),
        (b"\r\n\r\n", b"\r\n \r\n"),
        (b"body\r\n", b"bo\rdy\r\n"),
    ],
)
def test_anything_else_does(old, new):
    assert old in MAIL
    assert content_digest(MAIL.replace(old, new)) != content_digest(MAIL)


def test_line_ends_make_no_difference():
    assert content_digest(MAIL.replace(b"\r\n", b"\n")) == content_digest(MAIL)


def test_a_mail_without_a_body_or_without_an_end_has_a_digest():
    assert len(content_digest(b"")) == 16
    assert content_digest(b"Subject: s\r\n") != content_digest(b"Subject: t\r\n")
    assert content_digest(b"a\r") != content_digest(b"a")


def test_an_endless_header_section_is_bounded_and_counts():
    for raw in (b"X: y\r\n" * LONGEST_HEAD, b"X" * LONGEST_HEAD * 2):
        digest = ContentDigest()
        for start in range(0, len(raw), 4096):
            digest.update(raw[start : start + 4096])
            assert digest._head is None or len(digest._head) <= LONGEST_HEAD + 4096
        assert digest.digest() == content_digest(raw) != content_digest(raw + b"x")


def test_every_message_is_told_from_every_other():
    twins = {"white-first-lines.eml"}  # of blank-first-line.eml: what differs are blank lines above the fields
    raws = {path.read_bytes() for path in (*mail.own(), *mail.foreign()) if path.name not in twins}
    assert len({content_digest(raw) for raw in raws}) == len(raws) > 30


def test_the_end_of_the_header_section_is_found_across_chunks():
    assert {in_chunks(MAIL, size) for size in range(1, 12)} == {content_digest(MAIL)}


@pytest.mark.parametrize("blanks", BLANK_LINES)
def test_blank_lines_above_a_message_make_no_difference(blanks):
    received = b"Received: from a by b\r\n"
    for size in (1, 2, 3, 1_000, 8_200):
        assert in_chunks(blanks + received + MAIL, size) == content_digest(MAIL)


def test_more_blank_space_above_a_message_than_is_looked_at_counts():
    raw = b" \r\n" * 3_000 + MAIL
    assert {in_chunks(raw, size) for size in (1, 7, 8_191, 8_192, 8_193, 99_999)} == {content_digest(raw)}
    assert content_digest(raw) != content_digest(MAIL)
    assert content_digest(b" " * 9_000 + MAIL) != content_digest(MAIL)


@given(
    st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"\r\n", b" ", b"\xc2", b"\xa0", b"From a", b"Received: x", b" y", b"a", b"To: b"]
        )
    ),
    st.integers(1, 9),
)
def test_where_chunks_are_cut_makes_no_difference(pieces, size):
    raw = b"".join(pieces)
    assert in_chunks(raw, size) == content_digest(raw)
