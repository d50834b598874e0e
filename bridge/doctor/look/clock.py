"""The clock, by what the kernel and the file system say of it."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import Final

from bridge.doctor.judge.clock import ClockSeen
from bridge.doctor.look.store import newest_mail_ms

UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC, adjtimex(2)


class _Timex(ctypes.Structure):
    """The beginning of what adjtimex(2) fills in, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("largest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def look(path: Path | str, *, now_ms: int, closed: bool) -> ClockSeen:
    """The facts, with the database at `path` as the file to compare with, unless it is closed to this process."""
    files = [] if closed or not isinstance(path, Path) else [path, path.with_name(f"{path.name}-wal")]
    written = [_written_ms(each) for each in files]
    return ClockSeen(
        now_ms=now_ms,
        newest_mail_ms=None if closed else newest_mail_ms(path),
        written_ms=max((each for each in written if each is not None), default=None),
        synchronised=_synchronised(),
    )


def _written_ms(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_mtime_ns // 1_000_000
    return None


def _synchronised() -> bool | None:
    """Whether something keeps the clock right, as the kernel was told; None when it cannot be asked."""
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    answer = _Timex()
    return None if ask(ctypes.byref(answer)) < 0 else not answer.status & UNSYNCHRONISED
