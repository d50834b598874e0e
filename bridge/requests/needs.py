"""What requests need of the store and of push, as Protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.kept import PushStanding, StoredBody
    from bridge.model import Subscription


class Messages(Protocol):
    """What requests need of the store; each method raises StoreUnavailableError."""

    async def set_seen(self, user_id: int, numbers: Sequence[int], *, seen: bool, by: str) -> int:
        """Mark messages, seen on the device `by`; how many changed."""

    async def unseen(self, user_id: int, *, below: int, limit: int) -> list[int]:
        """The largest numbers below one of messages that nobody has seen, largest first."""

    async def recent(self, user_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Number and header payload of the newest messages, newest first."""

    async def body(self, user_id: int, number: int) -> StoredBody | None:
        """Where a message's bytes are; None when the user has no such message."""


class PushSubscriptions(Protocol):
    """What requests need to have devices rung by Web Push; each method raises StoreUnavailableError."""

    async def key(self) -> str:
        """The key that subscriptions are to be made for (RFC 8292 §3.2), or BadRequestError where push is off."""

    async def standing(self, user_id: int, device: str) -> PushStanding | None:
        """How it goes with a device; None when it is not rung."""

    async def subscribe(self, user_id: int, device: str, subscription: Subscription) -> None:
        """Ring it there from now on, or BadRequestError where that may not be."""

    async def unsubscribe(self, user_id: int, device: str) -> None:
        """Ring it no more."""
