"""Marking messages as seen: what is still to be asked of the bridge, and when to ask again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.backoff import Backoff
from clients.contract.requests import encode_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clients.contract.requests import Reply

ANSWER_S = 10.0
"""A request without a reply is sent again after this; the operation is idempotent."""
IDS_PER_REQUEST = 200


class SeenRequests:
    """One `seen` request at a time, for all ids that wait, until the bridge has confirmed each.

    `next_request_id` gives the ids of requests, `jitter` numbers from [0, 1).
    """

    def __init__(self, *, next_request_id: Callable[[], int], jitter: Callable[[], float]) -> None:
        self._next_request_id = next_request_id
        self._backoff = Backoff(jitter=jitter, first_s=1.0, longest_s=60.0)
        self._waiting: dict[str, None] = {}
        self._asked: tuple[str, ...] = ()
        self._request_id: int | None = None
        self._due_at = 0.0

    def want(self, ids: Iterable[str]) -> None:
        """These messages are to be marked as seen."""
        self._waiting.update(dict.fromkeys(ids))

    def forget(self, ids: Iterable[str]) -> None:
        """These are not to be marked after all, as far as nobody was asked yet."""
        for mail_id in ids:
            self._waiting.pop(mail_id, None)

    def wanted(self, mail_id: str) -> bool:
        """Whether this client itself asked for the message to vanish, and had no answer yet."""
        return mail_id in self._waiting

    def gone(self, mail_id: str) -> None:
        """The message left the box: nothing to ask for any more."""
        self._waiting.pop(mail_id, None)

    def resumed(self, now: float) -> None:
        """The connection is back: ask at once what was asked last, for its reply may be lost."""
        self._due_at = now

    def due_at(self, now: float) -> float | None:
        """When to call `request`, or None while there is nothing to ask for."""
        if not self._waiting:
            return None
        return self._due_at if self._request_id is not None else max(now, self._due_at)

    def request(self, now: float) -> bytes | None:
        """The request to send now, if one is due."""
        due_at = self.due_at(now)
        if due_at is None or now < due_at:
            return None
        self._asked = tuple(self._waiting)[:IDS_PER_REQUEST]
        self._request_id = self._next_request_id()
        self._due_at = now + ANSWER_S
        return encode_request(self._request_id, "seen", *self._asked)

    def answered(self, reply: Reply, *, now: float) -> str | None:
        """Take in a reply; the result is the bridge's text if it refused for good."""
        if reply.request_id != self._request_id:
            return None
        self._request_id = None
        if reply.try_later:
            self._due_at = now + self._backoff.next_s()
            return None
        self._backoff.reset()
        self._due_at = now
        for mail_id in self._asked:
            self._waiting.pop(mail_id, None)
        return reply.text if reply.status else None
