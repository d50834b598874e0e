"""The contract's payloads as a client reads and writes them (docs/protocol.md).

Written from the document alone and bound to the bridge by tests/vectors/*.json. Every decoder is
total: it returns a value or raises a ContractError, in time and memory linear in the payload, which
is itself bounded. Text that comes out holds no control characters and no line breaks.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = 1
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
"""The zero of all message ids."""

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

STATE_BYTES = 8192
"""A header or digest larger than this is not read."""
REPLY_BYTES = 2 * 2**20
"""A reply larger than this is not read: a chunk is 8 KiB unless the operator chose otherwise."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(f"[{_DIGITS}]{{9}}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HEADER_DEFAULTS: tuple[Any, ...] = (VERSION, 0, "", "", "", "", 0, "", None)


class ContractError(ValueError):
    """A payload that this client does not read; the text says why, never what was in it."""


class UnknownVersionError(ContractError):
    """A payload of another version of the contract: skip it, and say so once."""


class MalformedError(ContractError):
    """A payload that no version of the contract could have written."""


@dataclass(frozen=True, slots=True)
class Header:
    """The compact header of a message. `size` in bytes; `date` in epoch seconds or None."""

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
        """Whether the message is to be shown without a sound: the user's rules said so."""
        return bool(self.flags & 1 << FLAG_NAMES.index("silent"))

    @property
    def flag_names(self) -> list[str]:
        """The names of the flags that are set and known, lowest bit first."""
        return [name for bit, name in enumerate(FLAG_NAMES) if self.flags >> bit & 1]


@dataclass(frozen=True, slots=True)
class Digest:
    """The box digest: how many messages are live, the XOR of their ids' CRC-32, and the newest id."""

    live: int = 0
    check: int = 0
    newest_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The bridge's reply. `status` 0 carries `chunk`, which starts at `offset` of `total` bytes."""

    request_id: int
    status: int
    offset: int
    total: int
    chunk: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part of a message as `parts` lists it; `file_name` may be empty."""

    index: int
    content_type: str
    file_name: str
    size: int


# --- ids ------------------------------------------------------------------------------------------


def valid_id(text: str) -> bool:
    """Whether the text is a message id: nine digits of lower-case Crockford base32."""
    return _ID.fullmatch(text) is not None


def id_number(mail_id: str) -> int:
    """The milliseconds since EPOCH that an id carries; raises MalformedError for what is no id."""
    if not valid_id(mail_id):
        raise MalformedError("not a message id")
    return reduce(lambda number, digit: number << 5 | _DIGITS.index(digit), mail_id, 0)


def received(mail_id: str) -> datetime:
    """When the message was accepted, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=id_number(mail_id))


def rfc3339(moment: datetime, timespec: str) -> str:
    """A moment in UTC as RFC 3339 writes it, `timespec` as in `datetime.isoformat`."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def describe(mail_id: str, header: Header) -> dict[str, Any]:
    """A message as the JSON object that `last`, `event` and `watch --json` share."""
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


# --- state: header and digest ---------------------------------------------------------------------


def decode_header(payload: bytes) -> Header:
    """The header in a payload, trailing defaults filled in, elements of the future ignored."""
    return _header(_array(payload, limit=STATE_BYTES))


def _header(array: list[Any]) -> Header:
    _check_version(array)
    array = [*array, *_HEADER_DEFAULTS[len(array) :]]
    date = None if array[8] is None else _integer(array[8], "date", lowest=None)
    return Header(
        flags=_integer(array[1], "flags"),
        from_name=_line(array[2], "from_name"),
        from_address=_line(array[3], "from_address"),
        subject=_line(array[4], "subject"),
        snippet=_line(array[5], "snippet"),
        size=_integer(array[6], "size"),
        detail=_line(array[7], "detail"),
        date=date if date is None or _has_calendar_date(date) else None,
    )


def decode_digest(payload: bytes) -> Digest:
    """The box digest in a payload; an empty box is `[1]`."""
    array = _array(payload, limit=STATE_BYTES)
    _check_version(array)
    if len(array) == 1:
        return Digest()
    if len(array) < 4:
        raise MalformedError("the digest is too short")
    live, check, newest_id = _integer(array[1], "live"), _integer(array[2], "check"), array[3]
    if check >= 2**32:
        raise MalformedError("check has more than 32 bits")
    if live == 0:
        return Digest()
    if not isinstance(newest_id, str) or not valid_id(newest_id):
        raise MalformedError("newest_id is not a message id")
    return Digest(live, check, newest_id)


def digest_of(ids: Iterable[str]) -> Digest:
    """The digest that a box with exactly these ids has."""
    live, check, newest_id = 0, 0, ""
    for mail_id in ids:
        live += 1
        check ^= zlib.crc32(mail_id.encode("ascii"))
        newest_id = max(newest_id, mail_id)
    return Digest(live, check, newest_id)


# --- requests and replies -------------------------------------------------------------------------


def encode_request(request_id: int, operation: str, *arguments: str | int) -> bytes:
    """A request; `request_id` is an unsigned integer below 2^32 that the client chooses."""
    packed: bytes = msgpack.packb([VERSION, request_id, operation, *arguments])
    return packed


def decode_reply(payload: bytes) -> Reply:
    """The reply in a payload: of success with its chunk, or of failure with a line of text."""
    array = _array(payload, limit=REPLY_BYTES)
    _check_version(array)
    if len(array) < 6:
        raise MalformedError("the reply is too short")
    request_id, status = _integer(array[1], "request_id"), _integer(array[2], "status")
    offset, total, content = _integer(array[3], "offset"), _integer(array[4], "total"), array[5]
    if status:
        return Reply(request_id, status, offset, total, b"", _line(content, "text"))
    if not isinstance(content, bytes):
        raise MalformedError("a reply of success carries bytes")
    if offset + len(content) > total:
        raise MalformedError("the chunk reaches beyond the total")
    return Reply(request_id, status, offset, total, content, "")


def decode_recent(answer: bytes) -> list[tuple[str, Header]]:
    """The whole answer to `recent`: ids with headers; headers of another version are left out."""
    messages = []
    for entry in _array(answer, limit=REPLY_BYTES):
        if not (isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[0], str)):
            raise MalformedError("not an id with its header")
        if not valid_id(entry[0]) or not isinstance(entry[1], list):
            raise MalformedError("not an id with its header")
        try:
            messages.append((entry[0], _header(entry[1])))
        except UnknownVersionError:
            continue
    return messages


def decode_parts(answer: bytes) -> list[Part]:
    """The whole answer to `parts`."""
    parts = []
    for entry in _array(answer, limit=REPLY_BYTES):
        if not (isinstance(entry, list) and len(entry) >= 4):
            raise MalformedError("not a part")
        index, content_type, file_name, size = entry[:4]
        parts.append(
            Part(
                index=_integer(index, "index"),
                content_type=_line(content_type, "content_type"),
                file_name=_line(file_name, "file_name"),
                size=_integer(size, "size"),
            )
        )
    return parts


# --- below: one element at a time -----------------------------------------------------------------


def _array(payload: bytes, *, limit: int) -> list[Any]:
    if len(payload) > limit:
        raise MalformedError(f"the payload is larger than {limit} bytes")
    try:
        value = msgpack.unpackb(payload, raw=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedError("the payload is not MessagePack") from error
    if not isinstance(value, list):
        raise MalformedError("the payload is not an array")
    return value


def _check_version(array: list[Any]) -> None:
    if not array:
        raise MalformedError("the payload is an empty array")
    if array[0] != VERSION or type(array[0]) is not int:
        raise UnknownVersionError("the payload is of another version of the contract")


def _integer(value: Any, name: str, *, lowest: int | None = 0) -> int:
    if type(value) is not int or (lowest is not None and value < lowest):
        raise MalformedError(f"{name} is not an integer in range")
    return value


def _line(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"{name} is not text")
    return _UNPRINTABLE.sub(" ", value)


def _moment(epoch_s: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_s)


def _has_calendar_date(epoch_s: int) -> bool:
    try:
        _moment(epoch_s)
    except OverflowError:
        return False
    return True
