"""Blank lines above a message are read as if they were not there."""

from __future__ import annotations

import pytest

from bridge.mail import mime
from tests.unit.bridge.mail.clean import read

WHOLE = (
    b"From: Ann Bee <ann@example.org>\r\nSubject: Plans\r\n for June\r\nDate: Tue, 3 Jun 2025 10:11:12 +0200\r\n"
    b"Message-ID: <1@example.org>\r\nReceived: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe!\r\n"
    b"--b\r\nContent-Type: application/pdf; name=plan.pdf\r\n\r\nx\r\n--b--\r\n"
)
BLANK_LINES = {
    "an empty line": b"\r\n",
    "a bare LF": b"\n",
    "a space": b" \r\n",
    "tabs": b"\t\t\n",
    "several lines": b"\r\n \r\n\t\r\n\n",
    "as many as are looked at": b"\r\n" * 512,
    "a line before an mbox separator": b"\nFrom ann@example.org Tue Jun  3 10:11:12 2025\n",
}


@pytest.mark.parametrize("blanks", BLANK_LINES.values(), ids=list(BLANK_LINES))
def test_blank_lines_above_a_message_are_read_as_if_they_were_not_there(blanks):
    raw = blanks + WHOLE
    assert read(raw) == read(WHOLE)
    assert (read(raw).from_name, read(raw).from_address) == ("Ann Bee", "ann@example.org")
    assert (read(raw).subject, read(raw).snippet, read(raw).hops) == ("Plans for June", "Grüße!", 1)
    assert mime.readable_text(raw) == "Grüße!"
    bodies = [[mime.decoded(whole, part) for part in mime.parts(whole)] for whole in (raw, WHOLE)]
    assert bodies[0] == bodies[1] == ["Grüße!".encode(), b"x"]


def test_blank_lines_above_an_enclosed_message_neither():
    enclosed = b"Content-Type: message/rfc822\r\n\r\n \r\n\r\nSubject: inside\r\n\r\nx"
    assert read(enclosed).snippet == "inside"


def test_what_is_blank_beyond_the_bound_is_an_empty_header_section():
    assert read(b"\r\n" * 513 + WHOLE).from_address == ""
    assert read(b"\r\n" * 20).subject == ""
    assert mime.readable_text(b"\r\n \r\nno field, just text\r\n") == "no field, just text"
