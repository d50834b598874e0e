"""The nouns of the bridge, as frozen values. No I/O, no clock, no configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag


class Flag(IntFlag):
    """What a device may want to know of a mail before it shows it (docs/protocol.md, "Header"). Bits of one number."""

    ATTACHMENT = 1
    URGENT = 2
    LOW_PRIORITY = 4
    BULK = 8
    AUTOMATIC = 16
    ENCRYPTED = 32
    SIGNED = 64
    INVITATION = 128
    BOUNCE = 256
    SUSPICIOUS = 512
    AUTHENTICATED = 1024
    SILENT = 2048


@dataclass(slots=True)  # that it were frozen would cost three times as much, for each mail
class Extract:
    """What header extraction reads out of a raw message; nobody changes it. Text is NFC, one line, without controls.

    `date` is the Date field (RFC 5322 §3.6.1) in epoch seconds, None without one that can be read;
    `message_id` the Message-ID field (§3.6.4) as sent, stripped, empty when there is none;
    `list_id` the id of the mailing list (RFC 2919 §3) in lower case, empty when there is none;
    `hops` counts the Received fields (RFC 5321 §6.3).
    """

    from_name: str
    from_address: str
    subject: str
    snippet: str
    flags: Flag
    date: int | None
    message_id: str
    list_id: str = ""
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """The compact header of one message for one user, before it is packed (docs/protocol.md, "Header").

    `flags` are bits of Flag; `size` counts the bytes of the raw message; `detail` is what follows
    `+` in the recipient's address; `date` is the sender's in epoch seconds, None where the id says
    as much.
    """

    flags: int
    from_name: str
    from_address: str
    subject: str
    snippet: str
    size: int
    detail: str = ""
    date: int | None = None


@dataclass(frozen=True, slots=True)
class Storm:
    """Messages beyond a user's rate, told as one: `more` of them. Name and address are None where they differ."""

    more: int
    from_name: str | None
    from_address: str | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a device is rung by Web Push, as it said itself: an https URL, and its keys (RFC 8291 §3.1, §3.2).

    `p256dh` is an uncompressed point of P-256, 65 bytes; `auth` is a secret of 16 bytes. Whoever knows the endpoint can
    reach the device, so it is in no log.
    """

    endpoint: str
    host: str
    p256dh: bytes
    auth: bytes


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient's address as RCPT gave it, whose it is, and the part after `+` (RFC 5233 §1 calls it the detail)."""

    address: str
    user_id: int
    user: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A raw message as it was received, dot-unstuffed (RFC 5321 §4.5.2), complete.

    `head` is the whole message when `spooled` is None; otherwise its first bytes (at least the
    first 256 KiB), and `spooled` names the file of the spool that holds all of it, already synced.
    `size` counts the bytes of all of it. `digest` identifies the content without its trace fields
    (see `mail/digest.py`).
    """

    head: bytes
    size: int
    digest: bytes
    spooled: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail transaction that is ready to be committed.

    `sender` is empty for the null sender (RFC 5321 §4.5.5). `protocol` is what it came by, as
    RFC 3848 §1 names it, and `peer` the network address it came from: both for the log alone.
    """

    sender: str
    recipients: tuple[Recipient, ...]
    body: Body
    protocol: str = "SMTP"
    peer: str = ""
