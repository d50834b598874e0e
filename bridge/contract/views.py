"""What a user's other topics say: the box digest, and the views for programs that know nothing of the contract.

docs/protocol.md is the specification ("Box digest", "Views"). Pure functions; times are UTC (RFC 3339).
"""

from __future__ import annotations

import json
import re
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any

from bridge import graphemes
from bridge.contract import ids
from bridge.contract.packing import VERSION, pack
from bridge.model import Flag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.model import Header, Storm

TEXT_VIEW_CHARACTERS = 200
STORM_NAME_CHARACTERS = 60

_FLAG_NAMES = [(flag.value, flag.name.lower()) for flag in Flag if flag.name]
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embeddings, overrides and isolates (UAX #9 §2)


def pack_digest(live: Iterable[str]) -> bytes:
    """The box digest of a live set of ids: `[1, live, check, newest_id]`, `[1]` when it is empty."""
    count, check, newest = 0, 0, ""
    for mail_id in live:
        count += 1
        check ^= zlib.crc32(mail_id.encode())
        newest = max(newest, mail_id)
    return pack([VERSION, count, check, newest] if count else [VERSION])


def last_view(number: int, header: Header) -> bytes:
    """The newest mail as a JSON object."""
    return _as_json(describe(number, header))


def event_view(number: int, header: Header, *, user: str) -> bytes:
    """One new mail as a JSON event for home automation."""
    # What `describe` says, without a table and an encoder for each mail.
    flags = ",".join([f'"{name}"' for name in flag_names(header.flags)]) if header.flags else ""
    date = "null" if header.date is None else f'"{_date(header.date)}"'
    return (
        f'{{"event":"mail","user":{quoted(user)},"id":"{ids.encode(number)}","received":"{_received(number)}",'
        f'"from_name":{quoted(header.from_name)},"from_address":{quoted(header.from_address)},'
        f'"subject":{quoted(header.subject)},"snippet":{quoted(header.snippet)},"size":{header.size},'
        f'"flags":[{flags}],"detail":{quoted(header.detail)},"date":{date}}}'
    ).encode()


def storm_event_view(storm: Storm, *, user: str) -> bytes:
    """Messages beyond a user's rate as one JSON event."""
    return _as_json(
        {
            "event": "storm",
            "user": user,
            "from_name": storm.from_name,
            "from_address": storm.from_address,
            "more": storm.more,
        }
    )


def text_view(header: Header | None, storm: Storm | None = None, *, limit: int | None = None) -> bytes:
    """The newest mail that rings as one line that any MQTT app can show, and what stormed in behind it.

    The line is free of what could make a subject change places with the sender's name. It has at most `limit` bytes,
    if that is less than it would have.
    """
    behind = "" if storm is None else _storm_line(storm)
    room = TEXT_VIEW_CHARACTERS - (len(behind) + 1 if behind else 0)
    line = "" if header is None else graphemes.clip(_mail_line(header), room)
    text = " ".join(filter(None, (line, behind)))
    return (text if limit is None else graphemes.clip_bytes(text, limit)).encode()


def _mail_line(header: Header) -> str:
    sender = header.from_name or header.from_address or "(unknown sender)"
    line = f"{sender}: {header.subject or '(no subject)'}"
    if header.snippet:
        line += f" – {header.snippet}"
    return _TURNS.sub("", line)


def _storm_line(storm: Storm) -> str:
    sender = graphemes.clip(_TURNS.sub("", storm.from_name or storm.from_address or ""), STORM_NAME_CHARACTERS)
    return f"({storm.more} more from {sender})" if sender else f"({storm.more} more)"


def describe(number: int, header: Header) -> dict[str, Any]:
    """A message as the names and values that JSON views show."""
    return {
        "id": ids.encode(number),
        "received": _received(number),
        "from_name": header.from_name,
        "from_address": header.from_address,
        "subject": header.subject,
        "snippet": header.snippet,
        "size": header.size,
        "flags": flag_names(header.flags),
        "detail": header.detail,
        "date": None if header.date is None else _date(header.date),
    }


def flag_names(flags: int) -> list[str]:
    """The names of the flags that are set, in the order of their bits."""
    return [name for bit, name in _FLAG_NAMES if flags & bit]


def _as_json(value: dict[str, Any]) -> bytes:
    return _JSON.encode(value).encode()


def _received(number: int) -> str:
    second, millisecond = divmod(ids.received_ms(number), 1000)
    return f"{_second(second)}.{millisecond:03}Z"


def _date(epoch_s: int) -> str:
    return f"{_second(epoch_s)}Z"


@lru_cache(maxsize=64)  # in which many mails come
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat().removesuffix("+00:00")
