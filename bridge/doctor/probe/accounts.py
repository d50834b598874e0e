"""The throw-away accounts: two users with a device each, made for a moment and gone afterwards in any case.

Only one doctor at a time has them; a lock on the run directory, which leaves no file, says so. What a doctor
that was killed has left is removed by the next one. Their names are nobody else's (`bridge.directory.PROBES`).
"""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.daemon import control, runfile
from bridge.directory import PROBES
from bridge.doctor.probe.names import DEVICE, USERS
from bridge.errors import PostbellError
from bridge.store import logins, offline, pairing, people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.config.settings import Settings
    from bridge.store.writer import Transaction

LOOK_S: Final = 2.0
CLEARED_S: Final = 3.0
PAUSE_S: Final = 0.02
TRIES: Final = 5


class BusyError(PostbellError):
    """Another doctor is at work with the same state directory."""


@dataclass(frozen=True, slots=True)
class ThrowAway:
    """A throw-away user, and the login of their device."""

    user: str
    address: str
    password: str

    @property
    def username(self) -> str:
        """The device's MQTT login."""
        return pairing.username(self.user, DEVICE)


@dataclass(slots=True)
class Ending:
    """What became of the accounts: `left` says why something of them may still be there, and is empty if nothing is."""

    left: str = ""


@contextmanager
def accounts(
    settings: Settings, *, password: str, now_ms: Callable[[], int], ending: Ending
) -> Iterator[tuple[ThrowAway, ThrowAway]]:
    """The two accounts, while the block runs; with one `password` for both, or each with a fresh one if it is empty.

    Raises BusyError, or store errors. However the block ends, they are removed, and what of them is on the broker is
    cleared by the bridge, which is waited for.
    """
    with _alone(settings):
        try:
            with _changing(settings, now_ms) as transaction:
                people.remove_probes(transaction)
                first, second = (_made(transaction, name, password) for name in USERS)
            _tell(settings)
            yield first, second
        finally:
            with _undisturbed():
                ending.left = _removed(settings, now_ms)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    descriptor = os.open(settings.run_dir, os.O_RDONLY | os.O_DIRECTORY)  # who works with the store holds the other one
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BusyError("another doctor is at work here") from error
    finally:
        os.close(descriptor)


@contextmanager
def _changing(settings: Settings, now_ms: Callable[[], int]) -> Iterator[Transaction]:
    retain = settings.retain
    with offline.transaction(settings.place, now_ms=now_ms(), count=retain.count, days=retain.days) as transaction:
        yield transaction


def _made(transaction: Transaction, name: str, password: str) -> ThrowAway:
    address = people.add_probe(transaction, name)
    fresh = pairing.add_device(transaction, name, DEVICE)
    if password:
        logins.admit(transaction, pairing.username(name, DEVICE), password, label="device", role="device")
    return ThrowAway(name, address, password or fresh)


def _tell(settings: Settings) -> None:
    """Have a running bridge know of it now; it looks by itself as well, a little later."""
    if runfile.running(settings.run_dir, runfile.BRIDGE):
        with suppress(control.ControlError):
            control.ask(settings.run_dir, {"do": "look"}, deadline_s=LOOK_S)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Whoever ends this process now, by Ctrl-C or SIGTERM, is patient until all is put away."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _removed(settings: Settings, now_ms: Callable[[], int]) -> str:
    """Remove them; why something may be left, empty if nothing is."""
    problem = ""
    for _ in range(TRIES):
        try:
            with _changing(settings, now_ms) as transaction:
                people.remove_probes(transaction)
        except (PostbellError, sqlite3.Error, OSError) as error:
            problem = f"the throw-away accounts are still there: {error}"
            time.sleep(PAUSE_S)
        else:
            break
    else:
        return problem
    _tell(settings)
    return "" if _cleared(settings) else "topics of the throw-away accounts wait to be cleared, and will be"


def _cleared(settings: Settings) -> bool:
    """Whether nothing of theirs waits for the broker any more, after a moment."""
    give_up_at = time.monotonic() + CLEARED_S
    while _waiting(settings):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(PAUSE_S)
    return True


def _waiting(settings: Settings) -> bool:
    with offline.reading(settings.place) as connection:
        of_probes = "SELECT 1 FROM outbox WHERE substr(path, 1, CAST(? AS INTEGER)) = ?"
        row = connection.execute(of_probes, (len(PROBES), PROBES)).fetchone()
    return row is not None
