"""The sessions that are going on, and how all of them are brought to an end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_S = 5.0
"""How long a session that was stopped may take to say so to its sender."""


class Stoppable(Protocol):
    """A session, as far as its end is concerned."""

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the session is over."""

    def retire(self) -> None:
        """End as soon as no mail is under way."""

    def stop(self) -> None:
        """End wherever it is, telling the sender to come back later (RFC 5321 §3.8)."""

    def drop(self) -> None:
        """Close at once, whatever is on its way."""


class Sessions:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: set[Stoppable] = set()

    def add(self, session: Stoppable) -> None:
        """A session has begun."""
        self._open.add(session)

    def discard(self, session: Stoppable) -> None:
        """A session is over."""
        self._open.discard(session)

    async def end(self, *, grace_s: float) -> None:
        """End idle sessions, give mail under way `grace_s` seconds, stop the rest, and drop what does not stop."""
        await self._each(lambda session: session.retire(), within_s=grace_s)
        await self._each(lambda session: session.stop(), within_s=STOP_S)
        await self._each(lambda session: session.drop(), within_s=0)

    async def _each(self, told: Callable[[Stoppable], None], *, within_s: float) -> None:
        for session in list(self._open):
            told(session)
        ends = [session.ended for session in self._open]
        if ends and within_s:
            await asyncio.wait(ends, timeout=within_s)
