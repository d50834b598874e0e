"""`postbell setup` as a command: for each mail server it prints a script that a shell can read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bridge.cli import main
from bridge.cli.setup import Server, units
from bridge.daemon import mail_servers
from bridge.setup import systemd
from tests.support.stored import add_user

MAIL_SERVERS = [server for server in Server if server is not Server.SYSTEMD]
LISTENERS = {"SMTP": "127.0.0.1:2525", "LMTP": "unix:/run/postbell/lmtp.sock"}
NAMES_A_LISTENER = {Server.OPENSMTPD: "127.0.0.1:2525"}
"""OpenSMTPD relays over SMTP, the others hand over by LMTP."""


@pytest.fixture
def setup(tmp_path, monkeypatch, capsys):
    """Runs `postbell setup …` on a store with alice and bob: exit code, standard output and standard error."""
    for user in ("alice", "bob"):
        add_user(tmp_path / "postbell.db", user)
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, address in LISTENERS.items():
        monkeypatch.setenv(f"POSTBELL_{name}__LISTEN", address)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", "setup", *arguments])
        code = main.run()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("server", MAIL_SERVERS)
def test_it_prints_a_script_that_a_shell_can_read_and_that_names_everybody(setup, server):
    code, script, err = setup(server)
    assert (code, err) == (0, "")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    for user in ("alice", "bob"):
        assert user in script
    assert NAMES_A_LISTENER.get(server, "/run/postbell/lmtp.sock") in script
    assert script.startswith("# ")


def test_without_postfix_here_its_parameters_count_as_empty(setup, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mail_servers, "PLACES", "")
    code, script, _ = setup(Server.POSTFIX)
    assert code == 0
    assert "'recipient_bcc_maps = regexp:/etc/postfix/postbell_bcc'" in script


@pytest.mark.parametrize("server", MAIL_SERVERS)
def test_its_files_are_where_it_was_told(setup, server, tmp_path):
    code, script, _ = setup(server, "--directory", str(tmp_path / "etc"))
    assert code == 0
    assert f"cat > {tmp_path}/etc/" in script
    assert f"cat > /etc/{server}" not in script


@pytest.mark.parametrize("server", MAIL_SERVERS)
def test_without_a_listener_that_it_can_use_it_says_which_to_set(setup, server, monkeypatch):
    for name in LISTENERS:
        monkeypatch.setenv(f"POSTBELL_{name}__LISTEN", "")
    code, out, err = setup(server)
    assert (code, out) == (2, "")
    assert ("smtp.listen" if server is Server.OPENSMTPD else "lmtp.listen") in err


def installed(folder, monkeypatch):
    """Pretend to be an installation below this folder."""
    program = folder / "bin" / "postbell"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python3"))
    return program


def test_systemd_is_told_of_the_program_that_was_called(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(systemd, "HIDDEN", ("/nowhere",))
    program = installed(tmp_path / "opt", monkeypatch)
    code, script, err = setup("systemd")
    assert (code, err) == (0, "")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert f"ExecStart={program} serve --config /etc/postbell/postbell.toml\n" in script


def test_systemd_is_told_of_the_program_beside_the_python_that_runs_a_module(monkeypatch, tmp_path):
    monkeypatch.setattr(systemd, "HIDDEN", ("/nowhere",))
    program = installed(tmp_path / "opt", monkeypatch)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "bridge" / "__main__.py")])
    script = str(units(directory="/etc/elsewhere"))
    assert f"ExecStart={program} serve" in script
    assert "cat > /etc/elsewhere/postbell.service" in script


def test_an_installation_that_the_unit_would_hide_is_told(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(systemd, "HIDDEN", (str(tmp_path),))
    installed(tmp_path / "home", monkeypatch)
    code, out, err = setup("systemd")
    assert (code, out) == (2, "")
    assert "install it where all users may look" in err


@pytest.mark.parametrize("name", ["mosquitto", "nats"])
def test_before_there_is_a_store_a_broker_has_to_wait(setup, monkeypatch, tmp_path, name):
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "absent"))
    code, _, err = setup(name)
    assert code == 2
    assert f"; {name} gets the logins that are stored there: set Postbell up before its broker, by: sudo" in err
    assert not (tmp_path / "absent").exists()
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "file"))
    assert setup(name)[2].endswith("this is not a directory; mend the path\n")
