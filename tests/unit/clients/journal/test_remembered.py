"""What lists and pings need is in the journal: numbers, headers and networks, over restarts and compaction."""

from __future__ import annotations

import msgpack
import pytest

from clients.journal import file, records
from clients.journal.file import Journal, look
from clients.journal.networks import NetworkMemory
from clients.journal.snapshot import NETWORKS
from clients.keepalive import UNKNOWN, Endured

IDS = [f"00t64ks8{digit}" for digit in "npqrs"]
HEADER = msgpack.packb([1, 0, "Ada"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state"


def numbers(snapshot):
    return {each: snapshot.numbers.of(each) for each in snapshot.memory.live}


@pytest.mark.parametrize("compacted", [False, True])
def test_numbers_and_headers_are_the_same_for_who_comes_later_or_only_looks(path, monkeypatch, compacted):
    with Journal(path) as journal:
        for each in IDS[:3]:
            journal.printed(journal.announce(each, HEADER))
        journal.append(records.gone(IDS[1], was_shown=True), records.live(IDS[3]), records.unshown(IDS[4], HEADER))
        before = numbers(journal.snapshot)
        assert before == {IDS[0]: 1, IDS[2]: 3, IDS[3]: 4, IDS[4]: 5}
        if compacted:
            monkeypatch.setattr(file, "COMPACT_BYTES", 0)
            journal._compact_at = 0
            journal.compact()
        assert numbers(look(path)) == before
        assert look(path).headers == dict.fromkeys((IDS[0], IDS[2], IDS[4]), HEADER)
    with Journal(path) as journal:
        assert numbers(journal.snapshot) == before
        assert journal.snapshot.numbers.mail(2) == IDS[1], "what left is known by its number"
        journal.append(records.live(IDS[1]))
        assert numbers(journal.snapshot)[IDS[1]] == 2
        assert journal.snapshot.numbers.of("new") == 6
        assert journal.snapshot.damaged == 0


def test_where_there_is_no_journal_nothing_is_known(path):
    assert look(path).memory.live == {}


def test_each_network_has_its_memory_and_the_oldest_of_too_many_is_forgotten(path):
    with Journal(path) as journal:
        memory = NetworkMemory(journal, name_of=lambda address: f"net of {address}")
        assert memory.enter("a").found == UNKNOWN
        memory.remember(Endured(240, 0, 1))
        size = path.stat().st_size
        memory.remember(Endured(245, 0, 2))
        assert path.stat().st_size == size, "less than a twentieth is not worth a record"
        for number in range(NETWORKS):
            memory.enter(str(number))
            memory.remember(Endured(300, 360, 3))
        journal._compact_at = 0
        journal.compact()
    with Journal(path) as journal:
        memory = NetworkMemory(journal, name_of=lambda address: f"net of {address}")
        assert memory.enter("0").found == Endured(300, 360, 3)
        assert memory.enter("a").found == UNKNOWN
        assert len(journal.snapshot.networks) == NETWORKS
