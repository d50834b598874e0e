"""What a server says of a folder that it opens, and of what happened there since it was looked at last."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap import replies, selecting
from bridge.imap.errors import ImapError, ImapSyntaxError
from bridge.imap.lines import Responses
from bridge.imap.selecting import Meanwhile

OPENED = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 12] x\r\n* OK [HIGHESTMODSEQ 40] x\r\n"


@dataclass(frozen=True)
class Known:
    validity: int = 7
    modseq: int = 30
    uids: tuple[int, ...] = (3, 4, 5, 9)
    next_uid: int = 10


def opened(more=b"", *, since=Known(), said=OPENED):
    return selecting.selected(Responses().feed(said + more), modseqs=True, since=since)


def test_the_folder_is_read():
    found = opened(since=None)
    assert (found.validity, found.next_uid, found.exists, found.modseq, found.meanwhile) == (7, 12, 3, 40, None)
    assert selecting.selected(Responses().feed(OPENED), modseqs=False).modseq == 0
    with pytest.raises(ImapSyntaxError):
        opened(said=b"* 3 EXISTS\r\n")


def test_what_is_known_is_told_in_few_words():
    assert selecting.command("Bücher", more=selecting.resync(Known())) == ('SELECT "B&APw-cher" (QRESYNC (7 30 3:5,9))')


@pytest.mark.parametrize("known", [Known(modseq=0), Known(uids=()), Known(uids=tuple(range(1, 4000, 2)))])
def test_where_nothing_is_known_or_too_much_for_a_line_nothing_is_told(known):
    assert selecting.resync(known) == ""


def test_what_happened_is_told_of_known_mails_alone():
    said = b"* VANISHED (EARLIER) 9:8,100:4294967295\r\n* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (35))\r\n"
    said += b"* 2 FETCH (UID 5 FLAGS () MODSEQ (36))\r\n* 3 FETCH (UID 11 FLAGS (\\Seen) MODSEQ (40))\r\n"
    said += b"* 4 FETCH (UID 3 MODSEQ (40))\r\n"
    assert opened(said).meanwhile == Meanwhile({4: True, 5: False}, (9,))


def test_nothing_happened():
    assert opened().meanwhile == Meanwhile({}, ())


@pytest.mark.parametrize("since", [Known(validity=6), Known(modseq=41)])
def test_of_another_folder_or_behind_a_count_that_began_anew_nothing_is_believed(since):
    assert opened(b"* VANISHED (EARLIER) 3:9\r\n", since=since).meanwhile is None


@pytest.mark.parametrize("said", [b"* VANISHED\r\n", b"* VANISHED (EARLIER) \r\n", b"* VANISHED 1:x\r\n"])
def test_what_is_no_set_is_refused(said):
    with pytest.raises(ImapError):
        opened(said)


UID = st.integers(1, 60)


@given(st.lists(st.tuples(UID, UID), min_size=1, max_size=20))
def test_in_whatever_order_and_how_often_it_is_said_it_is_gone(ranges):
    said = ",".join(f"{first}:{last}" for first, last in ranges).encode()
    everything = Known(uids=tuple(range(1, 61)))
    gone = {uid for first, last in ranges for uid in range(min(first, last), max(first, last) + 1)}
    assert set(opened(b"* VANISHED (EARLIER) " + said + b"\r\n", since=everything).meanwhile.gone) == gone


@given(st.lists(st.integers(1, 4_294_967_295), unique=True, max_size=3000).map(sorted))
def test_flags_are_asked_for_in_pieces_that_go_into_a_line(uids):
    pieces = selecting.pieces(uids)
    assert [uid for piece in pieces for uid in piece] == uids
    assert all(len(replies.uids_of(list(piece))) <= selecting.LONGEST_SET for piece in pieces)
    assert all(0 < len(piece) <= selecting.FLAGS_AT_ONCE for piece in pieces)


def test_mails_that_follow_one_another_are_asked_for_with_few_words():
    assert [len(piece) for piece in selecting.pieces(range(1, 5001))] == [1000] * 5


def test_what_changed_is_asked_for_in_as_few_words():
    assert selecting.changes((3, 4, 5, 9), since=30, vanished=False) == "UID FETCH 3:5,9 (UID FLAGS) (CHANGEDSINCE 30)"
    assert selecting.changes((3,), since=4, vanished=True) == "UID FETCH 3 (UID FLAGS) (CHANGEDSINCE 4 VANISHED)"
    assert [len(piece) for piece in selecting.pieces(range(1, 50_001), at_once=20_000)] == [20_000, 20_000, 10_000]
    sparse = selecting.pieces(range(1, 50_001, 2), at_once=20_000)
    assert all(len(replies.uids_of(list(piece))) <= selecting.LONGEST_SET for piece in sparse)
    assert sum(map(len, sparse)) == 25_000
    assert len(sparse) < 60
