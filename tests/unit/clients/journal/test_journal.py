"""The journal: opens after any death, tells the same, knows what is uncertain, stays small."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import stat
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.box.memory import GONE_IDS
from clients.contract.digest import Digest
from clients.contract.header import decode_header
from clients.errors import StateError, StateLockedError
from clients.journal import records
from clients.journal.file import COMPACT_BYTES, Journal
from clients.journal.snapshot import Snapshot
from tests.support.contract import digest_of

A, B, C = "00t64ks8n", "00t64ks8p", "00t64ks8q"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "alice.phone.journal"


def show(journal, mail_id, payload=b"\x91\x01"):
    journal.printed(journal.announce(mail_id, payload))


def test_tells_what_it_was_told(path):
    with Journal(path) as journal:
        journal.append(records.subscribed("here"))
        show(journal, A)
        journal.append(records.live(B), records.unshown(C, b"payload"), records.box(Digest(2, 7, B)))
        show(journal, B)
        journal.append(records.gone(A, was_shown=True))
    with Journal(path) as journal:
        snapshot = journal.snapshot
        assert dict(snapshot.memory.live) == {B: True, C: False}
        assert dict(snapshot.memory.gone) == {A: True}
        assert (snapshot.subscription, snapshot.digest) == ("here", Digest(2, 7, B))
        assert (snapshot.unshown, snapshot.sequence, snapshot.damaged) == ({C: b"payload"}, 2, 0)
        assert journal.uncertain is None


@pytest.mark.parametrize("end", [records.shown(1, A, b""), records.gone(A)])
def test_unshown_until_it_is_shown_or_gone(path, end):
    with Journal(path) as journal:
        journal.append(records.unshown(A, b"payload"))
        assert journal.snapshot.unshown == {A: b"payload"}
        journal.append(end)
        assert journal.snapshot.unshown == {}


def test_only_its_owner_can_read_it(path):
    with Journal(path):
        for each in (path, path.with_name(path.name + ".mark")):
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_announced_and_not_marked_is_uncertain_until_it_is(path):
    with Journal(path) as journal:
        show(journal, A)
        journal.announce(B, b"payload")
        journal.append(records.gone(A))
    with Journal(path) as journal:
        assert (journal.uncertain.mail_id, journal.uncertain.payload) == (B, b"payload")
        journal.printed(journal.uncertain.sequence)
        assert journal.uncertain is None
    with Journal(path) as journal:
        assert journal.uncertain is None
        assert journal.announce(C, b"") == 3


def test_a_mark_ahead_of_a_journal_that_lost_its_end_hides_nothing(path):
    with Journal(path) as journal:
        show(journal, A)
        size = path.stat().st_size
        show(journal, B)
    os.truncate(path, size)
    with Journal(path) as journal:
        assert journal.uncertain is None
        assert not journal.snapshot.memory.was_shown(B)
        journal.announce(C, b"payload")
    with Journal(path) as journal:
        assert journal.uncertain.mail_id == C


def test_every_torn_end_is_cut_off_and_written_on(path):
    with Journal(path) as journal:
        show(journal, A)
        whole = path.stat().st_size
        show(journal, B)
    content = path.read_bytes()
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        with Journal(path) as journal:
            assert list(journal.snapshot.memory.live) == [A]
            show(journal, C)
        with Journal(path) as journal:
            assert list(journal.snapshot.memory.live) == [A, C]
            assert journal.snapshot.damaged == 0


@given(st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=20)), max_size=5), st.data())
@settings(deadline=None, max_examples=100)
def test_damage_anywhere_costs_lines_but_never_an_exception(damages, data):
    lines = [records.shown(1, A, b"x"), records.live(B), records.gone(A), records.box(Digest(1, 5, B))]
    content = bytearray(b"".join(records.encode(each) for each in lines))
    for position, junk in damages:
        start = position % len(content)
        content[start : start + len(junk)] = junk
    content = content[: data.draw(st.integers(0, len(content)))]
    snapshot = Snapshot.of(bytes(content).splitlines(keepends=True))
    assert set(snapshot.memory.live) <= {A, B}


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b'["shown"]',
        b'["shown",1,"x","***"]',
        b'["box",1,2]',
        b"[[[]]]",
        b'"live"',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_lines_of_an_unknown_shape_are_counted_and_skipped(text):
    snapshot = Snapshot.of([b"%08x %s\n" % (zlib.crc32(text), text), records.encode(records.live(A))])
    assert snapshot.damaged == 1
    assert list(snapshot.memory.live) == [A]


def test_compaction_keeps_the_meaning_and_the_size_down(path):
    with Journal(path) as journal:
        journal.append(records.subscribed("here"), records.unshown(C, b"held"))
        for number in range(3000):
            mail_id = f"{number:09}"
            show(journal, mail_id, bytes(200))
            if number >= 10:
                journal.append(records.gone(f"{number - 10:09}", was_shown=True))
            journal.compact()
        wanted = dict(journal.snapshot.memory.live), dict(journal.snapshot.memory.gone)
        assert path.stat().st_size < 3 * COMPACT_BYTES
    with Journal(path) as journal:
        assert (dict(journal.snapshot.memory.live), dict(journal.snapshot.memory.gone)) == wanted
        assert journal.snapshot.subscription == "here"
        assert journal.snapshot.unshown == {C: b"held"}
        assert journal.snapshot.sequence == 3000
        assert journal.uncertain is None


def test_nothing_uncertain_is_compacted_away(path):
    with Journal(path) as journal:
        journal.append(*(records.live(f"{number:09}") for number in range(COMPACT_BYTES // 20)))
        journal.announce(A, b"payload")
        before = path.stat().st_size
        journal.compact()
        assert path.stat().st_size == before
    with Journal(path) as journal:
        assert journal.uncertain.mail_id == A


def test_memory_in_the_journal_is_bounded(path):
    with Journal(path) as journal:
        for start in range(0, GONE_IDS + 1000, 1000):
            journal.append(*(records.gone(f"{start + number:09}") for number in range(1000)))
        assert len(journal.snapshot.memory.gone) == GONE_IDS


def _locked(path, answer):
    try:
        Journal(path)
    except StateLockedError:
        answer.put("locked")
    else:
        answer.put("opened")


def test_second_process_is_locked_out(path):
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    with Journal(path):
        other = context.Process(target=_locked, args=(path, answer))
        other.start()
        assert answer.get(timeout=30) == "locked"
        other.join()
    with Journal(path):
        pass


def test_a_state_file_of_version_0_1_is_read_and_written_on(tmp_path):
    state = shutil.copytree(Path(__file__).parent / "state-0.1", tmp_path / "state") / "alice.phone.journal"
    first, second, third, fourth, fifth = (f"00t64ks8{digit}" for digit in "npqrs")
    subscription = "mqtt://127.0.0.1:1883 alice.phone mail/alice/msg/+ mail/alice/box mail/alice/re/phone"
    for compacted in (False, True):
        with Journal(state) as journal:
            snapshot = journal.snapshot
            assert snapshot.damaged == 0
            assert dict(snapshot.memory.gone) == {first: True}
            assert dict(snapshot.memory.live) == {second: True, third: False, fourth: False, fifth: True}
            assert decode_header(snapshot.unshown[third]).subject == "third"
            assert snapshot.digest == digest_of([second, third, fourth])
            assert (snapshot.subscription, snapshot.sequence) == (subscription, 3)
            if not compacted:
                assert decode_header(journal.uncertain.payload).subject == "fifth"
                journal.printed(journal.uncertain.sequence)
                journal._compact_at = 0
                journal.compact()
            assert journal.uncertain is None


def test_what_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot open the state file"):
        Journal(tmp_path / "file" / "state")
    with pytest.raises(StateError, match="cannot open the state file"):
        Journal(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_a_state_error(path):
    with Journal(path) as journal:
        full = os.open("/dev/full", os.O_WRONLY)
        whole, journal._fd = journal._fd, full
        with pytest.raises(StateError, match="No space left"):
            journal.append(records.live(A))
        journal._fd = whole
        os.close(full)
