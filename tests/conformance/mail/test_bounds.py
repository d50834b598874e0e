"""A mebibyte of anything is read in bounded time, wherever it stands in a mail."""

from __future__ import annotations

import pytest

from tests.unit.bridge.mail.clean import assert_clean, processor_s, read

HOSTILE = {
    "fields": b"a:\n",
    "senders": b"From: a@b\n",
    "folds": b"From: a\n b\n c\n d\n",
    "commas": b",",
    "brackets": b"<",
    "comments": b"(",
    "quotes": b'"\\',
    "open words": b"=?utf-8?q?",
    "words": b"=?utf-8?q?a?= ",
    "list items": b"<ul><li>x",
    "delimiters": b"\n--b",
    "parameters": b"; a*1*=\"'",
    "marks": "\u0301\u0327".encode(),
    "attributions": b"On a b c d ",
    "links": b"http://a ",
    "labels": b"Ab: c@d.example 1.2.2025\n",
    "wrapped attributions": b"a 2025\nb@c.example:\n> ",
    "quotes of pages": b"<blockquote cite=a>x<div class=gmail_quote>",
}
PLACES = {
    "start": b"",
    "from": b"From: ",
    "subject": b"Subject: ",
    "type": b"Content-Type: text/plain",
    "plain": b"Subject: x\n\n",
    "html": b"Content-Type: text/html\n\n",
    "mixed": b"Content-Type: multipart/mixed; boundary=b\n\n",
    "calendar": b"Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VEVENT\nSUMMARY",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_mebibyte_of_anything_is_read_in_bounded_time(place, unit):
    raw = PLACES[place] + HOSTILE[unit] * (1_048_576 // len(HOSTILE[unit]))
    assert_clean(read(raw))
    assert processor_s(raw, bound_s=0.5) < 0.5  # measured below 0.1 on an idle machine
