"""What an idle hour costs behind a NAT that forgets, beside IMAP IDLE: the reference client's search, in scaled time.

    python -m tests.bench.keepalive [--days 3]

A ping and its answer are 48 bytes over TLS (tests/bench/bytes.py counts them), and one waking of the radio. An
IDLE that is renewed (DONE, its answer, IDLE, its continuation) was measured at 585 bytes over TLS. Both are what TCP
carries. A client of IDLE that renews less often than the NAT forgets is deaf without knowing.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from tests.support.silent_nat import HOUR_S, Played, play

PING_BYTES = 48
IDLE_BYTES = 585
IDLE_RENEWED_S = (540, 1740)
NATS_S = (60, 120, 300, 600, 900, 1200, 1800, 3600)


def row(forgets_s: int, played: Played, hours: float) -> str:
    """A line of the table."""
    wakeups = played.wakeups / hours
    idle = [
        f"{HOUR_S / each_s:5.1f} {HOUR_S / each_s * IDLE_BYTES:6.0f}" if each_s <= forgets_s else "  deaf      "
        for each_s in IDLE_RENEWED_S
    ]
    return (
        f"{forgets_s:7} {played.found.low_s:6} {played.until_found:6} {played.dead:5} {played.unreachable_s / 60:7.1f}"
        f" {played.wakeups / played.ideal:6.2f} {wakeups:8.1f} {wakeups * PING_BYTES:6.0f}   {idle[0]}   {idle[1]}\n"
    )


def _always(forgets_s: float, _now: float) -> float:
    return forgets_s


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=3.0)
    days = parser.parse_known_args(arguments)[0].days
    sys.stdout.write(
        "    NAT  found  pings  dead     min.  times  wake-ups  bytes     IDLE 9 min.    IDLE 29 min.\n"
        "      s      s  until        deaf    ideal    an hour        wake-ups bytes  wake-ups bytes\n"
    )
    for forgets_s in NATS_S:
        played = play(partial(_always, float(forgets_s)), days=days)
        if played.late or played.until_found > 20 or played.found.low_s > forgets_s:
            raise SystemExit(f"behind {forgets_s} s it was not found: {played}")
        sys.stdout.write(row(forgets_s, played, days * 24))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
