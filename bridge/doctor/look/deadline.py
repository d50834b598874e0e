"""Bounded time for what may hang: a name server, a file system that is gone, a program that waits for another."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def within(time_s: float, work: Callable[[], T], *, name: str) -> T:
    """What `work` returns or raises; TimeoutError when it takes longer.

    It then goes on in a thread of that name, which the end of the process does not wait for: it must be such
    that leaves nothing half done.
    """
    results: list[T] = []
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.append(work())
            ended.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            ended.put(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        error = ended.get(timeout=max(time_s, 0))
    except queue.Empty:
        raise TimeoutError(f"no answer within {time_s:.0f} s") from None
    if error is not None:
        raise error
    return results[0]
