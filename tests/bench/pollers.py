"""Those who look for mail, with Python's own libraries over TLS: a poll over POP3 or IMAP, and waiting in IMAP IDLE."""

from __future__ import annotations

import imaplib
import poplib
import ssl
from typing import TYPE_CHECKING, Self

from tests.bench.dovecot import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 60.0
LOOK = "(FLAGS BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)] PREVIEW)"
"""What a list of mail shows: sender, subject, date, and how it begins (RFC 8970)."""


def pop3_poll(port: int, authority: Path, user: str, known: int) -> int:
    """One poll: log in, list all (UIDL), read header and ten lines of each that is not known. How many there are."""
    context = ssl.create_default_context(cafile=authority)
    box = poplib.POP3_SSL("localhost", port, timeout=PATIENCE_S, context=context)
    box.user(user)
    box.pass_(PASSWORD)
    there = len(box.uidl()[1])
    for number in range(known + 1, there + 1):
        box.top(number, 10)
    box.quit()
    return there


def imap_poll(port: int, authority: Path, user: str, known: int) -> int:
    """One poll: log in, ask whether there is more (STATUS), and if so look at it. How many there are."""
    with _logged_in(port, authority, user) as box:
        _, answer = box.status("INBOX", "(MESSAGES UIDNEXT UNSEEN)")
        there = int(answer[0].split(b"MESSAGES ")[1].split()[0].rstrip(b")"))
        if there > known:
            box.select("INBOX", readonly=True)
            box.fetch(f"{known + 1}:{there}", LOOK)
        return there


def _logged_in(port: int, authority: Path, user: str) -> imaplib.IMAP4_SSL:
    box = imaplib.IMAP4_SSL(
        "localhost", port, ssl_context=ssl.create_default_context(cafile=authority), timeout=PATIENCE_S
    )
    box.login(user, PASSWORD)
    return box


class Idler:
    """One connection that waits in IDLE (RFC 2177)."""

    def __init__(self, port: int, authority: Path, user: str) -> None:
        self._box = _logged_in(port, authority, user)
        self._box.select("INBOX", readonly=True)
        self._tag = b""

    def __enter__(self) -> Self:
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._box.logout()

    def wait(self) -> None:
        """Begin to wait."""
        self._tag = self._box._new_tag()
        self._box.send(self._tag + b" IDLE\r\n")
        self.hear(b"+ ")

    def stop(self) -> None:
        """End it."""
        self._box.send(b"DONE\r\n")
        self.hear(self._tag)

    def hear(self, expected: bytes) -> bytes:
        """Read to the next line that begins or ends so."""
        while line := self._box.readline().rstrip():
            if line.startswith(expected.rstrip()) or line.endswith(expected):
                return line
        raise ConnectionError("the server has closed the connection")

    def look(self) -> None:
        """There is a new mail: end the wait, look at it, and wait again."""
        number = self.hear(b" EXISTS").split()[1].decode()
        self.stop()
        _, found = self._box.fetch(number, LOOK)
        assert b"Subject:" in repr(found).encode(), found
        self.wait()
