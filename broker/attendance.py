"""Who is here, who was here when, and how: for whoever asks later, in `sessions.db` (docs/operations.md has the table).

Nothing is done for a packet: a device that comes or goes costs one row, and those of a second are written
together. Whether devices are still there is noted as one row for all, so that a broker that was killed knows
of each to some minutes.

Two apps with one login throw one another out for ever, and neither gets its mail in time. What shows it: a login
is taken over again and again by somebody who has another address or another client id than the one before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Set as AbstractSet

    from broker.sessions import SessionStore
    from broker.statistics import Statistics

GATHER_S = 1.0
"""How long those who come and go are gathered for one commit."""
BEAT_S = 300.0
"""How exactly a broker that was killed knows when those who were here were last here."""
TURNS, SPAN_S = 4, 300.0
"""So many times within so long a login changes hands until it counts as shared."""
TOLD_EACH_S = 3600.0
_SHOWN = 64  # characters of a client id

_ARRIVED = (
    "INSERT INTO visit VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (username) DO UPDATE SET online = 1,"
    " since = excluded.since, seen = excluded.seen, address = excluded.address, client_id = excluded.client_id,"
    " protocol = excluded.protocol, transport = excluded.transport, tls = excluded.tls"
)
_LEFT = "UPDATE visit SET online = 0, seen = ? WHERE username = ?"
_SHARED = "UPDATE visit SET shared = ? WHERE username = ?"
_FORGET = "DELETE FROM visit WHERE username = ?"
_BEAT = "INSERT OR REPLACE INTO beat VALUES (1, ?)"


@dataclass(frozen=True, slots=True)
class Visit:
    """How a device is connected. `protocol` is MQTT's level, 4 for 3.1.1; `transport` is tcp or websocket."""

    username: str
    address: str
    client_id: str
    protocol: int
    transport: str
    tls: bool

    @property
    def party(self) -> int:
        """Tells two apps apart, as far as the broker can."""
        return hash((self.address, self.client_id))


class Attendance:
    """The devices that are connected. `clock` gives epoch seconds; `statistics` is told how many there are."""

    def __init__(self, store: SessionStore, *, statistics: Statistics, clock: Callable[[], float]) -> None:
        self._store = store
        self._statistics = statistics
        self._clock = clock
        self._known = store.load_visitors()
        self._here: dict[str, int] = {}  # the party by its username
        self._taken: dict[str, list[float]] = {}  # when it changed hands, of those that did of late
        self._told_at: dict[str, float] = {}
        self._unsaved: dict[str, list[tuple[str, tuple[object, ...]]]] = {}
        self._waiting = asyncio.Event()
        self._log = structlog.get_logger()

    def arrived(self, visit: Visit) -> None:
        """A device is let in; whoever had its login before has been thrown out."""
        now, username, party = self._clock(), visit.username, visit.party
        before = self._here.get(username)
        self._here[username] = party
        self._known.add(username)
        client_id = "".join(c if c.isprintable() else "?" for c in visit.client_id[:_SHOWN])
        told = (visit.address, client_id, visit.protocol, visit.transport, int(visit.tls))
        self._unsaved[username] = [(_ARRIVED, (username, now, now, *told))]
        if before is not None and before != party:
            self._changed_hands(visit, now)
        self._statistics.devices = len(self._here)
        self._waiting.set()

    def left(self, username: str) -> None:
        """A device is not connected any more."""
        if self._here.pop(username, None) is not None:
            self._unsaved.setdefault(username, []).append((_LEFT, (self._clock(), username)))
            self._statistics.devices = len(self._here)
            self._waiting.set()

    @property
    def known(self) -> AbstractSet[str]:
        """Those of whom anything is kept."""
        return self._known

    def forget(self, usernames: Collection[str]) -> None:
        """These have no login: of them nothing is kept."""
        for username in self._known.intersection(usernames):
            self._here.pop(username, None)
            self._taken.pop(username, None)
            self._told_at.pop(username, None)
            self._unsaved[username] = [(_FORGET, (username,))]
            self._waiting.set()
        self._known.difference_update(usernames)
        self._statistics.devices = len(self._here)

    async def follow(self) -> None:
        """Write down who came and went, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(BEAT_S):  # wait_for of Python 3.11 can swallow a cancellation
                    await self._waiting.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(GATHER_S)
            self.save()

    def save(self) -> None:
        """Have all that waits written with the next commit of sessions, and that those who are here still are."""
        self._waiting.clear()
        if self._here or self._unsaved:
            self._store.change(_BEAT, self._clock())
        for statements in self._unsaved.values():
            for statement, values in statements:
                self._store.change(statement, *values)
        self._unsaved.clear()

    def _changed_hands(self, visit: Visit, now: float) -> None:
        username = visit.username
        times = [at for at in self._taken.get(username, ()) if now - SPAN_S < at <= now]
        self._taken[username] = [*times, now][-TURNS:]
        if len(self._taken[username]) < TURNS:
            return
        self._unsaved[username].append((_SHARED, (now, username)))
        if not now - TOLD_EACH_S < self._told_at.get(username, 0.0) <= now:
            self._told_at[username] = now
            self._log.warning("login_shared", username=username, address=visit.address)
