"""`postbell watch` and `read` on the server: what is passed on to the client, and what is added."""

from __future__ import annotations

import io
from typing import Any

import pytest
import typer

from bridge.cli import client, local_login, ownership
from bridge.cli.ownership import StateOwner
from bridge.errors import ConfigurationError
from bridge.store import offline, pairing
from clients.cli import commands
from tests.support.configured import configured
from tests.support.stored import add_user


def test_the_switches_are_those_of_the_client():
    group: Any = typer.main.get_command(commands.app)
    names = {"-h", "--help"}
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


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of a store with alice and her phone, and of a broker elsewhere."""
    for name in (client.URL, client.PASSWORD):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "postbell.db"
    add_user(path, "alice")
    with offline.transaction(path, now_ms=1, count=1, days=1) as transaction:
        pairing.add_device(transaction, "alice", "phone")
    (tmp_path / "ca.pem").write_text("")
    return configured(
        state_dir=tmp_path,
        broker={"embedded": False},
        mqtt={"url": "mqtts://mail.example.org:8883", "ca_file": tmp_path / "ca.pem", "root": "post"},
    )


def test_what_the_configuration_knows_is_passed_on_unless_it_was_given(settings, tmp_path):
    own = [f"--ca-file={tmp_path / 'ca.pem'}", f"--state={tmp_path / 'watch' / 'alice.phone.journal'}"]
    assert client._places(settings, client.Given.of(["alice/phone"])) == ["--root=post", *own]
    assert client._places(settings, client.Given.of(["alice/phone", "--root", "x", "--state=y"])) == own[:1]
    assert client._places(settings, client.Given.of(["--json"])) == ["--root=post", own[0]]


def test_a_password_is_given_where_nothing_else_says_how_to_log_in(settings, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    given = client.Given.of(["alice/phone"])
    password = client._login(settings, given)[client.PASSWORD]
    assert client._login(settings, given) == {client.PASSWORD: password}
    assert client._login(settings, client.Given.of(["alice/phone", "--username", "x"])) == {}
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert client._login(settings, given) == {}, "another broker does not know it, and somebody can be asked"
    monkeypatch.setenv(client.PASSWORD, "known")
    assert client._login(settings, given) == {}


def test_a_store_that_this_user_cannot_write_is_told_before_anybody_is_asked_for_a_password(settings, monkeypatch):
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(settings.state_dir))
    monkeypatch.setattr(local_login, "may_log_in", lambda _settings: False)
    monkeypatch.setattr(ownership, "somebody_else", lambda _directory: StateOwner(4711, 4711, "", "/"))
    monkeypatch.setattr(ownership, "may_work_in", lambda _directory: False)
    context: Any = typer.main.get_command(client.watch_app).make_context("watch", ["alice/phone"])
    with pytest.raises(ConfigurationError, match=r"the number 4711: sudo .* or, on another ma"):
        client._require_store(context, client.Given.of(["alice/phone"]))
