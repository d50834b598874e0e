"""Requests in words or JSON, as any MQTT app can write them, and replies in the same form (docs/protocol.md).

A request in MessagePack begins with a byte of 0x90 or more, so one look at the first byte tells the forms apart.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

from bridge.contract import ids
from bridge.contract.header import unpack_header
from bridge.contract.requests import REQUEST_BYTES, Operation, Request, Status
from bridge.contract.views import describe, text_view
from bridge.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

RECENT_UNLESS_SAID = 10
_IN_WORDS = (Operation.SEEN, Operation.UNSEEN, Operation.RECENT)
_WORDS_BEGIN = frozenset(b" \t\r\nabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class PlainForm(Enum):
    """How a plain request is written, and its reply with it."""

    WORDS = "words"
    JSON = "json"


def form_of(payload: bytes) -> PlainForm | None:
    """How a request is written; None for MessagePack, and for what is nothing."""
    if payload[:1] == b"{":
        return PlainForm.JSON
    return PlainForm.WORDS if payload and payload[0] in _WORDS_BEGIN else None


def parse_request(payload: bytes, form: PlainForm) -> Request:
    """The request in a payload of this form; raises BadRequestError, and nothing else, for anything that is none."""
    if len(payload) > REQUEST_BYTES:
        raise BadRequestError(Status.BAD_REQUEST, "request too large")
    return _from_words(payload) if form is PlainForm.WORDS else _from_json(payload)


def _from_words(payload: bytes) -> Request:
    """`seen ID…`, `seen all`, `unseen ID…`, `recent [N]`; keyboards of phones begin with a capital."""
    operation, *words = payload.decode("utf-8", "replace").lower().split() or [""]
    if operation == Operation.RECENT:
        if len(words) > 1 or not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
            raise BadRequestError(Status.BAD_REQUEST, "write recent, and how many")
        return Request(0, operation, (int(words[0]) if words else RECENT_UNLESS_SAID,))
    return Request(0, _known(operation), tuple(words))


def _from_json(payload: bytes) -> Request:
    """`{"seen": ID}`, `{"seen": [ID, …]}`, `{"recent": N}`, maybe with a `"request"`: a number for the reply."""
    try:
        asked = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(Status.BAD_REQUEST, "not JSON") from error
    request_id = asked.pop("request", 0)
    if type(request_id) is not int or not 0 <= request_id < 2**32:  # True is a number to Python
        raise BadRequestError(Status.BAD_REQUEST, "request is a number below 2^32")
    if len(asked) != 1:
        raise BadRequestError(Status.BAD_REQUEST, "ask for one thing: seen, unseen or recent")
    ((operation, value),) = asked.items()
    return Request(request_id, _known(operation), tuple(value) if isinstance(value, list) else (value,))


def _known(operation: str) -> str:
    if operation not in _IN_WORDS:
        raise BadRequestError(Status.BAD_REQUEST, "no such operation; there are seen, unseen and recent")
    return operation


# --- writing --------------------------------------------------------------------------------------


def done(form: PlainForm, request_id: int) -> bytes:
    """The reply to a request whose answer is that it was done."""
    return b"ok" if form is PlainForm.WORDS else _json({"request": request_id, "ok": True})


def refusal(form: PlainForm, request_id: int, text: str) -> bytes:
    """The reply to a request that was not done, and why."""
    if form is PlainForm.WORDS:
        return f"error: {text}".encode()
    return _json({"request": request_id, "ok": False, "error": text})


def recent(form: PlainForm, request_id: int, messages: Sequence[tuple[int, bytes]], *, limit_bytes: int) -> bytes:
    """The reply to `recent`: the newest messages, first those, as many as there is room for in so many bytes.

    In words each is a line, its id and what `text` would say; in JSON each is as in `last`.
    """
    if form is PlainForm.WORDS:
        lines = [f"{ids.encode(number)} ".encode() + text_view(unpack_header(header)) for number, header in messages]
        return b"\n".join(_fitting(lines, limit_bytes))
    head = _json({"request": request_id, "ok": True, "recent": []})[:-2]
    objects = [_json(describe(number, unpack_header(header))) for number, header in messages]
    return head + b",".join(_fitting(objects, limit_bytes - len(head) - 2)) + b"]}"


def _fitting(pieces: Sequence[bytes], limit_bytes: int) -> Sequence[bytes]:
    """As many from the first on as fit with one byte between them."""
    used = -1
    for count, piece in enumerate(pieces):
        used += 1 + len(piece)
        if used > limit_bytes:
            return pieces[:count]
    return pieces


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
