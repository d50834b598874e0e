"""A payload taken apart, element by element (docs/protocol.md, "MessagePack").

Every function is total: it returns a value or raises a ContractError, in time and memory linear in
the payload, which is bounded itself. Text that comes out has no control characters and no line breaks.
"""

from __future__ import annotations

import re
from typing import Any

import msgpack

from clients.contract.errors import MalformedError, UnknownVersionError

VERSION = 1
"""The first element of every payload."""
STATE_BYTES = 8192
"""A header or digest larger than this is not read."""
REPLY_BYTES = 2 * 2**20
"""A reply larger than this is not read: a chunk is 8 KiB unless the operator chose otherwise."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def array(payload: bytes, *, limit: int) -> list[Any]:
    """The elements of a payload of at most `limit` bytes."""
    if len(payload) > limit:
        raise MalformedError(f"the payload is larger than {limit} bytes")
    try:
        value = msgpack.unpackb(payload, raw=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedError("the payload is not MessagePack") from error
    if not isinstance(value, list):
        raise MalformedError("the payload is not an array")
    return value


def check_version(elements: list[Any]) -> None:
    """Raise UnknownVersionError unless the first element is VERSION."""
    if not elements:
        raise MalformedError("the payload is an empty array")
    if elements[0] != VERSION or type(elements[0]) is not int:
        raise UnknownVersionError("the payload is of another version of the contract")


def integer(value: Any, name: str, *, lowest: int | None = 0) -> int:
    """An integer, and no bool, that is not below `lowest`."""
    if type(value) is not int or (lowest is not None and value < lowest):
        raise MalformedError(f"{name} is not an integer in range")
    return value


def line(value: Any, name: str) -> str:
    """A text in one line; what a screen would obey is replaced by spaces."""
    if not isinstance(value, str):
        raise MalformedError(f"{name} is not text")
    return _UNPRINTABLE.sub(" ", value)
