"""What one look for mail, one wait and one mail cost on the link, at a real Dovecot and at Postbell."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.bytes import BOX, IF_NEW, MSG, RE, settled
from tests.bench.pollers import Idler, imap_poll, pop3_poll
from tests.bench.result import agree
from tests.bench.sizing import letter
from tests.support.certificates import self_signed
from tests.support.counting_link import CountingLink, Device
from tests.support.system import System

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.dovecot import Dovecot
    from tests.support.counting_link import Count

SHORT = ", a short mail"
"""Behind the name of who was sent one: its subject and its text are a line each, as those of most mails are."""
POLLS: dict[str, Callable[[int, Path, str, int], int]] = {"POP3": pop3_poll, "IMAP": imap_poll}


@dataclass
class Found:
    """What was measured."""

    idle: dict[str, Count]
    """One poll without mail, one ping, one renewal, one notice."""
    mail: dict[str, Count]
    notice_s: dict[str, list[float]]
    """From the moment that a mail server has handed the mail in."""


def short_letter(number: int) -> bytes:
    """A mail of one line: 36 characters, with a subject of as many."""
    fields = "From: A <a@example.net>\r\nTo: b@example.org\r\nSubject: Shall we have lunch together {0:>10}"
    return (
        (fields + "\r\nMessage-ID: <{0}@short>\r\n\r\nAt one, where we were last week.{0:>4}\r\n")
        .format(number)
        .encode()
    )


def at_dovecot(server: Dovecot, user: str, there: int, found: Found, *, times: int) -> None:
    """Polls and IDLE, with so many mails in the mailbox."""
    ports = {"POP3": server.pop3s, "IMAP": server.imaps}
    for name, poll in POLLS.items():
        with CountingLink(ports[name]) as link:
            poll(link.port, server.authority, user, there)  # its indexes are made now
            before = settled(link)
            agree(f"a poll over {name}", there, mails=poll(link.port, server.authority, user, there))
            found.idle[name] = settled(link) - before
            server.deliver(user, [letter(there, 4096)])
            there += 1
            before = settled(link)
            agree(f"a mail over {name}", there, mails=poll(link.port, server.authority, user, there - 1))
            found.mail[name] = settled(link) - before
    with CountingLink(server.imaps) as link, Idler(link.port, server.authority, user) as idler:
        for number in range(times):
            before, begun = settled(link), time.perf_counter()
            server.deliver(user, [letter(there + number, 4096)])
            idler.look()
            found.notice_s.setdefault("IDLE", []).append(time.perf_counter() - begun)
            found.mail["IDLE"] = settled(link) - before
        before = settled(link)
        server.deliver(user, [short_letter(there + times)])
        idler.look()
        found.mail["IDLE" + SHORT] = settled(link) - before
        before = settled(link)
        idler.stop()
        idler.wait()
        found.idle["IDLE"] = settled(link) - before
        idler.hear(b"* OK Still here")
        before = settled(link)
        idler.hear(b"* OK Still here")
        found.idle["notice"] = settled(link) - before


def at_postbell(found: Found, *, there: int, times: int) -> None:
    """One device that waits."""
    with tempfile.TemporaryDirectory() as name:
        chain, key = self_signed(Path(name))
        tls = {"TLS_LISTEN": "127.0.0.1:0", "TLS_CERT": str(chain), "TLS_KEY": str(key)}
        with System(Path(name), **{f"POSTBELL_BROKER__{which}": value for which, value in tls.items()}) as system:
            login = system.add("alice")
            system.serve()
            with system.smtp() as smtp:
                for number in range(there):
                    smtp.sendmail("a@example.net", ["alice@example.org"], letter(number, 600))
            system.wait_drained()
            port = int(system.facts("broker")["mqtts"].rpartition(":")[2])
            with CountingLink(port) as link:
                device = Device(link, chain, level=5, password=login["password"]).connect()
                device.subscribe(dict.fromkeys((MSG, BOX, RE), IF_NEW))
                device.receive(until_topics=there + 1 if there else 0)
                before = settled(link)
                device.ping()
                found.idle["Postbell"] = settled(link) - before
                for number in range(times):
                    before, begun = settled(link), time.perf_counter()
                    mail_id = system.send(letter(there + number, 4096), "alice@example.org")
                    topics = device.receive(until_topics=1)
                    found.notice_s.setdefault("Postbell", []).append(time.perf_counter() - begun)
                    topics += device.receive(until_topics=0)
                    found.mail["Postbell"] = settled(link) - before
                    agree("a mail over Postbell", 1, headers=topics.count(f"mail/alice/msg/{mail_id}"))
                for who in ("Postbell", "Postbell, headers alone"):
                    before = settled(link)
                    mail_id = system.send(short_letter(len(who)), "alice@example.org")
                    topics = device.receive(until_topics=1) + device.receive(until_topics=0)
                    found.mail[who + SHORT] = settled(link) - before
                    agree(f"a short mail over {who}", 1, headers=topics.count(f"mail/alice/msg/{mail_id}"))
                    device.unsubscribe(BOX)
                device.close()
