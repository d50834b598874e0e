"""Death at each single step of showing a message, and what the next run makes of it."""

from __future__ import annotations

import itertools
import json
import os
import time

import msgpack
import pytest

from clients.contract.topics import Mailbox
from clients.device import Device
from clients.journal import file as journal_module
from clients.journal.file import Journal
from clients.relay import Relay
from clients.seen import SeenRequests
from clients.terminal import output as output_module
from clients.terminal.output import Output
from clients.terminal.screen import JsonScreen
from clients.terminal.watch.display import Effects, WatchDisplay
from tests.support.contract import digest_of

IDS = ("00t64ks8n", "00t64ks8p", "00t64ks8q")
MAIL = msgpack.packb([1, 0, "Ada", "ada@example.org", "subject"])


class Death(BaseException):
    """The process is gone: nothing after this instant happens."""


class MortalOs:
    """The module `os`, until the `fatal`-th write, of which `torn` bytes still reach the kernel."""

    def __init__(self, fatal, torn):
        self.left, self.torn = fatal, torn

    def __getattr__(self, name):
        return getattr(os, name)

    def write(self, fd, data):
        self.left -= 1
        if self.left:
            return os.write(fd, data)
        length = len(data) if self.torn is None else min(self.torn, len(data))
        if length:
            os.write(fd, data[:length])
        raise Death


class Run:
    """One life of a watcher, fed by hand instead of by a broker."""

    def __init__(self, directory):
        self.journal = Journal(directory / "state")
        self.out = (directory / "out").open("ab")
        display = WatchDisplay(
            journal=self.journal,
            output=Output(self.out.fileno()),
            screen=JsonScreen(with_gone=False),
            seen=SeenRequests(next_request_id=itertools.count().__next__, jitter=lambda: 0.5),
            relay=Relay(directory / "sock"),
            effects=Effects(alarm=None, hook=None, mark_seen=False),
            notice=pytest.fail,
            clock=time.monotonic,
        )
        mailbox = Mailbox(root="mail", user="alice", device="phone")
        self.device = Device(mailbox=mailbox, journal=self.journal, display=display, clock=time.monotonic)
        self.recover = display.recover

    def deliver(self, acknowledged):
        """What a broker has for the device: all that was not acknowledged, in order."""
        for mail_id in IDS:
            if mail_id not in acknowledged:
                self.device.received(f"mail/alice/msg/{mail_id}", MAIL, retained=False)
                acknowledged.add(mail_id)
        digest = digest_of(IDS)
        self.device.received(
            "mail/alice/box",
            msgpack.packb([1, digest.live, digest.check, digest.newest_id]),
            retained=False,
        )

    def end(self):
        self.out.close()
        self.journal.__exit__(None, None, None)


def shown(directory):
    return [json.loads(line)["id"] for line in (directory / "out").read_text().splitlines()]


@pytest.mark.parametrize("torn", [0, 1, 7, 60, 10_000, None])
@pytest.mark.parametrize("fatal", range(1, 8))
def test_each_message_stands_in_the_file_once_whichever_write_is_the_last(tmp_path, monkeypatch, fatal, torn):
    acknowledged = set()
    mortal = MortalOs(fatal, torn)
    first = Run(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(journal_module, "os", mortal)
        patched.setattr(output_module, "os", mortal)
        with pytest.raises(Death):
            first.deliver(acknowledged)
    first.end()
    second = Run(tmp_path)
    second.recover()
    second.deliver(acknowledged)
    second.end()
    assert shown(tmp_path) == list(IDS)


@pytest.mark.parametrize("fatal", range(1, 4))
def test_death_before_the_mark_moves_is_found_out_from_the_file(tmp_path, monkeypatch, fatal):
    acknowledged, left = set(), [fatal]
    first = Run(tmp_path)
    moves = first.journal.printed

    def printed(sequence):
        left[0] -= 1
        if not left[0]:
            raise Death
        moves(sequence)

    monkeypatch.setattr(first.journal, "printed", printed)
    with pytest.raises(Death):
        first.deliver(acknowledged)
    first.end()
    second = Run(tmp_path)
    assert second.journal.uncertain.mail_id == IDS[fatal - 1]
    second.recover()
    second.deliver(acknowledged)
    second.end()
    assert shown(tmp_path) == list(IDS)


def test_death_in_recovery_is_recovered_from(tmp_path, monkeypatch):
    acknowledged = set()
    first = Run(tmp_path)
    monkeypatch.setattr(output_module, "os", MortalOs(1, 20))
    with pytest.raises(Death):
        first.deliver(acknowledged)
    first.end()
    for torn in (0, 5, 9):
        again = Run(tmp_path)
        monkeypatch.setattr(output_module, "os", MortalOs(1, torn))
        with pytest.raises(Death):
            again.recover()
        again.end()
    monkeypatch.undo()
    last = Run(tmp_path)
    last.recover()
    last.deliver(acknowledged)
    last.end()
    assert shown(tmp_path) == list(IDS)
