"""What does not reach its device: counted, logged, and taken from the disk; and who loses when too much waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from broker.entries import Entry
    from broker.roster import Roster
    from broker.session import DeviceSession
    from broker.sessions import SessionStore
    from broker.statistics import Statistics

QUEUE_FULL, TOTAL_FULL = "queue_full", "queue_total_full"
"""Why a message is dropped from a queue: that was over its bound, or all queues together over theirs."""
_LOGGED_EACH = 1000


class Losses:
    """Keeps the accounts of what is dropped. A reason is the name under which it is counted."""

    def __init__(self, *, roster: Roster, store: SessionStore, statistics: Statistics) -> None:
        self._roster = roster
        self._store = store
        self._statistics = statistics
        self._log = structlog.get_logger()

    def pass_over(self, session: DeviceSession, entry: Entry, reason: str) -> None:
        """A message is not sent when its turn comes: as if its client had it [MQTT-3.1.2-25] [MQTT-3.3.2-5]."""
        self._statistics.drop(reason)
        session.delivery.acknowledge(entry.packet_id)
        self._off_disk(session, entry)

    def lose(self, session: DeviceSession, entry: Entry, reason: str) -> None:
        """A message was dropped from a queue; a newer state takes the place of an older one without a word."""
        self._off_disk(session, entry)
        if not reason:
            return
        self._statistics.drop(reason)
        session.dropped += 1
        if session.dropped % _LOGGED_EACH != 1:
            return
        username, dropped = session.who.username, session.dropped
        if reason == TOTAL_FULL:
            self._log.warning("queue_total_full", username=username, dropped=dropped)
        else:
            self._log.warning("queue_full", username=username, dropped=dropped)

    def account(self, session: DeviceSession, octets: int) -> None:
        """So much more waits for a device that is away. Over the bound for all who are, somebody has to lose."""
        quota = self._roster.quota
        quota.add(session.who.username, octets)
        if quota.over:
            self.make_room()

    def make_room(self) -> None:
        """Drop until it is enough: the session that holds most loses first, and of it the oldest message."""
        quota, sessions = self._roster.quota, self._roster.sessions
        while quota.tight:
            username = quota.heaviest(lambda name: len(sessions[name].delivery) > sessions[name].delivery.unread == 0)
            if username is None:
                return
            session = sessions[username]
            while quota.tight and (entry := session.delivery.give_up()) is not None:
                self.lose(session, entry, TOTAL_FULL)
                quota.add(username, -entry.weight)

    def _off_disk(self, session: DeviceSession, entry: Entry) -> None:
        if session.durable and entry.qos and not entry.replayed:
            self._store.done(session.who.username, entry.seq)
