"""What devices ask about push: the key that they subscribe with, where they are to be rung, and how that goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.contract.requests import Status
from bridge.errors import BadRequestError
from bridge.push.allowing import literal
from bridge.store import subscriptions

if TYPE_CHECKING:
    from bridge.kept import PushStanding
    from bridge.model import Subscription
    from bridge.push.allowing import Allowed
    from bridge.store.store import Store

LOCAL = "localhost"


class Pushing:
    """Answers from the store. `enabled` and `allowed` may be replaced at any time."""

    def __init__(self, store: Store, *, enabled: bool, allowed: Allowed) -> None:
        self._store = store
        self.enabled = enabled
        self.allowed = allowed
        self._public: dict[bytes, str] = {}
        self._log = structlog.get_logger()

    async def key(self) -> str:
        """The key that subscriptions are to be made for; it is made when the first device asks."""
        self._require_enabled()
        number = await self._store.read(subscriptions.read_key)
        if number is None:
            number = await self._store.write(subscriptions.key, _fresh_number)
            self._log.info("push_key_made")
        if number not in self._public:
            self._public = {number: await asyncio.to_thread(_public_text, number)}
        return self._public[number]

    async def standing(self, user_id: int, device: str) -> PushStanding | None:
        """How it goes with a device; None when it is not rung."""
        return await self._store.read(subscriptions.standing, user_id, device)

    async def subscribe(self, user_id: int, device: str, subscription: Subscription) -> None:
        """Ring it there from now on. What its name stands for is judged each time when it is rung."""
        self._require_enabled()
        host = subscription.host
        near = host == LOCAL or host.endswith(f".{LOCAL}") or literal(host)
        if near and not self.allowed.of(host, [host]):
            raise BadRequestError(Status.NO_PUSH, "no push to such an address: push.allow does not list it")
        if not await asyncio.to_thread(_is_point, subscription.p256dh):
            raise BadRequestError(Status.BAD_REQUEST, "p256dh is no point of P-256 (RFC 8291)")
        user = await self._store.write(subscriptions.put, user_id, device, subscription)
        if user is not None:
            self._log.info("push_subscribed", user=user, device=device, host=host)

    async def unsubscribe(self, user_id: int, device: str) -> None:
        """Ring it no more."""
        user = await self._store.write(subscriptions.end, user_id, device)
        if user is not None:
            self._log.info("push_unsubscribed", user=user, device=device)

    def _require_enabled(self) -> None:
        if not self.enabled:
            raise BadRequestError(Status.NO_PUSH, "push is switched off here (push.enabled)")


# The library of ciphers is for those who are rung, and takes a while to import: these run in threads.


def _fresh_number() -> bytes:
    from bridge.push import writing  # noqa: PLC0415

    return writing.fresh_number()


def _public_text(number: bytes) -> str:
    from bridge.push import signing  # noqa: PLC0415

    return signing.public_text(signing.private_key(number))


def _is_point(p256dh: bytes) -> bool:
    from bridge.push import sealing  # noqa: PLC0415

    return sealing.is_point(p256dh)
