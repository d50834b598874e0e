"""A device between session and display: what it takes, what it skips and says once, and when it asks again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgpack
import pytest

from bridge.contract.header import pack_header
from bridge.model import Header
from clients.contract.topics import Mailbox
from clients.device import Device
from clients.journal.file import Journal
from clients.terminal.read.channels import RecordingDisplay

IDS = ("00t64ks8n", "00t64ks8p")
MAIL = pack_header(Header(0, "Ada", "ada@example.org", "Plan", "", 1), limit=512)


class Display(RecordingDisplay):
    """Remembers what it was told."""

    def __init__(self, *, journal):
        self.said: list[str] = []
        self.shown: list[str] = []
        super().__init__(journal=journal, notice=self.said.append)

    def show(self, message):
        self.shown.append(message.mail_id)

    def notice(self, text):
        self.said.append(text)


@pytest.fixture
def made(tmp_path):
    now = [0.0]
    with Journal(tmp_path / "state") as journal:
        display = Display(journal=journal)
        mailbox = Mailbox(root="mail", user="alice", device="phone")
        device = Device(mailbox=mailbox, journal=journal, display=display, clock=lambda: now[0])
        yield SimpleNamespace(device=device, display=display, journal=journal, now=now)


def test_what_is_not_for_it_is_skipped_and_said_once(made):
    for _ in range(2):
        made.device.received("mail/bob/box", b"", retained=False)
        made.device.received("mail/alice/msg/" + IDS[0], b"\xc1", retained=False)
    assert "the topic belongs to another user" in made.display.said[0]
    assert len(made.display.said) == 2
    assert made.display.shown == []


def test_replies_to_it_are_taken_and_other_topics_left(made):
    reply = msgpack.packb([1, 7, 0, 0, 2, b"ab"])
    made.device.received("mail/alice/re/phone", reply, retained=False)
    made.device.received("mail/alice/re/tablet", reply, retained=False)
    made.device.received("mail/alice/text", b"Plan", retained=True)
    assert [(each.request_id, each.chunk) for each in made.display.replies] == [(7, b"ab")]


def test_a_loss_is_said_once_for_a_reason_and_so_is_the_return(made):
    made.device.connected(session_present=False, version="5")
    for reason in ("the connection was lost", "the connection was lost", "the broker does not answer"):
        made.device.disconnected(reason, retry_s=1.0)
    made.device.connected(session_present=True, version="3.1.1")
    made.device.connected(session_present=True, version="3.1.1")
    assert made.display.said == [
        "connected, MQTT 5",
        "the connection was lost; trying again",
        "the broker does not answer; trying again",
        "connected, MQTT 3.1.1",
    ]


def test_a_box_that_disagrees_is_asked_for_again_while_the_broker_is_there(made):
    asked: list[Any] = []
    made.device.received("mail/alice/box", msgpack.packb([1, 1, 12345, IDS[0]]), retained=False)
    made.now[0] = made.device.due_at()
    made.device.tend(SimpleNamespace(up=False, subscribe=asked.append))
    assert asked == []
    made.device.tend(SimpleNamespace(up=True, subscribe=asked.append))
    assert len(asked) == 1
    assert "disagrees with its digest" in made.display.said[0]


def test_mail_that_came_while_reading_waits_for_the_next_watcher(tmp_path):
    said: list[str] = []
    with Journal(tmp_path / "state") as journal:
        display = RecordingDisplay(journal=journal, notice=said.append)
        mailbox = Mailbox(root="mail", user="alice", device="phone")
        device = Device(mailbox=mailbox, journal=journal, display=display, clock=lambda: 0.0)
        device.received("mail/alice/msg/" + IDS[0], MAIL, retained=False)
        device.received("mail/alice/msg/" + IDS[1], MAIL, retained=False)
        device.received("mail/alice/msg/" + IDS[1], b"", retained=False)
        display.come_back(IDS[0])
        display.notice("connected, MQTT 5")
        display.notice("something else")
        assert set(journal.snapshot.unshown) == {IDS[0]}
    assert said == ["something else"]
