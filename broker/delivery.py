"""What one session still has to get: a queue, a window of messages in flight, their order. Pure.

Entries leave in the order in which they came [MQTT-4.6.0-6]. At most `window` QoS 1 messages are
sent and not acknowledged; after a reconnection these come first, in order, with DUP and their old
packet ids [MQTT-4.4.0-1]. The packet id follows from the entry's sequence number when it is queued,
so a queue that was read back from disk has the same ids as before the crash.

The retained messages of a new subscription wait in the same queue, but as one `Replay` that looks for
them when its turn comes, so many at a time: a hundred thousand topics cost no list and no standstill,
a filter that is subscribed to a thousand times costs one look, and each topic's value is the newest.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from broker.retained import Message

_PACKET_IDS = 65_535
_LOOKS = 64  # retained topics that `take` looks at before it lets others go on


@dataclass(slots=True)
class Entry:
    """One message for one session. `seq` orders them; `packet_id` is 0 for QoS 0."""

    seq: int
    message: Message
    qos: int
    retain: bool = False
    state: bool = False
    packet_id: int = 0
    sent: bool = False


@dataclass(slots=True)
class Replay:
    """The retained messages that a SUBSCRIBE asked for, not yet sent; `found` has None where none matched."""

    topic_filter: str
    qos: int
    found: Iterator[Message | None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one session may hold: messages in flight, messages and payload bytes waiting."""

    window: int
    messages: int
    octets: int


class Delivery:
    """The delivery state of one session.

    Invariants: `octets` is the sum of waiting payloads; a packet id belongs to at most one entry,
    waiting or in flight; what is in flight never exceeds the window. `looking` says why `take` gave nothing:
    it has looked at its share of the retained messages, and goes on when it is asked again.
    """

    __slots__ = (
        "_bounds", "_ids", "_in_flight", "_newest_state", "_next_seq", "_octets", "_replays", "_waiting", "looking",
    )  # fmt: skip

    def __init__(self, bounds: Bounds, *, next_seq: int = 1) -> None:
        self.looking = False
        self._bounds = bounds
        self._next_seq = next_seq
        self._waiting: OrderedDict[int, Entry | Replay] = OrderedDict()
        self._in_flight: dict[int, Entry] = {}
        self._ids: set[int] = set()
        self._newest_state: dict[str, int] = {}
        self._replays: dict[str, int] = {}
        self._octets = 0

    def __len__(self) -> int:
        """How many messages wait or are in flight; a replay counts as none."""
        return len(self._waiting) - len(self._replays) + len(self._in_flight)

    def offer(self, message: Message, *, qos: int, state: bool) -> tuple[Entry, list[Entry]]:
        """Queue a message. Returns its entry and those that were dropped to make room for it.

        A waiting older value of the same state topic is always dropped: only the newest matters. Over
        the bounds the oldest state topic goes first, then the oldest message.
        """
        dropped = []
        if state and (older := self._newest_state.get(message.topic)) is not None:
            dropped.append(self._drop(older))
        entry = Entry(self._take_seq(), message, qos, state=state)
        if qos:
            entry.packet_id = self._take_id(entry.seq)
        self._waiting[entry.seq] = entry
        self._octets += len(message.payload)
        if state:
            self._newest_state[message.topic] = entry.seq
        while self._over():
            dropped.append(self._drop(self._victim()))
        return entry, dropped

    def restore(self, seq: int, message: Message, *, state: bool) -> None:
        """Put back an entry that outlived the broker. The first ones may have been sent: they get DUP."""
        may_be_sent = len(self._waiting) < self._bounds.window
        entry = Entry(seq, message, 1, state=state, packet_id=self._take_id(seq), sent=may_be_sent)
        self._waiting[seq] = entry
        self._octets += len(message.payload)
        if state:
            self._newest_state[message.topic] = seq
        self._next_seq = max(self._next_seq, seq + 1)

    def replay(self, topic_filter: str, *, qos: int, found: Iterable[Message | None]) -> None:
        """Queue the retained messages of a subscription; one still waiting for this filter is replaced.

        `found` is read only as far as messages are sent.
        """
        self.drop_replay(topic_filter)
        seq = self._take_seq()
        self._waiting[seq] = Replay(topic_filter, qos, iter(found))
        self._replays[topic_filter] = seq

    def drop_replay(self, topic_filter: str) -> None:
        """What a filter has still to replay is not wanted any more [MQTT-3.10.4-2]."""
        if (seq := self._replays.pop(topic_filter, None)) is not None:
            del self._waiting[seq]

    def resume(self) -> list[Entry]:
        """A new connection: what was in flight on the old one, to be sent again in order with DUP."""
        return list(self._in_flight.values())

    def take(self) -> Entry | None:
        """The next entry to send now, or None: nothing waits, the window is full, or it is still `looking`."""
        self.looking = False
        while self._waiting and len(self._in_flight) < self._bounds.window:
            seq, head = next(iter(self._waiting.items()))
            if isinstance(head, Entry):
                self._forget(seq, head)
            else:
                entry = self._from(head)
                if self.looking:
                    return None
                if entry is None:
                    del self._waiting[seq], self._replays[head.topic_filter]
                    continue
                head = entry
            if head.qos:
                self._in_flight[head.packet_id] = head
            return head
        return None

    def acknowledge(self, packet_id: int) -> Entry | None:
        """A PUBACK: the entry is done. None when it acknowledges nothing."""
        entry = self._in_flight.pop(packet_id, None)
        if entry is not None:
            self._ids.discard(packet_id)
        return entry

    def _from(self, replay: Replay) -> Entry | None:
        for looks, message in enumerate(replay.found):
            if message is not None:
                entry = Entry(self._take_seq(), message, min(replay.qos, message.qos), retain=True)
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
        return waiting > self._bounds.messages or (waiting > 1 and self._octets > self._bounds.octets)

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
        self._octets -= len(entry.message.payload)
        if entry.state and self._newest_state.get(entry.message.topic) == seq:
            del self._newest_state[entry.message.topic]
