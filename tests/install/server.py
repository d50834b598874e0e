"""The mail server on which Postbell is installed: who types there, and what can be asked of it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.debian import Debian

NAME = "mail.example.org"
AUTHORITY = "/usr/local/share/authority.pem"
MAIL = "From: Bob <bob@example.net>\\nTo: alice@example.org\\nSubject: {subject}\\n\\nHello\\n"
SETTLED = f"""
postconf -e myhostname={NAME} mydestination=example.org,localhost inet_interfaces=loopback-only alias_maps=
postconf -e maillog_file=/var/log/mail.log
useradd --create-home --shell /bin/bash alice
mkdir -m 700 -p /etc/letsencrypt/archive /etc/letsencrypt/live
mkdir -p /etc/letsencrypt/archive/{NAME} /etc/letsencrypt/live/{NAME}
cd /etc/letsencrypt/archive/{NAME}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={NAME} \
    -addext subjectAltName=DNS:{NAME} -keyout privkey1.pem -out fullchain1.pem
chmod 600 privkey1.pem
ln -s ../../archive/{NAME}/privkey1.pem ../../live/{NAME}/privkey.pem
ln -s ../../archive/{NAME}/fullchain1.pem ../../live/{NAME}/fullchain.pem
cp fullchain1.pem {AUTHORITY}
printf '[safe]\\ndirectory = *\\n' > /etc/gitconfig
"""
"""What is there beforehand: a mailbox, and what certbot leaves."""


@dataclass(frozen=True, slots=True)
class Server:
    """One machine, and a folder that both sides see, which is /srv/shared there."""

    machine: Debian
    shared: Path
    kept: Path
    """Where a package that was made is kept for the tests behind it."""

    def typed(self, lines: Iterable[str]) -> str:
        """Type the lines one after another; what they said."""
        return "".join(self.machine.run(line) for line in lines)

    def keep(self) -> None:
        """Have the package that was made here for later."""
        self.root("cp /home/op/postbell/dist/postbell_*.deb /srv/shared/")
        [package] = self.shared.glob("postbell_*.deb")
        shutil.copy(package, self.kept.with_suffix(f".{os.getpid()}"))
        self.kept.with_suffix(f".{os.getpid()}").rename(self.kept)

    def installed(self, lines: Iterable[str]) -> None:
        """Have the package on it: the one that is kept, or as the lines say."""
        if not self.kept.exists():
            self.typed(lines)
            self.keep()
            return
        shutil.copy(self.kept, self.shared)
        self.typed([f"sudo apt-get install -q /srv/shared/{self.kept.name}"])

    def root(self, line: str, *, check: bool = True) -> str:
        """A line of root's, without the end of its answer."""
        return self.machine.run(line, user="root", check=check).rstrip("\n")

    def active(self, *units: str) -> list[str]:
        """What systemd says of each unit."""
        return self.root(f"systemctl is-active {' '.join(units)}", check=False).split()

    def watching(self, login: str, topic: str, *, authority: str = AUTHORITY) -> Path:
        """mosquitto_sub over TLS, with the login that `device add` printed; the file with what it is told."""
        username, password = (re.search(rf"{name}\s+(\S+)", login)[1] for name in ("username", "password"))  # type: ignore[index]
        output = self.shared / f"told-{username}"
        subscribed = (
            f"mosquitto_sub -h {NAME} -p 8883 --cafile {authority} -u {username} -P {password} -i {username} -c"
            f" -q 1 -t {topic}"
        )
        self.machine.start(f"while :; do {subscribed}; sleep 0.3; done", output=output)  # it ends with its connection
        return output

    def send(self, subject: str) -> None:
        """Have a mail delivered to alice, by whoever may."""
        self.machine.run(f"printf '{MAIL.format(subject=subject)}' | /usr/sbin/sendmail alice@example.org")

    def told(self, output: Path, text: str) -> None:
        """Wait until a device was told."""
        try:
            until(lambda: text in output.read_text(errors="replace"), what=f"{text!r} to be told")
        except AssertionError as error:
            error.add_note(f"{output.read_text()}\n{self.trouble()}")
            raise

    def delivered(self, text: str) -> None:
        """Wait until it is in the mailbox, where it would have been without Postbell."""
        until(lambda: text in self.root("cat /var/mail/alice", check=False), what=f"{text!r} in the mailbox")

    def trouble(self) -> str:
        """What the logs say, for the reader of a failure."""
        return self.root(
            "journalctl --no-pager -n 30 -u postbell; tail -n 30 /var/log/mail.log; postqueue -p", check=False
        )
