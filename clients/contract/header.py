"""The compact header of a mail: read, and described as JSON (docs/protocol.md, "Header" and "Views")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from clients.contract.elements import STATE_BYTES, VERSION, array, check_version, integer, line
from clients.contract.ids import received

FLAG_NAMES = (
    "attachment",
    "urgent",
    "low_priority",
    "bulk",
    "automatic",
    "encrypted",
    "signed",
    "invitation",
    "bounce",
    "suspicious",
    "authenticated",
    "silent",
)
"""The names of the header's flags, lowest bit first."""

_DEFAULTS: tuple[Any, ...] = (VERSION, 0, "", "", "", "", 0, "", None)


@dataclass(frozen=True, slots=True)
class Header:
    """The compact header of a mail. `size` in bytes; `date` in epoch seconds or None."""

    flags: int = 0
    from_name: str = ""
    from_address: str = ""
    subject: str = ""
    snippet: str = ""
    size: int = 0
    detail: str = ""
    date: int | None = None

    @property
    def silent(self) -> bool:
        """Whether the mail is to be shown without a sound: the user's rules said so."""
        return bool(self.flags & 1 << FLAG_NAMES.index("silent"))

    @property
    def flag_names(self) -> list[str]:
        """The names of the flags that are set and known, lowest bit first."""
        return [name for bit, name in enumerate(FLAG_NAMES) if self.flags >> bit & 1]


def decode_header(payload: bytes) -> Header:
    """The header in a payload, trailing defaults filled in, elements of the future ignored."""
    return header_of(array(payload, limit=STATE_BYTES))


def header_of(elements: list[Any]) -> Header:
    """The header that is these elements, as in an answer to `recent`."""
    check_version(elements)
    elements = [*elements, *_DEFAULTS[len(elements) :]]
    date = None if elements[8] is None else integer(elements[8], "date", lowest=None)
    return Header(
        flags=integer(elements[1], "flags"),
        from_name=line(elements[2], "from_name"),
        from_address=line(elements[3], "from_address"),
        subject=line(elements[4], "subject"),
        snippet=line(elements[5], "snippet"),
        size=integer(elements[6], "size"),
        detail=line(elements[7], "detail"),
        date=date if date is None or _has_calendar_date(date) else None,
    )


def describe(mail_id: str, header: Header) -> dict[str, Any]:
    """A mail as the JSON object that `last`, `event` and `watch --json` share."""
    return {
        "id": mail_id,
        "received": rfc3339(received(mail_id), "milliseconds"),
        "from_name": header.from_name,
        "from_address": header.from_address,
        "subject": header.subject,
        "snippet": header.snippet,
        "size": header.size,
        "flags": header.flag_names,
        "detail": header.detail,
        "date": None if header.date is None else rfc3339(_moment(header.date), "seconds"),
    }


def rfc3339(moment: datetime, timespec: str) -> str:
    """A moment in UTC as RFC 3339 writes it, `timespec` as in `datetime.isoformat`."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def _moment(epoch_s: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_s)


def _has_calendar_date(epoch_s: int) -> bool:
    try:
        _moment(epoch_s)
    except OverflowError:
        return False
    return True
