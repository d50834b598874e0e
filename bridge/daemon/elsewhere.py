"""Requests, where several bridges hear them all: the one that owns the user's shard answers.

What another is to answer is kept for some seconds: if that one dies over it, whoever takes its shards over answers.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from bridge.contract import topics
from bridge.errors import StoreUnavailableError
from bridge.shards.plan import shard_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from bridge.directory import User

KEPT_S = 10.0
"""A device asks again by then."""
HANDED_S = 1.5
"""What came so shortly before a shard was handed over in order may have been heard by two that did not own it."""
KEPT_AT_MOST = 10_000


class Answering(Protocol):
    """What answers requests."""

    async def handle(
        self, topic: str, payload: bytes, *, response_topic: str = "", correlation: bytes | None = None
    ) -> None:
        """Answer one request."""


class _Kept(NamedTuple):
    heard_at: float
    shard: int
    topic: str
    payload: bytes
    response_topic: str
    correlation: bytes | None


class OwnersRequests:
    """Has requests answered by the bridge that owns the user. `serves` says whether it is this one, at this moment.

    `heard` is told the topic of each that is answered here, so that of all bridges one notes it.
    """

    def __init__(
        self,
        requests: Answering,
        *,
        named: Callable[[str], Awaitable[User | None]],
        serves: Callable[[int], bool],
        heard: Callable[[str], None],
        root: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._requests = requests
        self._named = named
        self._serves = serves
        self._heard = heard
        self._root = root
        self._monotonic = monotonic
        self._kept: deque[_Kept] = deque(maxlen=KEPT_AT_MOST)
        self._log = structlog.get_logger()

    async def handle(
        self, topic: str, payload: bytes, *, response_topic: str = "", correlation: bytes | None = None
    ) -> None:
        """Answer a request if its user is ours, and else keep it for a while."""
        sender = topics.parse_request(self._root, topic)
        if sender is None:
            return
        try:
            user = await self._named(sender.user)
        except StoreUnavailableError as error:
            self._log.warning("request_not_answered", user=sender.user, device=sender.device, reason=str(error))
            return
        if user is None:
            return
        shard = shard_of(user.user_id)
        if self._serves(shard):
            self._heard(topic)
            await self._requests.handle(topic, payload, response_topic=response_topic, correlation=correlation)
            return
        now = self._monotonic()
        while self._kept and now - self._kept[0].heard_at > KEPT_S:
            self._kept.popleft()
        self._kept.append(_Kept(now, shard, topic, payload, response_topic, correlation))

    async def taken_over(self, shards: Collection[int], *, in_order: bool) -> None:
        """Answer what was kept for these shards, which are ours now; `in_order` says that they were given to us."""
        now = self._monotonic()
        age_s = HANDED_S if in_order else KEPT_S
        mine = [each for each in self._kept if each.shard in shards]
        self._kept = deque((each for each in self._kept if each.shard not in shards), maxlen=KEPT_AT_MOST)
        for each in mine:
            if now - each.heard_at <= age_s:
                self._heard(each.topic)
                await self._requests.handle(
                    each.topic, each.payload, response_topic=each.response_topic, correlation=each.correlation
                )
