"""Mail servers are told of the addresses as they change, or the operator is told the one command that does so."""

from __future__ import annotations

import os
import subprocess

import pytest

from bridge.cli import upkeep
from bridge.cli.setup import Server
from bridge.daemon import mail_servers
from tests.support.stored import add_user


@pytest.fixture
def run(typed, tmp_path, monkeypatch):
    """Runs a command on a state that alice uses."""
    monkeypatch.setenv("POSTBELL_LMTP__LISTEN", "unix:/run/postbell/lmtp.sock")
    add_user(tmp_path / "state" / "postbell.db", "alice")
    return typed


def installed(run, etc, server):
    """Follow a recipe, as far as it writes files and notes; its programs do nothing."""
    (etc / "conf.d" / "router").mkdir(parents=True)
    (etc / "conf.d" / "transport").mkdir()
    (etc / "sieve").mkdir()
    (etc / "smtpd.conf").touch()
    (etc / "aliases").touch()
    _, script, _ = run("setup", server, "--directory", str(etc))
    names = ("postconf", "postfix", "postmap", "sievec", "doveadm", "systemctl")
    programs = "".join(f"{name}() {{ :; }}\n" for name in names)
    script = script.replace("update-exim4.conf", ":").replace("invoke-rc.d", ":")
    script = script.replace("/etc/postfix/", f"{etc}/")
    subprocess.run(["sh", "-e"], input=programs + script, text=True, check=True, capture_output=True)


ADD = ("user", "add", "bob", "--address", "bob@example.org")


def test_without_a_mail_server_nothing_is_said(run):
    assert run(*ADD)[2] == ""


def test_exims_table_is_written_at_each_change(run, tmp_path):
    installed(run, tmp_path / "etc", Server.EXIM)
    table = tmp_path / "etc" / "postbell" / "addresses"
    assert run(*ADD) == (0, "added bob; pair a device with: postbell device add bob phone\n", "")
    assert table.read_text() == "alice@example.org\nbob@example.org\n"
    assert table.stat().st_mode & 0o777 == 0o644, "another user reads it"
    assert run("user", "change", "bob", "--address", "@all.example")[2] == ""
    assert table.read_text() == "all.example\nalice@example.org\nbob@example.org\n"
    before = table.stat().st_ino
    run("user", "change", "bob", "--view-off", "text")
    assert table.stat().st_ino == before, "nothing changed for it"
    run("user", "remove", "bob", "--yes")
    assert table.read_text() == "alice@example.org\n"
    assert {entry.name for entry in table.parent.iterdir()} == {"addresses"}


def test_a_restore_brings_back_the_addresses_that_were(run, tmp_path):
    installed(run, tmp_path / "etc", Server.EXIM)
    run("backup", "b.tar")
    run(*ADD)
    assert run("restore", "--force", "b.tar")[0] == 0
    assert (tmp_path / "etc" / "postbell" / "addresses").read_text() == "alice@example.org\n"
    assert (tmp_path / "state" / "mta" / "exim").is_symlink()


@pytest.mark.parametrize("server", [Server.DOVECOT, Server.OPENSMTPD])
def test_where_it_cannot_write_it_says_the_one_command(run, tmp_path, server, monkeypatch):
    monkeypatch.setenv("POSTBELL_SMTP__LISTEN", "127.0.0.1:2525")
    etc = tmp_path / "etc"
    installed(run, etc, server)
    code, out, err = run(*ADD)
    assert (code, out.partition(";")[0]) == (0, "added bob")
    assert f"{mail_servers.NAMES[server]} does not know of it yet" in err
    assert f"run: sudo postbell setup {server} --directory {etc} | sudo sh" in err


def test_a_table_that_is_gone_is_told_and_so_is_a_configuration_that_was_named(run, tmp_path):
    installed(run, tmp_path / "etc", Server.EXIM)
    (tmp_path / "etc" / "postbell" / "addresses").unlink()
    (tmp_path / "bell.toml").write_text("")
    code, _, err = run("--config", "bell.toml", *ADD)
    assert code == 0
    assert (
        "Exim does not know of it yet (No such file or directory); run: sudo postbell --config bell.toml setup" in err
    )


@pytest.fixture
def postfix(run, tmp_path, monkeypatch):
    """Postfix's part of the way, with a program postmap that says what it is asked for."""
    etc, programs = tmp_path / "etc", tmp_path / "programs"
    programs.mkdir()
    for name, text in {"postconf": 'echo "hash pipemap regexp"', "postmap": 'echo index > "${3#hash:}.db"'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    installed(run, etc, Server.POSTFIX)
    return etc / "postbell"


def test_postfixs_table_is_written_and_its_index_made_anew(run, postfix):
    (postfix / "changed.db").write_text("before\n")
    assert run(*ADD)[2] == ""
    assert "bob" in (postfix / "copies").read_text()
    assert (postfix / "changed.db").read_text() == "index\n"
    assert not (postfix / "changing.db").exists()


def test_an_index_that_is_not_there_or_cannot_be_made_is_told(run, postfix, tmp_path, monkeypatch):
    assert "that Postfix looks at); run: sudo postbell setup postfix" in run(*ADD)[2]
    (postfix / "changed.db").touch()
    (tmp_path / "programs" / "postmap").write_text("#!/bin/sh\nexit 1\n")
    assert "Postfix does not know of it yet" in run("user", "change", "bob", "--address", "b@example.org")[2]
    (tmp_path / "programs" / "postmap").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr(upkeep, "PLACES", "")
    assert "there is no program postmap here" in run("user", "change", "bob", "--address", "c@example.org")[2]
