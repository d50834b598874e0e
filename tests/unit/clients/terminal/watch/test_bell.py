"""The bell of the terminal: silent mail is shown without it."""

from __future__ import annotations

import itertools
import time

import pytest

from bridge.contract.header import pack_header
from bridge.model import Flag, Header
from clients.box.inbox import Shown
from clients.contract.header import decode_header
from clients.journal.file import Journal
from clients.relay import Relay
from clients.seen import SeenRequests
from clients.terminal.output import Output
from clients.terminal.screen import PlainScreen
from clients.terminal.watch.alarm import Alarm
from clients.terminal.watch.display import Effects, WatchDisplay


@pytest.mark.parametrize(("flags", "rings"), [(0, 1), (Flag.URGENT, 1), (Flag.SILENT, 0), (Flag.SILENT | Flag.BULK, 0)])
def test_silent_mail_is_shown_without_the_bell(tmp_path, flags, rings):
    rung, output = [], tmp_path / "out"
    payload = pack_header(Header(flags, "Ada", "ada@example.org", "Plan", "", 1), limit=512)
    with Journal(tmp_path / "state") as journal, output.open("wb") as stream:
        display = WatchDisplay(
            journal=journal,
            output=Output(stream.fileno()),
            screen=PlainScreen(with_gone=False),
            seen=SeenRequests(next_request_id=itertools.count().__next__, jitter=lambda: 0.5),
            relay=Relay(tmp_path / "sock"),
            effects=Effects(
                alarm=Alarm(bell=lambda: rung.append(1), desktop=None, clock=time.monotonic), hook=None, mark_seen=False
            ),
            notice=pytest.fail,
            clock=time.monotonic,
        )
        display.show(Shown("00t64ks8n", decode_header(payload), payload))
    assert len(rung) == rings
    assert "Ada: Plan" in output.read_text()
    assert ("silent" in output.read_text()) is (rings == 0)
