"""What one session still has to get: a queue, a window of messages in flight, their order. Pure.

Entries leave in the order in which they came [MQTT-4.6.0-6]. At most `window` QoS 1 messages are
sent and not acknowledged; after a reconnection these come first, in order, with DUP and their old
packet ids [MQTT-4.4.0-1], again at most `window` at a time. The packet id follows from the entry's sequence number
when it is queued, so a queue that was read back from disk has the same ids as before the crash.

The retained messages of a new subscription wait in the same queue, but as one `Replay` that looks for
them when its turn comes, so many at a time: a hundred thousand topics cost no list and no standstill,
a filter that is subscribed to a thousand times costs one look, and each topic's value is the newest.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from broker.entries import Bounds, Entry, Replay, size
from broker.quota import EACH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from broker.wire.message import Message

_PACKET_IDS = 65_535
_LOOKS = 64  # retained topics that `take` looks at before it lets others go on


class Delivery:
    """The delivery state of one session.

    Invariants: `octets` is the sum of waiting payloads and properties; a packet id belongs to at most one entry,
    waiting or in flight; what is in flight never exceeds the window. `looking` says why `take` gave nothing:
    it has looked at its share of the retained messages, and goes on when it is asked again. `unread` is how many
    messages of an earlier process are still on disk alone: until they are here nothing may be taken.
    """

    __slots__ = (
        "_again", "_bounds", "_ids", "_in_flight", "_may_be_sent", "_newest_state", "_next_seq", "_octets", "_replays",
        "_waiting", "looking", "unread", "window",
    )  # fmt: skip

    def __init__(self, bounds: Bounds, *, next_seq: int = 1, unread: int = 0) -> None:
        self.looking = False
        self.unread = unread
        self.window = bounds.window
        self._bounds = bounds
        self._may_be_sent = bounds.window  # of those that come from disk
        self._next_seq = next_seq
        self._waiting: OrderedDict[int, Entry | Replay] = OrderedDict()
        self._in_flight: dict[int, Entry] = {}
        self._again: dict[int, Entry] | None = None  # was in flight on the connection before
        self._ids: set[int] = set()
        self._newest_state: dict[str, int] = {}
        self._replays: dict[str, int] = {}
        self._octets = 0

    def __len__(self) -> int:
        """How many messages wait or are in flight; a replay counts as none."""
        return len(self._waiting) - len(self._replays) + len(self._in_flight) + len(self._again or ()) + self.unread

    @property
    def idle(self) -> bool:
        """Whether nothing is to be sent, whatever the window."""
        return not self._waiting and not self._again

    @property
    def next_seq(self) -> int:
        """The sequence number of whatever comes next."""
        return self._next_seq

    @property
    def weight(self) -> int:
        """The bytes of memory that all of them take, about; not those that are unread."""
        flying = (*self._in_flight.values(), *(self._again or {}).values())
        return self._octets + sum(size(entry.message) for entry in flying) + (len(self) - self.unread) * EACH

    def offer(
        self, message: Message, *, qos: int, state: bool, retain: bool = False, ids: tuple[int, ...] = ()
    ) -> tuple[Entry, list[Entry]]:
        """Queue a message. Returns its entry and those that were dropped to make room for it.

        A waiting older value of the same state topic is always dropped: only the newest matters. Over
        the bounds the oldest state topic goes first, then the oldest message.
        """
        dropped = []
        if state and (older := self._newest_state.get(message.topic)) is not None:
            dropped.append(self._drop(older))
        entry = Entry(self._take_seq(), message, qos, retain, state, ids)
        if qos:
            entry.packet_id = self._take_id(entry.seq)
        self._waiting[entry.seq] = entry
        self._octets += size(message)
        if state:
            self._newest_state[message.topic] = entry.seq
        if self._over():
            dropped += self.trim()
        return entry, dropped

    def at_once(
        self, message: Message, *, qos: int, state: bool, retain: bool = False, ids: tuple[int, ...] = ()
    ) -> Entry | None:
        """The same and `take` in one: the message's entry, to be sent now. None where something has to go before it."""
        if self._waiting or self._again or self.unread or len(self._in_flight) >= self.window:
            return None
        seq = self._next_seq
        self._next_seq = seq + 1
        entry = Entry(seq, message, qos, retain, state, ids)
        if qos:
            packet_id = entry.packet_id = self._take_id(seq)
            self._in_flight[packet_id] = entry
        return entry

    def trim(self) -> list[Entry]:
        """Drop what is over the bounds."""
        dropped = []
        while self._over():
            dropped.append(self._drop(self._victim()))
        return dropped

    def give_up(self) -> Entry | None:
        """Drop one message though the bounds are kept, because all sessions together hold too much.

        Of a client that is away; what may have been sent to it goes last. None when there is nothing, or not yet.
        """
        if self.unread:
            return None
        if len(self._waiting) > len(self._replays):
            return self._drop(self._victim())
        for flying in (self._again, self._in_flight):
            if flying:
                return self.acknowledge(next(iter(flying)))
        return None

    def restore(
        self, seq: int, message: Message, *, state: bool, retain: bool = False, ids: tuple[int, ...] = ()
    ) -> bool:
        """Put back an entry that outlived the broker, in their order; False when a newer state has come meanwhile.

        The first ones may have been sent: they get DUP.
        """
        if state and self._newest_state.get(message.topic, 0) > seq:
            return False
        entry = Entry(seq, message, 1, retain, state, ids, self._take_id(seq), self._may_be_sent > 0)
        self._may_be_sent -= 1
        self._waiting[seq] = entry
        self._octets += size(message)
        if state:
            self._newest_state[message.topic] = seq
        self._next_seq = max(self._next_seq, seq + 1)
        return True

    def restored(self, before: int) -> list[Entry]:
        """All entries are here whose sequence number is below this one; what came meanwhile goes behind them.

        Returns what was over the bounds.
        """
        self.unread = 0
        for seq in [seq for seq in self._waiting if seq >= before]:
            self._waiting.move_to_end(seq)
        return self.trim()

    def replay(
        self, topic_filter: str, *, qos: int, found: Iterable[Message | None], ids: tuple[int, ...] = ()
    ) -> None:
        """Queue the retained messages of a subscription; one still waiting for this filter is replaced.

        `found` is read only as far as messages are sent.
        """
        self.drop_replay(topic_filter)
        seq = self._take_seq()
        self._waiting[seq] = Replay(topic_filter, qos, iter(found), ids)
        self._replays[topic_filter] = seq

    def drop_replay(self, topic_filter: str) -> None:
        """What a filter has still to replay is not wanted any more [MQTT-3.10.4-2]."""
        if (seq := self._replays.pop(topic_filter, None)) is not None:
            del self._waiting[seq]

    def resume(self, window: int) -> None:
        """A new connection with this window: what was in flight on the old one comes first, in order, with DUP."""
        self.window = window
        if self._in_flight or self._again:
            self._again = {**self._in_flight, **(self._again or {})}
            self._in_flight = {}

    def take(self) -> Entry | None:
        """The next entry to send now, or None: nothing waits, the window is full, or it is still `looking`."""
        self.looking = False
        while len(self._in_flight) < self.window:
            if self._again:
                packet_id = next(iter(self._again))
                entry = self._in_flight[packet_id] = self._again.pop(packet_id)
                return entry
            if not self._waiting:
                return None
            seq, head = next(iter(self._waiting.items()))
            if isinstance(head, Entry):
                self._forget(seq, head)
            else:
                found = self._from(head)
                if self.looking:
                    return None
                if found is None:
                    del self._waiting[seq], self._replays[head.topic_filter]
                    continue
                head = found
            if head.qos:
                self._in_flight[head.packet_id] = head
            return head
        return None

    def awaits(self, packet_id: int) -> bool:
        """Whether a message was sent with this packet id and has no PUBACK yet."""
        return packet_id in self._in_flight

    def acknowledge(self, packet_id: int) -> Entry | None:
        """A PUBACK: the entry is done. None when it acknowledges nothing."""
        entry = self._in_flight.pop(packet_id, None)
        if entry is None and self._again:
            entry = self._again.pop(packet_id, None)
        if entry is not None:
            self._ids.discard(packet_id)
        return entry

    def _from(self, replay: Replay) -> Entry | None:
        for looks, message in enumerate(replay.found):
            if message is not None:
                qos = min(replay.qos, message.qos)
                entry = Entry(self._take_seq(), message, qos, retain=True, ids=replay.ids, replayed=True)
                if entry.qos:
                    entry.packet_id = self._take_id(entry.seq)
                return entry
            if looks == _LOOKS:
                self.looking = True
                return None
        return None

    def _take_seq(self) -> int:
        self._next_seq += 1
        return self._next_seq - 1

    def _take_id(self, seq: int) -> int:
        packet_id = seq % _PACKET_IDS + 1
        while packet_id in self._ids:  # the bounds keep this far from full
            packet_id = packet_id % _PACKET_IDS + 1
        self._ids.add(packet_id)
        return packet_id

    def _over(self) -> bool:
        waiting = len(self._waiting) - len(self._replays)
        over = waiting > self._bounds.messages or (waiting > 1 and self._octets > self._bounds.octets)
        return over and not self.unread  # the oldest are not here yet

    def _victim(self) -> int:
        if self._newest_state:
            return next(iter(self._newest_state.values()))
        return next(seq for seq, entry in self._waiting.items() if isinstance(entry, Entry))

    def _drop(self, seq: int) -> Entry:
        entry = self._waiting[seq]
        assert isinstance(entry, Entry)
        self._forget(seq, entry)
        self._ids.discard(entry.packet_id)
        return entry

    def _forget(self, seq: int, entry: Entry) -> None:
        del self._waiting[seq]
        self._octets -= size(entry.message)
        if entry.state and self._newest_state.get(entry.message.topic) == seq:
            del self._newest_state[entry.message.topic]
