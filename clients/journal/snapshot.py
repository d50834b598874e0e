"""What the records of a journal add up to: all that a device has to know when it starts again. Pure.

A line that is torn, damaged or of an unknown kind is skipped and counted: the box digest finds
whatever it would have said.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from clients.box.memory import Memory
from clients.box.numbers import Numbers
from clients.contract.digest import Digest
from clients.journal import records
from clients.keepalive import Endured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clients.journal.records import Record


NETWORKS = 16
"""So many networks are remembered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail that was recorded as shown: its place in the order of all shown, id and header."""

    sequence: int
    mail_id: str
    payload: bytes


@dataclass(slots=True)
class Snapshot:
    """All that a client has to know when it starts again."""

    memory: Memory = field(default_factory=Memory)
    digest: Digest | None = None
    subscription: str = ""
    """What was subscribed to, and where; empty when nothing was confirmed."""
    unshown: dict[str, bytes] = field(default_factory=dict)
    """Headers that were taken in and acknowledged, but not yet shown."""
    headers: dict[str, bytes] = field(default_factory=dict)
    """Headers of live mails, packed, as far as they are known."""
    numbers: Numbers = field(default_factory=Numbers)
    """Short numbers of live mails, as people type them."""
    networks: dict[str, Endured] = field(default_factory=dict)
    """What the keepalive found, by network, the one that was found last at the end."""
    sequence: int = 0
    last: Entry | None = None
    damaged: int = 0

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> Self:
        """What the whole lines of a journal add up to; never raises."""
        snapshot = cls()
        for line in lines:
            try:
                snapshot.add(records.decode(line))
            except (ValueError, RecursionError):
                snapshot.damaged += 1
        return snapshot

    def add(self, record: Record) -> None:
        """Take in one record; raises ValueError for one of an unknown shape."""
        match record:
            case ["box", int(live), int(check), str(newest_id)]:
                self.digest = Digest(live, check, newest_id)
            case ["subscribed", str(subscription)]:
                self.subscription = subscription
            case ["network", str(name), int(low_s), int(high_s), int(found_ms)]:
                self.networks.pop(name, None)
                self.networks[name] = Endured(low_s, high_s, found_ms)
                while len(self.networks) > NETWORKS:
                    del self.networks[next(iter(self.networks))]
            case ["sequence", int(sequence)]:
                self.sequence = max(self.sequence, sequence)
            case [_, *_]:
                self._add_of_mail(record)
            case _:
                raise ValueError("not a record of the journal")

    def _add_of_mail(self, record: Record) -> None:
        match record:
            case ["shown", int(sequence), str(mail_id), str(payload)]:
                self.last = Entry(sequence, mail_id, b64decode(payload, validate=True))
                self.sequence = max(self.sequence, sequence)
                self._came(mail_id, shown=True)
                self.headers[mail_id] = self.last.payload
                self.unshown.pop(mail_id, None)
            case ["held", str(mail_id), str(payload)]:
                self.unshown[mail_id] = self.headers[mail_id] = b64decode(payload, validate=True)
                self._came(mail_id)
            case ["header", str(mail_id), str(payload)]:
                if mail_id in self.memory.live:
                    self.headers[mail_id] = b64decode(payload, validate=True)
            case ["number", str(mail_id), int(number)]:
                self.numbers.give(mail_id, number)
            case ["live", str(mail_id), bool(shown)]:
                self._came(mail_id, shown=shown)
            case ["gone", str(mail_id), bool(shown)]:
                self.memory.went(mail_id, shown=shown)
                self.numbers.went(mail_id)
                self.headers.pop(mail_id, None)
                self.unshown.pop(mail_id, None)
            case _:
                raise ValueError("not a record of the journal")

    def _came(self, mail_id: str, *, shown: bool = False) -> None:
        self.memory.came(mail_id, shown=shown)
        self.numbers.came(mail_id)

    def records(self) -> Iterator[Record]:
        """The shortest journal that adds up to this snapshot, without the last entry."""
        yield records.sequence(self.sequence)
        yield records.subscribed(self.subscription)
        for mail_id, given in self.numbers.given():
            yield records.number(mail_id, given)
        for name, found in self.networks.items():
            yield records.network(name, found)
        for mail_id, was_shown in self.memory.gone.items():
            yield records.gone(mail_id, was_shown=was_shown)
        for mail_id, was_shown in self.memory.live.items():
            yield records.live(mail_id, was_shown=was_shown)
        for mail_id, payload in self.headers.items():
            yield records.header(mail_id, payload)
        for mail_id, payload in self.unshown.items():
            yield records.unshown(mail_id, payload)
        if self.digest is not None:
            yield records.box(self.digest)
