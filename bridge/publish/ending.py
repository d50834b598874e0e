"""How a task that was started beside others is brought to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it is over; raises what it failed with, before or on its way out."""
    task.cancel()
    outcomes: Sequence[Any] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]
