"""`postbell doctor` where mailboxes are followed: what keeps them from it is found, and nothing is changed in them."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys

import pytest

from bridge.cli import main
from bridge.daemon import control, runfile
from bridge.doctor.judge.check import Check
from bridge.doctor.look import mailboxes as look
from tests.support.certificates import self_signed
from tests.support.imap_server import MailServer, beside
from tests.support.stored import add_user
from tests.support.waiting import free_port

MAILBOX = {str(check) for check in Check if check.hop == "mailbox"}


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A state directory with alice in it."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    add_user(directory / "postbell.db", "alice")
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(directory))
    for listener in ("SMTP", "BROKER"):  # at ports that nobody else has
        monkeypatch.setenv(f"POSTBELL_{listener}__LISTEN", "127.0.0.1:0")
    monkeypatch.chdir(tmp_path)
    return directory


@pytest.fixture
def run(state, monkeypatch, capsys):
    """Types a command; what it prints."""
    assert state.exists()

    def typed(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", *arguments])
        main.run()
        return capsys.readouterr().out

    return typed


@pytest.fixture
def doctor(run):
    """What it says of mailboxes, by check: one finding each."""

    def ask():
        found = [each for each in json.loads(run("doctor", "--json", "--look-only")) if each["check"] in MAILBOX]
        assert [each["check"] for each in found] == [str(check) for check in Check if check.hop == "mailbox"]
        return {each["check"]: each for each in found}

    return ask


@pytest.fixture
def follow(run, tmp_path):
    """Has alice's mailbox at a server followed, with the right password unless another one is named."""

    def add(server, *options, url=""):
        secret = tmp_path / "secret"
        if not secret.exists():
            secret.write_text("secret\n")
            secret.chmod(0o600)
        given = options or ("--password-file", str(secret))
        run("mailbox", "add", "alice", url or f"imap://127.0.0.1:{server.port}", "--login", "alice", *given)
        return secret

    return add


@pytest.fixture
def server():
    with beside(MailServer()) as running:
        yield running


def wrong(found):
    return {check for check, each in found.items() if each["ok"] is False}


def test_nobody_follows_any(doctor):
    assert {each["ok"] for each in doctor().values()} == {None}


def test_all_is_fine_and_nothing_was_looked_at_but_the_folder(doctor, follow, server):
    follow(server)
    found = doctor()
    unknown = {check for check, each in found.items() if each["ok"] is None}
    assert (wrong(found), unknown) == (set(), {"mailbox.followed", "mailbox.events"})
    assert found["mailbox.tells"]["problem"] == f"imap://127.0.0.1:{server.port}: IDLE, CONDSTORE"
    assert not [command for command in server.commands if command.startswith(("UID", "LIST"))]


def test_a_password_that_everybody_can_read_is_not_there_or_is_empty(doctor, follow, server):
    secret = follow(server)
    secret.chmod(0o644)
    assert wrong(doctor()) == {"mailbox.secret"}
    secret.unlink()
    found = doctor()
    assert wrong(found) == {"mailbox.secret"}
    assert "No such file" in found["mailbox.secret"]["problem"]
    secret.write_text("\n")
    secret.chmod(0o600)
    before = len(server.commands)
    assert "the first line is empty" in doctor()["mailbox.secret"]["problem"]
    assert len(server.commands) == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program alice", "there is no program no-such-program"),
        ("'", "what is to say its password is no command"),
        ("false", "the command false ended with 1"),
    ],
)
def test_a_program_that_says_no_password(doctor, follow, server, command, said):
    follow(server, "--password-command", command)
    found = doctor()
    assert wrong(found) == {"mailbox.secret"}
    assert said in found["mailbox.secret"]["problem"]
    assert found["mailbox.login"]["ok"] is None


def test_a_program_is_not_run_as_root_but_as_the_user_of_the_service(doctor, follow, server, state, tmp_path):
    if os.geteuid():
        pytest.skip("needs root")
    told = tmp_path / "told"
    follow(server, "--password-command", f"touch {told}")
    for path in (state, *state.rglob("*")):
        os.chown(path, 65534, 65534)
    found = doctor()
    assert "is not run as root" in found["mailbox.login"]["problem"]
    assert not told.exists()


def test_nobody_there(doctor, follow):
    port = free_port()
    follow(None, url=f"imap://127.0.0.1:{port}")
    found = doctor()
    assert wrong(found) == {"mailbox.reached"}
    assert f"127.0.0.1:{port}: Connection refused" in found["mailbox.reached"]["problem"]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (MailServer(says=lambda command: None if command.startswith("SELECT") else b""), "in time"),
        (MailServer(says=lambda _: None), "it took more than"),
        (MailServer(refuses="UNAVAILABLE"), "not now"),
    ],
)
def test_a_server_that_stalls_or_cannot_now(doctor, follow, monkeypatch, server, said):
    monkeypatch.setattr(look, "ANSWER_S", 0.3 if "time" in said else 30.0)
    monkeypatch.setattr(look, "EACH_S", 0.3 if "took" in said else 30.0)
    with beside(server):
        follow(server)
        found = doctor()
    assert wrong(found) == {"mailbox.reached"}
    assert said in found["mailbox.reached"]["problem"]


def test_a_certificate_that_is_not_trusted_and_one_of_an_authority_that_is_named(doctor, follow, tmp_path, monkeypatch):
    chain, key = self_signed(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    with beside(MailServer(), tls=tls) as server:
        follow(server, url=f"imaps://localhost:{server.port}")
        found = doctor()
        assert wrong(found) == {"mailbox.certificate"}
        assert "the certificate is not trusted" in found["mailbox.certificate"]["problem"]
        assert server.commands == [], "no password was sent"
        monkeypatch.setenv("POSTBELL_IMAP__CA_FILE", str(chain))
        assert wrong(doctor()) == set()


def test_a_port_without_tls(doctor, follow, server):
    follow(server, url=f"imaps://127.0.0.1:{server.port}")
    assert wrong(doctor()) == {"mailbox.certificate"}


def test_a_password_that_is_wrong(doctor, follow, server):
    follow(server).write_text("wrong\n")
    found = doctor()
    assert wrong(found) == {"mailbox.login"}
    assert "wrong" in found["mailbox.login"]["problem"].lower()
    assert len([command for command in server.commands if command.startswith("AUTHENTICATE")]) == 1


def test_a_folder_that_is_not_there(doctor, follow, server, tmp_path):
    follow(server)
    follow(server, "--password-file", str(tmp_path / "secret"), "--folder", "INBOX", "--folder", "Work")
    found = doctor()
    assert wrong(found) == {"mailbox.folders"}
    assert found["mailbox.folders"]["problem"] == "mailbox 1 of alice: Work: no such folder"
    assert "the folders there are INBOX" in found["mailbox.folders"]["cure"]


def test_what_the_bridge_says_of_a_mailbox(doctor, follow, server, state, monkeypatch):
    follow(server)
    said = [{"folder_id": 1, "reason": "the server refuses the login: no", "down": True}]
    monkeypatch.setattr(control, "ask", lambda *_, **__: {"folders": said})
    (state / "run").mkdir(mode=0o700, exist_ok=True)
    runfile.write(state / "run", runfile.BRIDGE, {"pid": os.getpid()})
    with runfile.only_one(state / "run", runfile.BRIDGE):
        found = doctor()
        assert wrong(found) == {"mailbox.followed"}
        assert "refuses the login" in found["mailbox.followed"]["problem"]
        said[0]["down"] = False
        assert doctor()["mailbox.followed"]["ok"]

        def silent(*_, **__):
            raise control.ControlError("no")

        monkeypatch.setattr(control, "ask", silent)
        assert doctor()["mailbox.followed"]["ok"] is None


def test_dovecot_that_cannot_say_which_mailbox_changed(doctor, follow, run, server, tmp_path):
    """The recipe is run as it is printed, but for the reload of a Dovecot that does not run."""
    box, etc = tmp_path / "box", tmp_path / "dovecot"
    (tmp_path / "postbell.toml").write_text(f'[imap]\nevents_dir = "{box}"\n')
    secret = follow(server)
    follow(server, "--password-file", str(secret), "--events")
    found = doctor()
    assert wrong(found) == {"mailbox.events"}
    assert str(box) in found["mailbox.events"]["problem"]
    script = run("setup", "dovecot", "--events", "--directory", str(etc)).removesuffix("doveadm reload\n")
    subprocess.run(["sh", "-e"], input=script, text=True, check=True, timeout=60)
    assert doctor()["mailbox.events"]["ok"]
    box.chmod(0o700)
    assert "they cannot leave a name" in doctor()["mailbox.events"]["problem"]
    box.chmod(0o1733)
    (etc / "postbell-events.lua").write_text("-- nothing\n")
    assert "is not as the recipe writes it now" in doctor()["mailbox.events"]["problem"]
    (etc / "postbell-events.lua").unlink()
    assert "No such file" in doctor()["mailbox.events"]["problem"]


def test_only_so_many_are_tried(doctor, follow, server, monkeypatch):
    follow(server)
    monkeypatch.setattr(look, "MOST", 0)
    found = doctor()
    assert wrong(found) == set()
    assert "postbell mailbox test 1" in found["mailbox.login"]["problem"]
    assert server.commands == []
