"""What is to be heard of new mail: bell and desktop, once for each mail that rings, and once for all of a backlog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from clients.terminal.screen import readable, sender_of, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.contract.header import Header

BACKLOG_S = 10.0
"""What comes so soon after a connection, and before the box agrees with its digest, had waited."""


class Desktop(Protocol):
    """Shows notifications."""

    def notify(self, title: str, body: str) -> None:
        """Show one; what it says is literal."""


class Alarm:
    """`bell` rings the terminal's, `clock` gives seconds that only grow. Silent mail sets off nothing."""

    def __init__(self, *, bell: Callable[[], None] | None, desktop: Desktop | None, clock: Callable[[], float]) -> None:
        self._bell, self._desktop, self._clock = bell, desktop, clock
        self._backlog: list[Header] = []
        self._ends_at: float | None = None

    def connected(self) -> None:
        """A connection begins, and with it what had waited."""
        self._ends_at = self._clock() + BACKLOG_S

    def mail(self, header: Header) -> None:
        """A mail is on the screen."""
        if header.silent:
            return
        if self._ends_at is None:
            self._sound([header])
        else:
            self._backlog.append(header)

    @property
    def due_at(self) -> float | None:
        """When `tend` has something to do, at the latest."""
        return self._ends_at

    def tend(self, *, caught_up: bool) -> None:
        """All that had waited has come, or the time for it is over: sound once for it."""
        if self._ends_at is None or not (caught_up or self._clock() >= self._ends_at):
            return
        backlog, self._backlog, self._ends_at = self._backlog, [], None
        if backlog:
            self._sound(backlog)

    def _sound(self, mails: list[Header]) -> None:
        if self._bell is not None:
            self._bell()
        if self._desktop is None:
            return
        newest = mails[-1]
        body = subject_of(newest) + (f" – {readable(newest.snippet)}" if newest.snippet else "")
        if len(mails) == 1:
            self._desktop.notify(sender_of(newest), body)
        else:
            self._desktop.notify(f"{len(mails)} new mails", f"{sender_of(newest)}: {body}")
