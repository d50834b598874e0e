"""A NAT that forgets idle connections without a word: played in scaled time, and as a proxy on real sockets."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from clients.keepalive import LONGEST_S, UNKNOWN, Endured, Keepalive, Network

if TYPE_CHECKING:
    from collections.abc import Callable

TRIP_S = 0.2
HOUR_S, DAY_S = 3600, 86_400


@dataclass(slots=True)
class Played:
    """What came of it: `late` are dead connections after the search had an end, `until_found` pings until then."""

    dead: int = 0
    late: int = 0
    until_found: int = 0
    pings: int = 0
    wakeups: int = 0
    ideal: float = 0.0
    """Wake-ups of one who knows the NAT."""
    unreachable_s: float = 0.0
    found: Endured = UNKNOWN
    intervals: list[int] = field(default_factory=list)


def play(
    forgets_s: Callable[[float], float], *, days: float = 3.0, mail_s: float = 0.0, known: Endured = UNKNOWN
) -> Played:
    """A device behind a NAT that forgets after `forgets_s(now)`, with a mail each `mail_s`, if there is any."""
    now = 0.0
    keepalive = Keepalive(clock=lambda: now, wall_ms=lambda: int(now * 1000))
    keepalive.connected(Network("here", known))
    played, end = Played(), days * DAY_S
    heard_at, lost_at, mail_at = now, None, mail_s or end + 1
    while now < end:
        due = now + keepalive.due_s
        mail = mail_at < due
        now = mail_at if mail else due
        mail_at += mail_s if mail else 0
        forgets = forgets_s(now)
        if lost_at is None and now - heard_at > forgets + 0.001:  # a float's own error is none of a NAT's
            lost_at = heard_at + forgets
        if mail:
            if lost_at is None:
                played.wakeups += 1
                heard_at = now
                keepalive.heard()
                keepalive.sent()
        elif keepalive.waits:
            assert lost_at is not None
            played.dead += 1
            played.late += played.until_found > 0
            played.unreachable_s += now - lost_at
            keepalive.lost()
            keepalive.connected(Network("here", known))
            heard_at, lost_at = now, None
        else:
            played.pings += 1
            played.wakeups += 1
            played.intervals.append(int(keepalive.interval_s))
            keepalive.sent(ping=True)
            if lost_at is None:
                now += TRIP_S
                heard_at = now
                keepalive.heard(pong=True)
                if keepalive.interval_s == played.intervals[-1] and not played.until_found:
                    played.until_found = played.pings
    played.ideal = sum(end / 1000 / min(forgets_s(end * step / 1000), LONGEST_S) for step in range(1000))
    played.found = keepalive.found
    return played


class SilentNat:
    """A port in front of `target`; what passes after more than `forgets_s` of `clock` without traffic is swallowed."""

    def __init__(self, target: tuple[str, int], *, clock: Callable[[], float], forgets_s: float) -> None:
        self.forgets_s = forgets_s
        self.swallowed = self.connections = 0
        self._target, self._clock = target, clock
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._server, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                inside, _ = self._server.accept()
                outside = socket.create_connection(self._target)
                self._open += [inside, outside]
                self.connections += 1
                entry = [self._clock(), 0.0]  # when it passed something last, and whether it is forgotten
                for pair in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self._pump, args=(*pair, entry), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, entry: list[float]) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                now = self._clock()
                if entry[1] or now - entry[0] > self.forgets_s:
                    entry[1] = 1.0
                    self.swallowed += 1
                else:
                    entry[0] = now
                    sink.sendall(data)
            if not entry[1]:
                sink.shutdown(socket.SHUT_WR)
