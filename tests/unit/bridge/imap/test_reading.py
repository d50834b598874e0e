"""What servers send, read: right where it is right, bounded and refused where it is not."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap import naming, replies, values
from bridge.imap.errors import ImapError, ImapLimitError, ImapSyntaxError
from bridge.imap.lines import MOST_LITERALS, Response, Responses
from bridge.imap.values import DEEPEST


def read(data, **limits):
    return Responses(**limits).feed(data)


def fetched(data):
    [response] = read(data)
    return replies.fetched(response)


def test_a_line_and_literals_become_one_response():
    data = b"* 1 FETCH (UID 7 BODY[] {5}\r\nab\r\nc FLAGS (\\Seen) X {0}\r\n)\r\n* OK done\r\n"
    assert read(data) == [
        Response((b"* 1 FETCH (UID 7 BODY[] ", b" FLAGS (\\Seen) X ", b")"), (b"ab\r\nc", b"")),
        Response((b"* OK done",)),
    ]
    assert read(data)[0].size == len(data) - len(b"{5}\r\n{0}\r\n\r\n* OK done\r\n")


@given(st.data())
def test_where_it_is_cut_makes_no_difference(data):
    whole = b"* 1 FETCH (UID 7 BODY[] {5}\r\nab\r\nc)\r\np1 OK [X] done\r\n* 2 EXISTS\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    responses, found = Responses(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += responses.feed(whole[start:end])
    assert found == read(whole)


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 101,
        b"* OK " + b"x" * 200 + b"\r\n",
        b"* 1 FETCH (BODY[] {51}\r\n",
        b"* 1 FETCH (BODY[] {2147483648}\r\n",
        b"* 1 FETCH (" + b"a {1}\r\nx " * (MOST_LITERALS + 1),
    ],
)
def test_what_is_too_much_is_refused_before_it_is_there(data):
    with pytest.raises(ImapLimitError):
        read(data, longest_line=100, largest_literal=50)


def test_an_empty_line_is_no_response():
    with pytest.raises(ImapSyntaxError):
        read(b"\r\n")


def test_what_a_mail_is_is_read():
    mail = fetched(
        b'* 12 FETCH (FLAGS (\\Seen $Label) UID 5 INTERNALDATE "01-Jul-2026 12:00:00 +0200" RFC822.SIZE 44'
        b" BODY[HEADER.FIELDS (MESSAGE-ID)]<0> {4}\r\nM: x MODSEQ (12))\r\n"
    )
    assert (mail.sequence, mail.uid, mail.size, mail.text, mail.seen) == (12, 5, 44, b"M: x", True)
    assert mail.arrived_ms == 1_782_900_000_000
    assert fetched(b"* 1 FETCH (FLAGS ())\r\n").seen is False
    assert fetched(b"* 1 FETCH (FLAGS (\\deleted))\r\n").seen is True
    assert fetched(b"* 1 FETCH (UID 9)\r\n").seen is None
    assert fetched(b'* 1 FETCH (BODY[] "a \\"b\\" \\\\")\r\n').text == b'a "b" \\'
    assert fetched(b"* 1 FETCH (BODY[] NIL)\r\n").text == b""


@pytest.mark.parametrize(
    "data",
    [
        b"* 1 FETCH\r\n",
        b"* 1 FETCH (UID)\r\n",
        b"* 1 FETCH (UID -1)\r\n",
        b"* 1 FETCH (UID 99999999999999999999)\r\n",
        b"* 1 FETCH (UID 9223372036854775808)\r\n",
        b"* 1 FETCH (UID NIL)\r\n",
        b"* 1 FETCH (UID 1\r\n",
        b"* 1 FETCH UID 1)\r\n",
        b'* 1 FETCH ("no end)\r\n',
        b"* 1 FETCH " + b"(" * (DEEPEST + 2) + b"\r\n",
    ],
)
def test_what_is_no_fetch_response_is_refused(data):
    with pytest.raises(ImapError):
        fetched(data)


@pytest.mark.parametrize(
    "date", [b"", b"yesterday", b"32-Jan-2026 12:00:00 +0000", b"01-Foo-2026 12:00:00 +0000", None]
)
def test_a_date_that_is_none_is_long_ago(date):
    assert replies.moment_ms(date) == 0


def test_how_something_went_is_read():
    assert replies.status(Response((b"p1 NO [AUTHENTICATIONFAILED x] no\xff",))) == replies.ImapStatus(
        "p1", "NO", ("AUTHENTICATIONFAILED", "x"), "no\ufffd"
    )
    assert replies.status(Response((b"* ok",))) == replies.ImapStatus("*", "OK", (), "")
    assert replies.status(Response((b"* 1 EXISTS",))) is None
    assert [replies.kind(Response((text,))) for text in (b"* 1 exists", b"* LIST ()", b"+ ", b"*")] == [
        "EXISTS",
        "LIST",
        "",
        "",
    ]
    assert replies.counted(Response((b"* LIST",))) == 0


def test_uids_and_days_are_written_short():
    assert replies.uids_of([1, 2, 3, 5, 7, 8]) == "1:3,5,7:8"
    assert replies.uids_of([4]) == "4"
    assert replies.day_of(1_782_900_000_000) == "1-Jul-2026"
    assert replies.day_of(-5) == "1-Jan-1970"


def test_names_of_folders_are_written_in_modified_utf_7():
    assert naming.folder("INBOX") == '"INBOX"'
    assert naming.folder("A&B") == '"A&-B"'
    assert naming.folder("Entwürfe") == '"Entw&APw-rfe"'
    assert naming.folder("~peter/mail/台北/日本語") == '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"', "RFC 3501 §5.1.3"
    assert naming.quoted('a"\\') == '"a\\"\\\\"'
    with pytest.raises(ImapSyntaxError):
        naming.quoted("a\r\nb")


def try_to_read(data):
    with suppress(ImapError):
        for response in read(data, longest_line=200, largest_literal=100):
            replies.status(response)
            replies.kind(response)
            values.read(response)
            replies.fetched(response)


FRAGMENTS = [
    b"* 1 FETCH (",
    b"[",
    b"]",
    b"(",
    b")",
    b'"',
    b"\\",
    b" ",
    b"NIL",
    b"{3}\r\n",
    b"UID 1",
    b"BODY[",
    b"\r\n",
    b"x",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60))
def test_whatever_looks_like_imap_is_read_or_refused(pieces):
    try_to_read(b"".join(pieces))


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(data):
    try_to_read(data)


@pytest.mark.parametrize("piece", [b"[ ", b"a[ ", b'" ', b"( ) ", b"\\ ", b"{9} ", b'"\\'])
def test_reading_takes_time_in_proportion(piece):
    """No regular expression goes back and forth: four times as much takes no more than some ten times as long."""

    def cost(size):
        response = Response((b"* 1 FETCH (" + piece * (size // len(piece)),))
        best = []
        for _ in range(3):
            begun = time.process_time()
            with suppress(ImapError):
                values.read(response)
            best.append(time.process_time() - begun)
        return min(best)

    assert cost(200_000) < 12 * max(cost(50_000), 0.002)


@pytest.mark.parametrize(
    "said",
    [
        b"* 3 FETCH (UID 7 FLAGS (\\Seen $Forwarded))",
        b"* 3 fetch (uid 7 flags ())",
        b"* 3 FETCH (FLAGS (\\SEEN) UID 7)",
        b"* 3 FETCH (UID 7 FLAGS (\\Deleted) MODSEQ (123))",
        b"* 3 FETCH (FLAGS (\\Recent))",
        b"* 3 FETCH (UID 7 FLAGS (x) UID 8)",
    ],
)
def test_flags_are_read_in_one_go_as_they_are_piece_by_piece(said):
    [response] = Responses().feed(said + b"\r\n")
    assert replies._FLAGS.fullmatch(said)
    assert replies.fetched(response) == replies._fetched(response)
