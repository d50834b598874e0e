"""The command `inbox` on a channel of its own: what it shows of a box, and what it says where something is wrong."""

from __future__ import annotations

import os
import pty
import sys
from typing import Any

import msgpack
import pytest

from clients.contract.requests import decode_reply
from clients.errors import LoginRefusedError, OutputError, RequestError, UsageError
from clients.journal import records
from clients.journal.snapshot import Snapshot
from clients.terminal.inbox import command
from clients.terminal.inbox.command import InboxCommand, InboxOptions, look_into
from clients.terminal.inbox.orders import Order
from clients.terminal.read.command import Reader, progress_bars

IDS = ["00t64ks8n", "00t64ks8p", "00t64ks8q"]
HEADER = [1, 0, "Ada", "ada@example.org", "Plan", "See the drawing."]
NAMELESS = [1, 0, "", "ada@example.org", "Plan"]
UNREADABLE = [99, "of a newer bridge"]


class Channel:
    """A connection with a bridge behind it that answers each operation as it is told to."""

    def __init__(self, *headers, caught_up=True, up=True, **answers):
        self.up, self.caught_up, self.answers = up, caught_up, answers
        self.asked, self.replies, self.refused = [], [], None
        self.coming = []
        """What comes from the broker, a record a step once there is no reply left."""
        self.box = Snapshot()
        for mail_id, header in zip(IDS, headers, strict=False):
            self.box.add(records.unshown(mail_id, msgpack.packb(header)))

    def snapshot(self):
        return self.box

    def send(self, request):
        _, request_id, operation, *arguments = msgpack.unpackb(request)
        self.asked.append((operation, arguments[0]))
        status, content = self.answers[operation]
        reply = [1, request_id, status, 0, 0 if status else len(content), content]
        self.replies.append(decode_reply(msgpack.packb(reply)))

    def step(self, _timeout_s):
        if self.refused is not None:
            raise self.refused
        replies, self.replies = self.replies, []
        if not replies and self.coming:
            self.box.add(self.coming.pop(0))
        return replies

    def forget_headers(self):
        """As a state file of an earlier version, which has none."""
        self.box.headers.clear()


def do(channel, *words, json=False, into=None, patience_s=30.0):
    anything: Any = channel
    with progress_bars() as progress:
        reader = Reader(anything, progress=progress, patience_s=patience_s)
        options = InboxOptions(json=json, into=into, patience_s=patience_s)
        InboxCommand(anything, reader, options).do(Order.of(words))


class Terminal:
    """A terminal of 100 columns as standard output, while the context lasts."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch

    def __enter__(self):
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._stdout = os.fdopen(slave, "w")
        self._monkeypatch.setattr(sys, "stdout", self._stdout)
        self._monkeypatch.setenv("COLUMNS", "100")
        return self

    def __exit__(self, *_exception):
        self._monkeypatch.undo()
        self._stdout.close()
        os.close(self._master)

    def shown(self):
        """What it shows since the last call."""
        try:
            return os.read(self._master, 65536).decode()
        except BlockingIOError:
            return ""


def test_on_a_terminal_the_box_has_columns_and_an_empty_one_is_told(monkeypatch, capfd):
    with Terminal(monkeypatch) as terminal:
        do(Channel(HEADER))
        shown = terminal.shown()
        assert "Ada  " in shown
        assert " – See the drawing." in shown
        do(Channel())
        assert terminal.shown() == ""
    assert "nothing is unseen" in capfd.readouterr().err


def test_the_list_goes_on_where_a_header_cannot_be_read(capfd):
    do(Channel(HEADER, UNREADABLE))
    first, second = capfd.readouterr().out.splitlines()
    assert "Plan" in first
    assert second.startswith("2\t")
    assert "(a newer client may read this)" in second


def test_headers_that_are_not_on_record_are_asked_for(capfd):
    channel = Channel(HEADER, HEADER, recent=(0, msgpack.packb([[IDS[1], HEADER]])))
    channel.forget_headers()
    do(channel)
    first, second = capfd.readouterr().out.splitlines()
    assert "Plan" not in first
    assert "Plan" in second
    assert channel.asked == [("recent", command.RECENT)]


def test_without_an_answer_to_that_the_list_says_what_it_lacks(capfd):
    for answer, said in (((3, "busy now"), "the bridge refused: busy now"), ((0, b"\xc1"), "")):
        channel = Channel(HEADER, recent=answer)
        channel.forget_headers()
        do(channel)
        told = capfd.readouterr()
        assert told.out.startswith("1\t")
        assert f"some headers are missing: {said}" in told.err


def test_a_login_that_is_refused_meanwhile_ends_the_command(capfd):
    channel = Channel(HEADER, recent=(0, b""))
    channel.forget_headers()
    channel.refused = LoginRefusedError("not let in")
    with pytest.raises(LoginRefusedError, match="not let in"):
        do(channel)
    assert capfd.readouterr().out == ""


def test_a_broker_that_has_nothing_to_say_of_the_box_is_not_waited_for_for_long(monkeypatch, capfd):
    monkeypatch.setattr(command, "UNTOLD_S", 0.0)
    do(Channel(HEADER, caught_up=False))
    assert "Plan" in capfd.readouterr().out


def test_a_number_that_is_not_known_while_the_broker_is_away_is_not_called_wrong():
    with pytest.raises(RequestError, match="the broker was not reached"):
        do(Channel(HEADER, caught_up=False, up=False), "open", "7", patience_s=0.0)
    with pytest.raises(UsageError, match="there is no mail 7"):
        do(Channel(HEADER), "open", "7")


def test_all_of_an_empty_box_is_no_mail():
    with pytest.raises(UsageError, match="that is no mail of this box"):
        do(Channel(), "seen", "all")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER, "From     Ada <ada@example.org>\nSubject  Plan\nArrived  "),
        (NAMELESS, "From     ada@example.org\nSubject  Plan\nArrived  "),
        (UNREADABLE, "20"),
    ],
)
def test_the_text_stands_below_what_is_known_of_the_mail(header, told, capfd):
    do(Channel(header, text=(0, b"Hello")), "open", "1")
    shown = capfd.readouterr().out
    assert shown.startswith(told)
    assert shown.endswith("\n\nHello\n")


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_read(tmp_path):
    parts = msgpack.packb([[0, "text/plain", "", 5], [1, "image/png", "plan.png", 3]])
    channel = Channel(HEADER, parts=(0, parts), part=(0, b"png"))
    with pytest.raises(OutputError, match=r"cannot write .*plan\.png: No such file"):
        do(channel, "save", "1", "1", into=tmp_path / "missing")
    assert channel.asked == [("parts", IDS[0])]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the directory"):
        do(channel, "save", "1", into=tmp_path / "file" / "below")
    with pytest.raises(RequestError, match="it has 0 text/plain, 1 image/png plan"):
        do(channel, "save", "1", "9", into=tmp_path)


def test_many_mails_are_marked_in_requests_of_a_bounded_size(monkeypatch):
    monkeypatch.setattr(command, "IDS_PER_REQUEST", 2)
    channel = Channel(HEADER, HEADER, HEADER, seen=(0, b""))
    channel.coming = [records.gone(mail_id) for mail_id in IDS]
    do(channel, "seen", "all")
    assert channel.asked == [("seen", IDS[0]), ("seen", IDS[2])]


def test_what_was_marked_shows_in_the_box_before_the_command_ends(capfd):
    channel = Channel(HEADER, HEADER, HEADER, seen=(0, b""), unseen=(0, b""))
    channel.coming = [records.gone(mail_id) for mail_id in IDS[:2]]
    do(channel, "seen", "1", "2")
    do(channel)
    assert [line[0] for line in capfd.readouterr().out.splitlines()] == ["3"]
    channel.coming = [records.live(IDS[1])]
    do(channel, "unseen", "2")
    channel.box.add(records.header(IDS[1], msgpack.packb(HEADER)))
    do(channel, json=True)
    assert [IDS[1] in line for line in capfd.readouterr().out.splitlines()] == [True, False]


def test_a_mail_that_does_not_come_back_keeps_nobody_for_long(monkeypatch):
    monkeypatch.setattr(command, "SETTLES_S", 0.05)
    channel = Channel(HEADER, seen=(0, b""), unseen=(0, b""))
    channel.coming = [records.gone(IDS[0])]
    do(channel, "seen", "1")
    do(channel, "unseen", "1")
    assert channel.box.memory.live.keys() == set()


def test_json_is_of_lists_alone(tmp_path):
    nowhere: Any = None
    with pytest.raises(UsageError, match="--json goes with the list and with save"):
        look_into(nowhere, ["open", "1"], InboxOptions(json=True, into=tmp_path, patience_s=1.0))
