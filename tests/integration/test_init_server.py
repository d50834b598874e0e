"""`postbell init` on a server of its own, as root: mail by sendmail reaches a device over TLS."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.support.machine import ROOT, Machine, machine
from tests.support.mta import POSTFIX_SERVICES
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "mail.example.org"
INIT = ["--host", HOST, "--user", "alice", "--address", "alice@example.org", "--device", "phone", "--tls", "local-ca"]
MAIN = """compatibility_level = 3.6
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mta.example
mydestination = example.org
local_recipient_maps =
local_transport = discard:
default_transport = error:no mail leaves this test
alias_maps =
alias_database =
maillog_file = /var/log/mail.log
"""
MASTER = POSTFIX_SERVICES + "discard unix - - n - - discard\n"
MAIL = b"From: Carol <carol@example.net>\nTo: alice@example.org\nSubject: It rings\n\nHello\n"
WAITS_S = "40"
PROGRAM = """#!{python}
import sys

sys.path.insert(0, {root!r})
from bridge.__main__ import main

main()
"""


class Server:
    """A machine on which `postbell` is installed, with a Postfix that delivers nothing but copies."""

    def __init__(self, system: Machine) -> None:
        self.system = system
        self._processes: list[subprocess.Popen[bytes]] = []
        for folder in Path(sys.executable).resolve().parents:  # Python itself, where root has it in a home
            system.run("chmod", "go+x", folder)
        system.write("/usr/bin/postbell", PROGRAM.format(python=sys.executable, root=str(ROOT)))
        system.run("chmod", "755", "/usr/bin/postbell")
        for left in ("/etc/postbell", "/var/lib/postbell", "/var/spool/postbell", "/etc/cron.weekly"):
            system.clear(left)
            system.run("rmdir", left)
        system.write("/etc/hosts", f"127.0.0.1 localhost {HOST}\n")

    def postbell(self, *arguments: str, account: str = "") -> str:
        became = ("runuser", "-u", account, "--") if account else ()
        return self.system.run(*became, "/usr/bin/postbell", *arguments)

    def start(self, *command: str, account: str) -> None:
        """Start a program as a service manager would: as its account, with all groups of it."""
        words = [*self.system.entering, "runuser", "-u", account, "--", *command]
        self._processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL))

    def listens(self, port: int) -> bool:
        return f":{port} " in self.system.run("ss", "-Hltn") + " "

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(20)


@pytest.fixture
def server(tmp_path, tmp_path_factory) -> Iterator[Server]:
    if os.geteuid() != 0:
        pytest.skip("needs root for a system of its own")
    for program in ("postfix", "sendmail", "mosquitto_sub", "ss", "runuser", "useradd"):
        need(program)
    cache = tmp_path_factory.getbasetemp().parent
    with (
        machine(tmp_path, cache, "postfix", "mosquitto-clients", own_network=True) as system,
        contextlib.closing(Server(system)) as made,
    ):
        yield made


def test_mail_by_sendmail_reaches_a_device_over_tls(server):
    system = server.system
    system.write("/etc/postfix/main.cf", MAIN)
    system.write("/etc/postfix/master.cf", MASTER)
    system.run("postfix", "start")

    said = server.postbell("init", *INIT, "--mta", "postfix", "--apply-mta")
    password = re.search(r"\npassword +(\S+)\n", said).group(1)
    assert "made               system user postbell" in said
    assert "made               user postbell in the group postfix" in said
    assert "done               Postfix: a blind copy over LMTP" in said
    assert "to be done by hand" not in said
    assert "1. start it, and have your system start it from now on: sudo -u postbell postbell serve" in said

    server.start("/usr/bin/postbell", "serve", account="postbell")
    until(lambda: server.listens(8883), what="the broker to listen over TLS")
    system.run("sendmail", "-f", "bob@example.org", "alice@example.org", input=MAIL)
    told = system.run(
        *("mosquitto_sub", "-h", HOST, "-p", "8883", "--cafile", "/etc/postbell/ca.pem", "-u", "alice.phone"),
        *("-P", password, "-i", "alice:phone", "-q", "1", "-t", "mail/alice/text", "-C", "1", "-W", WAITS_S),
    )
    assert "It rings" in told
    until(lambda: not system.run("postqueue", "-j").strip(), what="Postfix's queue to be empty")

    again = server.postbell("init", *INIT, "--mta", "postfix", "--apply-mta")
    assert "made " not in again.replace("was made", "")
    before = json.loads(server.postbell("certificate", "show", "--json"))
    server.postbell("certificate", "renew", "--now")
    after = json.loads(server.postbell("certificate", "show", "--json"))
    assert before["certificate"]["sha256"] != after["certificate"]["sha256"]
    shown = (
        "openssl",
        "s_client",
        "-connect",
        "localhost:8883",
        "-CAfile",
        "/etc/postbell/ca.pem",
        "-verify_return_error",
    )

    def is_shown() -> bool:
        chain = system.run(*shown, stdin=subprocess.DEVNULL)
        pem = chain[chain.index("-----BEGIN") : chain.index("-----END")]
        return pem in system.run("cat", "/etc/postbell/tls/fullchain.pem")

    until(is_shown, what="the renewed certificate to be shown, without a restart")
