"""The keys of `watch`: what they do, with the newest mail or with one that is named by number."""

from __future__ import annotations

import itertools
from typing import Any

import msgpack
import pytest

from clients.contract.requests import decode_reply
from clients.journal import records
from clients.journal.snapshot import Snapshot
from clients.seen import SeenRequests
from clients.terminal.inbox.listing import as_lines
from clients.terminal.read.errands import PATIENCE_S, Errands
from clients.terminal.watch.key_commands import KEYS, KeyCommands

IDS = ["00t64ks8n", "00t64ks8p", "00t64ks8q"]
HEADER = msgpack.packb([1, 0, "Ada", "ada@example.org", "[/nope]"])


class Table:
    """A desk with three mails, and who answers for the bridge."""

    def __init__(self, directory):
        self.snapshot = Snapshot()
        for each in IDS:
            self.snapshot.add(records.unshown(each, HEADER))
        self.written, self.notices, self.echoed, self.now = b"", [], "", 0.0
        ids = itertools.count(1).__next__
        self.seen = SeenRequests(next_request_id=ids, jitter=lambda: 0.5)
        self.errands = Errands(next_request_id=ids, jitter=lambda: 0.5)
        self.directory = directory
        itself: Any = self
        self.desk = KeyCommands(
            device=itself,
            snapshot=lambda: self.snapshot,
            seen=self.seen,
            errands=self.errands,
            output=itself,
            list_rows=as_lines,
            notice=self.notices.append,
            echo=self.echo,
            directory=directory,
        )

    @property
    def live(self):
        return sorted(self.snapshot.memory.live)

    def write(self, entry):
        self.written += entry

    def echo(self, text):
        self.echoed += text

    def press(self, keys):
        for key in keys:
            self.desk.press(key)

    def marked(self):
        return [each for each in IDS if self.seen.wanted(each)]

    def answer(self, content, status=0):
        """The bridge's answer to the errand whose turn it is; what was asked."""
        _, request_id, *asked = msgpack.unpackb(self.errands.request(self.now, up=True))
        reply = [1, request_id, status, 0, 0 if status else len(content), content]
        self.errands.answered(decode_reply(msgpack.packb(reply)), now=self.now)
        return asked


@pytest.fixture
def table(tmp_path):
    return Table(tmp_path)


@pytest.mark.parametrize(
    ("keys", "marked"), [("x", []), ("s", IDS[2:]), ("ss", IDS[1:]), ("a", IDS), ("1s", IDS[:1]), ("2ss", IDS[1:])]
)
def test_mails_are_marked(table, keys, marked):
    table.press(keys)
    assert table.marked() == marked
    assert not table.desk.quit


def test_what_was_marked_is_taken_back(table):
    table.press("2su")
    assert table.marked() == []
    assert table.answer(b"") == ["unseen", IDS[1]]
    table.press("3u")
    assert table.answer(b"") == ["unseen", IDS[2]]
    assert table.notices == []


def test_a_mail_is_opened_and_its_text_commands_no_terminal(table):
    table.press("1o")
    assert table.answer(b"Hello \x1b[2J[/nope]\n")[:2] == ["text", IDS[0]]
    said = table.written.decode()
    assert "From     Ada <ada@example.org>\nSubject  [/nope]\n" in said
    assert said.endswith("Hello \ufffd[2J[/nope]\n")
    assert table.echoed == "1\r \r"


def test_attachments_are_saved_under_safe_names(table):
    table.press("d")
    parts = [[0, "text/plain", "", 5], [1, "image/png", "../\x1b[31mplan.png", 3], [2, "text/plain", "b.txt", 2]]
    assert table.answer(msgpack.packb(parts)) == ["parts", IDS[2]]
    assert table.answer(b"png")[:3] == ["part", IDS[2], 1]
    assert table.answer(b"hi")[:3] == ["part", IDS[2], 2]
    found = {each.name: each.read_bytes() for each in table.directory.iterdir()}
    assert sorted(found.values()) == [b"hi", b"png"]
    assert not any("\x1b" in name for name in found)
    assert len(table.notices) == 2
    table.press("d")
    table.answer(msgpack.packb(parts[:1]))
    assert table.notices[-1] == "this mail has no attachments"


def test_what_goes_wrong_is_said_and_the_next_errand_has_its_turn(table):
    table.press("1o2o")
    table.answer("body gone", status=3)
    assert table.notices == ["the bridge refused: body gone"]
    assert table.errands.request(table.now, up=True)
    table.now = PATIENCE_S
    assert table.errands.request(table.now, up=False) is None
    assert "no answer from the bridge" in table.notices[-1]
    assert table.errands.due_at(table.now, up=True) is None


def test_the_box_is_listed_and_an_empty_one_is_said_to_be(table):
    table.press("l")
    assert [each.split("\t")[0] for each in table.written.decode().splitlines()] == ["1", "2", "3"]
    for each in IDS:
        table.snapshot.add(records.gone(each, was_shown=True))
    table.press("lsod")
    assert table.notices == ["nothing is unseen"]


def test_a_number_that_no_mail_has_is_told_and_one_can_be_given_up(table):
    table.press("77s")
    assert table.notices == ["there is no mail 77"]
    table.press("1\x7fs")
    assert table.marked() == IDS[2:]
    table.press("?q")
    assert table.notices[-1] == KEYS
    assert table.desk.quit


def test_nothing_is_taken_back_while_nothing_was_marked(table):
    table.press("u")
    assert table.errands.due_at(table.now, up=True) is None
    table.press("77u")
    assert table.errands.due_at(table.now, up=True) is None
    assert table.notices == ["there is no mail 77"]


def test_an_attachment_that_does_not_come_leaves_no_file_and_is_told(table):
    table.press("d")
    table.answer(msgpack.packb([[1, "image/png", "plan.png", 3]]))
    table.answer("part gone", status=3)
    assert table.notices == ["the bridge refused: part gone"]
    assert list(table.directory.iterdir()) == []


def test_a_header_that_cannot_be_read_does_not_keep_a_mail_from_the_list(table):
    table.snapshot.headers[IDS[0]] = b"\xc1"
    del table.snapshot.headers[IDS[1]]
    table.press("l")
    said = table.written.decode().splitlines()
    assert ["newer client" in each for each in said] == [True, True, False]
