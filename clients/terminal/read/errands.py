"""What is asked of the bridge beside the mail that comes: one answer after the other, each to its destination."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.download import Download
from clients.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.contract.requests import Reply
    from clients.terminal.read.destination import Destination

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Errand:
    """An operation, where its answer goes, and who is told of its end: None, or what went wrong."""

    operation: str
    arguments: tuple[str | int, ...]
    into: Destination
    done: Callable[[ClientError | None], None]


class Errands:
    """The errands of one device, in order. Moments are those of one clock, in seconds."""

    def __init__(self, *, next_request_id: Callable[[], int], jitter: Callable[[], float]) -> None:
        self._next_request_id, self._jitter = next_request_id, jitter
        self._waiting: deque[Errand] = deque()
        self._download: Download | None = None

    def run(self, errand: Errand) -> None:
        """Do it, when its turn comes."""
        self._waiting.append(errand)

    def due_at(self, now: float, *, up: bool) -> float | None:
        """When to call `request`, None while there is nothing to do."""
        if not self._waiting:
            return None
        return now if self._download is None else self._download.due_at(up=up)

    def resumed(self, now: float) -> None:
        """The connection is back."""
        if self._download is not None:
            self._download.resumed(now)

    def request(self, now: float, *, up: bool) -> bytes | None:
        """The request to send now, if one is due; an errand that takes too long ends here."""
        if not self._waiting:
            return None
        if self._download is None:
            errand = self._waiting[0]
            self._download = Download(
                errand.operation,
                *errand.arguments,
                write=errand.into.write,
                next_request_id=self._next_request_id,
                jitter=self._jitter,
                patience_s=PATIENCE_S,
                now=now,
            )
        try:
            self._download.check_patience(now)
        except ClientError as error:
            self._end(error)
            return None
        return self._download.request(now) if up else None

    def answered(self, reply: Reply, *, now: float) -> None:
        """Take in a reply; others' are ignored."""
        if self._download is None:
            return
        try:
            self._download.answered(reply, now=now)
        except ClientError as error:
            self._end(error)
        else:
            if self._download.done:
                self._end(None)

    def _end(self, error: ClientError | None) -> None:
        errand = self._waiting.popleft()
        self._download = None
        try:
            if error is None:
                errand.into.finish()
            else:
                errand.into.abandon()
        except ClientError as failure:
            error = failure
        errand.done(error)
