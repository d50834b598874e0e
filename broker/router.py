"""Where messages cross: sessions, subscriptions, retained messages and the rules between them.

No sockets and no waiting: what has to go out is put into the session's delivery, and its handler, if
the device is connected, is told to send. So a publish is one step that nothing can interrupt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from broker.acl import Role
from broker.delivery import Bounds, Delivery
from broker.retained import Message, Retained
from broker.session import DeviceSession
from broker.subscriptions import Subscriptions
from broker.topics import is_state, valid_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from broker.acl import Identity, Rules
    from broker.auth import LoginTable
    from broker.codec import Will
    from broker.delivery import Entry
    from broker.sessions import SavedSession, SessionStore
    from broker.statistics import Statistics

_REFUSED = 0x80
_LOGGED_EACH = 1000
_SHOWN = 128  # characters of a filter or topic in the log


class Router:
    """The broker's state. One per process; every method runs to its end on the event loop."""

    def __init__(
        self,
        *,
        rules: Rules,
        bounds: Bounds,
        subscriptions: int,
        store: SessionStore,
        statistics: Statistics,
        clock: Callable[[], float],
    ) -> None:
        self.sessions: dict[str, DeviceSession] = {}
        self.retained = Retained()
        self.subscriptions = Subscriptions()
        self._rules = rules
        self.use(bounds=bounds, subscriptions=subscriptions)
        self._store = store
        self._statistics = statistics
        self._clock = clock
        self._log = structlog.get_logger()

    def use(self, *, bounds: Bounds, subscriptions: int) -> None:
        """Have these bounds hold: of a queue for sessions that begin from now on."""
        self._bounds = bounds
        self._allowed = subscriptions

    def restore(self, who: Identity, saved: SavedSession) -> None:
        """Put back a session that the last broker process left."""
        session = self._create(who, saved.credential, durable=True)
        session.seen_s = saved.seen_s
        for topic_filter, qos in saved.filters.items():
            session.subscriptions[topic_filter] = qos
            self.subscriptions.add(topic_filter, who.username, qos)
        for seq, topic, payload in saved.queued:
            session.delivery.restore(seq, Message(topic, payload, 1), state=is_state(self._rules.root, topic))

    def restore_retained(self) -> None:
        """Put back what the last broker process retained below the root. The bridge repairs what is not right any more.

        So a device that resumes its session is not sent everything anew, least of all the text it rang for.
        """
        for topic, payload, qos in self._store.load_retained(f"{self._rules.root}/"):
            self.retained.keep(Message(topic, payload, qos))

    def open(self, who: Identity, credential: bytes, *, clean: bool) -> tuple[DeviceSession, bool]:
        """The session for a new connection, and whether it was present [MQTT-3.1.2-4] [MQTT-3.1.2-6].

        The one that had the session before is disconnected first [MQTT-3.1.4-2], its will sent. What was in
        flight to it is sent again by the new connection's handler, then what waits [MQTT-4.4.0-1].
        """
        session = self.sessions.get(who.username)
        if session is not None and session.handler is not None:
            session.handler.evict("taken_over")
        if session is not None and (clean or not session.durable or session.who != who):
            self.drop(session)
        present = who.username in self.sessions
        if not present:
            session = self._create(who, credential, durable=not clean)
        assert session is not None
        session.credential = credential
        self.touch(session)
        return session, present

    def touch(self, session: DeviceSession) -> None:
        """Note that the session is in use now; the time after which it expires runs from here."""
        session.seen_s = self._clock()
        if session.durable:
            self._store.remember(session.who.username, session.credential, session.seen_s)

    def drop(self, session: DeviceSession) -> None:
        """End a session with all it holds."""
        for topic_filter in session.subscriptions:
            self.subscriptions.remove(topic_filter, session.who.username)
        self.sessions.pop(session.who.username, None)
        if session.durable:
            self._store.forget(session.who.username)

    def revoke(self, table: LoginTable) -> None:
        """End the sessions whose login is not in the table any more, with their connections; no will is sent.

        Where only the password was replaced the connection ends and the session waits for the new one.
        """
        for session in list(self.sessions.values()):
            username, credential = session.who.username, session.credential
            session.credential = table.heir(username, credential)
            known = table.find(username, session.credential) == session.who
            if known and session.credential == credential:
                continue
            if session.handler is not None:
                session.handler.discard_will()
                session.handler.evict("password_replaced" if known else "revoked")
            if not known or not session.durable:
                self.drop(session)
            else:
                self.touch(session)

    def expire(self, before_s: float) -> None:
        """End all sessions that were last connected before a time (epoch)."""
        for session in [s for s in self.sessions.values() if s.handler is None and s.seen_s < before_s]:
            self._log.info("session_expired", username=session.who.username)
            self.drop(session)

    def publish(self, message: Message, *, retain: bool) -> int:
        """Deliver to all subscribers, and keep the message if it is to be retained.

        Returns the ticket after which it is safe on disk for all that are durable, 0 if it is already.
        """
        ticket = self._retain(message) if retain else 0
        state = retain and is_state(self._rules.root, message.topic)
        for username, granted in self.subscriptions.match(message.topic).items():
            session = self.sessions[username]
            if self._rules.may_read(session.who, message.topic):
                ticket = max(ticket, self._deliver(session, message, min(granted, message.qos), state=state))
        return ticket

    def receive(self, session: DeviceSession, message: Message, *, retain: bool) -> int:
        """A client's PUBLISH. One that is not allowed is acknowledged and dropped [MQTT-3.3.5-2]."""
        who = session.who
        self._statistics.received += 1
        if reason := self._rules.refuses(who, message.topic, len(message.payload)):
            self._refuse(session, "publish_refused", topic=message.topic, reason=reason)
            return 0
        return self.publish(message, retain=retain and self._rules.may_retain(who))

    def send_will(self, session: DeviceSession, will: Will) -> None:
        """A connection ended without DISCONNECT [MQTT-3.1.2-8]; its will has the rights of its owner."""
        message = Message(will.message.topic, will.message.payload, min(will.message.qos, 1))
        self.receive(session, message, retain=will.retain)

    def subscribe(self, session: DeviceSession, wanted: list[tuple[str, int]]) -> list[int]:
        """Subscribe; returns one SUBACK code for each filter [MQTT-3.8.4-5]: the QoS, at most 1, or 0x80.

        A packet that asks for more than a session may have is refused as a whole.
        """
        if len(wanted) > self._allowed and session.who.role is not Role.BRIDGE:
            self._refuse(session, "subscribe_refused", filter=wanted[0][0], reason="too_many_subscriptions")
            return [_REFUSED] * len(wanted)
        return [self._subscribe(session, topic_filter, min(qos, 1)) for topic_filter, qos in wanted]

    def unsubscribe(self, session: DeviceSession, filters: list[str]) -> None:
        """Unsubscribe [MQTT-3.10.4-1]."""
        for topic_filter in filters:
            if session.subscriptions.pop(topic_filter, None) is not None:
                session.delivery.drop_replay(topic_filter)
                self.subscriptions.remove(topic_filter, session.who.username)
                if session.durable:
                    self._store.unsubscribe(session.who.username, topic_filter)

    def acknowledge(self, session: DeviceSession, packet_id: int) -> None:
        """A client's PUBACK: the message leaves the window and, if it is there, the disk. A stray one is ignored."""
        entry = session.delivery.acknowledge(packet_id)
        if entry is not None and session.durable and not entry.retain:
            self._store.done(session.who.username, entry.seq)

    def _retain(self, message: Message) -> int:
        """Keep it, on disk as well unless it says how the bridge is: that is told anew at each of its connections."""
        self.retained.keep(message)
        if not message.topic.startswith(f"{self._rules.root}/"):
            return 0
        return self._store.retain(message.topic, message.payload, message.qos)

    def _create(self, who: Identity, credential: bytes, *, durable: bool) -> DeviceSession:
        session = DeviceSession(who, Delivery(self._bounds), credential=credential, durable=durable)
        self.sessions[who.username] = session
        return session

    def _subscribe(self, session: DeviceSession, topic_filter: str, qos: int) -> int:
        who = session.who
        full = topic_filter not in session.subscriptions and len(session.subscriptions) >= self._allowed
        full = full and who.role is not Role.BRIDGE  # it looks at many users' topics at once
        if full or not valid_filter(topic_filter) or not self._rules.may_subscribe(who, topic_filter):
            reason = "too_many_subscriptions" if full else "not_allowed"
            self._refuse(session, "subscribe_refused", filter=topic_filter, reason=reason)
            return _REFUSED
        self._statistics.renewed += topic_filter in session.subscriptions and who.role is Role.DEVICE
        session.subscriptions[topic_filter] = qos
        self.subscriptions.add(topic_filter, who.username, qos)
        if session.durable:
            self._store.subscribe(who.username, topic_filter, qos)
        session.delivery.replay(topic_filter, qos=qos, found=self._found(who, topic_filter))
        return qos

    def _found(self, who: Identity, topic_filter: str) -> Iterator[Message | None]:
        """The retained messages of a filter that the client may read; None for each other topic looked at."""
        for message in self.retained.walk(topic_filter):
            yield message if message is not None and self._rules.may_read(who, message.topic) else None

    def _refuse(self, session: DeviceSession, event: str, *, reason: str, **what: str) -> None:
        """Count it, and log the first of a session and then each thousandth: a client must not fill the log."""
        self._statistics.drop(reason)
        session.refused += 1
        if session.refused % _LOGGED_EACH == 1:
            username, refused = session.who.username, session.refused
            shown = {key: value[:_SHOWN] for key, value in what.items()}
            self._log.warning(event, username=username, reason=reason, refused=refused, **shown)

    def _deliver(self, session: DeviceSession, message: Message, qos: int, *, state: bool) -> int:
        if session.handler is None and not qos:
            return 0  # QoS 0 is for those who are there
        username, ticket = session.who.username, 0
        entry, dropped = session.delivery.offer(message, qos=qos, state=state)
        if session.durable and qos:
            ticket = self._store.queue(username, entry.seq, message.topic, message.payload)
        for old in dropped:
            self._lose(session, old, superseded=old.state and old.message.topic == message.topic)
        if session.handler is not None:
            session.handler.pump()
        return ticket

    def _lose(self, session: DeviceSession, entry: Entry, *, superseded: bool) -> None:
        if session.durable and entry.qos:
            self._store.done(session.who.username, entry.seq)
        if superseded:
            return
        self._statistics.drop("queue_full")
        session.dropped += 1
        if session.dropped % _LOGGED_EACH == 1:
            self._log.warning("queue_full", username=session.who.username, dropped=session.dropped)
