"""The clock: ids of mail are made of it, and what is too old is told by it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

SLACK_MS = 60_000
CURE = "set the clock, and have it kept right: timedatectl set-ntp true"


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """What is to be known of it, in Unix milliseconds; None where nothing is.

    `newest_mail_ms` is when the newest mail came by the clock of that time, `written_ms` when the file system says
    that the database was written. `synchronised` is what the kernel says.
    """

    now_ms: int
    newest_mail_ms: int | None
    written_ms: int | None
    synchronised: bool | None


def judge(clock: ClockSeen) -> list[Finding]:
    """All findings of the hop `clock`."""
    return [
        _not_behind(Check.CLOCK_IDS, clock.now_ms, clock.newest_mail_ms, "the newest mail came"),
        _not_behind(Check.CLOCK_FILES, clock.now_ms, clock.written_ms, "the database was written"),
        _synchronised(clock),
    ]


def _not_behind(check: Check, now_ms: int, then_ms: int | None, what: str) -> Finding:
    if then_ms is None:
        return unknown(check, "there is nothing to compare it with")
    ahead_ms = then_ms - now_ms
    if ahead_ms <= SLACK_MS:
        return fine(check)
    return broken(
        check,
        f"{what} {ahead_ms // 1000} s in the future: this clock is behind, or was ahead, or another made it",
        CURE,
    )


def _synchronised(clock: ClockSeen) -> Finding:
    if clock.synchronised:
        return fine(Check.SYNCHRONISED)
    told = "nothing on this machine keeps the clock right" if clock.synchronised is False else "the kernel does not say"
    return unknown(Check.SYNCHRONISED, told, "timedatectl set-ntp true, unless the host of this machine does it")
