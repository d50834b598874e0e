"""What delivery needs of the store, of who carries and writes, and of who knows which devices are awake."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bridge.kept import PushResult, Tried, Waiting
    from bridge.push.judging import Answer
    from bridge.push.letter import Letter


class Attendance(Enum):
    """Whether a device needs to be rung for a message."""

    ASLEEP = 1
    AWAKE = 2
    """It has the message from the broker."""
    UNSURE = 3
    """It is connected, and has not acknowledged the message yet."""


class Rows(Protocol):
    """What delivery needs of the store; each method raises StoreUnavailableError."""

    async def take(self, *, limit: int, without: Collection[str], ttl_s: float) -> list[Waiting]:
        """For each device the message whose turn it is."""

    async def sweep(self, waiting: Waiting, *, ttl_s: float) -> dict[PushResult, int]:
        """Let go of what its device need not be told any more."""

    async def sweep_all(self) -> int:
        """Let go of everything."""

    async def settle(self, tries: Sequence[Tried]) -> None:
        """Note what came of tries."""

    async def any_waiting(self) -> bool:
        """Whether anything waits."""


class Carrier(Protocol):
    """What carries a letter."""

    async def post(self, letter: Letter) -> Answer:
        """The answer; raises UndeliveredError."""


class Writing(Protocol):
    """What makes a letter."""

    async def letter(self, waiting: Waiting, text: bytes, *, ttl_s: int) -> Letter:
        """One to the waiting device; raises StoreUnavailableError, or ValueError for keys that are none."""


class Watching(Protocol):
    """Who knows which devices are awake."""

    async def attendance(self, waiting: Sequence[Waiting]) -> list[Attendance]:
        """That of each."""
