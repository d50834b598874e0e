"""Blank lines above a message, of any white space, are read as if they were not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import content, mime
from bridge.mail.fields import MOST_BLANKS, beginning
from tests.mail import content_digest
from tests.unit.bridge.mail.clean import processor_s, read

WHOLE = (
    b"From: Ann Bee <ann@example.org>\r\nSubject: Plans\r\n for June\r\nDate: Tue, 3 Jun 2025 10:11:12 +0200\r\n"
    b"Message-ID: <1@example.org>\r\nReceived: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe!\r\n"
    b"--b\r\nContent-Type: application/pdf; name=plan.pdf\r\n\r\nx\r\n--b--\r\n"
)
SEPARATOR = b"From ann@example.org Tue Jun  3 10:11:12 2025\n"
BLANK_LINES = {
    "an empty line": b"\r\n",
    "a bare LF": b"\n",
    "a bare CR": b"\r",
    "a CR too many": b"\r\r\n",
    "a space": b" \r\n",
    "tabs": b"\t\t\n",
    "a form feed": b"\x0c\r\n",
    "a vertical tab": b" \x0b\n",
    "a no-break space in UTF-8": "\u00a0\r\n".encode(),
    "a no-break space in Latin-1": b"\xa0 \n",
    "a next line in Latin-1": b"\x85",
    "a line separator": "\u2028\n".encode(),
    "a paragraph separator alone": "\u2029".encode(),
    "wide spaces": "\u2003\u3000\u200b\n".encode(),
    "a byte order mark": "\ufeff".encode(),
    "a byte order mark on a line": "\ufeff\r\n".encode(),
    "a byte order mark above a line": "\ufeff\r\n \r\n".encode(),
    "several lines": b"\r\n \r\n\t\r\n\n",
    "1,025 lines": b"\n" * 1_025,
    "4 KiB of spaces": b" " * 4_096 + b"\r\n",
    "as many as are looked at": b"\r\n" * (MOST_BLANKS // 2),
    "a line before an mbox separator": b"\n" + SEPARATOR,
    "a line behind an mbox separator": SEPARATOR + b"\r\n",
    "lines on both sides of one": b" \r\n" + SEPARATOR + "\u00a0\n\n".encode(),
    "two mbox separators": SEPARATOR + b">" + SEPARATOR,
    "a byte order mark before an mbox separator": "\ufeff".encode() + SEPARATOR,
}


@pytest.mark.parametrize("blanks", BLANK_LINES.values(), ids=list(BLANK_LINES))
def test_blank_lines_above_a_message_are_read_as_if_they_were_not_there(blanks):
    raw = blanks + WHOLE
    assert read(raw) == read(WHOLE)
    assert (read(raw).from_name, read(raw).from_address) == ("Ann Bee", "ann@example.org")
    assert (read(raw).subject, read(raw).snippet, read(raw).hops) == ("Plans for June", "Grüße!", 1)
    assert content.readable_text(raw) == "Grüße!"
    bodies = [[content.decoded(whole, part) for part in mime.parts(whole)] for whole in (raw, WHOLE)]
    assert bodies[0] == bodies[1] == ["Grüße!".encode(), b"x"]
    assert content_digest(raw) == content_digest(WHOLE)


@given(st.lists(st.sampled_from(list(BLANK_LINES.values())), max_size=8))
def test_so_are_blank_lines_of_several_kinds(lines):
    above = b"".join(lines)
    if len(above) <= MOST_BLANKS and not above.endswith((b" ", b"\t")):
        assert beginning(above + WHOLE) == len(above)
        assert read(above + WHOLE) == read(WHOLE)


@pytest.mark.parametrize("indent", [b" ", b"\n\t", SEPARATOR + b" ", b" " + SEPARATOR])
def test_a_line_that_is_indented_is_not_blank(indent):
    assert read(indent + b"From: a@example.org\r\n\r\nx").from_address == ""


def test_blank_lines_above_an_enclosed_message_neither():
    enclosed = b"Content-Type: message/rfc822\r\n\r\n \r\n\r\nSubject: inside\r\n\r\nx"
    assert read(enclosed).snippet == "inside"


def test_what_is_blank_beyond_the_bound_is_an_empty_header_section():
    assert read(b"\r\n" * (MOST_BLANKS // 2 + 1) + WHOLE).from_address == ""
    assert read(b"\r\n" * 20).subject == ""
    assert content.readable_text(b"\r\n \r\nno field, just text\r\n") == "no field, just text"


@pytest.mark.parametrize("blanks", [b"\n", b"\r\n \r\n", b"\x0c\n", "\u00a0\n".encode()])
def test_text_below_them_that_only_looks_like_a_field_is_text(blanks):
    raw = blanks + b"Note: call Ann\nand Bob\n"
    assert read(raw).snippet == "Note: call Ann and Bob"
    assert content.readable_text(raw).strip() == "Note: call Ann\nand Bob"
    assert read(blanks + b"Note: x\nSubject: plans\n\nwords").subject == "plans"


@pytest.mark.parametrize("unit", [b" ", b"\n", b"\xe2\x80", b" \n", b"From ", b">From \n", b"\xc2\xa0"])
def test_looking_for_them_is_bounded(unit):
    raw = unit * (1_048_576 // len(unit))
    assert beginning(raw) <= MOST_BLANKS
    assert processor_s(raw, bound_s=0.5) < 0.5  # measured below 0.06 on an idle machine
