"""Requests of devices, read; replies to them, written (docs/protocol.md, "Requests" and "Replies")."""

from __future__ import annotations

import re
from binascii import a2b_base64
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

import msgpack

from bridge.contract import ids
from bridge.contract.packing import VERSION, pack, unpack
from bridge.errors import BadRequestError
from bridge.model import Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDPOINT_CHARACTERS = 1024
POINT_BYTES, UNCOMPRESSED = 65, 4
"""A point of P-256 as it stands in a subscription (SEC 1 §2.3.3)."""
SECRET_BYTES = 16
_PLAIN_BASE64 = str.maketrans("-_", "+/")
_ENDPOINT = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[A-Za-z0-9._~!$&'+()*,;=:@%/?-]*)?"
)
REQUEST_BYTES = 16_384
"""A request larger than this is refused unread: the longest useful one names a few hundred ids."""


class Status(IntEnum):
    """How a request went, as the reply says it."""

    SUCCESS = 0
    BAD_REQUEST = 1
    """The device says what cannot be; its maker has to mend it."""
    NO_MESSAGE = 2
    BODY_GONE = 3
    """The body is no longer kept; the header still is."""
    NO_PART = 4
    TOO_MANY = 5
    """More requests than the device's rate allows: later, waiting longer each time."""
    TEMPORARY = 6
    """The same, for a failure of ours."""
    NO_PUSH = 7
    """Push is switched off here, or does not go to such an address."""


class Operation(StrEnum):
    """What a device can ask for, and with which arguments."""

    SEEN = "seen"
    """`id…`: somebody saw these messages."""
    UNSEEN = "unseen"
    """`id…`: as if nobody had."""
    RECENT = "recent"
    """`n [offset [limit]]`: the newest headers, seen or not."""
    TEXT = "text"
    """`id [offset [limit]]`: the readable text."""
    RAW = "raw"
    """`id [offset [limit]]`: the message as it came."""
    PARTS = "parts"
    """`id`: the list of its parts."""
    PART = "part"
    """`id [index [offset [limit]]]`: one part, decoded."""
    PUSH = "push"
    """`[endpoint [p256dh auth]]`: where to ring it by Web Push, "" for nowhere; without any, how that goes."""


@dataclass(frozen=True, slots=True)
class Request:
    """A device's request: its id as chosen by the device, the operation as written, and its arguments."""

    request_id: int
    operation: str
    arguments: tuple[Any, ...]


# --- reading --------------------------------------------------------------------------------------


def parse_request(payload: bytes) -> Request:
    """The request in a payload; raises BadRequestError, and nothing else, for anything that is none."""
    if len(payload) > REQUEST_BYTES:
        raise BadRequestError(Status.BAD_REQUEST, "request too large")
    try:
        array = unpack(payload)
    except (ValueError, msgpack.UnpackException) as error:
        raise BadRequestError(Status.BAD_REQUEST, "not MessagePack") from error
    match array:
        case [1, int(request_id), str(operation), *arguments] if (
            type(array[0]) is type(request_id) is int and 0 <= request_id < 2**32  # True is a number to Python
        ):
            return Request(request_id, operation, tuple(arguments))
        case [int(version), *_] if type(version) is int and version != VERSION:
            raise BadRequestError(Status.BAD_REQUEST, "unknown version")
        case _:
            raise BadRequestError(Status.BAD_REQUEST, "not a request")


def mail_numbers(arguments: Sequence[Any]) -> list[int]:
    """The numbers of one or more ids; raises BadRequestError when there is none, or something else among them."""
    try:
        numbers = [ids.decode(mail_id) for mail_id in arguments]
    except (ValueError, TypeError) as error:
        raise BadRequestError(Status.BAD_REQUEST, "not a message id") from error
    if not numbers:
        raise BadRequestError(Status.BAD_REQUEST, "no message id")
    return numbers


def numbers_or(defaults: Sequence[int], arguments: Sequence[Any]) -> tuple[int, ...]:
    """As many numbers as there are defaults: what was left out is its default, what is more is ignored.

    Raises BadRequestError for what is no number.
    """
    given = tuple(arguments[: len(defaults)])
    if any(type(number) is not int for number in given):  # True is a number to Python
        raise BadRequestError(Status.BAD_REQUEST, "index, offset and limit are numbers")
    return given + tuple(defaults[len(given) :])


def subscription(arguments: Sequence[Any]) -> Subscription | None:
    """Where a device wants to be rung: `endpoint p256dh auth` as browsers give them, or None for an empty endpoint.

    Of the endpoint nothing is taken but what every reader of URLs reads alike: https, a host of plain letters or an
    address, a port, a path. Raises BadRequestError.
    """
    match arguments:
        case ["", *_]:
            return None
        case [str(endpoint), str(p256dh), str(auth), *_]:
            pass
        case _:
            raise BadRequestError(Status.BAD_REQUEST, "push takes an endpoint, p256dh and auth")
    found = _ENDPOINT.fullmatch(endpoint)
    if len(endpoint) > ENDPOINT_CHARACTERS or found is None or not 0 < int(found["port"] or 443) < 2**16:
        raise BadRequestError(Status.BAD_REQUEST, "the endpoint is no https URL of a push service")
    key, secret = _from_base64url(p256dh), _from_base64url(auth)
    if len(key) != POINT_BYTES or key[0] != UNCOMPRESSED or len(secret) != SECRET_BYTES:
        raise BadRequestError(Status.BAD_REQUEST, "these are no keys of a subscription (RFC 8291)")
    return Subscription(endpoint, found["host"].strip("[]"), key, secret)


def _from_base64url(text: str) -> bytes:
    try:
        return a2b_base64(text.translate(_PLAIN_BASE64) + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return b""


def window(arguments: Sequence[Any], *, total: int, most: int) -> tuple[int, int]:
    """Where in an answer of `total` bytes to begin, and how many bytes to send, at most `most`.

    `arguments` are offset and limit as the device gave them; raises BadRequestError.
    """
    offset, limit = numbers_or((0, most), arguments)
    if not 0 <= offset <= total:
        raise BadRequestError(Status.BAD_REQUEST, "the offset is not within the answer")
    if limit < 1:
        raise BadRequestError(Status.BAD_REQUEST, "the limit is less than 1")
    return offset, min(limit, most)


# --- writing --------------------------------------------------------------------------------------


def pack_reply(request_id: int, *, offset: int = 0, total: int = 0, chunk: bytes = b"") -> bytes:
    """A reply of success: one chunk of an answer of `total` bytes, and where in it the chunk belongs."""
    return pack([VERSION, request_id, Status.SUCCESS, offset, total, chunk])


def pack_refusal(request_id: int, *, status: int, text: str) -> bytes:
    """A reply of failure: a status other than SUCCESS, and why in a few words."""
    return pack([VERSION, request_id, status, 0, 0, text])


def pack_recent(messages: Sequence[tuple[int, bytes]]) -> bytes:
    """The answer to `recent`: an array of `[id, header array]`, of numbers and header payloads."""
    return pack([[ids.encode(number), unpack(header)] for number, header in messages])


def pack_push(key: str, *, endpoint: str = "", state: str = "", reason: str = "") -> bytes:
    """The answer to `push`: `[key, endpoint, state, reason]`, the latter three empty where the device is not rung."""
    return pack([key, endpoint, state, reason])


def pack_parts(parts: Sequence[tuple[int, str, str, int]]) -> bytes:
    """The answer to `parts`: an array of `[index, content type, file name, size]`."""
    return pack([list(part) for part in parts])
