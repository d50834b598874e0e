"""Plays the keepalive against a NAT that forgets idle connections without a word, in scaled time.

Runs where `postbell` is imported: MicroPython's UNIX port, or CPython. Arguments: where `postbell` is, days,
seconds between mails (0: none), the NAT's seconds, and those that it has from the middle on (or the same).
Prints: dead connections, those of them after the search had an end, pings until then, milliseconds
unreachable, wake-ups, wake-ups of one who knows the NAT, and what was found.
"""

# mypy: disable-error-code="assignment,attr-defined,import-not-found"
# (MicroPython, and what lies beside this file on a board, are not known to it.)
# ruff: noqa: T201 (what it prints is what it says)

import sys

sys.path.insert(0, sys.argv[1])
import postbell

DAYS, MAIL_S, FORGETS_S, LATER_S = [int(each) for each in sys.argv[2:6]]
REMEMBERED = [int(each) for each in sys.argv[6:9]]
TRIP_MS = 200


class Nat:
    """One connection through it: whether a packet now gets through."""

    def __init__(self, now):
        self.last = now
        self.lost_at = -1

    def passes(self, now, forgets_s):
        if self.lost_at < 0 and now - self.last > forgets_s * 1000:
            self.lost_at = self.last + forgets_s * 1000
        self.last = now
        return self.lost_at < 0


def main():
    keepalive = postbell.Keepalive(*REMEMBERED)
    now, end = 0, DAYS * 86_400_000
    mail_at = MAIL_S * 1000 or end + 1
    nat = Nat(now)
    keepalive.connected(now)
    dead = late = pings = until_found = unreachable = wakeups = 0
    found = 0
    while now < end:
        forgets_s = LATER_S if now * 2 >= end else FORGETS_S
        now_s = now // 1000
        due = now + keepalive.due_ms(now, now_s)
        if mail_at < due:
            now = mail_at
            mail_at += MAIL_S * 1000
            if nat.passes(now, forgets_s):
                wakeups += 1
                keepalive.heard(now, False)
                keepalive.sent(now)
            continue
        now = due
        if keepalive.suspect_s >= 0:
            dead += 1
            late += until_found > 0
            keepalive.died(keepalive.suspect_s, now // 1000)
            unreachable += now - nat.lost_at
            nat = Nat(now)
            keepalive.connected(now)
            continue
        pings += 1
        wakeups += 1
        keepalive.sent(now, True)
        if nat.passes(now, forgets_s):
            now += TRIP_MS
            nat.last = now
            keepalive.heard(now, True)
            if keepalive.interval_s(now // 1000) == found and not until_found:
                until_found = pings
            found = keepalive.interval_s(now // 1000)
    ideal = sum([end // 2000 // min(each, 1740) for each in (FORGETS_S, LATER_S)])
    print(dead, late, until_found, unreachable, wakeups, ideal, keepalive.low_s, keepalive.high_s)


main()
