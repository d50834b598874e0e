"""What the command line and the environment come to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from clients.contract.topics import Mailbox
from clients.errors import UsageError
from clients.terminal.settings import Place, login_of, mailbox_of, state_path


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


@pytest.fixture
def password(monkeypatch):
    """The password that a file and the environment come to."""

    def ask(file=None):
        place = Place("alice/phone", "mqtt://host", None, file, None, "mail", 900, None)
        return login_of(place, mailbox_of(place)).password

    monkeypatch.delenv("POSTBELL_PASSWORD", raising=False)
    return ask


def test_a_password_comes_from_its_file_or_else_the_environment(password, tmp_path, monkeypatch):
    monkeypatch.setenv("POSTBELL_PASSWORD", "other")
    (tmp_path / "secret").write_text("word\n")
    assert password(tmp_path / "secret") == "word"
    assert password() == "other"


def test_an_empty_or_missing_file_is_no_password(password, tmp_path):
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="is empty"):
        password(tmp_path / "empty")
    with pytest.raises(UsageError, match="No such file"):
        password(tmp_path / "absent")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_password_is_asked_for_where_somebody_can_answer(password, monkeypatch, terminal):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: terminal))
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "typed")
    if terminal:
        assert password() == "typed"
    else:
        with pytest.raises(UsageError, match="no password: use --password-file"):
            password()


def test_a_root_that_is_no_topic_and_a_device_that_is_none_are_wrong_usage():
    for device, root in (("alice/phone", "mail/#"), ("alice", "mail")):
        with pytest.raises(UsageError):
            mailbox_of(Place(device, "mqtt://host", None, None, None, root, 900, None))
