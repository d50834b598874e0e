"""The records of a client's journal: one JSON array a line, guarded by a CRC-32; and what they add up to.

Pure. A line that is torn, damaged or of an unknown kind is skipped and counted: the box digest
finds whatever it would have said.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clients.box.memory import Memory
from clients.protocol import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Record = list[str | int | bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that was recorded as shown: its place in the order of all shown, id and header."""

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
    held: dict[str, bytes] = field(default_factory=dict)
    """Headers that were taken in and acknowledged, but not yet shown."""
    sequence: int = 0
    last: Entry | None = None
    damaged: int = 0

    def add(self, record: Record) -> None:
        """Take in one record; raises ValueError for one of an unknown shape."""
        match record:
            case ["shown", int(sequence), str(mail_id), str(payload)]:
                self.last = Entry(sequence, mail_id, b64decode(payload, validate=True))
                self.sequence = max(self.sequence, sequence)
                self.memory.came(mail_id, shown=True)
                self.held.pop(mail_id, None)
            case ["held", str(mail_id), str(payload)]:
                self.held[mail_id] = b64decode(payload, validate=True)
                self.memory.came(mail_id)
            case ["live", str(mail_id), bool(shown)]:
                self.memory.came(mail_id, shown=shown)
            case ["gone", str(mail_id), bool(shown)]:
                self.memory.went(mail_id, shown=shown)
                self.held.pop(mail_id, None)
            case ["box", int(live), int(check), str(newest_id)]:
                self.digest = Digest(live, check, newest_id)
            case ["subscribed", str(subscription)]:
                self.subscription = subscription
            case ["sequence", int(sequence)]:
                self.sequence = max(self.sequence, sequence)
            case _:
                raise ValueError("not a record of the journal")

    def records(self) -> Iterator[Record]:
        """The shortest journal that adds up to this snapshot, without the last entry."""
        yield ["sequence", self.sequence]
        yield subscribed(self.subscription)
        for mail_id, was_shown in self.memory.gone.items():
            yield gone(mail_id, was_shown=was_shown)
        for mail_id, was_shown in self.memory.live.items():
            yield live(mail_id, was_shown=was_shown)
        for mail_id, payload in self.held.items():
            yield held(mail_id, payload)
        if self.digest is not None:
            yield box(self.digest)


def shown(sequence: int, mail_id: str, payload: bytes) -> Record:
    """The message is put on the screen right after this record is written."""
    return ["shown", sequence, mail_id, b64encode(payload).decode()]


def held(mail_id: str, payload: bytes) -> Record:
    """The message was taken in by a command that shows no mail; the next watcher shows it."""
    return ["held", mail_id, b64encode(payload).decode()]


def live(mail_id: str, *, was_shown: bool = False) -> Record:
    """The message is in the box."""
    return ["live", mail_id, was_shown]


def gone(mail_id: str, *, was_shown: bool = False) -> Record:
    """The message left the box."""
    return ["gone", mail_id, was_shown]


def box(digest: Digest) -> Record:
    """The digest as it was heard last."""
    return ["box", digest.live, digest.check, digest.newest_id]


def subscribed(subscription: str) -> Record:
    """The broker has confirmed this subscription, or (empty) it is known to be lost."""
    return ["subscribed", subscription]


def encode(record: Record) -> bytes:
    """The line of a record."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def replay(lines: Iterable[bytes]) -> Snapshot:
    """What whole lines add up to."""
    snapshot = Snapshot()
    for line in lines:
        try:
            snapshot.add(_decode(line))
        except (ValueError, RecursionError):
            snapshot.damaged += 1
    return snapshot


def _decode(line: bytes) -> Record:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if int(checksum, 16) != zlib.crc32(text):
        raise ValueError("the line is damaged")
    parsed: Record = json.loads(text)
    return parsed
