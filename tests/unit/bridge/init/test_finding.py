from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from bridge.init import finding
from bridge.init.answers import MailServer


def program(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("installed", "server"),
    [
        ({"postconf": "postfix/main.cf"}, MailServer.POSTFIX),
        ({"exim4": "exim4/update-exim4.conf.conf"}, MailServer.EXIM),
        ({"smtpd": "smtpd.conf"}, MailServer.OPENSMTPD),
        ({"dovecot": "dovecot/dovecot.conf"}, MailServer.DOVECOT),
        ({"dovecot": "dovecot/dovecot.conf", "postconf": "postfix/main.cf"}, MailServer.POSTFIX),
        ({"sendmail": "mail/sendmail.cf"}, MailServer.NONE),
    ],
)
def test_the_mail_server_is_the_one_with_program_and_configuration(installed, server, tmp_path):
    assert finding.mail_server(root=tmp_path, path=str(tmp_path / "bin")) is MailServer.NONE
    for name in installed:
        program(tmp_path / "bin" / name)
    assert finding.mail_server(root=tmp_path, path=str(tmp_path / "bin")) is MailServer.NONE, "its files are missing"
    for file in installed.values():
        program(tmp_path / "etc" / file)
    assert finding.mail_server(root=tmp_path, path=str(tmp_path / "bin")) is server


def test_what_a_plan_depends_on_is_looked_up(tmp_path):
    def found(account, *, standard=True):
        return finding.machine(account=account, standard=standard, root=tmp_path)

    bare = found("nobody-has-this-name")
    assert (bare.systemd, bare.service_unit, bare.socket_unit, bare.cron, bare.account) == (False,) * 5
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    for name in ("postbell.service", "postbell.socket"):
        (tmp_path / "usr/lib/systemd/system" / name).touch()
    (tmp_path / "etc/cron.weekly").mkdir(parents=True)
    assert not found("root").socket_unit, "nobody starts it"
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    full = found("root")
    assert (full.systemd, full.service_unit, full.socket_unit, full.cron, full.account) == (True,) * 5
    other = found("root", standard=False)
    assert (other.systemd, other.service_unit, other.socket_unit) == (True, False, False), "the units name another"


def test_postbell_is_called_as_it_was_called(tmp_path, monkeypatch):
    program(tmp_path / "postbell")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "postbell"), "init"])
    assert finding.program() == str(tmp_path / "postbell")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "__main__.py"), "init"])
    assert finding.program() == str(Path(sys.executable).parent / "postbell")


@pytest.mark.parametrize(
    ("name", "host"),
    [("mail.example.org", "mail.example.org"), ("box", ""), ("localhost.localdomain", ""), ("bad_name.example", "")],
)
def test_a_host_with_a_domain_is_proposed(name, host, monkeypatch):
    monkeypatch.setattr(socket, "getfqdn", lambda: name)
    assert finding.host() == host


def test_an_account_has_its_group():
    assert finding.group("root") == "root"
    assert finding.group("nobody-has-this-name") == ""


@pytest.mark.parametrize(("sudo_user", "person"), [("alice", "alice"), ("Alice.B", "")])
def test_who_became_root_is_proposed_as_the_first_user(sudo_user, person):
    assert finding.person({"SUDO_USER": sudo_user}) == person


def test_certbots_certificate_is_found(tmp_path):
    assert not finding.lineage("mail.example.org", root=tmp_path)
    chain = tmp_path / "etc/letsencrypt/live/mail.example.org/fullchain.pem"
    chain.parent.mkdir(parents=True)
    chain.touch()
    assert finding.lineage("mail.example.org", root=tmp_path)
