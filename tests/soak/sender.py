"""Mail that never ends: small and large, to one user and to several, tried again until it is answered 250."""

from __future__ import annotations

import contextlib
import itertools
import random
import smtplib
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LARGE = b"all work and no play makes jack a dull boy\r\n" * 5000
AGAIN_S = 0.3


class Sender:
    """Sends until it is stopped, pausing where it is told to; `accepted` are the subjects of each user's mail."""

    def __init__(self, users: Iterable[str], *, connect: Callable[[], smtplib.SMTP], rate: float, seed: int) -> None:
        self.users = sorted(users)
        self.accepted: dict[str, set[str]] = defaultdict(set)
        self.refused = 0
        self._connect = connect
        self._pause_s = 1 / rate
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._go = threading.Event()
        self._resting = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender")

    def start(self) -> None:
        self._go.set()
        self._thread.start()

    def rest(self) -> None:
        """Send nothing until `resume`; on return nothing is under way."""
        self._resting.clear()
        self._go.clear()
        self._resting.wait()

    def resume(self) -> None:
        self._go.set()

    def stop(self) -> None:
        self._stopped.set()
        self._go.set()
        self._thread.join()

    @property
    def count(self) -> int:
        return sum(len(subjects) for subjects in self.accepted.values())

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._go.is_set():
                self._resting.set()
                self._go.wait()
                continue
            number = next(self._numbers)
            many = self._random.random() < 0.2
            users = self.users if many else [self._random.choice(self.users)]
            body = LARGE if self._random.random() < 0.05 else b"hello\r\n"
            while not self._stopped.is_set() and not self._handed_over(number, users, body):
                self.refused += 1
                self._stopped.wait(AGAIN_S)
            self._stopped.wait(self._pause_s)

    def _handed_over(self, number: int, users: list[str], body: bytes) -> bool:
        subject = f"soak {number}"
        head = f"From: Soak <soak@example.net>\r\nSubject: {subject}\r\nMessage-ID: <{number}@soak>\r\n\r\n".encode()
        with contextlib.suppress(OSError, smtplib.SMTPException, ValueError), self._connect() as smtp:
            smtp.sendmail("soak@example.net", [f"{user}@example.org" for user in users], head + body)
            for user in users:
                self.accepted[user].add(subject)
            return True
        return False
