"""The contract's payloads, written: header, box digest, views, replies; and requests, read.

docs/protocol.md is the specification, tests/vectors/*.json bind this module and the clients' own
decoder to it. Pure functions; MessagePack arrays by position, trailing defaults left out.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgpack

from bridge import graphemes
from bridge.contract import ids
from bridge.errors import BadRequestError
from bridge.model import Flag, Header, Storm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERSION = 1
DATE_SLACK_S = 86_400
"""The sender's Date is sent only when it is further than this from the arrival."""
TEXT_VIEW_CHARACTERS = 200
REQUEST_BYTES = 16_384
"""A request larger than this is refused unread: the longest useful one names a few hundred ids."""

STORM_NAME_CHARACTERS = 60

_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embeddings, overrides and isolates (UAX #9 §2)
_HEADER_DEFAULTS: tuple[Any, ...] = (None, 0, "", "", "", "", 0, "", None)


@dataclass(frozen=True, slots=True)
class Request:
    """A device's request: its id as chosen by the device, the operation and its arguments."""

    request_id: int
    operation: str
    arguments: tuple[Any, ...]


# --- header ---------------------------------------------------------------------------------------


def pack_header(header: Header, *, limit: int) -> bytes:
    """The header payload, at most `limit` bytes: snippet, subject, name are cut in that order."""
    packed = _pack(_header_array(header))
    for field in ("snippet", "subject", "from_name", "detail", "from_address"):
        if len(packed) <= limit:
            break
        without = len(_pack(_header_array(replace(header, **_changed(field, "-"))))) - 1
        text = cut(getattr(header, field), budget=limit - without)
        header = replace(header, **_changed(field, text))
        packed = _pack(_header_array(header))
    return packed


def unpack_header(payload: bytes) -> Header:
    """The header in a payload that `pack_header` wrote."""
    array = msgpack.unpackb(payload)
    array += _HEADER_DEFAULTS[len(array) :]
    _, flags, from_name, from_address, subject, snippet, size, detail, date = array
    return Header(flags, from_name, from_address, subject, snippet, size, detail, date)


def _header_array(header: Header) -> list[Any]:
    array: list[Any] = [
        VERSION,
        header.flags,
        header.from_name,
        header.from_address,
        header.subject,
        header.snippet,
        header.size,
        header.detail,
        header.date,
    ]
    while len(array) > 1 and array[-1] == _HEADER_DEFAULTS[len(array) - 1]:
        array.pop()
    return array


def _changed(field: str, text: str) -> dict[str, Any]:
    return {field: text}


def cut(text: str, *, budget: int) -> str:
    """The longest start of `text` that fits `budget` bytes of UTF-8 with the ellipsis behind it.

    The budget is what the payload may grow by, the longer length of a longer string included.
    """
    room_bytes = budget - 1  # up to 255 bytes the length costs one byte more than that of ""
    return graphemes.clip_bytes(text, room_bytes if room_bytes <= 255 else room_bytes - 1)


def sender_date(date: int | None, *, arrival_ms: int) -> int | None:
    """The sender's date if it says more than the id does already, else None."""
    if date is None or abs(date - arrival_ms // 1000) <= DATE_SLACK_S:
        return None
    return date


# --- box digest and views -------------------------------------------------------------------------


def pack_digest(live: Iterable[str]) -> bytes:
    """The box digest of a live set of ids: `[1, live, check, newest_id]`, `[1]` when it is empty."""
    count, check, newest = 0, 0, ""
    for mail_id in live:
        count += 1
        check ^= zlib.crc32(mail_id.encode())
        newest = max(newest, mail_id)
    return _pack([VERSION, count, check, newest] if count else [VERSION])


def last_view(number: int, header: Header) -> bytes:
    """The newest mail as a JSON object."""
    return _json(describe(number, header))


def event_view(number: int, header: Header, *, user: str) -> bytes:
    """One new mail as a JSON event for home automation."""
    return _json({"event": "mail", "user": user, **describe(number, header)})


def storm_event_view(storm: Storm, *, user: str) -> bytes:
    """Messages beyond a user's rate as one JSON event."""
    return _json(
        {
            "event": "storm",
            "user": user,
            "from_name": storm.from_name,
            "from_address": storm.from_address,
            "more": storm.more,
        }
    )


def text_view(header: Header | None, storm: Storm | None = None) -> bytes:
    """The newest mail that rings as one line that any MQTT app can show, and what stormed in behind it.

    The line is free of what could make a subject change places with the sender's name.
    """
    behind = "" if storm is None else _storm_line(storm)
    room = TEXT_VIEW_CHARACTERS - (len(behind) + 1 if behind else 0)
    line = "" if header is None else graphemes.clip(_mail_line(header), room)
    return " ".join(filter(None, (line, behind))).encode()


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
    received = datetime.fromtimestamp(ids.received_ms(number) / 1000, UTC)
    date = None if header.date is None else _rfc3339(datetime.fromtimestamp(header.date, UTC), "seconds")
    return {
        "id": ids.encode(number),
        "received": _rfc3339(received, "milliseconds"),
        "from_name": header.from_name,
        "from_address": header.from_address,
        "subject": header.subject,
        "snippet": header.snippet,
        "size": header.size,
        "flags": flag_names(header.flags),
        "detail": header.detail,
        "date": date,
    }


def flag_names(flags: int) -> list[str]:
    """The names of the flags that are set, in the order of their bits."""
    return [flag.name.lower() for flag in Flag if flags & flag and flag.name]


# --- requests and replies -------------------------------------------------------------------------


def parse_request(payload: bytes) -> Request:
    """The request in a payload; raises BadRequestError (status 1) for anything that is none."""
    if len(payload) > REQUEST_BYTES:
        raise BadRequestError(1, "request too large")
    try:
        array = msgpack.unpackb(payload)
    except (ValueError, msgpack.UnpackException) as error:
        raise BadRequestError(1, "not MessagePack") from error
    match array:
        case [1, int(request_id), str(operation), *arguments] if (
            type(array[0]) is type(request_id) is int and 0 <= request_id < 2**32  # True is a number to Python
        ):
            return Request(request_id, operation, tuple(arguments))
        case [int(version), *_] if type(version) is int and version != VERSION:
            raise BadRequestError(1, "unknown version")
        case _:
            raise BadRequestError(1, "not a request")


def pack_reply(request_id: int, *, offset: int = 0, total: int = 0, chunk: bytes = b"") -> bytes:
    """A reply of success with one chunk of its bytes."""
    return _pack([VERSION, request_id, 0, offset, total, chunk])


def pack_refusal(request_id: int, *, status: int, text: str) -> bytes:
    """A reply of failure: status other than 0, and why in a few words."""
    return _pack([VERSION, request_id, status, 0, 0, text])


def pack_recent(messages: Sequence[tuple[int, bytes]]) -> bytes:
    """The answer to `recent`: an array of `[id, header array]`."""
    return _pack([[ids.encode(number), msgpack.unpackb(header)] for number, header in messages])


def pack_parts(parts: Sequence[tuple[int, str, str, int]]) -> bytes:
    """The answer to `parts`: an array of `[index, content type, file name, size]`."""
    return _pack([list(part) for part in parts])


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _rfc3339(moment: datetime, precision: str) -> str:
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
