"""What the command line and the environment come to."""

from __future__ import annotations

from pathlib import Path

from clients.contract.topics import Mailbox
from clients.terminal.settings import Place, state_path


def test_state_file_has_its_place(monkeypatch):
    mailbox = Mailbox(root="mail", user="alice", device="phone")

    def place(state):
        return Place("alice/phone", "mqtt://host", None, None, state, "mail", 900, None)

    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_path(place(None), mailbox) == Path("/state/postbell/alice.phone.journal")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/alice")
    assert state_path(place(None), mailbox) == Path("/home/alice/.local/state/postbell/alice.phone.journal")
    assert state_path(place(Path("here")), mailbox) == Path("here")
