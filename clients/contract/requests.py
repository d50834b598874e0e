"""What a device asks, and what it is answered (docs/protocol.md, "Requests" and "Replies")."""

from __future__ import annotations

from dataclasses import dataclass

import msgpack

from clients.contract.elements import REPLY_BYTES, VERSION, array, check_version, integer, line
from clients.contract.errors import MalformedError, UnknownVersionError
from clients.contract.header import Header, header_of
from clients.contract.ids import valid_id

_TRY_LATER = {5, 6}  # too many requests, temporary failure


@dataclass(frozen=True, slots=True)
class Reply:
    """The bridge's reply. `status` 0 carries `chunk`, which starts at `offset` of `total` bytes."""

    request_id: int
    status: int
    offset: int
    total: int
    chunk: bytes
    text: str

    @property
    def try_later(self) -> bool:
        """Whether the same request may succeed after a while."""
        return self.status in _TRY_LATER


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part of a mail as `parts` lists it; `file_name` may be empty."""

    index: int
    content_type: str
    file_name: str
    size: int


def encode_request(request_id: int, operation: str, *arguments: str | int) -> bytes:
    """A request; `request_id` is an unsigned integer below 2^32 that the client chooses."""
    packed: bytes = msgpack.packb([VERSION, request_id, operation, *arguments])
    return packed


def decode_reply(payload: bytes) -> Reply:
    """The reply in a payload: of success with its chunk, or of failure with a line of text."""
    elements = array(payload, limit=REPLY_BYTES)
    check_version(elements)
    if len(elements) < 6:
        raise MalformedError("the reply is too short")
    request_id, status = integer(elements[1], "request_id"), integer(elements[2], "status")
    offset, total, content = integer(elements[3], "offset"), integer(elements[4], "total"), elements[5]
    if status:
        return Reply(request_id, status, offset, total, b"", line(content, "text"))
    if not isinstance(content, bytes):
        raise MalformedError("a reply of success carries bytes")
    if offset + len(content) > total:
        raise MalformedError("the chunk reaches beyond the total")
    return Reply(request_id, status, offset, total, content, "")


def decode_recent(answer: bytes) -> list[tuple[str, Header]]:
    """The whole answer to `recent`: ids with headers; headers of another version are left out."""
    mails = []
    for entry in array(answer, limit=REPLY_BYTES):
        if not (isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[0], str)):
            raise MalformedError("not an id with its header")
        if not valid_id(entry[0]) or not isinstance(entry[1], list):
            raise MalformedError("not an id with its header")
        try:
            mails.append((entry[0], header_of(entry[1])))
        except UnknownVersionError:
            continue
    return mails


def decode_parts(answer: bytes) -> list[Part]:
    """The whole answer to `parts`."""
    parts = []
    for entry in array(answer, limit=REPLY_BYTES):
        if not (isinstance(entry, list) and len(entry) >= 4):
            raise MalformedError("not a part")
        index, content_type, file_name, size = entry[:4]
        parts.append(
            Part(
                index=integer(index, "index"),
                content_type=line(content_type, "content_type"),
                file_name=line(file_name, "file_name"),
                size=integer(size, "size"),
            )
        )
    return parts


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """How a device is rung while it sleeps: the bridge's key, where it is rung, if it is, and how that goes."""

    key: str
    endpoint: str
    state: str
    reason: str


def decode_push(answer: bytes) -> PushAnswer:
    """The whole answer to `push`."""
    elements = array(answer, limit=REPLY_BYTES)
    if len(elements) < 4:
        raise MalformedError("the answer to push is too short")
    key, endpoint, state, reason = elements[:4]
    return PushAnswer(line(key, "key"), line(endpoint, "endpoint"), line(state, "state"), line(reason, "reason"))
