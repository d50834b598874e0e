"""Signals as input to wait on, so that none of them interrupts what must not be."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_HEARD = (*ENDING, signal.SIGCHLD, signal.SIGCONT)


class Signals:
    """Turns signals into bytes on a pipe while the context lasts. Only in the main thread."""

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _note) for number in _HEARD}
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._reader

    def read(self) -> set[int]:
        """The numbers of the signals that came since the last call."""
        try:
            return set(os.read(self._reader, 4096))
        except BlockingIOError:
            return set()


def _note(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up descriptor has the number."""
