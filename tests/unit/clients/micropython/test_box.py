"""The box of the microcontroller against the reference client's, and the bounds that only it has."""

from __future__ import annotations

import os
import zlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.box.inbox import Inbox, Shown
from clients.box.memory import Memory as ReferenceMemory
from clients.micropython import postbell
from clients.micropython.postbell import LIVE, SHOWN, Box, Journal, Memory

IDS = [f"00t64ks8{letter}" for letter in "0123456789abcdefghjk"]


def header(subject):
    return msgpack.packb([1, 0, "Ada", "ada@example.org", subject, "", 100])


def digest(ids):
    check = 0
    for each in ids:
        check ^= zlib.crc32(each.encode())
    return msgpack.packb([1, len(ids), check, max(ids)] if ids else [1])


class NoFlash(Journal):
    """A journal that records nothing but marks the memory."""

    def __init__(self, memory):
        self._memory = memory

    def mark(self, mail_id, on, off=0, payload=b""):
        del payload
        self._memory.change(mail_id, on, off)


class Played:
    """A box with what it showed, in order."""

    def __init__(self, most=128, gone=64):
        self.memory = Memory(most, gone)
        self.shown, self.vanished, self.said = [], [], []
        self.box = Box(
            self.memory,
            NoFlash(self.memory),
            lambda mail_id, _header: self.shown.append(mail_id),
            lambda mail_id, shown: self.vanished.append((mail_id, shown)),
            self.said.append,
            0,
        )

    def live(self):
        return sorted(self.memory.ids(LIVE))


SOME = st.sets(st.sampled_from(IDS[:6]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("header"), st.sampled_from(IDS[:6]), st.booleans(), st.booleans()),
        st.tuples(st.just("tombstone"), st.sampled_from(IDS[:6]), st.booleans()),
        st.tuples(st.just("digest"), SOME),
        st.tuples(st.just("truth")),
        st.tuples(st.just("wait"), st.sampled_from([500, 4000, 10_000, 70_000])),
        st.tuples(st.just("resumed")),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_does_what_the_reference_client_does(steps):
    played, reference, shown, now = Played(), Inbox(ReferenceMemory(), digest=None, now=0), [], 0
    for step in steps:
        changes = []
        match step:
            case "header", mail_id, retained, readable:
                payload = header("x") if readable else b"\xc1"
                changes = reference.apply_header(mail_id, payload, retained=retained, now=now / 1000)
                played.box.header(mail_id, payload, retained, now)
            case "tombstone", mail_id, retained:
                changes = reference.apply_header(mail_id, b"", retained=retained, now=now / 1000)
                played.box.header(mail_id, b"", retained, now)
            case "digest" | "truth", *rest:
                payload = digest(sorted(rest[0]) if rest else reference.live)
                changes = reference.apply_digest(payload, now=now / 1000)
                played.box.heard(payload, now)
            case "wait", wait:
                now += wait
                healing = reference.check(now / 1000)
                assert played.box.check(now) == healing
                if healing:
                    reference.subscribed(now / 1000)
                    played.box.subscribed(now)
            case _:
                reference.resumed(now / 1000)
                played.box.resumed(now)
        shown += [change.mail_id for change in changes if isinstance(change, Shown)]
        assert played.shown == shown
        assert played.live() == reference.live
        assert played.box.agrees(played.box.digest) == reference.agrees


def test_a_header_that_does_not_fit_is_live_and_not_shown():
    played = Played()
    played.box.header(IDS[0], None, False, 0)
    played.box.heard(digest(IDS[:1]), 0)
    assert (played.live(), played.shown) == (IDS[:1], [])
    assert played.box.agrees(played.box.digest)


def test_of_more_mails_than_fit_the_newest_are_kept_and_each_is_shown_once():
    played = Played(most=4, gone=16)
    for _ in range(3):
        for mail_id in IDS[:8]:
            played.box.header(mail_id, header("x"), True, 0)
    assert played.live() == IDS[4:8]
    assert played.shown == IDS[:8]
    played.box.heard(digest(IDS[:8]), 0)
    assert played.box.agrees(played.box.digest), "as far as it can"
    assert played.box.deadline() is None


def test_the_memory_of_what_is_gone_is_bounded_and_keeps_what_went_last():
    memory = Memory(4, 20)
    names = [postbell.id_text(0, number) for number in range(500)]
    for name in names:
        memory.change(name, LIVE | SHOWN)
        memory.change(name, 32, LIVE)
        assert memory.get(name) & SHOWN
    known = [name for name in names if memory.get(name)]
    assert known == names[-len(known) :]
    assert 12 <= len(known) <= 24
    assert memory.count[LIVE] == memory.check[LIVE] == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([0, 1, 3, 16, 17, 32]), st.integers(0, 63)), max_size=60))
def test_the_table_counts_right_whatever_is_forgotten(changes):
    memory = Memory(3, 5)
    for number, on, off in changes:
        if on & LIVE and memory.count[LIVE] >= memory.most:
            continue
        memory.change(postbell.id_text(7, number), on, off & ~on & ~8)
        for mark in (LIVE, 16):
            ids = list(memory.ids(mark))
            assert memory.count[mark] == len(ids)
            assert postbell.decode_digest(digest(sorted(ids))) == (len(ids), memory.check[mark], max(ids, default=""))


def test_a_digest_with_another_newest_id_does_not_agree():
    played = Played()
    for mail_id in IDS[:3]:
        played.box.header(mail_id, header("x"), False, 0)
    count, check, _ = postbell.decode_digest(digest(IDS[:3]))
    for newest, right in ((IDS[0], False), (IDS[1], False), (IDS[2], True), (IDS[3], False), ("00t64kt80", False)):
        played.box.heard(msgpack.packb([1, count, check, newest]), 0)
        assert played.box.agrees(played.box.digest) == right


def test_only_the_newest_doubtful_payloads_are_held_back():
    played = Played()
    for mail_id in IDS:
        played.box.header(mail_id, b"", False, 0)
        played.box.header(mail_id, header("x"), False, 0)
    assert len(played.box._doubtful) == 8
    played.box.heard(digest(IDS), 0)
    assert not played.shown, "more came back than could be held: the digest does not agree, so all is asked for again"
    assert played.box.check(4000)


# --- the state file ---------------------------------------------------------------------------------


def opened(path, **options):
    memory = Memory(128, 256)
    return memory, Journal(str(path), memory, options.pop("keep", 3), **options)


def filled(path):
    memory, journal = opened(path)
    journal.add(2, b"broker:1883 alice.board mail")
    for mail_id in IDS:
        journal.mark(mail_id, LIVE | SHOWN, 0, header(mail_id))
    journal.mark(IDS[0], 32, LIVE)
    journal.network("home", (240, 360, 7))
    journal.flush()
    return memory, journal


def known(memory):
    return {mail_id: memory.get(mail_id) & 7 for mail_id in IDS if memory.get(mail_id)}


def test_what_was_flushed_is_there_again(tmp_path):
    before, _ = filled(tmp_path / "state")
    memory, journal = opened(tmp_path / "state")
    assert known(memory) == known(before)
    assert memory.count == before.count
    assert journal.subscription == b"broker:1883 alice.board mail"
    assert journal.networks == {"home": (240, 360, 7)}
    assert [(mail_id, found[3]) for mail_id, found in journal.headers(5)] == [(each, each) for each in IDS[:-6:-1]]


def test_rewritten_it_says_the_same_and_keeps_the_newest_headers(tmp_path):
    before, journal = filled(tmp_path / "state")
    size = (tmp_path / "state").stat().st_size
    journal.compact()
    assert (tmp_path / "state").stat().st_size < size
    memory, journal = opened(tmp_path / "state")
    assert known(memory) == known(before)
    assert journal.networks == {"home": (240, 360, 7)}
    found = dict(journal.headers(5))
    assert [mail_id for mail_id in IDS if found.get(mail_id)] == IDS[-3:]


def test_cut_off_anywhere_it_opens_and_can_be_written(tmp_path):
    filled(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "state").write_bytes(whole[:length])
        memory, journal = opened(tmp_path / "state")
        before = known(memory)
        journal.mark(IDS[1], 4)
        journal.flush()
        memory, _ = opened(tmp_path / "state")
        assert known(memory) == before | {IDS[1]: before.get(IDS[1], 0) | 4}


@given(st.binary(max_size=200))
def test_garbage_in_the_file_is_no_end(tmp_path_factory, garbage):
    path = tmp_path_factory.mktemp("state") / "state"
    path.write_bytes(garbage)
    _, journal = opened(path)
    journal.mark(IDS[0], LIVE)
    journal.flush()
    assert known(opened(path)[0])[IDS[0]] == LIVE


def test_the_power_goes_between_removing_and_renaming(tmp_path):
    before, _ = filled(tmp_path / "state")
    (tmp_path / "state").rename(tmp_path / "state.new")
    memory, _ = opened(tmp_path / "state")
    assert known(memory) == known(before)
    assert (tmp_path / "state").exists()


def test_where_files_are_not_replaced_by_renaming(tmp_path, monkeypatch):
    before, journal = filled(tmp_path / "state")
    rename, refused = os.rename, []

    def like_fat(old, new):
        if (tmp_path / "state").exists():
            refused.append(new)
            raise OSError(17)
        rename(old, new)

    monkeypatch.setattr(os, "rename", like_fat)
    journal.compact()
    assert refused
    assert known(opened(tmp_path / "state")[0]) == known(before)


def test_the_file_is_bounded_and_rarely_rewritten(tmp_path, monkeypatch):
    _, journal = opened(tmp_path / "state", limit=4096)
    rewritten, compact = [], Journal.compact

    def count(journal):
        rewritten.append(1)
        compact(journal)

    monkeypatch.setattr(Journal, "compact", count)
    largest = 0
    for number in range(2000):
        mail_id = postbell.id_text(1, number)
        journal.mark(mail_id, LIVE | SHOWN, 0, header("a subject of the usual length"))
        journal.mark(mail_id, 32, LIVE)
        journal.flush()
        largest = max(largest, (tmp_path / "state").stat().st_size)
    assert largest < 10_000
    assert len(rewritten) < 60


def test_only_the_networks_that_were_used_last_are_remembered(tmp_path):
    _, journal = opened(tmp_path / "state")
    for number in range(9):
        journal.network(f"network {number}", (240, 0, number))
        journal.network(f"network {number}", (360, 0, number))
    assert list(journal.networks) == [f"network {number}" for number in range(5, 9)]
    journal.compact()
    assert opened(tmp_path / "state")[1].networks == {f"network {number}": (360, 0, number) for number in range(5, 9)}


def test_a_file_that_cannot_be_written_is_said_so(tmp_path):
    _, journal = opened(tmp_path / "state")

    class Full:
        def write(self, _data):
            raise OSError(28)

    journal._file = Full()
    with pytest.raises(postbell.StorageError):
        journal.mark(IDS[0], LIVE)
