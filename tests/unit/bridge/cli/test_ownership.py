"""To whom a directory belongs, and what its owner has to type."""

from __future__ import annotations

import os
import sys

import pytest

from bridge.cli import ownership
from bridge.cli.ownership import StateOwner, WrongUserError


def test_what_to_type_instead_is_the_same_command_as_the_owner(monkeypatch):
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/postbell", "user", "add", "al ice"])
    assert ownership.instead(StateOwner(1, 1, "mail", "/")) == (
        "this belongs to mail: sudo -u mail /usr/bin/postbell user add 'al ice'"
    )
    monkeypatch.setenv("POSTBELL_CONFIG", "/etc/x.toml")
    monkeypatch.setenv("POSTBELL_PASSWORD", "secret")
    assert ownership.instead(StateOwner(0, 0, "root", "/root")) == (
        "this belongs to root: sudo POSTBELL_CONFIG=/etc/x.toml /usr/bin/postbell user add 'al ice'"
    )
    monkeypatch.setattr(sys, "argv", ["/x/bridge/__main__.py", "status"])
    assert ownership.instead(StateOwner(4711, 1, "", "/")) == (
        "this belongs to the user with the number 4711: sudo -u '#4711' POSTBELL_CONFIG=/etc/x.toml "
        f"{sys.executable} -m bridge status"
    )


def test_of_what_is_not_there_nobody_is_the_owner(tmp_path):
    assert ownership.owner_of(tmp_path / "absent") is None
    assert ownership.somebody_else(tmp_path / "absent") is None
    assert ownership.somebody_else(tmp_path) is None
    assert ownership.become(tmp_path) == {}
    with ownership.acting(tmp_path):
        ownership.require(tmp_path)


def test_a_user_without_a_name_has_a_number(tmp_path, monkeypatch):
    def unknown(_uid):
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    owner = ownership.owner_of(tmp_path)
    assert owner == StateOwner(tmp_path.stat().st_uid, tmp_path.stat().st_gid, "", "/")
    assert owner.groups == [tmp_path.stat().st_gid]


def test_root_without_roots_rights_is_told_what_to_type(tmp_path, monkeypatch):
    def refused(_value):
        raise PermissionError

    monkeypatch.setattr(ownership, "somebody_else", lambda _directory: StateOwner(4711, 4711, "", "/"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "setgroups", refused)
    with pytest.raises(WrongUserError, match="sudo -u '#4711'"), ownership.acting(tmp_path):
        pass
    with pytest.raises(WrongUserError, match="sudo -u '#4711'"):
        ownership.become(tmp_path)


@pytest.fixture
def switched(monkeypatch):
    """What this process would become, if it were root's and the directory another's."""
    calls = []
    monkeypatch.setattr(ownership, "somebody_else", lambda _directory: StateOwner(4711, 4712, "", "/srv/mail"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getgroups", lambda: [0, 4])
    monkeypatch.setattr(os, "getegid", lambda: 0)
    for name in ("setgroups", "setegid", "seteuid", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: calls.append((name, value)))
    return calls


def test_root_acts_as_the_owner_and_is_root_again(tmp_path, switched):
    with ownership.acting(tmp_path):
        assert switched == [("setgroups", [4712]), ("setegid", 4712), ("seteuid", 4711)]
        switched.clear()
    assert switched == [("seteuid", 0), ("setegid", 0), ("setgroups", [0, 4])]


def test_root_becomes_the_owner_for_good(tmp_path, switched):
    assert ownership.become(tmp_path) == {"HOME": "/srv/mail", "USER": "", "LOGNAME": ""}
    assert switched == [("setgroups", [4712]), ("setgid", 4712), ("setuid", 4711)]


@pytest.mark.usefixtures("switched")
def test_who_stays_must_be_the_owner(tmp_path, monkeypatch):
    with pytest.raises(WrongUserError, match="this belongs to the user with the number 4711"):
        ownership.require(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    ownership.require(tmp_path)  # a group may share a directory
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(WrongUserError):
        ownership.require(tmp_path)
