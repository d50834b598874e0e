"""OpenSMTPD, set up by `postbell setup opensmtpd`, on a system of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.config.endpoints import UnixAddress
from bridge.errors import ConfigurationError
from bridge.setup import opensmtpd
from bridge.setup.recipe import Site
from tests.support.machine import Machine, machine
from tests.support.mta import place, trial

PACKAGES = ("opensmtpd",)
MAIN = """table aliases file:/etc/aliases
listen on socket
action "local" mda "cat >/dev/null" alias <aliases>
match from any for domain "example.org" action "local"
"""
START = "smtpd && for i in $(seq 100); do smtpctl show stats >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1"


class OpenSmtpd:
    """OpenSMTPD in a machine. The sender is carol, since the copy of an unknown user bounces."""

    def __init__(self, system: Machine) -> None:
        self.system = system

    def inject(self, mail: bytes, *to: str) -> None:
        self.system.run("sendmail", "-f", "carol@example.org", *to, input=mail)

    def queued(self) -> bool:
        return bool(self.system.run("smtpctl", "show", "queue").strip())

    def flush(self) -> None:
        self.system.run("smtpctl", "schedule", "all")


def configured(system: Machine) -> OpenSmtpd:
    for user in ("opensmtpd", "opensmtpq"):
        system.add_user(user, "--home-dir", "/var/lib/opensmtpd/empty")
    for user in ("alice", "bob", "carol", "nobody"):
        system.run("sh", "-c", f"id {user} || useradd --create-home {user}")
    system.run("sh", "-c", "chgrp opensmtpq /usr/sbin/smtpctl && chmod 2755 /usr/sbin/smtpctl")
    system.write("/etc/mailname", "mta.example\n")
    system.write("/etc/aliases", "")
    system.write("/etc/smtpd.conf", MAIN)
    return OpenSmtpd(system)


def test_opensmtpd_hands_over_copies_and_keeps_them_while_postbell_is_down(request):
    cache: Path = request.config.cache.mkdir("debian")
    with place() as where, machine(where.directory, cache, *PACKAGES) as system:
        server = configured(system)
        for _ in range(2):  # doing it again changes nothing
            system.follow(where.setup("opensmtpd"))
        system.run("sh", "-c", START)
        asyncio.run(trial(server, where, detail=""))


def test_without_smtp_over_tcp_there_is_no_recipe():
    for smtp in (None, UnixAddress(Path("/run/postbell/smtp"))):
        with pytest.raises(ConfigurationError, match=r"set smtp\.listen"):
            opensmtpd.recipe(Site(lmtp=None, addresses=(), smtp=smtp))
