"""Exim, set up by `postbell setup exim` in Debian's split configuration, on a system of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import Machine, machine
from tests.support.mta import place, trial

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("exim4-daemon-light",)
DEBIAN = """dc_eximconfig_configtype='internet'
dc_other_hostnames='example.org'
dc_local_interfaces='127.0.0.1'
dc_use_split_config='true'
dc_localdelivery='discarded'
"""
DISCARDED = """discarded:
  driver = appendfile
  file = /dev/null
  user = mail
"""
EVERYBODY = """everybody:
  driver = accept
  domains = +local_domains
  transport = discarded
"""


class Exim:
    """Exim in a machine; every mail is delivered when it is injected, the queue when it is flushed."""

    def __init__(self, system: Machine) -> None:
        self.system = system

    def inject(self, mail: bytes, *to: str) -> None:
        self.system.run("exim4", "-odi", "-f", "bob@example.org", *to, input=mail)

    def queued(self) -> bool:
        return self.system.run("exim4", "-bpc").strip() != "0"

    def flush(self) -> None:
        self.system.run("exim4", "-qff")


def configured(system: Machine) -> Exim:
    system.add_user("Debian-exim", "--home-dir", "/var/spool/exim4")
    for folder in ("/var/spool/exim4", "/var/log/exim4", "/var/lib/exim4"):
        system.run("install", "-d", "-o", "Debian-exim", folder)
    system.write("/etc/mailname", "mta.example\n")
    system.write("/etc/exim4/update-exim4.conf.conf", DEBIAN)
    system.write("/etc/exim4/conf.d/transport/90_discarded", DISCARDED)
    system.write("/etc/exim4/conf.d/router/060_everybody", EVERYBODY)
    return Exim(system)


@pytest.mark.parametrize("over_tcp", [False, True], ids=["unix", "tcp"])
def test_exim_hands_over_copies_and_keeps_them_while_postbell_is_down(over_tcp, request):
    cache: Path = request.config.cache.mkdir("debian")
    with place() as where, machine(where.directory, cache, *PACKAGES) as system:
        server = configured(system)
        system.follow(where.setup("exim", over_tcp=over_tcp))
        asyncio.run(trial(server, where, over_tcp=over_tcp))
