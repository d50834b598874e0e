"""What is said of a folder unasked: news, how far the server has counted, what vanished; however much it is, little is
kept of it."""

from __future__ import annotations

import pytest

from bridge.imap import replies
from bridge.imap.hearing import MOST_RANGES, Unasked
from bridge.imap.lines import Responses


def heard(said, into=None):
    into = into or Unasked()
    for response in Responses().feed(said):
        into.hear(response)
    return into


@pytest.mark.parametrize(
    ("said", "modseq"),
    [
        (b"* 1 FETCH (FLAGS () MODSEQ (12))", 12),
        (b"* 1 FETCH (MODSEQ (9223372036854775807))", 2**63 - 1),
        (b"* 1 FETCH (BODY[] {3}\r\nabc MODSEQ (7) UID 3)", 7),
        (b"* 1 FETCH (MODSEQ (9999999999999999999))", 0),
        (b"* 1 FETCH (FLAGS (MODSEQ))", 0),
        (b"* 1 FETCH (BODY[] {14}\r\n MODSEQ (7777)  UID 3)", 0),
    ],
)
def test_how_far_the_server_has_counted(said, modseq):
    assert [replies.modseq(response) for response in Responses().feed(said + b"\r\n")] == [modseq]


def test_the_highest_count_is_kept():
    said = heard(b"* 1 FETCH (FLAGS () MODSEQ (12))\r\n* 2 FETCH (FLAGS () MODSEQ (11))\r\n")
    assert said == Unasked(news=True, modseq=12)


def test_chatter_is_no_news_and_what_went_is():
    assert heard(b"* OK still here\r\n") == Unasked()
    assert heard(b"* VANISHED 3:5\r\n* VANISHED 9\r\n") == Unasked(news=True, vanished=[(3, 5), (9, 9)])
    assert heard(b"* 3 EXPUNGE\r\n") == Unasked(news=True, expunged=True)


def test_of_more_than_anybody_deletes_at_once_only_that_is_kept():
    long = heard(b"* VANISHED " + b"1," * 3000 + b"1\r\n")
    assert (long.vanished, long.expunged) == ([], True)
    many = heard(b"* VANISHED 7\r\n" * (MOST_RANGES + 1))
    assert (len(many.vanished), many.expunged) == (MOST_RANGES, True)
