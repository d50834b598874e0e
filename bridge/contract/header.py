"""The compact header of one message (docs/protocol.md, "Header"): written within a limit, and read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge import graphemes
from bridge.contract import ids, topics
from bridge.contract.packing import VERSION, pack, unpack
from bridge.model import Header

DATE_SLACK_S = 86_400
"""The sender's Date is sent only when it is further than this from the arrival."""
SMALLEST_LIMIT_BYTES = 32
"""A header whose texts are all cut to nothing is no longer than this."""

_DEFAULTS: tuple[Any, ...] = (None, 0, "", "", "", "", 0, "", None)
_CUT_FIRST = ("snippet", "subject", "from_name", "detail", "from_address")


def pack_header(header: Header, *, limit: int) -> bytes:
    """The header's payload, at most `limit` bytes: what is cut first is the snippet, then the subject, then the name.

    `limit` is at least SMALLEST_LIMIT_BYTES. What was cut ends in `…`, between two characters.
    """
    return packed(header, limit=limit)[1]


def packed(header: Header, *, limit: int) -> tuple[Header, bytes]:
    """The same, with the header that is in the payload: what was cut is cut there as well."""
    payload = pack(_array(header))
    for field in _CUT_FIRST:
        if len(payload) <= limit:
            break
        without_bytes = len(pack(_array(_with(header, field, "-")))) - 1
        header = _with(header, field, cut(getattr(header, field), budget_bytes=limit - without_bytes))
        payload = pack(_array(header))
    return header, payload


def fitted(payload: bytes, limit: int | None) -> bytes:
    """The same header within a limit, cut as `pack_header` does; None is no limit."""
    if limit is None or len(payload) <= limit:
        return payload
    return pack_header(unpack_header(payload), limit=limit)


def longest_packet(root: str, user: str, payload: int) -> int:
    """Bytes of the PUBLISH (MQTT 3.1.1 §3.3, QoS 1) that brings a user a header of so many: what a buffer must hold."""
    topic = f"{root}/{topics.message(user, ids.encode(0))}"
    rest = 2 + len(topic.encode()) + 2 + payload  # each behind its length, and the packet's id
    lengths = 1 if rest < 128 else 2 if rest < 16_384 else 3
    return 1 + lengths + rest


def unpack_header(payload: bytes) -> Header:
    """The header in a payload that `pack_header` wrote."""
    array = unpack(payload)
    array += _DEFAULTS[len(array) :]
    _, flags, from_name, from_address, subject, snippet, size, detail, date = array
    return Header(flags, from_name, from_address, subject, snippet, size, detail, date)


def _array(header: Header) -> list[Any]:
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
    while len(array) > 1 and array[-1] == _DEFAULTS[len(array) - 1]:
        array.pop()
    return array


def _with(header: Header, field: str, text: str) -> Header:
    values: dict[str, Any] = {field: text}
    return replace(header, **values)


def cut(text: str, *, budget_bytes: int) -> str:
    """The longest start of `text` that fits the budget, in UTF-8 with the ellipsis behind it.

    The budget is what the payload may grow by, the longer length of a longer string included.
    """
    room_bytes = budget_bytes - 1  # up to 255 bytes the length costs one byte more than that of ""
    return graphemes.clip_bytes(text, room_bytes if room_bytes <= 255 else room_bytes - 1)


def sender_date(date: int | None, *, arrival_ms: int) -> int | None:
    """The sender's date in epoch seconds if it says more than the id does already, else None."""
    if date is None or abs(date - arrival_ms // 1000) <= DATE_SLACK_S:
        return None
    return date
