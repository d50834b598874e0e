"""What delivery needs of the store, of who carries and writes, and of who knows which devices are awake."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bridge.kept import PushResult, PushWaiting, Tried
    from bridge.push.judging import ServiceAnswer
    from bridge.push.letter import PushLetter


class Wakefulness(Enum):
    """Whether a device needs to be rung for a message."""

    ASLEEP = 1
    AWAKE = 2
    """It has the message from the broker."""
    UNSURE = 3
    """It is connected, and has not acknowledged the message yet."""


class PushRows(Protocol):
    """What delivery needs of the store; each method raises StoreUnavailableError."""

    async def take(self, *, limit: int, without: Collection[str], ttl_s: float) -> list[PushWaiting]:
        """For each device the message whose turn it is."""

    async def sweep(self, waiting: PushWaiting, *, ttl_s: float) -> dict[PushResult, int]:
        """Let go of what its device need not be told any more."""

    async def sweep_all(self) -> int:
        """Let go of everything."""

    async def record(self, tries: Sequence[Tried]) -> None:
        """Note what came of tries."""

    async def any_waiting(self) -> bool:
        """Whether anything waits."""


class PushCarrier(Protocol):
    """What carries a letter."""

    async def post(self, letter: PushLetter) -> ServiceAnswer:
        """The answer; raises UndeliveredError."""


class Writing(Protocol):
    """What makes a letter."""

    async def letter(self, waiting: PushWaiting, text: bytes, *, ttl_s: int) -> PushLetter:
        """One to the waiting device; raises StoreUnavailableError, or ValueError for keys that are none."""


class Watching(Protocol):
    """Who knows which devices are awake."""

    async def attendance(self, waiting: Sequence[PushWaiting]) -> list[Wakefulness]:
        """That of each."""
