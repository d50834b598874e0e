"""Waiting for what has to come, and ports to wait at."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE_S = 60.0
LOOK_S = 0.02


def until(holds: Callable[[], T], *, what: str, patience_s: float = PATIENCE_S) -> T:
    """Look again and again until a condition holds; its value, or an AssertionError that says what was awaited."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if value := holds():
            return value
        time.sleep(LOOK_S)
    raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")


async def until_on_loop(holds: Callable[[], T], *, what: str, patience_s: float = PATIENCE_S) -> T:
    """The same, and others have their turns on the event loop meanwhile."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if value := holds():
            return value
        await asyncio.sleep(LOOK_S)
    raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")


def listens(address: tuple[str, int]) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(address, 1):
        return True
    return False


def free_port() -> int:
    """A TCP port that nobody listens on now.

    It is below those that the kernel gives to whoever asks for any: while the test's own server is down
    nobody else gets it, and no client meets a stranger there.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
