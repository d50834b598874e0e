"""The records of a device's journal: one JSON array a line, guarded by a CRC-32.

Pure. `decode` and `Snapshot.of` (snapshot.py) read what every earlier version wrote.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clients.contract.digest import Digest
    from clients.keepalive import Endured

Record = list[str | int | bool]
"""What happened, and to which mail; the first element says what."""


def shown(sequence: int, mail_id: str, payload: bytes) -> Record:
    """The mail is put on the screen right after this record is written."""
    return ["shown", sequence, mail_id, b64encode(payload).decode()]


def unshown(mail_id: str, payload: bytes) -> Record:
    """The mail was taken in by a command that shows none; the next watcher shows it. In the file it is `held`."""
    return ["held", mail_id, b64encode(payload).decode()]


def header(mail_id: str, payload: bytes) -> Record:
    """The header of a mail that is live, for lists of the box."""
    return ["header", mail_id, b64encode(payload).decode()]


def number(mail_id: str, given: int) -> Record:
    """The short number that a mail has."""
    return ["number", mail_id, given]


def live(mail_id: str, *, was_shown: bool = False) -> Record:
    """The mail is in the box."""
    return ["live", mail_id, was_shown]


def gone(mail_id: str, *, was_shown: bool = False) -> Record:
    """The mail left the box."""
    return ["gone", mail_id, was_shown]


def box(digest: Digest) -> Record:
    """The digest as it was heard last."""
    return ["box", digest.live, digest.check, digest.newest_id]


def subscribed(subscription: str) -> Record:
    """The broker has confirmed this subscription, or (empty) it is known to be lost."""
    return ["subscribed", subscription]


def network(name: str, found: Endured) -> Record:
    """What the keepalive found on a network."""
    return ["network", name, found.low_s, found.high_s, found.found_ms]


def sequence(number: int) -> Record:
    """So many mails were shown before, in records that are not in the file any more."""
    return ["sequence", number]


def encode(record: Record) -> bytes:
    """The line of a record."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Record:
    """The record in a line; raises ValueError or RecursionError for one that is damaged."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if int(checksum, 16) != zlib.crc32(text):
        raise ValueError("the line is damaged")
    parsed: Record = json.loads(text)
    return parsed
