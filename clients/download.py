"""Reading an answer of any length in pieces, whatever gets lost, doubled or delayed. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from clients.backoff import Backoff
from clients.contract.requests import encode_request
from clients.errors import BridgeRefusedError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.contract.requests import Reply

WINDOW_BYTES = 256 * 1024
"""How much is asked for at once."""
STALL_S = 5.0
"""When nothing came for this long, the rest is asked for again."""
HOLE_S = 1.0
"""The same when later chunks are here already, so that one is missing or late."""
EARLY_CHUNKS = 64
"""How many chunks are kept that came before their turn."""


WHOLE = {"parts", "seen", "unseen"}
"""What is answered at once, and has no offset."""


class Download:
    """One operation of the bridge whose answer is passed on, in order and without holes, to `write`.

    `patience_s` bounds the time without any progress. Raises RequestError when the bridge refuses,
    contradicts itself, or is silent for too long.
    """

    def __init__(
        self,
        operation: str,
        *arguments: str | int,
        write: Callable[[bytes], None],
        next_request_id: Callable[[], int],
        jitter: Callable[[], float],
        patience_s: float,
        now: float,
    ) -> None:
        self._operation, self._arguments, self._write = operation, arguments, write
        self._next_request_id = next_request_id
        self._backoff = Backoff(jitter=jitter, first_s=0.5, longest_s=10.0)
        self._request_ids: set[int] = set()
        self._early: dict[int, bytes] = {}
        self._patience_s = patience_s
        self._progress_at = now
        self._due_at = now
        self._window_end = math.inf
        self.have = 0
        self.total: int | None = None

    @property
    def done(self) -> bool:
        """Whether all of the answer was passed on."""
        return self.have == self.total

    def due_at(self, *, up: bool) -> float:
        """When to look again at the latest: to send a request, while `up`, or to give up."""
        gives_up_at = self._progress_at + self._patience_s
        return min(self._due_at, gives_up_at) if up else gives_up_at

    def check_patience(self, now: float) -> None:
        """Give up if there was no progress for too long."""
        if not self.done and now - self._progress_at >= self._patience_s:
            raise RequestError(f"no answer from the bridge for {self._patience_s:g} seconds")

    def resumed(self, now: float) -> None:
        """The connection is back: what was on its way is taken for lost."""
        self._due_at = now

    def request(self, now: float) -> bytes | None:
        """The request to send now, if one is due."""
        if self.done or now < self._due_at:
            return None
        self._due_at = now + STALL_S
        request_id = self._next_request_id()
        self._request_ids.add(request_id)
        if self._operation in WHOLE:
            return encode_request(request_id, self._operation, *self._arguments)
        limit = min(self._early, default=self.have + WINDOW_BYTES) - self.have
        self._window_end = self.have + limit
        return encode_request(request_id, self._operation, *self._arguments, self.have, limit)

    def answered(self, reply: Reply, *, now: float) -> None:
        """Take in a reply; others' replies are ignored."""
        if reply.request_id not in self._request_ids or self.done:
            return
        if reply.try_later:
            self._due_at = now + self._backoff.next_s()
            return
        if reply.status:
            raise BridgeRefusedError(reply.status, reply.text)
        if self.total not in {None, reply.total}:
            raise RequestError("the message changed while it was being read")
        self.total = reply.total
        self._backoff.reset()
        self._keep(reply)
        if self._pass_on():
            self._progress_at = now
        self._due_at = now + (HOLE_S if self._early else STALL_S)
        if self.have >= self._window_end:
            self._due_at = now

    def _keep(self, reply: Reply) -> None:
        if reply.offset >= self.have and (len(self._early) < EARLY_CHUNKS or reply.offset == self.have):
            self._early[reply.offset] = max(reply.chunk, self._early.get(reply.offset, b""), key=len)
        elif reply.offset < self.have < reply.offset + len(reply.chunk):
            self._early[self.have] = reply.chunk[self.have - reply.offset :]

    def _pass_on(self) -> bool:
        """Hand on what is complete; whether that was anything."""
        before = self.have
        while self._early and min(self._early) <= self.have:
            offset = min(self._early)
            rest = self._early.pop(offset)[self.have - offset :]
            if rest:
                self._write(rest)
                self.have += len(rest)
        return self.have > before
