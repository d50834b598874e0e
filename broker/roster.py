"""The sessions of all logins: begun, resumed, left, ended. No sockets and no waiting; time is asked, not kept.

A session ends as its device wished (`expiry_s`), and at the latest after as long as the broker keeps any. While its
device is away its will may wait, and all that waits for it counts against one bound for all who are away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from broker.deadlines import Deadlines
from broker.delivery import Delivery
from broker.quota import EACH, Quota
from broker.session import DeviceSession
from broker.subscriptions import Subscriptions, grant, identifiers
from broker.wire.packets import AS_PUBLISHED, NO_LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.acl import Identity
    from broker.credentials import LoginTable
    from broker.holding import Holding
    from broker.saved import SavedSession
    from broker.sessions import SessionStore
    from broker.wire.packets import Will

_BRIDGED = NO_LOCAL | AS_PUBLISHED


class Roster:
    """Who has a session. One per process; every method runs to its end on the event loop.

    `publish_will` sends what a device that has gone wanted to be sent; `clock` gives epoch seconds.
    """

    def __init__(
        self,
        *,
        holding: Holding,
        store: SessionStore,
        clock: Callable[[], float],
        publish_will: Callable[[DeviceSession, Will], None],
    ) -> None:
        self.sessions: dict[str, DeviceSession] = {}
        self.subscriptions = Subscriptions()
        self.quota = Quota(holding.total)
        self._holding = holding
        self._store = store
        self._clock = clock
        self._publish_will = publish_will
        self._due = Deadlines()
        self._log = structlog.get_logger()

    def use(self, holding: Holding) -> None:
        """Have this hold: the bounds of a queue for sessions that begin from now on, the rest at once."""
        self._holding = holding
        self.quota.most = holding.total
        for session in self.sessions.values():
            if session.handler is None:
                self._watch(session)

    @property
    def next_at(self) -> float | None:
        """When `look_after` may have something to do (epoch); None when it never will."""
        return self._due.next_at

    def when_sooner(self, told: Callable[[], None]) -> None:
        """Have this called whenever `next_at` is earlier than before."""
        self._due.sooner = told

    def restore(self, who: Identity, saved: SavedSession) -> DeviceSession:
        """Put back a session that the last broker process left; its queue follows (restoring.py)."""
        delivery = Delivery(self._holding.bounds, next_seq=saved.last_seq + 1, unread=saved.queued)
        session = DeviceSession(who, delivery, credential=saved.credential, expiry_s=saved.expiry_s)
        session.seen_s = saved.seen_s
        session.received = saved.received or None
        self.sessions[who.username] = session
        for topic_filter, (options, identifier) in saved.filters.items():
            granted = session.subscriptions[topic_filter] = grant(options, identifier)
            self.subscriptions.add(topic_filter, who.username, granted)
        self.quota.hold(who.username, saved.octets + saved.queued * EACH)
        self._watch(session)
        return session

    def open(
        self, who: Identity, credential: bytes, *, clean: bool, expiry_s: int, bridge: bool = False
    ) -> tuple[DeviceSession, bool]:
        """The session for a new connection, and whether it was present [MQTT-3.1.2-4] [MQTT-3.2.2-2].

        The one that had the session before is disconnected first [MQTT-3.1.4-3], its will sent or left. What was in
        flight to it is sent again by the new connection's handler, then what waits [MQTT-4.4.0-1]. A will that waited
        for the device to stay away is not sent [MQTT-3.1.3-9].
        """
        session = self.sessions.get(who.username)
        if session is not None and session.handler is not None:
            session.handler.evict("taken_over")
            session = self.sessions.get(who.username)
        if session is not None and (clean or session.who != who or self._ends_at(session) <= self._clock()):
            self.drop(session)
            session = None
        present = session is not None
        if session is None:
            session = DeviceSession(who, Delivery(self._holding.bounds), credential=credential, expiry_s=expiry_s)
            self.sessions[who.username] = session
        session.will = None
        session.credential = credential
        self.quota.release(who.username)
        self._lasts(session, expiry_s)
        self.touch(session)
        session.forced = _BRIDGED if bridge else 0
        if bridge:
            self._bridge(session)
        return session, present

    def change_expiry(self, session: DeviceSession, expiry_s: int) -> bool:
        """A device that says goodbye says also how long its session lasts; False where it may not [MQTT-3.14.2-2]."""
        if expiry_s and not session.expiry_s:
            return False
        self._lasts(session, expiry_s)
        return True

    def leave(self, session: DeviceSession, will: Will | None) -> None:
        """A session has no connection any more. A will is sent now, or after its delay if the device stays away."""
        self.touch(session)
        delay_s = min(will.delay_s, self._lifetime_s(session)) if will is not None else 0
        if will is not None and delay_s > 0:
            session.will, session.will_at = will, session.seen_s + delay_s
        elif will is not None:
            self._publish_will(session, will)
        if session.durable:
            self.quota.hold(session.who.username, session.weight)
            self._watch(session)
        else:
            self.drop(session)

    def weigh(self, session: DeviceSession) -> None:
        """Account anew for all that waits for a session whose device is away."""
        if session.handler is None and self.sessions.get(session.who.username) is session:
            self.quota.hold(session.who.username, session.weight)

    def touch(self, session: DeviceSession) -> None:
        """Note that the session is in use now; the time after which it expires runs from here."""
        session.seen_s = self._clock()
        if session.durable:
            self._store.remember(session.who.username, session.credential, session.seen_s, session.expiry_s)

    def drop(self, session: DeviceSession) -> None:
        """End a session with all it holds; a will that waits is sent now [MQTT-3.1.2-8]."""
        username = session.who.username
        if self.sessions.get(username) is not session:
            return
        for topic_filter in session.subscriptions:
            self.subscriptions.remove(topic_filter, username)
        del self.sessions[username]
        self.quota.release(username)
        if session.durable:
            self._store.forget(username)
        if session.will is not None:
            will, session.will = session.will, None
            self._publish_will(session, will)

    def revoke(self, table: LoginTable) -> None:
        """End the sessions of those asked for whose login is not in the table, with their connections; no will is sent.

        Where only the password was replaced the connection ends and the session waits for the new one.
        """
        for username in table.asked:
            session = self.sessions.get(username)
            if session is None:
                continue
            credential = session.credential
            session.credential = table.heir(username, credential)
            known = table.find(username, session.credential) == session.who
            if known and session.credential == credential:
                continue
            if not known:
                session.will = None
            if session.handler is not None:
                session.handler.discard_will()
                ended = "moved" if username in table.moved else "revoked"
                session.handler.evict("password_replaced" if known else ended)
            if not known:
                self.drop(session)
            elif self.sessions.get(username) is session:
                self.touch(session)

    def look_after(self, now: float) -> None:
        """Send the wills and end the sessions whose time has come (epoch seconds)."""
        for username in self._due.due(now):
            session = self.sessions.get(username)
            if session is None or session.handler is not None:
                continue
            if self._ends_at(session) <= now:
                self._log.info("session_expired", username=username)
                self.drop(session)
                continue
            if session.will is not None and session.will_at <= now:
                will, session.will = session.will, None
                self._publish_will(session, will)
            self._watch(session)

    def lifetime_s(self, expiry_s: int) -> int:
        """How many seconds a session really outlives its connection whose device wishes so many."""
        return min(expiry_s, int(self._holding.session_s))

    def _lifetime_s(self, session: DeviceSession) -> float:
        return min(session.expiry_s, self._holding.session_s)

    def _ends_at(self, session: DeviceSession) -> float:
        return session.seen_s + self._lifetime_s(session)

    def _watch(self, session: DeviceSession) -> None:
        at = self._ends_at(session)
        self._due.set(session.who.username, at if session.will is None else min(at, session.will_at))

    def _lasts(self, session: DeviceSession, expiry_s: int) -> None:
        """From now on it outlives its connection by so much; one that does not is not on disk."""
        if session.durable and not expiry_s:
            self._store.forget(session.who.username)
        session.expiry_s = expiry_s

    def _bridge(self, session: DeviceSession) -> None:
        """A bridge has its options on all filters, also on those that it subscribed to when it came as a client."""
        for topic_filter, granted in session.subscriptions.items():
            if granted & _BRIDGED == _BRIDGED:
                continue
            bridged = session.subscriptions[topic_filter] = granted | _BRIDGED
            self.subscriptions.add(topic_filter, session.who.username, bridged)
            if session.durable:
                number = next(iter(identifiers(bridged)), 0)
                self._store.subscribe(session.who.username, topic_filter, bridged & 0xFF, number)
