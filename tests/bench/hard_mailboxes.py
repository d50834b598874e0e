"""Mailboxes that are hard to follow: what they cost a bridge, in its own peak memory and in seconds.

    python -m tests.bench.hard_mailboxes [MAILS]

Servers that send a literal of 2 GB, a line without an end, and answers without an end, on loopback: how many bytes of
it went out before the bridge hung up (what the kernel holds for both is part of that), and how long that took. Then a
folder with very many mails at a real Dovecot over TLS, of which a few are recent: until it is followed, and until it is
again behind a lost connection; and one of which all are, until a mail is seen or gone that a mail client reads or
deletes, by what the server can tell. The peak is that of the kernel (VmHWM), begun anew each time.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.bench import processor
from bridge.store import offline
from tests.bench.dovecot import NO_QRESYNC, OWNER, PASSWORD, dovecot
from tests.support.mailbox import ALICE, MailClient, closing_all, follow, letter, wait_followed
from tests.support.system import System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.dovecot import Dovecot

RECENT = 40
TELLS = {
    "with QRESYNC": "",
    "with CONDSTORE alone": NO_QRESYNC,
    "with neither": "imap_capability = IMAP4rev1 ENABLE IDLE UIDPLUS MOVE",
}
QUIET_S = 5.0
"""So long nothing happens before it is measured: what came before has been looked at."""
LONG_AGO_S = 90 * 86_400
CAPABLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\n"
ENDLESS = {
    "a literal of 2 GB": (b"* 1 FETCH (UID 1 BODY[] {2147483648}\r\n", b"x" * 65_536),
    "a line without an end": (b"* OK ", b"x" * 65_536),
    "answers without an end": (b"", b"* 1 EXISTS\r\n" * 5_000),
}


class Peak:
    """The most memory that a process has from now on, and what it has now, in MiB."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        self.before = self._mib("VmRSS")

    def _mib(self, name: str) -> float:
        line = next(line for line in self._status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024

    @property
    def more(self) -> float:
        """By how much the peak was above what it had."""
        return self._mib("VmHWM") - self.before


class Endless:
    """A server that answers a search with so many bytes as anybody takes."""

    def __init__(self, begins: bytes, goes_on: bytes) -> None:
        self._begins, self._goes_on = begins, goes_on
        self.sent = 0
        self.took_s: float | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, suppress(OSError):
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.sendall(b"* OK hello\r\n")
        lines = connection.makefile("rb")
        while line := lines.readline():
            tag, _, command = line.strip().partition(b" ")
            if command.startswith(b"AUTHENTICATE"):
                connection.sendall(b"+ \r\n")
                lines.readline()
            elif command.startswith(b"CAPABILITY"):
                connection.sendall(CAPABLE)
            elif command.startswith(b"SELECT"):
                connection.sendall(b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 2] x\r\n")
            elif command.startswith(b"UID"):
                self._go_on(connection)
                return
            connection.sendall(tag + b" OK done\r\n")

    def _go_on(self, connection: socket.socket) -> None:
        begun = time.perf_counter()
        with suppress(OSError):
            connection.sendall(self._begins)
            while self.sent < 2**31:
                connection.sendall(self._goes_on)
                self.sent += len(self._goes_on)
        if self.took_s is None:
            self.took_s = time.perf_counter() - begun


def fill(server: Dovecot, mails: int, *, recent: int, flags: str = "") -> None:
    """A Maildir with so many mails; all but the last few came long ago."""
    owner, box = pwd.getpwnam(OWNER), server.here / "mail" / "alice"
    server.deliver("alice", [])
    then = time.time() - LONG_AGO_S
    for number in range(mails):
        path = box / "cur" / f"{1_600_000_000 + number}.bench.localhost:2,{flags}"
        path.write_bytes(letter(number, size=500))
        os.chown(path, owner.pw_uid, owner.pw_gid)
        if number < mails - recent:
            os.utime(path, (then, then))


def many(mails: int) -> str:
    with (
        tempfile.TemporaryDirectory() as directory,
        dovecot() as server,
        System(Path(directory), POSTBELL_IMAP__CA_FILE=str(server.authority)) as system,
    ):
        system.add("alice")
        bridge = system.serve()
        fill(server, mails, recent=RECENT)
        system.send(letter(mails - 1, size=500), ALICE)
        peak, begun = Peak(bridge.pid), time.monotonic()
        follow(system, server)
        first, first_s = peak.more, time.monotonic() - begun
        server.stop()
        until(lambda: not connected(system), what="the connection to be lost")
        peak, begun = Peak(bridge.pid), time.monotonic()
        server.start()
        wait_followed(system)
        return (
            f"a folder with {mails:,} mails: followed after {first_s:.1f} s, {first:.1f} MiB at most beside "
            f"{peak.before:.0f}; again after {time.monotonic() - begun:.1f} s, {peak.more:.1f} MiB\n"
        )


def all_recent(mails: int, tells: str) -> str:
    """All of them came since `--since`, and were read: none is fetched, and all are known from then on."""
    with (
        tempfile.TemporaryDirectory() as directory,
        dovecot(more=TELLS[tells]) as server,
        System(Path(directory), POSTBELL_IMAP__CA_FILE=str(server.authority)) as system,
    ):
        system.add("alice")
        bridge = system.serve()
        fill(server, mails, recent=mails, flags="S")
        since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - LONG_AGO_S))
        peak, begun = Peak(bridge.pid), time.monotonic()
        system.run("mailbox", "add", "alice", *where(system, server), "--source", "--since", since)
        until(lambda: connected(system), what="it to be followed", patience_s=600)
        first, first_s = peak.more, time.monotonic() - begun
        for number in (mails + 1, mails + 2):
            system.send(letter(number), ALICE)
            server.deliver("alice", [letter(number)])
        client = MailClient(server)
        client.imap.create("Away")
        with closing_all(client):
            until(lambda: known(system, mails + 2), what="new mail to be known", patience_s=600)
            first_uid, other_uid = client.uid(mails + 1), client.uid(mails + 2)
            time.sleep(QUIET_S)
            read = news(system, bridge.pid, lambda: client.imap.uid("STORE", first_uid, "+FLAGS", r"(\Seen)"), seen=1)
            time.sleep(QUIET_S)
            gone = news(system, bridge.pid, lambda: client.imap.uid("MOVE", other_uid, "Away"), seen=2)
        return (
            f"{mails:,} mails since --since, {tells}: followed after {first_s:.0f} s, {first:.1f} MiB; from "
            f"seen there to seen here {read}; from gone there to seen here {gone}\n"
        )


def news(system: System, pid: int, happens: Callable[[], object], *, seen: int) -> str:
    """What it costs the bridge to find what happens, until so many messages are seen."""
    peak, begun, used = Peak(pid), time.monotonic(), processor.used_s({pid}) or 0.0
    happens()
    until(lambda: count_seen(system) == seen, what="it to be seen", patience_s=600)
    took, used = time.monotonic() - begun, (processor.used_s({pid}) or 0.0) - used
    more = peak.more
    time.sleep(QUIET_S)
    [listed] = json.loads(system.run("mailbox", "list", "--json").stdout)
    lag_ms = listed["lag_ms"]
    return (
        f"{took:.1f} s, of which the bridge computes {used:.2f} s, {lag_ms} ms behind the server's word, {more:.1f} MiB"
    )


def where(system: System, server: Dovecot) -> list[str]:
    secret = system.directory / "imap.password"
    secret.write_text(PASSWORD + "\n")
    return [f"imaps://localhost:{server.imaps}", "--login", "alice", "--password-file", str(secret)]


def known(system: System, mails: int) -> bool:
    with offline.reading(system.state_dir / "postbell.db") as connection:
        query = "SELECT count(*), count(number) FROM counterpart"
        return bool(connection.execute(query).fetchone() == (mails, 2))


def count_seen(system: System) -> int:
    with offline.reading(system.state_dir / "postbell.db") as connection:
        return int(connection.execute("SELECT count(*) FROM message WHERE seen").fetchone()[0])


def connected(system: System) -> bool:
    return all(each["connected"] for each in json.loads(system.run("mailbox", "list", "--json").stdout))


def endless(what: str) -> str:
    server = Endless(*ENDLESS[what])
    with tempfile.TemporaryDirectory() as directory, System(Path(directory)) as system:
        system.add("alice")
        bridge = system.serve()
        secret = system.directory / "password"
        secret.write_text("secret\n")
        url = f"imap://127.0.0.1:{server.port}"
        peak = Peak(bridge.pid)
        system.run("mailbox", "add", "alice", url, "--login", "alice", "--password-file", str(secret))
        until(lambda: server.took_s is not None, what="the bridge to hang up")
        more = peak.more
    took_s = server.took_s or 0.0
    return f"{what}: {server.sent / 1024:,.0f} KiB went out until it hung up, {took_s * 1000:.0f} ms, {more:.1f} MiB\n"


def main(mails: int) -> None:
    for what in ENDLESS:
        sys.stdout.write(endless(what))
    sys.stdout.write(many(mails))
    for tells in TELLS:
        sys.stdout.write(all_recent(mails, tells))
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
