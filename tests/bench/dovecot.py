"""A real Dovecot on loopback, over TLS, with a Maildir for whoever logs in; else as it comes."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.bench import processor
from tests.conftest import need
from tests.support.certificates import self_signed
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PASSWORD = "secret"
OWNER = "nobody"
ATTEMPTS = 3
NO_QRESYNC = "imap_capability = IMAP4rev1 ENABLE IDLE CONDSTORE UIDPLUS MOVE"
"""As a setting: it keeps count of changes, and does not tell which mails are gone since, as Gmail."""
SETTINGS = """
base_dir = {here}/run
state_dir = {here}/state
log_path = {here}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <{chain}
ssl_key = <{key}
mail_location = maildir:{here}/mail/%n
mail_max_userip_connections = 10000
imap_idle_notify_interval = {notice}s
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={here}/home/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
{more}"""


@dataclass
class Dovecot:
    """One that runs, and may be stopped and started again."""

    here: Path
    authority: Path
    imaps: int
    pop3s: int
    program: str
    running: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self.running is not None
        return self.running.pid

    def start(self) -> None:
        """Start it, and wait until it listens; raises AssertionError when it does not."""
        command = [self.program, "-F", "-c", str(self.here / "dovecot.conf")]
        self.running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(partial(_listens, self.running, self.here, (self.imaps, self.pop3s)), what="Dovecot to listen")

    def stop(self) -> None:
        """End it with all its connections."""
        running, self.running = self.running, None
        if running is not None:
            running.terminate()
            running.wait(20)

    def deliver(self, user: str, letters: Iterable[bytes]) -> None:
        """Put mail into a Maildir, as a mail server does: written aside, then renamed."""
        owner = pwd.getpwnam(OWNER)
        box = self.here / "mail" / user
        for each in (box, *(box / name for name in ("new", "cur", "tmp"))):
            each.mkdir(exist_ok=True)
            os.chown(each, owner.pw_uid, owner.pw_gid)
        for letter in letters:
            name = f"{1_700_000_000 + next(self.numbers)}.bench.localhost"
            aside = box / "tmp" / name
            aside.write_bytes(letter.replace(b"\r\n", b"\n"))
            os.chown(aside, owner.pw_uid, owner.pw_gid)
            aside.rename(box / "new" / name)

    def used_s(self) -> float:
        """Seconds of processor time so far, of it and of all its processes, those that have ended too."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        running = processor.used_s(processor.family(self.pid) - {self.pid})
        own_and_ended = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return own_and_ended + (running or 0.0)


@contextmanager
def dovecot(*, notice_s: int = 120, more: str = "") -> Iterator[Dovecot]:
    """One that says "Still here" to those who wait every so many seconds; 120 is its default. `more` are settings."""
    program = need("dovecot")
    for each in ("imap", "pop3"):
        if not Path("/usr/lib/dovecot", each).exists():
            pytest.skip(f"needs the package dovecot-{each}d")
    if os.geteuid():
        pytest.skip("needs root, as Dovecot does")
    here = Path(tempfile.mkdtemp(prefix="dovecot-"))
    here.chmod(0o755)
    owner = pwd.getpwnam(OWNER)
    for name in ("mail", "home", "run", "state"):
        (here / name).mkdir()
    os.chown(here / "home", owner.pw_uid, owner.pw_gid)
    chain, key = self_signed(here)
    places = {"here": here, "chain": chain, "key": key, "password": PASSWORD, "notice": notice_s}
    places |= {"uid": owner.pw_uid, "gid": owner.pw_gid, "more": more}
    server = None
    try:
        server = _started(program, places)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(here, ignore_errors=True)


def _started(program: str, places: dict[str, Any]) -> Dovecot:
    """One that listens; at other ports where it ends at once, as it does when somebody else has got one of them."""
    here = places["here"]
    for attempt in range(1, ATTEMPTS + 1):
        imaps, pop3s = free_port(), free_port()
        (here / "dovecot.conf").write_text(SETTINGS.format(**places, imaps=imaps, pop3s=pop3s), "utf-8")
        server = Dovecot(here, places["chain"], imaps, pop3s, program)
        try:
            server.start()
        except AssertionError:
            server.stop()
            if attempt == ATTEMPTS:
                raise
        else:
            break
    return server


def _listens(running: subprocess.Popen[bytes], here: Path, ports: tuple[int, ...]) -> bool:
    """Whether it does; raises AssertionError with its log when it has ended."""
    if running.poll() is not None:
        log = here / "dovecot.log"
        raise AssertionError(f"Dovecot ends: {log.read_text() if log.exists() else 'it wrote no log'}")
    return all(listens(("127.0.0.1", port)) for port in ports)
