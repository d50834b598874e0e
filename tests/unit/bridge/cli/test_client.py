"""`postbell watch` and `read` on the server: what is passed on to the client, and what is added."""

from __future__ import annotations

from typing import Any

import typer

from bridge.cli import client, local_login
from clients.cli import commands


def test_the_switches_are_those_of_the_client():
    group: Any = typer.main.get_command(commands.app)
    names = {"--help"}
    for command in group.commands.values():
        for parameter in command.params:
            if getattr(parameter, "is_flag", False):
                names |= {*parameter.opts, *parameter.secondary_opts}
    assert names == client.SWITCHES


def test_the_device_is_found_among_options_and_their_values():
    words = ["--json", "--state", "dir/file", "--exec=bin/ring", "--config", "p.toml", "alice/phone", "--no-bell"]
    given = client.Given.of(words)
    assert (given.device, given.names) == ("alice/phone", ("alice", "phone"))
    assert str(given.config) == "p.toml"
    assert given.options == {"--json", "--state", "--exec", "--no-bell"}
    assert given.words == ("--json", "--state", "dir/file", "--exec=bin/ring", "alice/phone", "--no-bell")
    assert str(client.Given.of(["--config=other.toml"]).config) == "other.toml"


def test_what_is_no_device_gets_no_login():
    for words in ([], ["--json"], ["alice"], ["../../x"], ["Alice/phone"], ["--state"]):
        assert client.Given.of(words).names is None


def test_the_local_password_stays_and_differs_by_login_and_installation(tmp_path):
    key = local_login.key(tmp_path / "local.key")
    assert local_login.key(tmp_path / "local.key") == key
    assert (tmp_path / "local.key").stat().st_mode & 0o777 == 0o600
    password = local_login.derived(key, "alice.phone")
    assert len(password) >= 22, "128 bits or more"
    assert password != local_login.derived(key, "alice.tablet")
    assert password != local_login.derived(local_login.key(tmp_path / "other.key"), "alice.phone")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_torn_key_is_made_anew(tmp_path):
    path = tmp_path / "local.key"
    path.write_bytes(b"")
    assert len(local_login.key(path)) == local_login.KEY_BYTES
