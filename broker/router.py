"""Where messages cross: subscriptions, retained messages and the rules between them.

No sockets and no waiting: what has to go out is put into the session's delivery, and its handler, if
the device is connected, is told to send. So a publish is one step that nothing can interrupt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from broker.acl import Role
from broker.losses import QUEUE_FULL, Losses
from broker.retained import Retained
from broker.roster import Roster
from broker.subscriptions import PLAIN, grant, identifiers
from broker.topics import is_state, valid_filter
from broker.wire.message import Message
from broker.wire.packets import AS_PUBLISHED, QOS, RETAIN_HANDLING
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from broker.acl import Identity, Rules
    from broker.holding import Holding
    from broker.session import DeviceSession
    from broker.sessions import SessionStore
    from broker.statistics import Statistics
    from broker.wire.packets import Wanted, Will

_IF_NEW, _NEVER = 0x10, 0x20  # what RETAIN_HANDLING says of the retained messages
_SHARED = "$share/"
_LOGGED_EACH = 1000
_SHOWN = 128  # characters of a filter or topic in the log


class Router:
    """The broker's state. One per process; every method runs to its end on the event loop."""

    def __init__(
        self,
        *,
        rules: Rules,
        holding: Holding,
        subscriptions: int,
        store: SessionStore,
        statistics: Statistics,
        clock: Callable[[], float],
    ) -> None:
        self.retained = Retained()
        self.roster = Roster(holding=holding, store=store, clock=clock, publish_will=self.send_will)
        self.losses = Losses(roster=self.roster, store=store, statistics=statistics)
        self._rules = rules
        self._mail = f"{rules.root}/"
        self._allowed = subscriptions
        self._store = store
        self._statistics = statistics
        self._clock = clock
        self._log = structlog.get_logger()

    def use(self, *, holding: Holding, subscriptions: int) -> None:
        """Have these hold: how much is kept, and how many filters a session may have."""
        self.roster.use(holding)
        self._allowed = subscriptions

    def restore_retained(self) -> None:
        """Put back what the last broker process retained below the root. The bridge repairs what is not right any more.

        So a device that resumes its session is not sent everything anew, least of all the text it rang for.
        """
        for message in self._store.load_retained(self._mail):
            self.retained.keep(message)
        self.expire_retained(self._clock())

    def expire_retained(self, now: float) -> None:
        """Forget what is retained and is worth nothing any more (epoch seconds), on disk as well."""
        for topic in self.retained.expire(now):
            self._store.retain(Message(topic, b"", 0))

    def publish(self, message: Message, *, retain: bool, origin: str = "") -> tuple[int, bool]:
        """Deliver to all subscribers, and keep the message if it is to be retained.

        Returns the ticket after which it is safe on disk for all that are durable, 0 if it is already; and whether
        anybody subscribes to it. `origin` is the login that publishes.
        """
        ticket = self._retain(message) if retain else 0
        state = retain and is_state(self._rules.root, message.topic)
        roster = self.roster
        matching = roster.subscriptions.match(message.topic, origin)
        for username, granted in matching.items():
            session = roster.sessions[username]
            if not self._rules.may_read(session.who, message.topic):
                continue
            if granted <= PLAIN:
                due = self._deliver(session, message, min(granted, message.qos), state=state)
            else:
                as_it_is = retain and bool(granted & AS_PUBLISHED)  # [MQTT-3.3.1-12] [MQTT-3.3.1-13]
                qos, ids = min(granted & QOS, message.qos), identifiers(granted)
                due = self._deliver(session, message, qos, state=state, retain=as_it_is, ids=ids)
            ticket = max(ticket, due)
        return ticket, bool(matching)

    def receive(self, session: DeviceSession, message: Message, *, retain: bool) -> tuple[int, Reason]:
        """A client's PUBLISH: the ticket after which it is safe, and what its acknowledgement says in MQTT 5.

        One that is not allowed is dropped, and in older versions acknowledged all the same [MQTT-3.3.5-2].
        """
        who = session.who
        self._statistics.received += 1
        if refused := self._rules.refuses(who, message.topic, len(message.payload)):
            self._refuse(session, "publish_refused", topic=message.topic, reason=refused)
            return 0, Reason.NOT_AUTHORIZED if refused == "not_allowed" else Reason.QUOTA_EXCEEDED
        retain = retain and self._rules.may_retain(who)
        ticket, heard = self.publish(message, retain=retain, origin=who.username)
        return ticket, Reason.SUCCESS if heard else Reason.NO_MATCHING_SUBSCRIBERS

    def send_will(self, session: DeviceSession, will: Will) -> None:
        """A connection ended without DISCONNECT [MQTT-3.1.2-8]; its will has the rights of its owner."""
        self.receive(session, lasting(will.message, will.expiry_s, self._clock()), retain=will.retain)

    def subscribe(self, session: DeviceSession, wanted: Sequence[Wanted]) -> list[int]:
        """Subscribe; returns one SUBACK code for each filter [MQTT-3.8.4-6]: the QoS, at most 1, or a reason.

        A packet that asks for more than a session may have is refused as a whole.
        """
        if len(wanted) > self._allowed and session.who.role is not Role.BRIDGE:
            self._refuse(session, "subscribe_refused", filter=wanted[0].topic_filter, reason="too_many_subscriptions")
            return [Reason.QUOTA_EXCEEDED] * len(wanted)
        return [self._subscribe(session, one) for one in wanted]

    def unsubscribe(self, session: DeviceSession, filters: Sequence[str]) -> list[int]:
        """Unsubscribe [MQTT-3.10.4-1]; one UNSUBACK code for each filter."""
        codes: list[int] = []
        for topic_filter in filters:
            known = session.subscriptions.pop(topic_filter, None) is not None
            codes.append(Reason.SUCCESS if known else Reason.NO_SUBSCRIPTION_EXISTED)
            if known:
                session.delivery.drop_replay(topic_filter)
                self.roster.subscriptions.remove(topic_filter, session.who.username)
                if session.durable:
                    self._store.unsubscribe(session.who.username, topic_filter)
        return codes

    def acknowledge(self, session: DeviceSession, packet_id: int) -> None:
        """A client's PUBACK: the message leaves the window and, if it is there, the disk. A stray one is ignored."""
        entry = session.delivery.acknowledge(packet_id)
        if entry is not None and session.durable and not entry.replayed:
            self._store.done(session.who.username, entry.seq)

    def _retain(self, message: Message) -> int:
        """Keep it, on disk as well unless it says how the bridge is: that is told anew at each of its connections."""
        self.retained.keep(message)
        if not message.topic.startswith(self._mail):
            return 0
        return self._store.retain(message)

    def _subscribe(self, session: DeviceSession, wanted: Wanted) -> int:
        who, topic_filter = session.who, wanted.topic_filter
        known = topic_filter in session.subscriptions
        full = not known and len(session.subscriptions) >= self._allowed and who.role is not Role.BRIDGE
        if (code := self._judge(who, topic_filter, full=full)) is not Reason.SUCCESS:
            reason = "too_many_subscriptions" if full else "not_allowed"
            self._refuse(session, "subscribe_refused", filter=topic_filter, reason=reason)
            return code
        self._statistics.renewed += known and who.role is Role.DEVICE
        qos = min(wanted.options & QOS, 1)  # [MQTT-3.8.4-7]
        options = wanted.options & ~QOS | qos | session.forced
        granted = session.subscriptions[topic_filter] = grant(options, wanted.identifier)
        self.roster.subscriptions.add(topic_filter, who.username, granted)
        if session.durable:
            self._store.subscribe(who.username, topic_filter, options, wanted.identifier)
        handling = options & RETAIN_HANDLING
        if handling != _NEVER and not (handling == _IF_NEW and known):  # [MQTT-3.3.1-9] to [MQTT-3.3.1-11]
            found = self._found(who, topic_filter)
            session.delivery.replay(topic_filter, qos=qos, found=found, ids=identifiers(granted))
        return qos

    def _judge(self, who: Identity, topic_filter: str, *, full: bool) -> Reason:
        """Whether a filter is granted; what SUBACK says if it is not."""
        if topic_filter.startswith(_SHARED):
            return Reason.SHARED_UNSUPPORTED
        if not valid_filter(topic_filter):
            return Reason.FILTER_INVALID
        if full:
            return Reason.QUOTA_EXCEEDED
        return Reason.SUCCESS if self._rules.may_subscribe(who, topic_filter) else Reason.NOT_AUTHORIZED

    def _found(self, who: Identity, topic_filter: str) -> Iterator[Message | None]:
        """The retained messages of a filter that the client may read; None for each other topic looked at."""
        for message in self.retained.walk(topic_filter):
            fit = message is not None and self._rules.may_read(who, message.topic)
            yield message if fit and not _over(message, self._clock()) else None

    def _refuse(self, session: DeviceSession, event: str, *, reason: str, **what: str) -> None:
        """Count it, and log the first of a session and then each thousandth: a client must not fill the log."""
        self._statistics.drop(reason)
        session.refused += 1
        if session.refused % _LOGGED_EACH == 1:
            username, refused = session.who.username, session.refused
            shown = {key: value[:_SHOWN] for key, value in what.items()}
            self._log.warning(event, username=username, reason=reason, refused=refused, **shown)

    def _deliver(
        self,
        session: DeviceSession,
        message: Message,
        qos: int,
        *,
        state: bool,
        retain: bool = False,
        ids: tuple[int, ...] = (),
    ) -> int:
        handler, ticket = session.handler, 0
        if handler is None and not qos:
            return 0  # QoS 0 is for those who are there
        if qos and session.durable:
            seq = session.delivery.next_seq
            ticket = self._store.queue(session.who.username, seq, message, retain=retain, ids=ids)
        if handler is not None and handler.pass_on(message, qos=qos, state=state, retain=retain, ids=ids):
            return ticket
        entry, dropped = session.delivery.offer(message, qos=qos, state=state, retain=retain, ids=ids)
        for old in dropped:
            self.losses.lose(session, old, "" if old.state and old.message.topic == message.topic else QUEUE_FULL)
        if handler is not None:
            handler.pump()
        else:
            self.losses.account(session, entry.weight - sum(old.weight for old in dropped))
        return ticket


def _over(message: Message | None, now: float) -> bool:
    return message is not None and 0 < message.expires_at <= now


def lasting(message: Message, expiry_s: int | None, now: float) -> Message:
    """The message with the time (epoch) after which it is worth nothing, when it has so many seconds from now on."""
    if expiry_s is None:
        return message
    return Message(message.topic, message.payload, message.qos, message.properties, now + expiry_s)
