"""What is heard of new mail: once for each, once for all of a backlog, nothing of what is silent."""

from __future__ import annotations

import pytest

from clients.contract.header import Header
from clients.terminal.watch.alarm import BACKLOG_S, Alarm

ADA = Header(0, "Ada", "ada@example.org", "[/nope] <b>Plan</b>", "See the drawing.")
SILENT = Header(2048, "List", "", "Digest")


class Heard:
    def __init__(self):
        self.now, self.bells, self.notes = 0.0, 0, []
        self.alarm = Alarm(bell=self.ring, desktop=self, clock=lambda: self.now)

    def ring(self):
        self.bells += 1

    def notify(self, title, body):
        self.notes.append((title, body))


@pytest.fixture
def heard():
    return Heard()


def test_each_mail_that_rings_is_heard_once(heard):
    for header in (ADA, SILENT, ADA):
        heard.alarm.mail(header)
    assert heard.bells == 2
    assert heard.notes == [("Ada", "[/nope] <b>Plan</b> – See the drawing.")] * 2


@pytest.mark.parametrize("agrees", [True, False])
def test_a_backlog_is_heard_once(heard, agrees):
    heard.alarm.connected()
    for header in (SILENT, *[ADA] * 40):
        heard.alarm.mail(header)
        heard.alarm.tend(caught_up=False)
    assert heard.bells == 0
    heard.now += 1 if agrees else BACKLOG_S
    heard.alarm.tend(caught_up=agrees)
    assert heard.bells == 1
    assert heard.notes == [("40 new mails", "Ada: [/nope] <b>Plan</b> – See the drawing.")]
    assert heard.alarm.due_at is None
    heard.alarm.mail(ADA)
    assert heard.bells == 2


def test_one_that_waited_is_told_as_any_other_and_none_says_nothing(heard):
    heard.alarm.connected()
    heard.alarm.tend(caught_up=True)
    assert heard.bells == 0
    heard.alarm.connected()
    heard.alarm.mail(ADA)
    heard.alarm.tend(caught_up=True)
    assert heard.notes == [("Ada", "[/nope] <b>Plan</b> – See the drawing.")]


def test_without_bell_and_desktop_nothing_happens():
    Alarm(bell=None, desktop=None, clock=lambda: 0.0).mail(ADA)
