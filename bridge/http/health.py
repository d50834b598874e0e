"""Whether it is alive, and whether it can do its work: for whoever restarts it, or sends it mail or not."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from bridge.http.answers import plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

DEADLINE_S = 5.0
"""A part that does not answer within so long is not ready."""
GOOD_FOR_S = 1.0
"""What was found is told again for so long: looking may cost a write to the disk."""


async def alive(_request: web.BaseRequest | None = None) -> web.Response:
    """Yes, for the event loop that mail and requests go through has come round to this."""
    return plain(HTTPStatus.OK, "alive")


class Readiness:
    """Asks each part whether it can do its work. A check gives the reason why not, or an empty text."""

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[str]]], *, monotonic: Callable[[], float]) -> None:
        self._checks = checks
        self._monotonic = monotonic
        self._found: dict[str, str] = {}
        self._good_until_s: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def page(self, _request: web.BaseRequest | None = None) -> web.Response:
        """200, or 503 with a line for each part that is not ready."""
        problems = await self.problems()
        if not problems:
            return plain(HTTPStatus.OK, "ready")
        lines = [f"{part}: {reason}" for part, reason in problems.items()]
        return plain(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(["not ready", *lines]))

    async def problems(self) -> Mapping[str, str]:
        """Why each part is not ready that is not; empty when all are."""
        async with self._one_at_a_time:
            if self._good_until_s is None or self._monotonic() >= self._good_until_s:
                reasons = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
                self._found = {part: reason for part, reason in zip(self._checks, reasons, strict=True) if reason}
                self._good_until_s = self._monotonic() + GOOD_FOR_S
            return self._found


async def _ask(check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return " ".join((await check()).split())
    except TimeoutError:
        return f"no answer within {DEADLINE_S:g} seconds"
