"""What is answered: made from a raw message, and remembered, for a device asks for it in pieces."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.contract import requests
from bridge.contract.requests import Operation, Status
from bridge.errors import BadRequestError
from bridge.mail import content, mime

if TYPE_CHECKING:
    from collections.abc import Sequence

CACHE_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """All bytes of an answer, and offset and limit of what is to be sent of it, as the device gave them.

    `whole` is for what has no offset to be asked for by: the list of parts, which is bounded.
    """

    content: bytes = b""
    window: Sequence[Any] = ()
    whole: bool = False


def extract(raw: bytes, operation: Operation, index: int) -> bytes:
    """What an operation gives of a raw message, for PART the part of that index; raises BadRequestError."""
    if operation is Operation.RAW:
        return raw
    if operation is Operation.TEXT:
        return content.readable_text(raw).encode()
    parts = mime.parts(raw)
    if operation is Operation.PARTS:
        return requests.pack_parts([(part.index, part.content_type, part.file_name, part.size) for part in parts])
    chosen = next((part for part in parts if part.index == index), None)
    if chosen is None:
        raise BadRequestError(Status.NO_PART, "no such part")
    return content.decoded(raw, chosen)


class AnswerCache:
    """The answers that were read last, up to CACHE_BYTES together; the very last one however long it is."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[Any, ...]) -> bytes | None:
        """The answer under this key, which stays the longer for it; None when it is not here."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: tuple[Any, ...], answer: bytes) -> None:
        """Remember an answer, and forget as many of those read longest ago as it takes."""
        self._bytes += len(answer) - len(self._answers.pop(key, b""))
        self._answers[key] = answer
        while len(self._answers) > 1 and self._bytes > CACHE_BYTES:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= len(oldest)
