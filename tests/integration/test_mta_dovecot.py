"""Dovecot's Sieve behind Postfix, set up by `postbell setup dovecot`, on a system of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.conftest import need
from tests.support.machine import Machine, machine
from tests.support.mta import POSTFIX_SERVICES, place, trial

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("dovecot-lmtpd", "dovecot-sieve")
DOVECOT = """protocols = lmtp
listen = 127.0.0.1
log_path = /var/log/dovecot.log
ssl = no
recipient_delimiter = +
auth_username_format = %n
mail_location = maildir:~/mail
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/srv/vmail/%n allow_all_users=yes
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0666
  }
}
!include_try conf.d/*.conf
"""
MAIN = """compatibility_level = 3.6
maillog_file = /var/log/postfix.log
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mta.example
mydestination =
virtual_mailbox_domains = example.org
virtual_mailbox_maps = static:everybody
virtual_transport = lmtp:unix:private/dovecot-lmtp
default_transport = error:no mail leaves this test
minimal_backoff_time = 1s
queue_run_delay = 2s
"""
MASTER = POSTFIX_SERVICES + "lmtp unix - - n - - lmtp\n"


class Mailboxes:
    """Postfix and Dovecot in a machine."""

    def __init__(self, system: Machine) -> None:
        self.system = system

    def inject(self, mail: bytes, *to: str) -> None:
        self.system.run("sendmail", "-f", "carol@example.org", *to, input=mail)

    def queued(self) -> bool:
        return bool(self.system.run("postqueue", "-j").strip())

    def flush(self) -> None:
        self.system.run("postqueue", "-f")

    def delivered(self, user: str) -> int:
        """How many mails are in a mailbox."""
        return len(self.system.run("find", f"/srv/vmail/{user}/mail/new", "-type", "f").split())


def configured(system: Machine) -> Mailboxes:
    for user in ("dovecot", "dovenull", "vmail"):
        system.add_user(user)
    system.clear("/etc/dovecot/conf.d")
    system.run("install", "-d", "-o", "vmail", "/srv/vmail")
    system.write("/etc/dovecot/dovecot.conf", DOVECOT)
    system.write("/etc/postfix/main.cf", MAIN)
    system.write("/etc/postfix/master.cf", MASTER)
    return Mailboxes(system)


def test_dovecot_redirects_copies_and_postfix_keeps_them_while_postbell_is_down(request):
    need("postfix")
    cache: Path = request.config.cache.mkdir("debian")
    with place() as where, machine(where.directory, cache, *PACKAGES) as system:
        server = configured(system)
        system.run("postfix", "start")
        system.run("sh", "-c", "dovecot >/var/log/dovecot.start 2>&1")
        for _ in range(2):  # doing it again changes nothing
            system.follow(where.setup("dovecot"), reload=True)
        asyncio.run(trial(server, where))
        mailboxes = {user: server.delivered(user) for user in ("alice", "bob", "carol")}
        assert mailboxes == {"alice": 3, "bob": 2, "carol": 2}, "carol gets her own mail and one bounce"
